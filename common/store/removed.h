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
    // Durable when it answers success.
    Status add(const std::vector<std::uint32_t>& numbers);

private:
    struct Range {
        std::uint32_t first = 0;
        std::uint32_t last = 0;
    };
    explicit Removed(StateFile file) : file_(std::move(file)) {}
    static std::vector<Range> joined(std::vector<Range> ranges);

    StateFile file_;
    std::vector<Range> ranges_;  // ascending
};

}  // namespace tributary
