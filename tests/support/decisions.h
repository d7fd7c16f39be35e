// The randomness of a simulated world, split by kind of decision: each decision draws from a stream
// of its own, which follows from the seed, the kind, the place and how many of that kind were made
// there before. So a new kind of decision, or one more draw at the end of an old one, leaves all
// others as they were, and a kept seed goes on meaning the world that it meant.
#pragma once

#include <map>
#include <string_view>
#include <utility>

#include "tests/support/random.h"

namespace tributary::test {

class Decisions {
public:
    explicit Decisions(std::uint64_t seed) : seed_(seed) {}

    // For the next decision of this kind, a literal, at this place.
    Random next(std::string_view kind, std::uint64_t place = 0) {
        std::uint64_t state = mixed(seed_, kind.size());
        for (const char letter : kind) state = mixed(state, static_cast<std::uint8_t>(letter));
        return Random(mixed(mixed(state, place), made_[{kind, place}]++));
    }

private:
    static std::uint64_t mixed(std::uint64_t state, std::uint64_t with) {
        return Random(state ^ with).next();
    }

    std::uint64_t seed_;
    std::map<std::pair<std::string_view, std::uint64_t>, std::uint64_t> made_;
};

}  // namespace tributary::test
