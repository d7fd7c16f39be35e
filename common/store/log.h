// The log: segment files, the only truth of a store. Appends batches, seals segments, recovers at
// open, finds and reads records. schemas/STORAGE.md, sections 7 to 9, states the rules.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/record/record.h"
#include "common/store/footer.h"
#include "common/store/removed.h"
#include "common/store/scan.h"
#include "common/store/segment.h"
#include "common/store/store.h"

namespace tributary {

// Where a record lies.
struct Place {
    std::uint32_t segment = 0;
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    std::uint8_t depth = 0;

    // Of a record whose base is not here: too deep to be a base itself.
    static constexpr std::uint8_t kDepthUnknown = 0xFF;
};

class Log {
public:
    // `written` counts what `files` hands to write; it is carried in every batch mark. `read_only`:
    // nothing is changed on the disk; what a crash left torn is passed over.
    static Result<std::unique_ptr<Log>> open(Files& files, Entropy& entropy, std::string directory,
                                             const StoreOptions& options, bool read_only,
                                             std::uint64_t& written, RecoveryReport& report);
    ~Log();

    // ---- reading ----

    // The newest sound record of that key. Those in found() are not among them.
    Result<std::optional<Place>> find(const RecordKey& key);
    // What looks like records of that key among damaged bytes, in log order: their bytes are sound,
    // but nothing says that they are ours (scan.h). Whoever asks must see that they are what they
    // name.
    std::vector<Place> found(const RecordKey& key) const;
    // Those of a kind among these, in log order.
    std::vector<std::pair<RecordKey, Place>> found_entries() const {
        return found_of(RecordKind::entry);
    }
    std::vector<std::pair<RecordKey, Place>> found_of(RecordKind kind) const;
    // All its bytes, checked to be the sound record of that key. A damaged one is remembered, so
    // that find() passes over it from then on.
    Result<Bytes> read(const RecordKey& key, const Place& place);
    // The same at a place that is only a hint: nothing when it is not there, and nothing is
    // remembered.
    Result<std::optional<Bytes>> read_if_there(const RecordKey& key, const Place& place);
    Result<RecordHeader> read_header(const RecordKey& key, const Place& place);
    bool known_damaged(const RecordKey& key) const { return damaged_keys_.contains(key); }
    std::size_t damaged_records() const { return damaged_keys_.size(); }
    bool has_damage() const { return last_damage_.has_value(); }
    // How far damage reaches: what stands there and behind it is known to be here.
    using Position = std::pair<std::uint32_t, std::uint64_t>;  // segment, offset
    std::optional<Position> last_damage() const { return last_damage_; }

    // ---- writing ----

    // `unavailable` after an error, and which.
    Status writable() const;
    // Whether the open segment must be sealed before so much is appended.
    bool needs_seal(std::size_t bytes, std::size_t records) const;
    Status seal();
    // Appends one batch and syncs it: durable on success. `records` are the framed records, listed
    // in `table` with offsets from its start; it is used up. The written bytes in `state` are set
    // here. Any failure closes the log for writing.
    struct Appended {
        std::uint32_t segment = 0;
        std::uint32_t offset = 0;  // of the first record
    };
    // Whether so many bytes may be appended: `unavailable` after an error, `exhausted` when the
    // disk is almost full. Asked before append(), it turns a full disk away before it does harm.
    // With less of a reserve for what wins space, and least where nothing is appended at all.
    enum class Use { recording, winning_space, removing };
    Status admits(std::uint64_t bytes, Use use = Use::recording) const;
    Result<Appended> append(Bytes& records, const segment::Table& table, segment::State state);
    // Where the log ends now.
    struct End {
        struct Open {
            std::uint32_t segment = 0;
            std::uint64_t salt = 0;
            std::uint64_t bytes = 0;
        };
        std::optional<Open> open;
        std::uint32_t next_segment = 1;
        std::uint64_t next_batch = 1;
        segment::State state;
    };
    End end() const;
    // Drops all that was appended since, durably, after `let_go`, in which others forget it. It is
    // the owner's word that nothing needs it. Nothing is dropped when `let_go` fails, or when more
    // happened to the log than that; an error on the way closes it for writing.
    Status cut_back(const End& end, const std::function<Status()>& let_go);
    // Gives no new segment this number or one before it: a segment that is gone leaves a gap, which
    // every later open() names.
    void leave_out(std::uint32_t number) { next_segment_ = std::max(next_segment_, number + 1); }

    // ---- winning space ----

    // Unlinks a sealed segment, not the newest, of which all that is wanted stands durably in
    // others. Whatever comes between, the next open() finishes it. An error closes the log for
    // writing.
    Status remove(std::uint32_t number);
    // Whether it can be said which segments were removed.
    Status can_remove() const;
    // Whether a record may be here without its base: such a segment was removed, or lost.
    bool may_lack_bases() const { return !removed_ || !removed_->empty() || has_damage(); }
    // Whether one was removed on purpose.
    bool has_removed() const { return !removed_ || !removed_->empty(); }
    bool was_removed(std::uint32_t number) const { return removed_ && removed_->contains(number); }
    // Whether a sealed segment is known to be damaged.
    bool is_damaged(std::uint32_t number) const;
    // What was lost of one that is not whole, by name; none: not all of it is known.
    std::optional<std::vector<RecordKey>> lost(std::uint32_t number) const;
    // Whether a sound record of that key can be read.
    Result<bool> stands(const RecordKey& key);

    // ---- what it holds ----

    struct SegmentInfo {
        std::uint32_t number = 0;
        std::uint64_t salt = 0;
        std::uint64_t bytes = 0;
        std::uint64_t records = 0;
        bool open = false;
        bool whole = true;  // its footer, or while it is open its records, are sound
    };
    std::vector<SegmentInfo> segments() const;  // oldest first; the open one last
    // Its records in log order, without what is in found().
    Result<std::vector<segment::Entry>> entries(std::uint32_t segment);
    const segment::State& state() const { return state_; }

    // Reads every byte of every segment that is `wanted`, by its number, and names what is wrong;
    // keys of damaged records go to `damaged`.
    Result<std::vector<std::string>> check(std::set<RecordKey>& damaged,
                                           const std::function<bool(std::uint32_t)>& wanted);

private:
    // A segment that is only read.
    struct Sealed {
        SegmentInfo info;
        segment::Tail tail;                     // when `table` is empty
        std::optional<segment::Lookup> lookup;  // a cache
        std::uint64_t last_use = 0;
        std::unique_ptr<segment::Table> table;       // instead of a footer that is damaged
        bool was_open = false;                       // or not there yet, and the disk is read-only
        std::optional<std::vector<RecordKey>> lost;  // as lost() says
    };
    struct Open {
        SegmentInfo info;
        std::unique_ptr<File> file;
        segment::Table table;
    };

    Log(Files& files, Entropy& entropy, std::string directory, const StoreOptions& options,
        bool read_only, std::uint64_t& written);

    Status recover(RecoveryReport& report);
    Status finish_removal(std::vector<std::uint32_t>& numbers);
    void forget(std::uint32_t number);
    Status open_segment(std::uint32_t number, bool newest, RecoveryReport& report);
    Status recover_newest(std::uint32_t number, std::uint64_t bytes, RecoveryReport& report);
    Status read_newest(std::uint32_t number, std::uint64_t bytes, RecoveryReport& report);
    Status set_aside(std::uint32_t number, File& file, std::uint64_t from, std::uint64_t to,
                     RecoveryReport& report);
    // `found_of`: the segment's number, when what is found among damaged bytes is to be kept.
    Result<segment::Scan> scan_into(segment::Table& table, File& file, std::uint64_t bytes,
                                    bool all_synced, std::optional<std::uint32_t> found_of = {});
    void note_damage(std::uint32_t number, const segment::Scan& scan,
                     std::vector<std::string>& damage);
    std::string note_damage(std::uint32_t number, const segment::Damage& damage);
    Result<bool> stands_elsewhere(const RecordKey& key, std::uint32_t number, std::uint64_t offset);
    Result<std::uint8_t> depth_over(const segment::Table& table, RecordKind kind,
                                    std::span<const Digest> bases);

    void damage_at(std::uint32_t number, std::uint64_t offset);
    Status create_segment();
    void drop_unsynced();
    bool goes_on_from(const End& end) const;
    Result<std::unique_ptr<Open>> reopened(const End& end);
    Status remove_from(std::uint32_t first);
    tl::unexpected<Error> close_for_writing(Error error);

    Result<std::optional<Place>> find_in(Sealed& sealed, const RecordKey& key);
    Status load_lookup(Sealed& sealed);
    Status fall_back_to_scan(Sealed& sealed);
    const SegmentInfo* info_of(std::uint32_t number) const;
    Result<Bytes> read_raw(const Place& place, std::size_t bytes);
    Result<File*> file_of(std::uint32_t number);  // until the next call of it
    Result<std::vector<std::string>> check_sealed(Sealed& sealed, std::set<RecordKey>& damaged);
    tl::unexpected<Error> damaged_record(const RecordKey& key, const Place& place);
    std::string path_of(std::uint32_t number) const;

    Files& files_;
    Entropy& entropy_;
    const std::string directory_;
    const StoreOptions& options_;
    const bool read_only_;
    std::uint64_t& written_;

    std::optional<Removed> removed_;               // none: its files are damaged
    std::vector<std::unique_ptr<Sealed>> sealed_;  // oldest first
    std::unique_ptr<Open> open_;
    segment::State state_;
    std::uint64_t next_batch_ = 1;
    std::uint32_t next_segment_ = 1;
    bool newest_may_be_unsynced_ = false;  // a sealed newest segment, seen whole at open
    std::optional<Error> closed_;          // why nothing is written any more

    std::set<std::pair<std::uint32_t, std::uint32_t>> damaged_places_;  // segment, offset
    std::set<RecordKey> damaged_keys_;
    struct Found {
        RecordKey key;
        Place place;
        bool operator<(const Found& other) const {
            return std::tie(key, place.segment, place.offset) <
                   std::tie(other.key, other.place.segment, other.place.offset);
        }
    };
    std::set<Found> found_;
    std::optional<Position> last_damage_;
    std::uint64_t uses_ = 0;  // a clock for the caches
    struct CachedFile {
        std::uint32_t segment = 0;
        std::uint64_t last_use = 0;
        std::unique_ptr<File> file;
    };
    std::vector<CachedFile> read_files_;
};

// "segments/000012.seg", for messages and for the path below a store's directory.
std::string segment_name(std::uint32_t number);
// The number of a file of that name in `segments`, or nullopt for another file.
std::optional<std::uint32_t> segment_number(const std::string& file);

}  // namespace tributary
