#include "common/store/segment.h"

#include <algorithm>
#include <string_view>

#include "common/hash/hash.h"

namespace tributary::segment {
namespace {

constexpr std::string_view kHeaderMagic = "TRBSEG1\n";
constexpr std::string_view kBatchMagic = "TRBM";
constexpr std::string_view kAckMagic = "TRBA";

// Ends a fixed structure that began at `start` of `out` with the CRC of its bytes.
void seal_with_crc(Bytes& out, std::size_t start) {
    ByteWriter(out).put(crc32c(ByteView(out).subspan(start)));
}

bool has_magic_and_crc(ByteView in, std::string_view magic, std::size_t bytes) {
    return in.size() >= bytes && as_text(in.first(magic.size())) == magic &&
           crc32c(in.first(bytes - 4)) == load_le<std::uint32_t>(in.data() + bytes - 4);
}

}  // namespace

void put_state(ByteWriter& out, const State& state) {
    out.put(state.recorded_bytes);
    out.put(state.written_bytes);
    out.put(ByteView(state.incarnation.bytes));
}

State take_state(ByteReader& in) {
    State state;
    state.recorded_bytes = in.take<std::uint64_t>();
    state.written_bytes = in.take<std::uint64_t>();
    const ByteView incarnation = in.take(state.incarnation.bytes.size());
    std::copy(incarnation.begin(), incarnation.end(), state.incarnation.bytes.begin());
    return state;
}

void append_header(Bytes& out, const Header& header) {
    const std::size_t start = out.size();
    ByteWriter w(out);
    w.put(as_bytes(kHeaderMagic));
    w.put(header.salt);
    w.put(header.first_batch);
    w.put(header.number);
    seal_with_crc(out, start);
}

void append_batch_mark(Bytes& out, const BatchMark& mark) {
    const std::size_t start = out.size();
    ByteWriter w(out);
    w.put(as_bytes(kBatchMagic));
    w.put(mark.length);
    w.put(mark.salt);
    w.put(mark.number);
    put_state(w, mark.state);
    w.put(mark.records_crc);
    seal_with_crc(out, start);
}

void append_ack_mark(Bytes& out, const AckMark& mark) {
    const std::size_t start = out.size();
    ByteWriter w(out);
    w.put(as_bytes(kAckMagic));
    w.put(mark.salt);
    w.put(mark.number);
    seal_with_crc(out, start);
}

std::optional<Header> parse_header(ByteView in) {
    if (!has_magic_and_crc(in, kHeaderMagic, Header::kBytes)) return std::nullopt;
    ByteReader r(in.subspan(kHeaderMagic.size()));
    Header header;
    header.salt = r.take<std::uint64_t>();
    header.first_batch = r.take<std::uint64_t>();
    header.number = r.take<std::uint32_t>();
    return header;
}

std::optional<BatchMark> parse_batch_mark(ByteView in) {
    if (!has_magic_and_crc(in, kBatchMagic, BatchMark::kBytes)) return std::nullopt;
    ByteReader r(in.subspan(kBatchMagic.size()));
    BatchMark mark;
    mark.length = r.take<std::uint32_t>();
    mark.salt = r.take<std::uint64_t>();
    mark.number = r.take<std::uint64_t>();
    mark.state = take_state(r);
    mark.records_crc = r.take<std::uint32_t>();
    return mark;
}

std::optional<AckMark> parse_ack_mark(ByteView in) {
    if (!has_magic_and_crc(in, kAckMagic, AckMark::kBytes)) return std::nullopt;
    ByteReader r(in.subspan(kAckMagic.size()));
    AckMark mark;
    mark.salt = r.take<std::uint64_t>();
    mark.number = r.take<std::uint64_t>();
    return mark;
}

}  // namespace tributary::segment
