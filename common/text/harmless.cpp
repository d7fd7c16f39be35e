#include "common/text/harmless.h"

#include <algorithm>

namespace tributary {
namespace {

// How many bytes from `at` on are a character that a terminal obeys, or that shows the others in
// another order or on another line (U+200E, 200F, 2028 to 202E, 2066 to 2069); 0: none.
std::size_t obeyed_at(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) {
        return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
    };
    if (byte(0) < ' ' || byte(0) == 0x7F) return 1;
    if (byte(0) == 0xC2 && byte(1) >= 0x80 && byte(1) < 0xA0) return 2;
    if (byte(0) != 0xE2) return 0;
    const auto last = byte(2);
    const bool turns = byte(1) == 0x80
                           ? last == 0x8E || last == 0x8F || (last >= 0xA8 && last <= 0xAE)
                           : byte(1) == 0x81 && last >= 0xA6 && last <= 0xA9;
    return turns ? 3 : 0;
}

}  // namespace

std::string harmless(std::string_view text, Lines lines) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const bool kept = text[i] == '\n' && lines == Lines::several;
        const std::size_t obeyed = kept ? 0 : obeyed_at(text, i);
        out += obeyed == 0 ? text[i] : '?';
        i += std::max<std::size_t>(obeyed, 1);
    }
    return out;
}

}  // namespace tributary
