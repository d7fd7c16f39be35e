// Looks for the first record that a version needs and that its board neither sent nor may read, a
// few at a time. The version's statement is not taken then: else it would become one of its own,
// with all that it names. A file is its own when its recipe is, or it as one piece: how the hub has
// it cut is not looked at, for it may be another board who cut it so.
#pragma once

#include <optional>

#include "common/store/closure.h"
#include "hub/intake/readable.h"

namespace tributary::hub {

class BeyondSearch {
public:
    // Both must outlive it. With all that `readable` may know of looked through.
    BeyondSearch(Readable& readable, Store& store, const Version& version);
    BeyondSearch(const BeyondSearch&) = delete;
    BeyondSearch& operator=(const BeyondSearch&) = delete;

    // As ClosureWalk::step(). True when it is known what beyond() is: after as many steps whether
    // others have what is beyond or not.
    bool step(std::size_t records);
    const std::optional<RecordKey>& beyond() const { return beyond_; }

private:
    Status enter(const RecordKey& key, std::uint64_t file_bytes);
    Status look_at(const RecordKey& key);
    Status stop_at(const RecordKey& key);

    Readable& readable_;
    ClosureWalk walk_;
    TreeId tree_;
    std::optional<RecordKey> beyond_;
};

}  // namespace tributary::hub
