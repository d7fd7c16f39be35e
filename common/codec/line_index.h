// Finds lines of a text in another: rows that stayed when others were appended, dropped or changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/bytes.h"

namespace tributary::codec {

// The bytes up to and with the first line feed, or all.
std::size_t line_bytes(ByteView text);

// Holds 64 KiB. Of many lines it forgets some, so that a match may be found a few lines late.
class LineIndex {
public:
    struct Match {
        std::size_t from = 0;
        std::size_t bytes = 0;  // 0: none
    };

    // `text` must stay as it is until the last find().
    void build(ByteView text);
    // The bytes that `wanted` begins with and the text has too, if its first line is among them:
    // whole lines, or all of `wanted`.
    Match find(ByteView wanted) const;

private:
    ByteView text_;
    std::vector<std::uint32_t> slots_;  // offset of a line + 1, by the line's hash
};

}  // namespace tributary::codec
