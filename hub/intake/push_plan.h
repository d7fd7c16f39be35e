// Where one device is with what it is pushed: which assignment comes next, and what is sent of it.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "hub/intake/push_content.h"

namespace tributary::hub {

class PushPlan {
public:
    PushPlan(std::string device, Ledger& ledger) : device_(std::move(device)), ledger_(ledger) {}

    // The assignment that comes next: one that the journal of the device has not answered and that
    // was not delivered in its session. 0: none.
    std::uint64_t next() const;
    // What it needs, in pages of so many bytes. To be asked when there is one.
    PushNeed need(std::size_t page_bytes) const;
    // This is pushed for it from now on; none: nothing.
    void begin(std::shared_ptr<const PushContent> content);
    bool is_ready() const { return content_ != nullptr; }
    const std::shared_ptr<const PushContent>& content() const { return content_; }
    // What is pushed is what the assignment asks for that is next.
    bool is_wanted() const;
    // The board lacks some of what it needs, though it was listed all that is pushed, up to that
    // page. The first time that of a version again: what it had got may be gone. Then all of the
    // version, also what runs there: true, it is to be prepared.
    bool list_again(std::uint32_t page);
    // All of it cannot be prepared: as little as before, then.
    void do_without_whole() { lacking_.has_no_whole = true; }
    // The board could not do without.
    void try_whole_again() { lacking_.has_no_whole = false; }
    // As of PushContent.
    Result<sync::SharedPage> page(std::uint32_t number) const;
    std::uint64_t bytes_from(std::uint32_t number) const;
    void delivered();
    // This assignment needs no push: a broadcast brought what it asks for, or it is not sent.
    void brought(std::uint64_t number);
    // What is pushed; it is prepared anew when it is asked for.
    void forget() { content_.reset(); }
    // After a new session everything may have to be said again.
    void reset() {
        delivered_ = 0;
        brought_.clear();
        lacking_ = {};
    }

private:
    const InstallState* open_assignment() const;
    bool needs_whole(const VersionId& running, const VersionId& wanted) const;

    std::string device_;
    Ledger& ledger_;
    std::uint64_t number_ = 0;         // the assignment that something is pushed for
    std::uint64_t delivered_ = 0;      // the last one that arrived whole in the open session
    std::set<std::uint64_t> brought_;  // numbers of those that need no push in it
    struct Lacking {
        VersionId version;  // may be none
        std::uint32_t times = 0;
        bool has_no_whole = false;
    };
    Lacking lacking_;                             // what it needed in it
    std::shared_ptr<const PushContent> content_;  // with all boards that need the same
};

}  // namespace tributary::hub
