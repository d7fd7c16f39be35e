#include "common/record/eviction.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/hash/hash.h"
#include "common/record/record.h"

namespace tributary {
namespace {

VersionId version_of(std::string_view text) { return {sha256(as_bytes(text))}; }

TEST(Eviction, ReadsBackSorted) {
    std::vector<VersionId> versions{version_of("a"), version_of("b"), version_of("c")};
    std::ranges::sort(versions, std::ranges::greater{});
    const Bytes bytes = encode_eviction(versions);
    ASSERT_EQ(bytes.size(), 5u + 3 * 33);
    std::ranges::reverse(versions);
    EXPECT_EQ(*parse_eviction(bytes), versions);
}

TEST(Eviction, HasOneFormOnly) {
    const Bytes bytes = encode_eviction({version_of("a"), version_of("b")});
    const auto expect_corrupt = [](ByteView changed, const char* why) {
        const auto parsed = parse_eviction(changed);
        ASSERT_FALSE(parsed) << why;
        EXPECT_EQ(parsed.error().code, Errc::corrupt) << why;
    };
    for (std::size_t length = 0; length < bytes.size(); ++length)
        expect_corrupt(ByteView(bytes).first(length), "cut short");
    Bytes changed = bytes;
    changed.push_back(0);
    expect_corrupt(changed, "bytes follow");
    changed = bytes;
    changed[0] = 2;
    expect_corrupt(changed, "another form");
    changed = bytes;
    std::swap_ranges(changed.begin() + 5, changed.begin() + 38, changed.begin() + 38);
    expect_corrupt(changed, "another order");
    changed = bytes;
    std::copy_n(changed.begin() + 5, 33, changed.begin() + 38);
    expect_corrupt(changed, "one version twice");
    changed = bytes;
    std::fill_n(changed.begin() + 5, 33, std::uint8_t{0});
    expect_corrupt(changed, "no version");
    changed = bytes;
    store_le(changed.data() + 1, std::uint32_t{0xFFFF'FFFF});
    expect_corrupt(changed, "more versions than bytes");
    expect_corrupt(Bytes{1, 0, 0, 0, 0}, "of none");
}

TEST(Eviction, IsNamedByItsPlainBytes) {
    const Bytes bytes = encode_eviction({version_of("a")});
    EXPECT_EQ(name_of_plain(RecordKind::eviction, bytes), sha256_of("tributary/1/eviction", bytes));
}

}  // namespace
}  // namespace tributary
