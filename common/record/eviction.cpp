#include "common/record/eviction.h"

#include <algorithm>
#include <optional>

namespace tributary {
namespace {

constexpr std::uint8_t kForm = 1;

}  // namespace

Bytes encode_eviction(std::vector<VersionId> versions) {
    TRIBUTARY_CHECK(!versions.empty() && versions.size() <= kEvictedMax);
    std::ranges::sort(versions);
    TRIBUTARY_CHECK(std::ranges::adjacent_find(versions) == versions.end());
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.put(kForm);
    writer.put(static_cast<std::uint32_t>(versions.size()));
    for (const VersionId& version : versions) version.digest.put(writer);
    return bytes;
}

Result<std::vector<VersionId>> parse_eviction(ByteView bytes) {
    const auto corrupt = [] { return fail(Errc::corrupt, "an eviction is not in its one form"); };
    ByteReader reader(bytes);
    const auto form = reader.take<std::uint8_t>();
    const auto count = reader.take<std::uint32_t>();
    if (form != kForm || count == 0 || count > kEvictedMax) return corrupt();
    std::vector<VersionId> versions;
    for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
        const auto id = Digest::take(reader);
        if (!id || id->is_none()) return corrupt();
        if (!versions.empty() && !(versions.back().digest < *id)) return corrupt();
        versions.push_back({*id});
    }
    if (!reader.done()) return corrupt();
    return versions;
}

}  // namespace tributary
