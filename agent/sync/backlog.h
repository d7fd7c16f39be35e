// How much of this journal no receipt covers yet, for people: the stored bytes of what its versions
// need beside their parents. It is counted as if the hub held none of it.
//
// Looked at a little with each question, and remembered: a store may have recorded for months
// without a hub. Used on the worker.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "common/store/closure.h"
#include "common/store/store.h"

namespace tributary::agent {

class Backlog {
public:
    struct Size {
        std::uint64_t bytes = 0;
        bool all = true;  // else there is more, which was not looked at yet
    };
    // Of what the own journal says after entry `receipted`. Looks at `records` more of it, as
    // ClosureWalk::step() counts.
    Size size(Store& store, std::uint64_t receipted, std::size_t records);

private:
    // A run of entries of versions, by the last one.
    struct Run {
        std::uint64_t sequence = 0;
        std::uint64_t bytes = 0;
    };

    void forget(std::uint64_t receipted);
    bool look_at_next(Store& store);
    void add(Run run);

    Incarnation journal_;
    std::uint64_t receipted_ = 0;
    std::uint64_t seen_ = 0;           // the last entry that was looked at
    std::deque<Run> runs_;             // that were, without a receipt
    std::optional<ClosureWalk> walk_;  // of the version of entry seen_
};

}  // namespace tributary::agent
