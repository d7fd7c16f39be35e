#include "agent/record/restorer.h"

#include <algorithm>

#include "common/record/tree_extent.h"

namespace tributary::agent {
namespace {

// So much of what is written may wait for its names.
constexpr std::size_t kPartsMax = 512;
constexpr std::uint64_t kPartBytesMax = 64 * limits::MiB;

// Files that are written and wait for their names. A disk syncs many at once in little more time
// than one.
class Parts {
public:
    Parts(Files& files, const SyncDisk& sync_disk) : files_(files), sync_disk_(sync_disk) {}
    ~Parts() {
        for (const Part& part : parts_) (void)files_.remove(part.path);
    }
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;

    // The file `path` of that directory, whole; or what was written of it, to be removed if nothing
    // comes of it.
    void add(std::string path, std::string target) {
        parts_.push_back({std::move(path), std::move(target)});
    }
    Status written(File& file, std::uint64_t bytes) {
        if (!together_) TRIBUTARY_TRY(file.sync());
        bytes_ += bytes;
        return parts_.size() < kPartsMax && bytes_ < kPartBytesMax ? Status{} : name();
    }
    // What follows is written into `directory`.
    Status enter(const std::string& directory) {
        TRIBUTARY_ASSIGN(const FileStatus status, files_.stat_target(directory));
        if (status.device != device_) {
            TRIBUTARY_TRY(finish());
            TRIBUTARY_TRY(try_disk(directory));
        }
        device_ = status.device;
        directories_.push_back(directory);
        return {};
    }
    // Every file gets its name, durably.
    Status finish() {
        TRIBUTARY_TRY(name());
        if (together_ && !directories_.empty()) {
            TRIBUTARY_TRY(sync_disk_(directories_.back()));
        } else {
            for (const std::string& directory : directories_)
                TRIBUTARY_TRY(files_.sync_directory(directory));
        }
        directories_.clear();
        return {};
    }

private:
    struct Part {
        std::string path, target;
    };

    // Whether it can be synced as a whole.
    Status try_disk(const std::string& directory) {
        together_ = false;
        if (!sync_disk_) return {};
        const Status synced = sync_disk_(directory);
        together_ = synced.has_value();
        return together_ || synced.error().code == Errc::unsupported ? Status{} : synced;
    }
    Status name() {
        if (parts_.empty()) return {};
        if (together_) TRIBUTARY_TRY(sync_disk_(std::string(parent_path(parts_.back().path))));
        while (!parts_.empty()) {
            TRIBUTARY_TRY(files_.rename(parts_.back().path, parts_.back().target));
            parts_.pop_back();
        }
        bytes_ = 0;
        return {};
    }

    Files& files_;
    const SyncDisk& sync_disk_;
    std::vector<Part> parts_;
    std::uint64_t bytes_ = 0;
    std::uint64_t device_ = 0;              // of what follows
    bool together_ = false;                 // what is on it is synced as a whole
    std::vector<std::string> directories_;  // on it, whose names are not durable yet
};

struct Work {
    Files& files;
    Store& store;
    const RestoreProgress& progress;
    Parts parts;
    RestoreOutcome outcome = {};

    static bool has(const std::vector<TreeItem>& items, const std::string& name) {
        return std::ranges::binary_search(items, name, {}, &TreeItem::name);
    }

    // Of runs that were killed.
    Status remove_parts(const std::string& directory, const std::vector<TreeItem>& items) {
        TRIBUTARY_ASSIGN(const std::vector<std::string> names, files.list(directory));
        for (const std::string& name : names)
            if (name.starts_with(kRestorePartName) && !has(items, name))
                TRIBUTARY_TRY(files.remove(join_path(directory, name)));
        return {};
    }

    // A name for the file being written that no item of the directory has. One restore at a time:
    // the store has one owner, so nobody else restores here.
    static std::string part_name(const std::vector<TreeItem>& items, std::size_t number) {
        std::string name = std::string(kRestorePartName) + std::to_string(number);
        while (has(items, name)) name += '~';
        return name;
    }

    Status write_directory(const std::string& path, const TreeId& tree, std::size_t depth) {
        if (depth > limits::kTreeDepthMax) {
            return fail(Errc::corrupt, "the tree at " + path + " is deeper than any may be");
        }
        TRIBUTARY_ASSIGN(const std::vector<TreeItem> items, read_tree(tree, tree_loader(store)));
        // The top folder was named by the one who asked, and may be reached through a link.
        if (depth > 1) TRIBUTARY_TRY(make_directory(path));
        TRIBUTARY_TRY(remove_parts(path, items));
        // Its own files first: what lies in other folders may lie on other disks.
        TRIBUTARY_TRY(parts.enter(path));
        std::size_t number = 0;
        for (const TreeItem& item : items) {
            if (!valid_tree_name(item.name)) {
                return fail(Errc::corrupt, "the tree at " + path + " holds an impossible name");
            }
            const std::string target = join_path(path, item.name);
            if (!item.is_tree())
                TRIBUTARY_TRY(
                    write_file(join_path(path, part_name(items, number++)), target, item));
        }
        for (const TreeItem& item : items)
            if (item.is_tree())
                TRIBUTARY_TRY(
                    write_directory(join_path(path, item.name), TreeId{item.target}, depth + 1));
        return {};
    }

    // A link in the way could lead outside the directory that was given.
    Status make_directory(const std::string& path) {
        const Result<FileStatus> there = files.stat(path);
        if (there && there->kind != FileStatus::Kind::directory) {
            return fail(Errc::conflict,
                        path + " is in the way of a folder of that name; move it, or restore " +
                            "to another place");
        }
        return there ? Status{} : files.make_directories(path);
    }

    Status write_file(const std::string& part, const std::string& target, const TreeItem& item) {
        TRIBUTARY_ASSIGN(const std::unique_ptr<File> file,
                         files.create(part, item.type == TreeItem::Type::executable));
        parts.add(part, target);
        const auto sink = [&](ByteView plain) -> Status {
            TRIBUTARY_TRY(file->append(plain));
            outcome.plain_bytes += plain.size();
            return progress ? progress(target, outcome.plain_bytes) : Status{};
        };
        if (Status read = read_blob(store, BlobId{item.target}, item.size, sink); !read) {
            if (read.error().code == Errc::cancelled) return read;
            return with_context("cannot restore " + target, std::move(read).error());
        }
        outcome.files += 1;
        return parts.written(*file, item.size);
    }
};

Status check_target(Files& files, const std::string& directory, bool force) {
    const Result<FileStatus> there = files.stat_target(directory);
    if (!there) {
        if (there.error().code == Errc::not_found) return {};
        return tl::unexpected<Error>(there.error());
    }
    if (there->kind != FileStatus::Kind::directory) {
        return fail(Errc::conflict, directory + " is not a folder; give another place to --to");
    }
    TRIBUTARY_ASSIGN(const std::vector<std::string> names, files.list(directory));
    if (!names.empty() && !force) {
        return fail(Errc::conflict,
                    directory + " is not empty; give an empty or new folder, or --force to " +
                        "replace the files of the same names in it");
    }
    return {};
}

}  // namespace

Result<RestoreOutcome> restore_version(Files& files, Store& store, const VersionId& id,
                                       const std::string& directory, bool force,
                                       const RestoreProgress& progress, const SyncDisk& sync_disk) {
    TRIBUTARY_TRY(check_target(files, directory, force));
    const Result<Version> version = read_version(store, id);
    if (!version && version.error().code == Errc::not_found) {
        return fail(Errc::not_found, "version " + id.text() +
                                         " is not held here; 'tributary-agent log' lists those " +
                                         "that are");
    }
    if (!version) return tl::unexpected<Error>(version.error());
    // Before anything is written: a few nodes can stand for more files than a disk takes.
    TreeExtents extents;
    if (const Status small = check_tree_extent(version->tree, tree_loader(store), extents); !small)
        return with_context("version " + id.text() + " cannot be restored", small.error());
    TRIBUTARY_TRY(files.make_directories(directory));
    Work work{files, store, progress, {files, sync_disk}};
    work.outcome.tree = version->tree;
    TRIBUTARY_TRY(work.write_directory(directory, version->tree, 1));
    TRIBUTARY_TRY(work.parts.finish());
    return work.outcome;
}

}  // namespace tributary::agent
