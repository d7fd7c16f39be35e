// The index: what the entries of all journals say, in SQLite, rebuilt from the log whenever it is
// missing, of another schema number, damaged, or not of this log. The only user of SQLite here.
//
// Rows of sealed segments are in the file; rows of the open segment are in an attached database in
// RAM and move over in one transaction when the segment is sealed, or many at a time before that.
// Queries see both.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/entry.h"
#include "common/record/record.h"
#include "common/store/log.h"
#include "common/store/store.h"

namespace tributary {

// What one entry adds to the index.
struct IndexEntry {
    JournalHead at;  // the journal it stands in, up to and with it
    Place place;
    std::optional<CommitBody> commit;
    std::optional<VersionId> thinned;
};

class Index {
public:
    static constexpr std::string_view kInMemory = ":memory:";

    // Opens the file, or makes it anew when it cannot be used as it is. `written` counts what
    // SQLite hands to write.
    static Result<std::unique_ptr<Index>> open(const std::string& path, std::uint64_t& written);
    // Closes and deletes what is at `path`, so that open() makes it anew.
    static Status remove(const std::string& path);
    virtual ~Index() = default;

    struct Segment {
        std::uint32_t number = 0;
        std::uint64_t salt = 0;
        bool operator==(const Segment&) const = default;
    };
    virtual Result<std::vector<Segment>> segments() = 0;  // whose rows are in the file, by number

    // The greatest segment of which something was acknowledged; 0 when none is known. Kept at once:
    // it tells of an open segment that is lost.
    virtual Result<std::uint32_t> begun() = 0;
    virtual Status set_begun(std::uint32_t segment) = 0;

    // The open segment, as far as its rows are in the file: those of what stands below `bytes`.
    struct Kept {
        Segment segment;
        std::uint64_t bytes = 0;
        bool operator==(const Kept&) const = default;
    };
    virtual Result<std::optional<Kept>> kept() = 0;

    // ---- writing: rows go to RAM until their segment is sealed, or they are kept ----
    // Rows are added between these two; the heads of journals and branches show them after the
    // second.
    virtual Status begin_rows() = 0;
    virtual Status end_rows() = 0;
    virtual Status add(const IndexEntry& entry) = 0;
    // In the order of the log: the last about a journal counts.
    virtual Status add_receipt(const Incarnation& journal, const Digest& name,
                               const Place& place) = 0;
    virtual Status add_evicted(const VersionId& version) = 0;
    // A sealed segment is gone; what it held is elsewhere, and was added there.
    virtual Status forget(std::uint32_t segment) = 0;
    // Moves all rows in RAM to the file. When that fails the rows stay where they are, are found as
    // before, and move with the next segment.
    virtual Status seal(const Segment& segment) = 0;
    // Likewise, of a segment that goes on.
    virtual Status keep(const Kept& kept) = 0;
    virtual std::size_t entries_in_ram() const = 0;
    // The segments from `next_segment` on are about to go, with what stands in the one before past
    // `open`, which is open again; no row is of these. Durable when it answers success.
    virtual Status cut_back(std::uint32_t begun, std::uint32_t next_segment,
                            const std::optional<Kept>& open) = 0;

    // ---- reading; `corrupt` means: remove it and build it anew ----
    virtual Result<std::optional<JournalHead>> head(const Incarnation& incarnation) = 0;
    virtual Result<std::vector<JournalHead>> heads() = 0;
    struct EntryPlace {
        std::uint64_t sequence = 0;
        EntryHash hash;
        Place place;
    };
    virtual Result<std::vector<EntryPlace>> entries(const Incarnation& incarnation,
                                                    std::uint64_t from, std::size_t limit) = 0;
    virtual Result<std::optional<VersionRow>> branch_head(const std::string& repo,
                                                          const std::string& branch,
                                                          const Incarnation& incarnation) = 0;
    virtual Result<std::vector<VersionRow>> branches(const std::string& repo) = 0;
    virtual Result<std::vector<std::string>> repositories() = 0;
    virtual Result<std::vector<VersionRow>> versions_by_prefix(std::string_view hex,
                                                               std::size_t limit) = 0;
    virtual Result<std::vector<VersionRow>> versions(const std::optional<std::string>& repo,
                                                     std::size_t limit) = 0;
    virtual Result<bool> evicted(const VersionId& version) = 0;
    virtual Result<bool> thinned(const VersionId& version) = 0;
    virtual Result<std::uint64_t> count_versions_after(const Incarnation& incarnation,
                                                       std::uint64_t sequence) = 0;
    virtual Result<std::optional<Digest>> receipt(const Incarnation& journal) = 0;
    // Whether it is the last about some journal.
    virtual Result<bool> is_receipt(const Digest& name) = 0;

    // Every row, in a fixed order, as text: two indexes of one log give the same.
    virtual Status dump(const std::function<void(std::string_view row)>& visit) = 0;
};

}  // namespace tributary
