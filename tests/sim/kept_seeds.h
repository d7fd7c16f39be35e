// A seed that failed once, also by a mistake made again on purpose, is replayed for ever, and fails
// when it is no longer the world that it was. Its weather is a sum of what chance alone decided,
// whatever the code under test does. (Those of the `sim` program stand in seeds.txt.)
//
// To keep one: mend what it found, list it in its test with weather 0 and with what that was; the
// test then says which weather it has.
#pragma once

#include <cstdint>

namespace tributary::test {

struct KeptSeed {
    std::uint64_t seed = 0;
    std::uint32_t weather = 0;
};

}  // namespace tributary::test
