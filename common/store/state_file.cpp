#include "common/store/state_file.h"

#include <algorithm>
#include <array>

#include "common/hash/hash.h"

namespace tributary {
namespace {

constexpr std::array<std::uint8_t, 8> kMagic = {'T', 'R', 'B', 'S', 'T', 'A', 'T', '1'};
constexpr std::size_t kAroundBytes = kMagic.size() + 8 + 4 + 4;

struct Stored {
    std::uint64_t counter = 0;
    Bytes payload;
};

Bytes encode(std::uint64_t counter, ByteView payload) {
    Bytes bytes;
    bytes.reserve(kAroundBytes + payload.size());
    ByteWriter out(bytes);
    out.put(ByteView(kMagic));
    out.put(counter);
    out.put(static_cast<std::uint32_t>(payload.size()));
    out.put(payload);
    out.put(crc32c(bytes));
    return bytes;
}

std::optional<Stored> parse(ByteView bytes) {
    ByteReader in(bytes);
    const ByteView magic = in.take(kMagic.size());
    Stored stored;
    stored.counter = in.take<std::uint64_t>();
    const ByteView payload = in.take(in.take<std::uint32_t>());
    const std::size_t covered = in.position();
    const auto crc = in.take<std::uint32_t>();
    if (!in.done() || !std::equal(magic.begin(), magic.end(), kMagic.begin(), kMagic.end()) ||
        stored.counter == 0 || crc != crc32c(bytes.first(covered)))
        return std::nullopt;
    stored.payload.assign(payload.begin(), payload.end());
    return stored;
}

}  // namespace

Result<StateFile> StateFile::open(Files& files, std::string path) {
    StateFile state(files, std::move(path));
    TRIBUTARY_TRY(files.make_directories(std::string(parent_path(state.path_))));
    for (const unsigned which : {0u, 1u}) {
        const auto bytes = read_file(files, state.file(which), kPayloadBytesMax + kAroundBytes);
        if (!bytes && bytes.error().code == Errc::not_found) continue;
        auto stored = bytes ? parse(*bytes) : std::nullopt;
        if (!stored) {
            state.damaged_ = true;
            continue;
        }
        if (stored->counter <= state.counter_) continue;
        state.counter_ = stored->counter;
        state.value_ = std::move(stored->payload);
        state.newest_ = which;
    }
    if (state.damaged_ && !state.value_)
        return fail(Errc::corrupt, "the state in " + state.file(0) + " and " + state.file(1) +
                                       " is damaged; check the disk, then remove both files to "
                                       "begin anew");
    return state;
}

Status StateFile::save(Bytes payload) {
    if (payload.size() > kPayloadBytesMax)
        return fail(Errc::invalid, "the state for " + path_ + " is too long to be kept");
    const unsigned older = 1 - newest_;
    TRIBUTARY_TRY(replace_file(*files_, file(older), encode(counter_ + 1, payload)));
    value_ = std::move(payload);
    ++counter_;
    newest_ = older;
    return {};
}

}  // namespace tributary
