#include <gtest/gtest.h>

#include <numeric>

#include "common/hash/hash.h"
#include "tests/support/random.h"

namespace tributary {
namespace {

// RFC 3720 appendix B.4, and the check value of the CRC catalogues.
TEST(Crc32c, AgreesWithTheStandardsExamples) {
    Bytes ascending(32), descending(32);
    std::iota(ascending.begin(), ascending.end(), std::uint8_t{0});
    std::iota(descending.rbegin(), descending.rend(), std::uint8_t{0});
    for (const auto crc : {&crc32c, &crc32c_portable}) {
        EXPECT_EQ(crc({}, 0), 0u);
        EXPECT_EQ(crc(as_bytes("123456789"), 0), 0xE3069283u);
        EXPECT_EQ(crc(Bytes(32, 0x00), 0), 0x8A9136AAu);
        EXPECT_EQ(crc(Bytes(32, 0xFF), 0), 0x62A8AB43u);
        EXPECT_EQ(crc(ascending, 0), 0x46DD794Eu);
        EXPECT_EQ(crc(descending, 0), 0x113FDB5Cu);
    }
}

TEST(Crc32c, InstructionAndTablesAgreeAtEveryLengthAndAlignment) {
    Bytes bytes(100);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{7});
    for (std::size_t from = 0; from < 9; ++from)
        for (std::size_t length = 0; from + length <= bytes.size(); ++length) {
            const ByteView part = ByteView(bytes).subspan(from, length);
            ASSERT_EQ(crc32c(part), crc32c_portable(part)) << from << "+" << length;
        }
}

// Several stretches side by side, and what is left of them.
TEST(Crc32c, InstructionAndTablesAgreeOnLongBytes) {
    const Bytes bytes = test::Random(1).bytes(40'000);
    for (const std::size_t length :
         std::initializer_list<std::size_t>{6'143, 6'144, 6'145, 12'288, 12'295, 39'999, 40'000}) {
        const ByteView part = ByteView(bytes).last(length);
        ASSERT_EQ(crc32c(part, 7), crc32c_portable(part, 7)) << length;
    }
}

TEST(Crc32c, GoesOnFromAnEarlierResult) {
    EXPECT_EQ(crc32c(as_bytes("56789"), crc32c(as_bytes("1234"))), crc32c(as_bytes("123456789")));
}

}  // namespace
}  // namespace tributary
