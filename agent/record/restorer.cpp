#include "agent/record/restorer.h"

#include <algorithm>

#include "common/record/tree_extent.h"

namespace tributary::agent {
namespace {

struct Work {
    Files& files;
    Store& store;
    const RestoreProgress& progress;
    RestoreOutcome outcome;

    // A name for the file being written that no item of the directory has. One at a time: the
    // store has one owner, so nobody else restores here.
    static std::string part_name(const std::vector<TreeItem>& items) {
        std::string name = ".tributary-part";
        while (std::any_of(items.begin(), items.end(),
                           [&](const TreeItem& item) { return item.name == name; })) {
            name += '~';
        }
        return name;
    }

    Status write_directory(const std::string& path, const TreeId& tree, std::size_t depth) {
        if (depth > limits::kTreeDepthMax) {
            return fail(Errc::corrupt, "the tree at " + path + " is deeper than any may be");
        }
        TRIBUTARY_ASSIGN(const std::vector<TreeItem> items, read_tree(tree, tree_loader(store)));
        // The top folder was named by the one who asked, and may be reached through a link.
        if (depth > 1) TRIBUTARY_TRY(make_directory(path));
        const std::string part = join_path(path, part_name(items));
        for (const TreeItem& item : items) {
            if (!valid_tree_name(item.name)) {
                return fail(Errc::corrupt, "the tree at " + path + " holds an impossible name");
            }
            const std::string target = join_path(path, item.name);
            if (item.is_tree()) {
                TRIBUTARY_TRY(write_directory(target, TreeId{item.target}, depth + 1));
            } else if (Status written = write_file(part, target, item); !written) {
                (void)files.remove(part);
                return written;
            }
        }
        return files.sync_directory(path);
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
        if (files.stat(part)) TRIBUTARY_TRY(files.remove(part));  // of a run that was killed
        TRIBUTARY_ASSIGN(const std::unique_ptr<File> file,
                         files.create(part, item.type == TreeItem::Type::executable));
        const auto sink = [&](ByteView plain) -> Status {
            TRIBUTARY_TRY(file->append(plain));
            outcome.plain_bytes += plain.size();
            if (progress) progress(target, outcome.plain_bytes);
            return {};
        };
        if (Status read = read_blob(store, BlobId{item.target}, item.size, sink); !read) {
            return with_context("cannot restore " + target, std::move(read).error());
        }
        TRIBUTARY_TRY(file->sync());
        TRIBUTARY_TRY(files.rename(part, target));
        outcome.files += 1;
        return {};
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
                                       const RestoreProgress& progress) {
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
    Work work{files, store, progress, {}};
    work.outcome.tree = version->tree;
    TRIBUTARY_TRY(work.write_directory(directory, version->tree, 1));
    return work.outcome;
}

}  // namespace tributary::agent
