// What a store says of versions whose content it gave up to make room: their trees, recipes and
// pieces may be gone. A store's own statement, kept in its log and never sent.
//
//   eviction = u8 form (1), u32 versions, version (33) each in byte order, none twice
//
// Named by sha256_of("tributary/1/eviction", plain).
#pragma once

#include <cstddef>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace tributary {

inline constexpr std::size_t kEvictedMax = 16'384;  // versions in one statement

// Sorts first. Of 1 to kEvictedMax versions, none twice.
Bytes encode_eviction(std::vector<VersionId> versions);
Result<std::vector<VersionId>> parse_eviction(ByteView bytes);  // corrupt unless canonical

}  // namespace tributary
