// Wins space: copies what lives of mostly dead segments forward, then removes them.
//
//   marking → pairing → settling → keeping → choosing → sweeping → done
//
// Marking puts the key of every tree, recipe and piece of every version that stays into a filter.
// Which versions are here the log tells, not the index. Settling sees to what these are coded
// against: where bases that no version needs would have to be kept, a record is coded anew on the
// nearest base that stays, or on none, if that spares enough. Pairing finds beforehand which
// records must stay as they are for that. Keeping adds all that records stand on after it. Choosing
// counts what is dead in each segment. Sweeping copies the living of one segment after the other to
// the end of the log, syncs, and only then removes it: so there is never less on the disk than
// there was.
//
// The filter errs to one side: it may keep a little too much. All else lives (entries, versions,
// notes, statements), and of receipts the newest about each journal. Whatever the store is asked
// for meanwhile stays, or is answered as not here when it is about to go (SpaceWinner).
//
// A step that fails may be taken again: nothing is passed over that was not done.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/store/key_filter.h"
#include "common/store/store_impl.h"

namespace tributary {

// Damage costs what it costs; other errors end the compaction.
inline bool is_loss(const Error& error) {
    return error.code == Errc::not_found || error.code == Errc::corrupt ||
           error.code == Errc::unsupported;
}

class CompactionImpl final : public Compaction, private SpaceWinner {
public:
    CompactionImpl(StoreImpl& store, CompactionPlan plan);
    ~CompactionImpl() override;

    // Says in the log what is given up. Once, first.
    Status begin();
    Result<bool> step() override;
    const CompactionReport& report() const override { return report_; }
    bool gives_up(const VersionId& version) const {
        return !plan_.dry_run && evict_.contains(version);
    }

private:
    enum class Phase { marking, pairing, settling, keeping, choosing, sweeping, done };
    struct Segment {
        Log::SegmentInfo info;
        std::uint64_t dead_bytes = 0;
        bool damaged = false;  // and nothing of it is lost: it goes before all others
        bool stays = false;    // it may have held what stands nowhere else
    };
    // How a piece is seen; bytes for all else.
    struct View {
        codec::ElementType type = codec::ElementType::bytes;
        std::uint8_t phase = 0;
    };

    // A record that stays and stands on some that no version needs.
    struct Settling {
        RecordKey key;
        Place place;
        View view;
        std::uint64_t plain_bytes = 0;
        std::optional<RecordKey> base = {};  // the nearest that stays
        std::uint64_t longest = 0;           // the frame that it pays to write instead
    };

    // Walking through the versions that stay, three times.
    Status walk_some();
    void begin_round();
    void end_round();
    Result<bool> next_segment_of_versions();
    Result<bool> is_kept(const VersionId& version);
    Result<bool> is_committed(const VersionId& version);
    Status walk(const VersionId& version);
    Status walk_node(const TreeId& id, std::optional<std::uint8_t> level, std::size_t depth);
    Status walk_file(const TreeItem& file);
    Status visit(const RecordKey& key, View view);
    Status settle(const RecordKey& key, const Place& place, View view);
    std::optional<RecordKey> nearest_that_stays(const std::vector<Link>& chain) const;
    Result<bool> code_without_dead(const Settling& settling);
    Result<Batch> coded_anew(const Settling& settling);
    Status keep_bases(const RecordKey& key, const Place& place);
    Result<Link> link(const RecordKey& key);
    Result<std::vector<Link>> chain_to(const RecordKey& key);
    Status note_pairs();
    Status note_pair(const RecordKey& key, const Place& place);
    Status passed_over(Status status) const;

    Status choose_next();
    void choose_victims();
    Result<bool> lives(std::uint32_t segment, const segment::Entry& entry);
    Result<bool> has_lost(const Log::SegmentInfo& segment);

    Status sweep();
    Status begin_victim();
    Status copy_some();
    Status copy(const RecordKey& key, const Place& place);
    Status copy_head();
    Status copy_found_entries();
    Status flush();
    Status end_victim();
    void next_victim();
    std::uint64_t stored_bytes() const;

    bool goes(const RecordKey& key, const Place& place) const override;
    void stays(const RecordKey& key) override {
        live_.add(key);
        firsts_.add(key);  // it may become one
    }

    StoreImpl& store_;
    const CompactionPlan plan_;
    CompactionReport report_;
    Phase phase_ = Phase::marking;
    KeyFilter live_;
    KeyFilter firsts_;  // what is the first of two bases of a record, living or dead
    std::unordered_set<VersionId> evict_, also_keep_;

    std::vector<std::uint32_t> numbers_;  // of the segments whose versions are walked through
    std::size_t at_number_ = 0;
    std::vector<VersionId> versions_;  // of the one at hand
    std::size_t at_version_ = 0;
    bool strict_ = false;  // the version at hand was committed here, so all of it must be here
    // Trees and files walked through in this round, as strictly, and the least depth it was at.
    // Some of them, for speed.
    std::unordered_map<Digest, std::size_t> seen_[2];
    // In a dry run: what would be coded anew, and on what.
    std::unordered_map<Digest, std::optional<Digest>> recoded_;
    std::size_t decoded_bytes_ = 0;  // in this step

    std::vector<Segment> segments_;  // that may go
    std::size_t at_segment_ = 0;
    std::vector<std::uint32_t> victims_;   // ascending
    std::vector<segment::Entry> entries_;  // of the segment that is swept
    std::size_t at_entry_ = 0;
    bool begun_ = false;
    bool found_copied_ = false;
    Batch batch_;
    std::vector<IndexEntry> rows_;
};

}  // namespace tributary
