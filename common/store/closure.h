// What a version needs: the records that must be held before it can be read back whole.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/store/store.h"

namespace tributary {

// Hands out the key of every record that a version needs, itself last, each before what needs it:
// pieces, then recipe of each file, then tree nodes from the leaves up, notes, version. What the
// versions in `covered` need is left out as far as it stands at the same path there; a covered
// version that is not held here covers nothing, and one that takes much more reading than the
// version itself covers less. RAM: one file's recipe and one directory's items for each level, for
// the version and each covered one, and the id of each directory and of each file that has a
// recipe.
//
// A few records at a time; the store may be used between two steps, and outlives it.
class ClosureWalk {
public:
    using Visit = std::function<Status(const RecordKey&)>;
    // Of a version whose own record is here, whether the pieces of its recipes are handed out, or
    // each recipe stands for them: Store::has() says no of a recipe whose pieces are not all here.
    enum class Pieces : std::uint8_t { named, by_recipe };

    ClosureWalk(Store& store, const VersionId& version, std::vector<VersionId> covered,
                Pieces pieces = Pieces::named);
    // Of one that may not be held itself. Its own record is not handed out, and nothing of its
    // files: `enter` is asked about each tree node and about the recipe of each file, of so many
    // bytes, before anything is looked for in the store; what it answers is as if `visit` did.
    using Enter = std::function<Status(const RecordKey&, std::uint64_t file_bytes)>;
    ClosureWalk(Store& store, Version version, std::vector<VersionId> covered, Enter enter);

    // Called before the pieces of a file are handed out, with how it is cut, and how one is at its
    // place in a covered version.
    using Pair = std::function<void(const Recipe& own, const Recipe& beside)>;
    void on_pair(Pair pair) { pair_ = std::move(pair); }

    // Takes that many more: a record that is handed out, an item of a directory, a recipe or a
    // directory that is read, whole. True when that was all. Fails when something cannot be read,
    // or as `visit` did: then it is over.
    Result<bool> step(std::size_t records, const Visit& visit);

    // A tree node that had to be read and is not here.
    const std::optional<RecordKey>& absent() const { return absent_; }

private:
    // A directory whose items are being gone through, and those beside it at the same path.
    struct Directory {
        std::vector<TreeId> beside;  // to be read
        std::vector<TreeItem> items;
        std::vector<TreeId> nodes;  // children before parents
        std::vector<std::vector<TreeItem>> others;
        std::unordered_set<TreeId> covered;  // nodes
        std::size_t at = 0;
        std::size_t node_at = 0;
    };
    // A file whose pieces are being handed out.
    struct File {
        Digest id;
        Recipe recipe;
        std::vector<TreeItem> beside;  // to be read
        std::unordered_set<PieceId> covered;
        std::size_t at = 0;
    };

    Status begin();
    Status next(const Visit& visit);
    Status open(const TreeId& id, std::vector<TreeId> beside);
    Status go_on(Directory& directory, const Visit& visit);
    Status take(const TreeItem& item, const Directory& directory, const Visit& visit);
    Status open_file(const TreeItem& item, std::vector<TreeItem> beside, const Visit& visit);
    Status go_on(File& file, const Visit& visit);
    std::optional<Recipe> read_beside(const TreeItem& other);
    Result<std::vector<TreeItem>> read_directory(const TreeId& id, bool own,
                                                 std::vector<TreeId>& nodes);
    bool may_read_beside() const;
    bool is_over() const { return begun_ && !file_ && open_.empty() && at_end_ == end_.size(); }

    Store& store_;
    Enter enter_;  // may be empty
    Pair pair_;    // likewise
    Pieces pieces_ = Pieces::named;
    std::optional<VersionId> id_;
    Version version_;
    std::vector<VersionId> versions_beside_;
    bool begun_ = false;
    std::vector<Directory> open_;  // one in another, the root first
    std::optional<File> file_;
    std::vector<RecordKey> end_;  // to be handed out when all directories were
    std::size_t at_end_ = 0;
    std::optional<RecordKey> absent_;
    std::unordered_set<TreeId> walked_;
    std::unordered_map<Digest, std::uint64_t> walked_files_;  // that have a recipe; their length
    std::uint64_t own_ = 0;                                   // items and pieces read so far
    std::uint64_t beside_ = 0;                                // likewise, of covered versions
};

// All of it at once.
Status closure_of(Store& store, const VersionId& version, const std::vector<VersionId>& covered,
                  const ClosureWalk::Visit& visit);

// Looks for the first record that is missing for a version to be whole here, a few at a time.
// `known_whole` versions are believed to be so, which spares reading them again.
class MissingSearch {
public:
    MissingSearch(Store& store, const VersionId& version, std::vector<VersionId> known_whole,
                  ClosureWalk::Pieces pieces = ClosureWalk::Pieces::named);

    // As ClosureWalk::step(). True when it is known what missing() is.
    Result<bool> step(std::size_t records);
    const std::optional<RecordKey>& missing() const { return missing_; }

private:
    Store& store_;
    ClosureWalk walk_;
    std::optional<RecordKey> missing_;
};

// All of it at once; nullopt when nothing is missing.
Result<std::optional<RecordKey>> first_missing(Store& store, const VersionId& version,
                                               const std::vector<VersionId>& known_whole);

}  // namespace tributary
