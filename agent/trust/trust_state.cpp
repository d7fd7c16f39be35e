#include "agent/trust/trust_state.h"

#include <algorithm>

namespace tributary::agent {
namespace {

constexpr std::uint8_t kForm = 1;

template <class Array>
void take_into(ByteReader& in, Array& out) {
    const ByteView bytes = in.take(out.size());
    if (bytes.size() == out.size()) std::copy(bytes.begin(), bytes.end(), out.begin());
}

}  // namespace

Bytes encode_trust_state(const TrustState& state) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.put(kForm);
    out.put(static_cast<std::uint32_t>(state.root.size()));
    out.put(state.root);
    out.put(state.era);
    out.put(state.ratchet.ms);
    out.put(state.renew_after.ms);
    out.put(state.witness_epoch);
    out.put(state.witness.incarnation.bytes);
    out.put(state.witness.sequence);
    out.put(state.witness.hash.digest.bytes);
    out.put(state.key_change.journal.bytes);
    out.put(state.key_change.sequence);
    out.put(state.key_change.key.bytes);
    return bytes;
}

Result<TrustState> parse_trust_state(ByteView bytes) {
    ByteReader in(bytes);
    const bool known = in.take<std::uint8_t>() == kForm;
    TrustState state;
    const ByteView root = in.take(in.take<std::uint32_t>());
    state.root.assign(root.begin(), root.end());
    state.era = in.take<std::uint64_t>();
    state.ratchet.ms = in.take<std::uint64_t>();
    state.renew_after.ms = in.take<std::uint64_t>();
    state.witness_epoch = in.take<std::uint64_t>();
    take_into(in, state.witness.incarnation.bytes);
    state.witness.sequence = in.take<std::uint64_t>();
    take_into(in, state.witness.hash.digest.bytes);
    take_into(in, state.key_change.journal.bytes);
    state.key_change.sequence = in.take<std::uint64_t>();
    take_into(in, state.key_change.key.bytes);
    if (!known || !in.done())
        return fail(Errc::corrupt, "what this board keeps of its hub's trust cannot be read");
    return state;
}

}  // namespace tributary::agent
