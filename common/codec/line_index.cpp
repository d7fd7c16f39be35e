#include "common/codec/line_index.h"

#include <algorithm>
#include <cstring>

#include "common/codec/line_hash.h"

namespace tributary::codec {
namespace {

constexpr std::size_t kSlots = 16384;

}  // namespace

std::size_t line_bytes(ByteView text) {
    if (text.empty()) return 0;
    const void* end = std::memchr(text.data(), '\n', text.size());
    if (end == nullptr) return text.size();
    return static_cast<std::size_t>(static_cast<const std::uint8_t*>(end) - text.data()) + 1;
}

void LineIndex::build(ByteView text) {
    text_ = text;
    slots_.assign(kSlots, 0);
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = line_bytes(text.subspan(at));
        std::uint32_t& slot = slots_[line_hash(text.subspan(at, length)) % kSlots];
        // The first of equal lines: what follows it may be equal too.
        if (slot == 0) slot = static_cast<std::uint32_t>(at + 1);
        at += length;
    }
}

LineIndex::Match LineIndex::find(ByteView wanted) const {
    const std::size_t first = line_bytes(wanted);
    const std::uint32_t slot = slots_[line_hash(wanted.first(first)) % kSlots];
    if (slot == 0) return {};
    const ByteView there = text_.subspan(slot - 1);
    const std::size_t shared = static_cast<std::size_t>(
        std::mismatch(wanted.begin(), wanted.end(), there.begin(), there.end()).first -
        wanted.begin());
    if (shared == wanted.size()) return {slot - 1, shared};
    const ByteView same = wanted.first(shared);
    const auto line_end = std::find(same.rbegin(), same.rend(), '\n');
    const auto bytes = static_cast<std::size_t>(same.rend() - line_end);
    if (bytes < first) return {};
    return {slot - 1, bytes};
}

}  // namespace tributary::codec
