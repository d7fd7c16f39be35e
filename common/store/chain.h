// What a record stands on, and how it is decoded through that.
//
// Where a record stands on two bases, the first stood on the second when it was written. So what is
// to be decoded for it is one chain, of which three plains are held at a time: that of a record and
// those of its two bases. When the first was coded anew since, the second is reached by itself, and
// no more is held either.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/limits.h"
#include "common/base/result.h"
#include "common/codec/codec.h"
#include "common/record/record.h"
#include "common/store/log.h"

namespace tributary {

// No chain that we or a hub wrote is deeper; a deeper one is a ring or made to harm.
inline constexpr std::size_t kChainReadMax = 2 * limits::kChainDepthMaxHub;

struct Link {
    RecordKey key;
    RecordHeader header;
    std::optional<Place> place;  // in the log; none while it is staged
};

// Where a record is and what it stands on. To end the chain there, answer a header without bases.
using FindLink = std::function<Result<Link>(const RecordKey& key)>;

// `tops`, of one kind, and all that they stand on, each behind what it stands on. corrupt when that
// is more than kChainReadMax records, or a ring.
Result<std::vector<Link>> links_to(std::span<const RecordKey> tops, const FindLink& find);

// Decodes links one after the other, given their frames.
class Climb {
public:
    // The plains of `wanted` are kept; of the others each as long as one that is not decoded yet
    // stands on it.
    Climb(std::vector<Link> links, std::vector<RecordKey> wanted)
        : links_(std::move(links)), wanted_(std::move(wanted)) {}

    bool done() const { return at_ == links_.size(); }
    const RecordKey& next() const { return links_[at_].key; }
    // Decodes the next one. Any thread.
    Status step(ByteView frame, codec::Coder& coder);
    // Of one that is wanted, when it is done, once: as decoded, not compared with its name.
    Bytes take(const RecordKey& key);

private:
    bool is_needed(const Digest& name) const;

    std::vector<Link> links_;
    std::vector<RecordKey> wanted_;
    std::size_t at_ = 0;
    std::vector<std::pair<Digest, Bytes>> plains_;
};

}  // namespace tributary
