#include "hub/cast/cast_source.h"

#include <algorithm>

#include "common/hash/hash.h"

namespace tributary::hub {
namespace {

tl::unexpected<Error> coded_otherwise() {
    return fail(Errc::conflict, "a part of a broadcast is coded otherwise than before");
}

}  // namespace

CastSource::CastSource(Ledger& ledger, const VersionId& running, const VersionId& wanted)
    : closure_(ledger, running, wanted) {
    if (!running.is_none())
        running_.emplace(ledger.store(), running, std::vector<VersionId>{},
                         ClosureWalk::Pieces::by_recipe);
}

Result<bool> CastSource::look_through(std::size_t records) {
    if (!is_closed_) {
        TRIBUTARY_ASSIGN(is_closed_, closure_.look_through(records));
        if (!is_closed_) return false;
        for (const sync::OfferedObject& object : closure_.objects())
            stored_bytes_ += object.stored_length;
    }
    if (!running_) return true;
    TRIBUTARY_ASSIGN(const bool all, running_->step(records, [this](const RecordKey& key) {
        if (key.kind != RecordKind::piece) own_bases_.insert(key.name);
        return Status();
    }));
    if (all) running_.reset();
    return all;
}

void CastSource::begin(std::uint32_t generation) {
    TRIBUTARY_CHECK(generation <= cuts_.size());
    generation_ = generation;
    next_ = generation == 0 ? 0 : cuts_[generation - 1].end;
    bytes_ = {};
}

Result<bool> CastSource::work() {
    const std::size_t objects = closure_.objects().size();
    const bool known = generation_ < cuts_.size();
    const std::size_t end = known ? cuts_[generation_].end : objects;
    if (next_ < end) {
        Bytes next;
        if (carried_ && !known) {
            next = *std::exchange(carried_, std::nullopt);
        } else {
            TRIBUTARY_ASSIGN(next, frame(next_));
        }
        const bool fits = bytes_.size() + next.size() <= sync::kGenerationBytesMax;
        if (!fits && known) return coded_otherwise();
        if (fits) {
            bytes_.insert(bytes_.end(), next.begin(), next.end());
            ++next_;
            if (next_ < end) return false;
        } else {
            carried_ = std::move(next);
        }
    }
    const Digest hash = sha256(bytes_);
    if (!known) cuts_.push_back({generation_ == 0 ? 0 : cuts_.back().end, next_, hash});
    if (hash != cuts_[generation_].hash) return coded_otherwise();
    return true;
}

CastSource::Generation CastSource::take() {
    return {std::exchange(bytes_, {}), cuts_[generation_].end == closure_.objects().size()};
}

Result<Bytes> CastSource::frame(std::size_t object) {
    const auto& [key, plain, stored, bases] = closure_.objects()[object];
    const bool may_use_base =
        key.kind == RecordKind::piece || std::ranges::all_of(bases, [this](const Digest& base) {
            return own_bases_.contains(base);
        });
    return closure_.frame(key, may_use_base);
}

}  // namespace tributary::hub
