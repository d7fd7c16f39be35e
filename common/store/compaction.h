// Wins space: copies what lives of mostly dead segments forward, then removes them.
//
//   marking → settling → choosing → sweeping → done
//
// Marking puts the key of every tree, recipe and piece of every version that stays into a filter.
// Settling sees to what these are coded against: a base that no version needs is kept with them, or
// they are coded anew without it, whichever spares more. Choosing counts what is dead in each
// segment. Sweeping copies the living of one segment after the other to the end of the log, syncs,
// and only then removes it: so there is never less on the disk than there was, and more by at most
// one segment.
//
// The filter errs to one side: it may keep a little too much. All else lives (entries, versions,
// notes, statements), and of receipts the newest. Whatever the store is asked for meanwhile stays,
// or is answered as not here when it is about to go (SpaceWinner).
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/store/key_filter.h"
#include "common/store/store_impl.h"

namespace tributary {

class CompactionImpl final : public Compaction, private SpaceWinner {
public:
    CompactionImpl(StoreImpl& store, CompactionPlan plan);
    ~CompactionImpl() override;

    // Says in the log what is given up. Once, first.
    Status begin();
    Result<bool> step() override;
    const CompactionReport& report() const override { return report_; }

private:
    enum class Phase { marking, settling, choosing, sweeping, done };
    struct Segment {
        Log::SegmentInfo info;
        std::uint64_t dead_bytes = 0;
    };
    // How a piece is seen; bytes for all else.
    struct View {
        codec::ElementType type = codec::ElementType::bytes;
        std::uint8_t phase = 0;
    };

    // Walking through the versions that stay, twice.
    Result<bool> walk_next();
    Result<bool> is_kept(const VersionId& version);
    void walk_again();
    Status walk(const VersionId& version);
    Status walk_node(const TreeId& id, std::size_t depth);
    Status walk_file(const TreeItem& file);
    Status visit(const RecordKey& key, View view);
    Status settle(const RecordKey& key, const Place& place, View view);

    Status choose_next();
    void choose_victims();
    Result<bool> lives(std::uint32_t segment, const segment::Entry& entry);

    Status sweep();
    Status begin_victim();
    Status copy(const segment::Entry& entry);
    Status copy_head();
    Status flush();
    Status end_victim();
    std::uint64_t stored_bytes() const;

    bool goes(const RecordKey& key, const Place& place) const override;
    void stays(const RecordKey& key) override { live_.add(key); }

    StoreImpl& store_;
    const CompactionPlan plan_;
    CompactionReport report_;
    Phase phase_ = Phase::marking;
    KeyFilter live_;
    std::unordered_set<VersionId> evict_, also_keep_;

    std::vector<VersionRow> page_;  // of versions to walk through
    std::size_t at_row_ = 0;
    std::size_t at_other_ = 0;  // in plan_.also_keep, behind all rows
    Index::VersionPlace behind_;
    std::unordered_set<Digest> seen_;     // trees and files walked in this round; some, for speed
    std::unordered_set<Digest> recoded_;  // in a dry run: what would be

    std::vector<Segment> segments_;  // that may go
    std::size_t at_segment_ = 0;
    std::vector<std::uint32_t> victims_;   // ascending
    std::vector<segment::Entry> entries_;  // of the segment that is swept
    std::size_t at_entry_ = 0;
    bool begun_ = false;
    bool head_copied_ = false;
    Batch batch_;
    std::vector<IndexEntry> rows_;
};

}  // namespace tributary
