// Whom root documents name, as an auditor reads them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/trust/root.h"

namespace tributary::hub {

// Of one or several root documents, each key for what it is named.
struct Named {
    std::vector<Bytes> hub_keys;
    std::vector<Bytes> approvers;
    std::vector<Bytes> authorities;
    std::uint32_t approvals_needed = 1;  // by the newest of them
};

Named named_by(std::span<const trust::VerifiedRoot> roots);
bool holds(const std::vector<Bytes>& keys, const Bytes& key);

// The first document is trusted as it is; each other must follow from the one before, else denied
// or corrupt. invalid when there is none.
Result<std::vector<trust::VerifiedRoot>> verify_roots(std::span<const Bytes> documents);

}  // namespace tributary::hub
