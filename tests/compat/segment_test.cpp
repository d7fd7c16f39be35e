// The segment of STORAGE.md's worked example is read as ever.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <vector>

#include "common/store/scan.h"
#include "tests/support/places.h"

namespace tributary {
namespace {

Bytes golden_segment() {
    std::ifstream in(test::in_source("schemas/golden/000001.seg"), std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(in), {});
}

TEST(CompatSegment, IsReadAsEver) {
    const Bytes bytes = golden_segment();
    const auto read = [&](std::uint64_t offset, ByteSpan out) -> Result<std::size_t> {
        if (offset > bytes.size()) return std::size_t{0};
        const auto at = static_cast<std::size_t>(offset);
        const std::size_t count = std::min(out.size(), bytes.size() - at);
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), count, out.begin());
        return count;
    };
    std::vector<RecordKind> kinds;
    const auto scan =
        segment::scan(bytes.size(), false, read, [&](const segment::ScannedRecord& record) {
            kinds.push_back(record.header.kind);
            return Status{};
        });
    ASSERT_TRUE(scan) << scan.error().what;
    EXPECT_TRUE(scan->damage.empty());
    EXPECT_EQ(scan->end, bytes.size());
    EXPECT_EQ(scan->last_batch, 2u);
    EXPECT_TRUE(scan->last_acknowledged);
    EXPECT_EQ(scan->state->recorded_bytes, 6u);
    EXPECT_EQ(kinds,
              (std::vector<RecordKind>{RecordKind::entry, RecordKind::piece, RecordKind::tree,
                                       RecordKind::notes, RecordKind::version, RecordKind::entry}));
}

}  // namespace
}  // namespace tributary
