// Looks for the first record that a version needs and that its board neither sent nor may read, a
// few at a time. The version's statement is not taken then: else it would become one of its own,
// with all that it names.
#pragma once

#include <optional>
#include <vector>

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
    Status enter(const RecordKey& key);
    Status look_at(const RecordKey& key);
    Status stop_at(const RecordKey& key);
    Status forgive_pieces_of(const Digest& file);

    Readable& readable_;
    Store& store_;
    ClosureWalk walk_;
    TreeId tree_;
    std::optional<RecordKey> beyond_;
    // Not sent by it, of the file that comes next or of small files. Another board may have cut the
    // same file otherwise, so they are nothing to this one, which sent the file whole.
    std::vector<RecordKey> pieces_;
};

}  // namespace tributary::hub
