// What is sent to one device for one assignment: the version's closure, each piece coded against
// what the device runs.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "common/sync/events.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

class PushPlan {
public:
    explicit PushPlan(Ledger& ledger) : ledger_(ledger) {}

    // True when `device` has an assignment that its journal has not answered and that was not
    // delivered in its session. Enumerates the closure of what it asks for.
    // Pages of `page_bytes` at most, as sync::PageBudget counts.
    Result<bool> prepare(const std::string& device, std::size_t page_bytes);
    Result<sync::Page> page(std::uint32_t number) const;
    // The frame of one object: as stored when the stored base is the one offered, else coded anew.
    Result<Bytes> frame(const RecordKey& key, bool may_use_base);
    void delivered();
    // After a new session everything may have to be said again.
    void reset() { delivered_ = 0; }

private:
    void line_up_with(const VersionId& running, const VersionId& wanted);
    Status line_up_file(const TreeItem& before, const TreeItem& after);

    Ledger& ledger_;
    std::uint64_t number_ = 0;     // the assignment that is prepared
    std::uint64_t delivered_ = 0;  // the last one that arrived whole in the open session
    VersionId version_;
    std::vector<sync::Page> pages_;
    std::unordered_map<Digest, Digest>
        base_of_;  // piece → piece at the same place in what the device runs
    std::unordered_map<Digest, RecipePiece> shape_of_;  // how a piece's bytes are typed
};

}  // namespace tributary::hub
