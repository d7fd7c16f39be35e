// Which segments were removed on purpose, because all that was wanted of them stands elsewhere: so
// that a gap in the segments' numbers can be told from a loss. State files `removed.0`,
// `removed.1`.
//
//   payload = u8 form (1), u32 ranges, { u32 first, u32 last } each, ascending and apart
//
// Numbers grow together into ranges; there is at most one more range than segments in use.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/store/state_file.h"

namespace tributary {

class Removed {
public:
    // corrupt when the files are there and neither is sound.
    static Result<Removed> open(Files& files, std::string path);

    bool empty() const { return ranges_.empty(); }
    bool contains(std::uint32_t number) const;
    std::uint32_t greatest() const { return ranges_.empty() ? 0 : ranges_.back().last; }
    // Durable when it answers success, in both files: one that rots later takes nothing away. After
    // an error it may be durable or not.
    Status add(std::uint32_t number);

private:
    struct Range {
        std::uint32_t first = 0;
        std::uint32_t last = 0;
    };
    explicit Removed(StateFile file) : file_(std::move(file)) {}
    StateFile file_;
    std::vector<Range> ranges_;  // ascending
};

}  // namespace tributary
