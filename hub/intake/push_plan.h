// What is sent to one device for one assignment: the version's closure in pages, coded against what
// the device runs.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "common/sync/events.h"
#include "hub/intake/coded_closure.h"

namespace tributary::hub {

class PushPlan {
public:
    explicit PushPlan(Ledger& ledger) : ledger_(ledger) {}

    // The assignment that comes next: one that the journal of `device` has not answered and that
    // was not delivered in its session. 0: none.
    std::uint64_t next(const std::string& device) const;
    // Enumerates the closure of what it asks for, so many records more, in pages of `page_bytes` at
    // most, as sync::PageBudget counts. True when all is, or there is no such assignment.
    Result<bool> prepare(const std::string& device, std::size_t page_bytes, std::size_t records);
    // One is prepared.
    bool is_ready() const { return !pages_.empty(); }
    // What is prepared is what the assignment asks for that is next.
    bool is_wanted(const std::string& device) const;
    Result<sync::Page> page(std::uint32_t number) const;
    // Stored, of the objects of that page and of those behind it.
    std::uint64_t bytes_from(std::uint32_t number) const;
    // One object, read: as stored when the stored base is the one offered, else to be coded anew.
    Result<OutgoingFrame> read(const RecordKey& key, bool may_use_base) const;
    void delivered();
    // This assignment needs no push: a broadcast brought what it asks for, or it is not sent.
    void brought(std::uint64_t number);
    // What is prepared; it is made anew when it is asked for.
    void forget();
    // After a new session everything may have to be said again.
    void reset() {
        delivered_ = 0;
        brought_.clear();
    }

private:
    const InstallState* open_assignment(const std::string& device) const;
    void cut(std::size_t page_bytes);

    Ledger& ledger_;
    std::uint64_t number_ = 0;         // the assignment that is prepared
    std::uint64_t delivered_ = 0;      // the last one that arrived whole in the open session
    std::set<std::uint64_t> brought_;  // numbers of those that need no push in it
    std::optional<CodedClosure> closure_;
    std::vector<sync::Page> pages_;
    std::vector<std::uint64_t> page_bytes_;  // of the objects of each
};

}  // namespace tributary::hub
