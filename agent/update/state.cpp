#include "agent/update/state.h"

#include <algorithm>

namespace tributary::agent {
namespace {

constexpr std::uint8_t kForm = 2;
constexpr std::uint8_t kFormWithoutEra = 1;

bool is_of(const SlotMark& mark, const std::string& model, const std::string& slot) {
    return mark.model == model && mark.slot == slot;
}

}  // namespace

const SlotMark* InstallerState::mark(const std::string& model, const std::string& slot) const {
    const auto at = std::find_if(marks.begin(), marks.end(),
                                 [&](const SlotMark& m) { return is_of(m, model, slot); });
    return at == marks.end() ? nullptr : &*at;
}

void InstallerState::clear_mark(const std::string& model, const std::string& slot) {
    std::erase_if(marks, [&](const SlotMark& m) { return is_of(m, model, slot); });
}

Bytes encode_installer_state(const InstallerState& state) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.put(kForm);
    out.put(state.last_number);
    out.put(state.ratchet.ms);
    out.put(state.era);
    out.put(static_cast<std::uint16_t>(state.marks.size()));
    for (const SlotMark& mark : state.marks) {
        out.put_short_text(mark.model);
        out.put_short_text(mark.slot);
        mark.version.digest.put(out);
        mark.content.digest.put(out);
    }
    out.put(static_cast<std::uint16_t>(state.installs.size()));
    for (const rollout::Install& install : state.installs) {
        const Bytes encoded = rollout::encode_install(install);
        TRIBUTARY_CHECK(encoded.size() <= UINT16_MAX);
        out.put_short_text(as_text(encoded));
    }
    return bytes;
}

Result<InstallerState> parse_installer_state(ByteView bytes) {
    ByteReader in(bytes);
    const auto form = in.take<std::uint8_t>();
    bool sound = form == kForm || form == kFormWithoutEra;
    InstallerState state;
    state.last_number = in.take<std::uint64_t>();
    state.ratchet.ms = in.take<std::uint64_t>();
    if (form != kFormWithoutEra) state.era = in.take<std::uint64_t>();
    const auto take_digest = [&] {
        const auto digest = Digest::take(in);
        sound = sound && digest.has_value();
        return digest.value_or(Digest{});
    };
    for (auto count = in.take<std::uint16_t>(); count > 0 && in.ok(); --count) {
        SlotMark mark;
        mark.model = in.take_short_text();
        mark.slot = in.take_short_text();
        mark.version.digest = take_digest();
        mark.content.digest = take_digest();
        state.marks.push_back(std::move(mark));
    }
    for (auto count = in.take<std::uint16_t>(); count > 0 && in.ok(); --count) {
        TRIBUTARY_ASSIGN(auto install, rollout::parse_install(as_bytes(in.take_short_text())));
        state.installs.push_back(std::move(install));
    }
    if (!sound || !in.done()) return fail(Errc::corrupt, "the installer's state cannot be read");
    return state;
}

}  // namespace tributary::agent
