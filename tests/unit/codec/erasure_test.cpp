#include "common/codec/erasure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "common/base/random.h"
#include "tests/support/random.h"

namespace tributary::codec {
namespace {

std::vector<std::size_t> some_indexes(Random& random, std::size_t count) {
    std::vector<std::size_t> all(kErasureFragments);
    std::iota(all.begin(), all.end(), 0);
    for (std::size_t i = 0; i < count; ++i)
        std::swap(all[i], all[i + random.below(all.size() - i)]);
    all.resize(count);
    return all;
}

TEST(Erasure, AnySetOfEnoughFragmentsGivesTheDataBack) {
    Random random(1);
    for (int round = 0; round < 300; ++round) {
        const std::size_t count = 1 + random.below(round % 10 == 0 ? kErasureDataMax : 20);
        const std::size_t bytes = 1 + random.below(std::size_t{100});  // also odd lengths
        const Bytes data = test::Random(static_cast<std::uint64_t>(round)).bytes(count * bytes);
        ErasureAssembly assembly(count, bytes);
        for (const std::size_t index : some_indexes(random, count)) {
            ASSERT_GT(assembly.lacks(), 0u);
            ASSERT_TRUE(assembly.add(index, erasure_fragment(data, count, index)));
        }
        ASSERT_EQ(assembly.lacks(), 0u);
        ASSERT_EQ(std::move(assembly).take(), data) << count << " fragments of " << bytes;
    }
}

TEST(Erasure, AFewLostOfALargeGenerationAreRebuilt) {
    constexpr std::size_t kBytes = 16 * 1024;
    const Bytes data = test::Random(7).bytes(kErasureDataMax * kBytes);
    ErasureAssembly assembly(kErasureDataMax, kBytes);
    for (std::size_t index = 0; index < kErasureDataMax; ++index)
        if (index % 40 != 3) assembly.add(index, erasure_fragment(data, kErasureDataMax, index));
    EXPECT_EQ(assembly.lacks(), 4u);
    for (std::size_t index = 251; index < kErasureFragments; ++index)
        assembly.add(index, erasure_fragment(data, kErasureDataMax, index));
    EXPECT_EQ(std::move(assembly).take(), data);
}

TEST(Erasure, DataFragmentsAreTheDataInOrder) {
    const Bytes data = {1, 2, 3, 4, 5, 6};
    EXPECT_EQ(erasure_fragment(data, 3, 0), (Bytes{1, 2}));
    EXPECT_EQ(erasure_fragment(data, 3, 2), (Bytes{5, 6}));
}

// So that another implementation, or another version of the library, gives the same.
TEST(Erasure, ParityIsTheSumThatTheHeaderSays) {
    // 1 / (2 xor 0) = 0x8e and 1 / (2 xor 1) = 0xf4 in this field.
    EXPECT_EQ(erasure_fragment(Bytes{1, 0}, 2, 2), Bytes{0x8e});
    EXPECT_EQ(erasure_fragment(Bytes{0, 1}, 2, 2), Bytes{0xf4});
    EXPECT_EQ(erasure_fragment(Bytes{1, 1}, 2, 2), Bytes{0x8e ^ 0xf4});
}

TEST(Erasure, WhatBringsNothingNewIsNotTaken) {
    const Bytes data = {1, 2, 3, 4};
    ErasureAssembly assembly(2, 2);
    EXPECT_TRUE(assembly.add(5, erasure_fragment(data, 2, 5)));
    EXPECT_FALSE(assembly.add(5, erasure_fragment(data, 2, 5)));
    EXPECT_FALSE(assembly.add(0, Bytes{1}));                     // of another length
    EXPECT_FALSE(assembly.add(kErasureFragments, Bytes{1, 2}));  // of no such number
    EXPECT_EQ(assembly.lacks(), 1u);
    EXPECT_TRUE(assembly.add(0, erasure_fragment(data, 2, 0)));
    EXPECT_FALSE(assembly.add(1, erasure_fragment(data, 2, 1)));  // enough already
    EXPECT_EQ(std::move(assembly).take(), data);
}

}  // namespace
}  // namespace tributary::codec
