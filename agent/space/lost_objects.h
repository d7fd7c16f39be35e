// What versions of this board lack because it is damaged here, one object after the other, so that
// it can be had from the hub again.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/entry.h"
#include "common/store/store.h"

namespace tributary::agent {

// Goes through the versions that the board's journals name and that were not given up. The store
// outlives it.
class LostObjects {
public:
    explicit LostObjects(Store& store) : store_(store) {}

    // Looks through some versions. What one of them lacks; the same one is answered until it is
    // brought or passed over. None: see done().
    Result<std::optional<RecordKey>> next();
    // The version that lacks it.
    const VersionId& version() const { return versions_.back(); }
    bool done() const { return begun_ && at_journal_ == journals_.size() && versions_.empty(); }

    // Takes in the plain bytes of what next() answered, durably. corrupt when it is not what it
    // was asked for.
    Status bring(const RecordKey& key, ByteView plain);
    // The version that lacks it: it cannot be had.
    void pass_over();

    std::uint64_t objects_brought() const { return brought_; }
    const std::vector<VersionId>& passed_over() const { return passed_over_; }

private:
    static constexpr std::size_t kEntriesInStep = 16;

    Status read_some();
    Result<std::optional<RecordKey>> lacks(const VersionId& version);

    Store& store_;
    std::vector<JournalHead> journals_;
    bool begun_ = false;
    std::size_t at_journal_ = 0;
    std::uint64_t next_entry_ = 1;
    std::vector<VersionId> versions_;  // to be looked through, the next one last
    // A recipe that was brought, and waits for its pieces: without them nobody can tell whether it
    // is its blob's.
    std::optional<std::pair<RecordKey, Bytes>> recipe_;
    std::uint64_t brought_ = 0;
    std::vector<VersionId> passed_over_;
};

}  // namespace tributary::agent
