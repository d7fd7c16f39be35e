// The root documents of this deployment, as boards ask for them: from version 1 on, each signed by
// the keys of the one before.
#pragma once

#include <span>
#include <vector>

#include "common/base/limits.h"
#include "common/trust/root.h"

namespace tributary::hub {

class RootShelf {
public:
    // Signed documents, version 1 first. invalid when there is none, one is left out or is not
    // signed by enough keys, or the newest does not name `hub_key` (DER): boards would believe
    // nothing that this hub says.
    static Result<RootShelf> of(std::vector<Bytes> documents, const Bytes& hub_key);

    const Root& newest() const { return newest_.root; }
    const Bytes& document() const { return documents_.back(); }
    // Of the newest one's payload: what a token pins.
    const Digest& digest() const { return newest_.digest; }
    // For who has `version`: at most limits::kRootStepsMax and, but for the first, `bytes_max`
    // bytes. A board reads no longer answer, for it may ask one whom it does not believe.
    std::span<const Bytes> after(std::uint64_t version,
                                 std::size_t bytes_max = 4 * limits::kRootBytesMax) const;

private:
    RootShelf(std::vector<Bytes> documents, trust::VerifiedRoot newest)
        : documents_(std::move(documents)), newest_(std::move(newest)) {}

    std::vector<Bytes> documents_;
    trust::VerifiedRoot newest_;
};

}  // namespace tributary::hub
