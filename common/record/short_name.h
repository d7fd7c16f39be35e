// The name of a record, shortened for sets of many: 128 bits of a hash are as good as all against
// who looks for another record with the same.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

#include "common/base/bytes.h"
#include "common/record/record.h"

namespace tributary {

struct ShortName {
    std::uint64_t a = 0, b = 0;
    auto operator<=>(const ShortName&) const = default;
};

inline ShortName shortened(const RecordKey& key) {
    const std::uint8_t* bytes = key.name.bytes.data();
    return {load_le<std::uint64_t>(bytes) ^ static_cast<std::uint64_t>(key.kind),
            load_le<std::uint64_t>(bytes + 8)};
}

}  // namespace tributary

template <>
struct std::hash<tributary::ShortName> {
    std::size_t operator()(const tributary::ShortName& name) const noexcept {
        return static_cast<std::size_t>(name.a ^ name.b);
    }
};
