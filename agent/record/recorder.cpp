// How a commit works:
//
//   1. walk the given paths; each file is read once, in pieces: hashed, cut, and staged against the
//      same path of the branch's head, or one there whose name differs in numbers alone, which is
//      read again where it still lies as it was;
//   2. each directory becomes a tree when all below it is done;
//   3. if the tree is the head's and nothing else was given, the head is the answer;
//   4. else notes, version and journal entry follow, and one sync makes all of it durable.
//
// A file that another process writes to meanwhile must not be recorded half old, half new: its
// inode, size, mtime and ctime are compared before and after. The kernel's timestamps tick
// coarsely, so two writes may share one; a file changed within kTickMs before we began is hashed
// once more.
#include "agent/record/recorder.h"

#include <algorithm>

#include "agent/record/parent_file.h"
#include "agent/record/paths.h"
#include "agent/record/reference.h"
#include "agent/record/similar_name.h"
#include "common/codec/layout.h"
#include "common/env/parallel.h"
#include "common/hash/hash.h"
#include "common/record/tree_extent.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kTickMs = 100;  // kernels tick at 10 ms or faster; ten of the slowest

tl::unexpected<Error> changed(const std::string& path) {
    return fail(Errc::conflict, path +
                                    " changed while it was read, so nothing was committed; "
                                    "commit again when its writer has finished");
}

bool same_file(const FileStatus& a, const FileStatus& b) {
    return a.kind == b.kind && a.size == b.size && a.executable == b.executable &&
           a.inode == b.inode && a.device == b.device && a.mtime_ns == b.mtime_ns &&
           a.ctime_ns == b.ctime_ns;
}

const TreeItem* find_item(const std::vector<TreeItem>& items, const std::string& name) {
    const auto at = std::lower_bound(
        items.begin(), items.end(), name,
        [](const TreeItem& item, const std::string& wanted) { return item.name < wanted; });
    return at != items.end() && at->name == name ? &*at : nullptr;
}

// What the parent version has in place of a directory: the directory, or else one like it, which is
// only coded against. `path` is where that one lies, if it still does.
class Before {
public:
    Before(std::vector<TreeItem> items, bool same, std::string path)
        : items_(std::move(items)), same_(same), path_(std::move(path)) {}

    const TreeItem* same(const std::string& name) const {
        return same_ ? find_item(items_, name) : nullptr;
    }
    const TreeItem* like(const std::string& name, bool is_tree) {
        const TreeItem* item = find_item(items_, name);
        if (item && item->is_tree() == is_tree) return item;
        if (!similar_) similar_.emplace(items_);
        return similar_->nearest(name, is_tree);
    }
    // Where `item` lay when it was recorded, or so it seems: beside `path`, where the paths that a
    // person gave lie in no one directory.
    std::string path_of(const TreeItem& item, const std::string& path) const {
        return join_path(path_.empty() ? parent_path(path) : std::string_view(path_), item.name);
    }

private:
    std::vector<TreeItem> items_;
    bool same_;
    std::string path_;
    std::optional<SimilarNames> similar_;
};

tl::unexpected<Error> too_private(const std::string& path) {
    return fail(Errc::invalid, path + " belongs to the agent itself (state_dir), which holds the " +
                                   "board's private key and is not recorded; keep what is to be " +
                                   "recorded in another folder, and give that one");
}

tl::unexpected<Error> too_deep(const std::string& path) {
    return fail(Errc::invalid, path + " lies more than " + std::to_string(limits::kTreeDepthMax) +
                                   " folders deep; record a folder nearer to it");
}

}  // namespace

// One commit while it goes on.
struct Recorder::Work {
    Files& files;
    Clock& clock;
    Store& store;
    const CommitProgress& progress;
    const CommitRequest& request;

    std::uint64_t file_count = 0;
    std::uint64_t plain_bytes = 0;
    std::uint64_t paths = 0;  // files and folders, as tree_extent() counts them
    TreeExtents kept = {};    // of directories that are kept
    std::optional<FileStatus> state_dir = {};
    // The pieces at hand, at most one for each worker, and what they are.
    std::vector<Bytes> pieces = {};
    std::vector<codec::Span> spans = {};
    std::vector<Bytes> bases = {};  // of each, if they were read from a file
    std::vector<Store::PieceToStage> to_stage = {};

    // `same`: whether `item` of the parent version stands at that very path. No items when it is
    // null or cannot be read.
    Before before(const TreeItem* item, bool same, std::string path) {
        std::vector<TreeItem> items;
        if (item && item->is_tree())
            items = read_tree(TreeId{item->target}, tree_loader(store)).value_or(items);
        return {std::move(items), same, std::move(path)};
    }

    bool is_state_dir(const FileStatus& status) const {
        return state_dir && status.inode == state_dir->inode && status.device == state_dir->device;
    }

    Status check_source(const std::string& path) {
        if (!state_dir) return {};
        const auto status = files.stat(path);
        if (!status || status->kind == FileStatus::Kind::directory) return {};
        const auto folder = files.stat_target(std::string(parent_path(path)));
        return folder && is_state_dir(*folder) ? too_private(path) : Status{};
    }

    // Adds what `path` is now, or what it was, as the request's selection says.
    Status record(std::vector<TreeItem>& items, const std::string& path, const std::string& name,
                  Before& before, std::size_t depth) {
        const std::uint64_t began_ms = clock.wall().ms;
        const TreeItem* const parent = before.same(name);
        TRIBUTARY_ASSIGN(const FileStatus status, files.stat(path));
        if (is_state_dir(status)) {
            if (request.select) return {};
            return too_private(path);
        }
        if (request.select && request.select(path, status) == CommitRequest::Take::keep) {
            if (!parent) return {};
            items.push_back(*parent);
            return count_kept(path, *parent, depth);
        }
        TRIBUTARY_TRY(check_recordable(path, status));
        TRIBUTARY_TRY(count(path, 1));
        TreeItem item;
        item.name = name;
        const bool is_tree = status.kind == FileStatus::Kind::directory;
        const TreeItem* const base = before.like(name, is_tree);
        const std::string base_path = base ? before.path_of(*base, path) : std::string();
        if (is_tree) {
            if (depth >= limits::kTreeDepthMax) return too_deep(path);
            TRIBUTARY_ASSIGN(const EncodedTree tree,
                             record_directory(path, base, base_path, base == parent, depth));
            item.type = TreeItem::Type::tree;
            item.target = tree.id.digest;
            item.size = tree.size;
            items.push_back(std::move(item));
            return {};
        }
        TRIBUTARY_ASSIGN(const BlobId blob, record_file(path, status, began_ms, base, base_path));
        item.type = status.executable ? TreeItem::Type::executable : TreeItem::Type::file;
        item.target = blob.digest;
        item.size = status.size;
        items.push_back(std::move(item));
        return {};
    }

    Status count(const std::string& path, std::uint64_t more) {
        if (more <= limits::kTreePathsMax - paths) {
            paths += more;
            return {};
        }
        return fail(Errc::invalid, path + " and what comes before it are more than " +
                                       std::to_string(limits::kTreePathsMax) +
                                       " files and folders, which is more than a version may " +
                                       "have; record them in several repositories");
    }

    Status count_kept(const std::string& path, const TreeItem& item, std::size_t depth) {
        TRIBUTARY_TRY(count(path, 1));
        if (!item.is_tree()) return {};
        const auto extent = tree_extent(TreeId{item.target}, tree_loader(store), kept);
        if (!extent && extent.error().code == Errc::invalid) return too_deep(path);
        if (!extent) return {};  // no longer held here: counted when it was recorded
        if (depth + extent->depth > limits::kTreeDepthMax) return too_deep(path);
        return count(path, extent->paths);
    }

    Result<EncodedTree> record_directory(const std::string& path, const TreeItem* base,
                                         const std::string& base_path, bool same,
                                         std::size_t depth) {
        Before known = before(base, same, base_path);
        TRIBUTARY_ASSIGN(const std::vector<std::string> names, files.list(path));
        std::vector<TreeItem> items;
        items.reserve(names.size());
        for (const std::string& name : names) {
            const std::string below = join_path(path, name);
            Status taken = record(items, below, name, known, depth + 1);
            // Listed a moment ago, gone now.
            if (!taken && taken.error().code == Errc::not_found) return changed(path);
            if (!taken) return tl::unexpected<Error>(std::move(taken).error());
        }
        // Whoever selects hears of new names by itself.
        if (!request.select) {
            TRIBUTARY_ASSIGN(const std::vector<std::string> names_after, files.list(path));
            if (names != names_after) return changed(path);
        }
        return stage_tree(std::move(items), base ? std::optional(base->target) : std::nullopt);
    }

    Result<EncodedTree> stage_tree(std::vector<TreeItem> items, std::optional<Digest> base) {
        TRIBUTARY_ASSIGN(EncodedTree tree, encode_tree(std::move(items)));
        for (const EncodedTreeNode& node : tree.nodes) {
            TRIBUTARY_TRY(store.stage_object(RecordKind::tree, node.bytes, base));
        }
        return tree;
    }

    Result<BlobId> record_file(const std::string& path, const FileStatus& before,
                               std::uint64_t began_ms, const TreeItem* base,
                               const std::string& base_path) {
        if (progress) TRIBUTARY_TRY(progress(path, plain_bytes));
        TRIBUTARY_ASSIGN(const std::unique_ptr<File> file, files.open_read(path));
        ParentFile parent;
        if (base)
            parent = ParentFile(store, BlobId{base->target}, base->size,
                                base_path == path ? nullptr : still_there(*base, base_path));
        TRIBUTARY_ASSIGN(const BlobId blob, stage_content(path, *file, before.size, parent));

        const bool may_share_tick = before.ctime_ns / 1'000'000 + kTickMs >= began_ms;
        if (may_share_tick) {
            TRIBUTARY_ASSIGN(const Digest again, hash_file(path, *file, before.size));
            if (again != blob.digest) return changed(path);
        }
        const Result<FileStatus> after = files.stat(path);
        if (!after || !same_file(before, *after)) return changed(path);
        file_count += 1;
        return blob;
    }

    // The file that `item` may have been recorded from, such as the checkpoint before the one at
    // hand. Whether it is the same, its pieces tell.
    std::unique_ptr<File> still_there(const TreeItem& item, const std::string& path) {
        const auto status = files.stat(path);
        if (!status || status->kind != FileStatus::Kind::regular || status->size != item.size)
            return nullptr;
        return files.open_read(path).value_or(nullptr);
    }

    Result<BlobId> stage_content(const std::string& path, File& file, std::uint64_t bytes,
                                 ParentFile& base) {
        Sha256 hash;
        Recipe recipe;
        recipe.blob_bytes = bytes;
        const auto read = [&](std::uint64_t offset, ByteSpan out) -> Result<std::size_t> {
            TRIBUTARY_ASSIGN(const std::size_t got, file.read_at(offset, out));
            if (got < out.size() && offset + got < bytes) return changed(path);
            return got;
        };
        const auto take = [&](const codec::Span& span) -> Status {
            Bytes& plain = pieces[spans.size()];
            plain.resize(span.length);
            TRIBUTARY_ASSIGN(const std::size_t got, file.read_at(span.offset, plain));
            if (got != plain.size()) return changed(path);
            spans.push_back(span);
            if (spans.size() < pieces.size()) return {};
            TRIBUTARY_TRY(stage_pieces(base, hash, recipe));
            return progress ? progress(path, plain_bytes) : Status{};
        };
        spans.clear();
        TRIBUTARY_TRY(base.cut(bytes, read, take));
        TRIBUTARY_TRY(stage_pieces(base, hash, recipe));
        const BlobId blob{hash.finish()};
        // A blob of one piece is that piece: both have its digest.
        if (recipe.pieces.size() > 1) {
            TRIBUTARY_ASSIGN(const Bytes plain, encode_recipe(recipe));
            TRIBUTARY_TRY(store.stage_recipe(blob, plain, base.recipe_base()));
        }
        return blob;
    }

    // Stages the pieces at hand, as many at once as there are workers. What each is coded against
    // does not depend on how many those are.
    Status stage_pieces(ParentFile& base, Sha256& hash, Recipe& recipe) {
        to_stage.resize(spans.size());
        bases.resize(pieces.size());
        in_parallel(spans.size(),
                    [&](std::size_t i) { to_stage[i].id = PieceId{sha256(pieces[i])}; });
        for (std::size_t i = 0; i < spans.size(); ++i) {
            const codec::Span& span = spans[i];
            to_stage[i].piece = {pieces[i], span.type, span.phase, span.rows};
            to_stage[i].base.reset();
            if (const auto piece = base.base_for(span, pieces[i])) {
                to_stage[i].base = {piece->id, {}};
                if (!store.has({RecordKind::piece, to_stage[i].id.digest}))
                    to_stage[i].base->plain = base.at_hand(*piece, bases[i]);
            }
            base.recorded(span, to_stage[i].id);
            hash.update(pieces[i]);
            recipe.pieces.push_back(
                {to_stage[i].id, span.length, static_cast<std::uint8_t>(span.type), span.phase});
            plain_bytes += span.length;
        }
        spans.clear();
        TRIBUTARY_ASSIGN(const std::size_t others, store.stage_pieces(to_stage, request.level));
        if (others > 0) base.file_changed();
        return {};
    }

    Result<Digest> hash_file(const std::string& path, File& file, std::uint64_t bytes) {
        Sha256 hash;
        Bytes& buffer = pieces[0];
        buffer.resize(limits::kPieceBytesMax);
        for (std::uint64_t at = 0; at < bytes;) {
            const std::uint64_t wanted = std::min<std::uint64_t>(buffer.size(), bytes - at);
            const ByteSpan plain(buffer.data(), static_cast<std::size_t>(wanted));
            TRIBUTARY_ASSIGN(const std::size_t got, file.read_at(at, plain));
            if (got != plain.size()) return changed(path);
            hash.update(plain);
            at += got;
        }
        return hash.finish();
    }
};

Recorder::Recorder(Files& files, Clock& clock, Store& store, CommitProgress progress)
    : files_(files), clock_(clock), store_(store), progress_(std::move(progress)) {}
Recorder::~Recorder() = default;

Result<CommitOutcome> Recorder::commit(const CommitRequest& request) {
    Result<CommitOutcome> outcome = stage_and_commit(request);
    if (!outcome) store_.abandon();
    return outcome;
}

Result<CommitOutcome> Recorder::stage_and_commit(const CommitRequest& request) {
    // What is asked, and where the branch stands.
    TRIBUTARY_TRY(check_repo_name(request.repo));
    TRIBUTARY_TRY(check_branch_name(request.branch));
    TRIBUTARY_ASSIGN(const std::vector<SourcePath> sources, name_sources(request.paths));
    if (request.admit) TRIBUTARY_TRY(request.admit());
    TRIBUTARY_ASSIGN(const std::optional<VersionRow> head,
                     find_branch_head(store_, request.repo, request.branch));
    TreeItem parent;  // the head's tree, as if it were an item
    if (head) {
        if (const Result<Version> version = read_version(store_, head->id)) {
            parent.type = TreeItem::Type::tree;
            parent.target = version->tree.digest;
        }
    }

    // Every file, then every directory above it.
    Work work{files_, clock_, store_, progress_, request};
    work.pieces.resize(std::max<std::size_t>(1, request.workers));
    Before before = work.before(&parent, true, {});
    std::vector<TreeItem> items;
    if (const auto own = files_.stat_target(request.state_dir); own && !request.state_dir.empty())
        work.state_dir = *own;
    for (const SourcePath& source : sources) {
        TRIBUTARY_TRY(work.check_source(source.path));
        TRIBUTARY_TRY(work.record(items, source.path, source.name, before, 1));
    }
    std::optional<Digest> tree_base;
    if (parent.is_tree()) tree_base = parent.target;
    TRIBUTARY_ASSIGN(const EncodedTree tree, work.stage_tree(std::move(items), tree_base));

    CommitOutcome outcome;
    outcome.tree = tree.id;
    outcome.files = work.file_count;
    outcome.plain_bytes = work.plain_bytes;
    const bool same_tree = parent.is_tree() && parent.target == tree.id.digest;
    if (same_tree && (request.skip_same || (!request.notes && request.inputs.empty()))) {
        // Nothing is staged, unless a record was found damaged and is now whole again.
        TRIBUTARY_TRY(store_.commit());
        outcome.version = head->id;
        return outcome;
    }

    // The statement, and its place in the journal.
    Version version;
    version.tree = tree.id;
    if (head) version.parents = {head->id};
    version.inputs = request.inputs;
    version.incarnation = store_.head().incarnation;
    version.author = request.author;
    version.time = store_.head().time.next(clock_.wall(), clock_.quality());
    if (request.notes && !request.notes->empty()) {
        TRIBUTARY_ASSIGN(const Bytes notes, encode_notes(*request.notes));
        TRIBUTARY_ASSIGN(const Digest name, store_.stage_object(RecordKind::notes, notes));
        version.notes = NotesId{name};
    }
    TRIBUTARY_ASSIGN(const Bytes canonical, encode_version(version));
    TRIBUTARY_ASSIGN(const Digest name, store_.stage_object(RecordKind::version, canonical));
    outcome.version = VersionId{name};
    TRIBUTARY_TRY(store_.stage_entry(CommitBody{request.repo, request.branch, outcome.version}));
    store_.add_recorded_bytes(outcome.plain_bytes);
    TRIBUTARY_TRY(store_.commit());
    outcome.made = true;
    return outcome;
}

}  // namespace tributary::agent
