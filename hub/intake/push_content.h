// What is pushed to boards that run one version and are to run another: the closure of that in
// pages, each piece coded against what runs there. It is the same for all of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/sync/events.h"
#include "hub/intake/coded_closure.h"

namespace tributary::hub {

// What it depends on. Pages are of so many bytes at most, as sync::PageBudget counts.
struct PushNeed {
    VersionId running;  // may be none
    VersionId wanted;
    std::size_t page_bytes = 0;
    bool whole = false;  // else what both need is left out
    auto operator<=>(const PushNeed&) const = default;
};

class PushContent {
public:
    PushContent(Ledger& ledger, const PushNeed& need);
    // So many records more of what is wanted, as ClosureWalk::step() counts. True when that was
    // all: then it stays as it is.
    Result<bool> look_through(std::size_t records);

    const PushNeed& need() const { return need_; }
    bool is_ready() const { return !pages_.empty(); }
    bool is_last(std::uint32_t number) const { return std::size_t{number} + 1 == pages_.size(); }
    Result<sync::SharedPage> page(std::uint32_t number) const;
    // Stored, of the objects of that page and of those behind it.
    std::uint64_t bytes_from(std::uint32_t number) const;
    // As CodedClosure::read().
    Result<OutgoingFrame> read(const RecordKey& key, bool may_use_base) const {
        return closure_.read(key, may_use_base);
    }
    // The frame of that, if some board is being sent it: then it is in RAM once.
    sync::SharedFrame frame(const RecordKey& key, bool may_use_base) const;
    // A board begins to be sent that; it is shared while anybody holds it.
    sync::SharedFrame share(const RecordKey& key, bool may_use_base, Bytes frame) const;

    // Below that a record costs less than to know who has it.
    static constexpr std::size_t kSharedBytesMin = 16 * limits::KiB;

private:
    void cut();

    PushNeed need_;
    CodedClosure closure_;
    std::vector<sync::SharedPage> pages_;
    std::vector<std::uint64_t> page_bytes_;  // of the objects of each
    mutable std::map<std::pair<RecordKey, bool>, std::weak_ptr<const Bytes>> on_their_way_;
};

}  // namespace tributary::hub
