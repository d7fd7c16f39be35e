#include "agent/update/slot.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/record/tree_extent.h"

namespace tributary::agent {
namespace {

constexpr std::size_t kReadBlockBytes = 256 * limits::KiB;

tl::unexpected<Error> lying(const std::string& what) {
    return fail(Errc::invalid, what + "; the version cannot be installed");
}

}  // namespace

std::string current_link(const std::string& model_dir) { return join_path(model_dir, "current"); }

Result<std::string> running_slot(Files& files, const std::string& model_dir) {
    const std::string link = current_link(model_dir);
    const auto there = files.stat(link);
    if (!there && there.error().code == Errc::not_found) return std::string();
    if (!there) return tl::unexpected(there.error());
    if (there->kind == FileStatus::Kind::symlink) {
        TRIBUTARY_ASSIGN(std::string target, files.read_link(link));
        for (const char* slot : kSlots)
            if (target == slot) return target;
    }
    return fail(Errc::conflict, link +
                                    " is not a link to one of the slots a and b beside it; "
                                    "remove it, or give the model another folder by 'dir'");
}

Status switch_to(Files& files, const std::string& model_dir, const std::string& slot) {
    const std::string link = current_link(model_dir);
    if (!slot.empty()) {
        TRIBUTARY_TRY(files.replace_link(link, slot));
    } else if (Status gone = files.remove(link); !gone && gone.error().code != Errc::not_found) {
        return gone;
    }
    return files.sync_directory(model_dir);
}

Status remove_tree(Files& files, const std::string& path) {
    const auto there = files.stat(path);
    if (!there && there.error().code == Errc::not_found) return {};
    if (!there) return tl::unexpected(there.error());
    if (there->kind == FileStatus::Kind::directory) {
        TRIBUTARY_ASSIGN(const std::vector<std::string> names, files.list(path));
        for (const std::string& name : names)
            TRIBUTARY_TRY(remove_tree(files, join_path(path, name)));
    }
    return files.remove(path);
}

Result<SlotContent> slot_content(Store& store, const TreeId& tree, const std::string& path) {
    TreeId at = tree;
    std::vector<TreeItem> items;
    if (path.empty()) {
        // Before a slot is touched: a few nodes can stand for more files than a disk takes.
        TreeExtents extents;
        if (const Status small = check_tree_extent(tree, tree_loader(store), extents); !small)
            return with_context("the version cannot be installed", small.error());
        TRIBUTARY_ASSIGN(items, read_tree(tree, tree_loader(store)));
    } else {
        TRIBUTARY_ASSIGN(const auto file, find_file(tree, path, tree_loader(store)));
        if (!file) return lying("the version has no file '" + path + "'");
        items = {*file};
        TRIBUTARY_ASSIGN(const EncodedTree alone, encode_tree(items));
        at = alone.id;
    }
    SlotContent content{at, 0, std::move(items)};
    for (const TreeItem& item : content.items) {
        if (item.size > UINT64_MAX - content.bytes) return lying("the version's sizes overflow");
        content.bytes += item.size;
    }
    return content;
}

SlotWriter::SlotWriter(Files& files, std::string slot_dir, SlotContent content) : files_(files) {
    folders_.push_back({std::move(slot_dir), std::move(content.items), 0});
}

Result<bool> SlotWriter::step(Store& store) {
    if (open_) {
        TRIBUTARY_ASSIGN(const bool whole, step_file(store));
        if (whole) open_.reset();
        return false;
    }
    Folder& folder = folders_.back();
    if (folder.next == folder.items.size()) {
        TRIBUTARY_TRY(files_.sync_directory(folder.path));
        folders_.pop_back();
        return folders_.empty();
    }
    const TreeItem item = folder.items[folder.next++];
    if (!valid_tree_name(item.name)) return lying("a tree holds an impossible name");
    TRIBUTARY_TRY(begin(store, join_path(folder.path, item.name), item));
    return false;
}

Status SlotWriter::begin(Store& store, const std::string& path, const TreeItem& item) {
    if (item.is_tree()) {
        if (folders_.size() >= limits::kTreeDepthMax) return lying("its folders are too deep");
        TRIBUTARY_TRY(files_.make_directories(path, Readers::group));
        TRIBUTARY_ASSIGN(auto items, read_tree(TreeId{item.target}, tree_loader(store)));
        folders_.push_back({path, std::move(items), 0});
        return {};
    }
    TRIBUTARY_ASSIGN(Recipe recipe, read_recipe(store, BlobId{item.target}, item.size));
    TRIBUTARY_ASSIGN(auto file,
                     files_.create(path, item.type == TreeItem::Type::executable, Readers::group));
    open_ = OpenFile{std::move(file), std::move(recipe), 0};
    return {};
}

Result<bool> SlotWriter::step_file(Store& store) {
    if (open_->next == open_->recipe.pieces.size()) {
        TRIBUTARY_TRY(open_->file->sync());
        return true;
    }
    const RecipePiece& piece = open_->recipe.pieces[open_->next++];
    TRIBUTARY_ASSIGN(const Bytes plain, store.read_plain({RecordKind::piece, piece.id.digest}));
    if (plain.size() != piece.length)
        return lying("piece " + piece.id.text() + " has another length than its recipe says");
    TRIBUTARY_TRY(open_->file->append(plain));
    return false;
}

SlotReader::SlotReader(Files& files, std::string slot_dir)
    : files_(files), slot_dir_(std::move(slot_dir)) {}

Status SlotReader::open(const std::string& path, const std::string& name) {
    if (folders_.size() >= limits::kTreeDepthMax) return lying(path + " is too deep");
    TRIBUTARY_ASSIGN(auto names, files_.list(path));
    folders_.push_back({path, name, std::move(names), 0, {}});
    return {};
}

Result<std::optional<TreeId>> SlotReader::step() {
    if (!begun_) {
        begun_ = true;
        TRIBUTARY_TRY(open(slot_dir_, ""));
        return std::nullopt;
    }
    if (open_) {
        TRIBUTARY_TRY(step_file());
        return std::nullopt;
    }
    Folder& folder = folders_.back();
    if (folder.next < folder.names.size()) {
        const std::string name = folder.names[folder.next++];
        TRIBUTARY_TRY(begin(join_path(folder.path, name), name));
        return std::nullopt;
    }
    TRIBUTARY_ASSIGN(const EncodedTree tree, encode_tree(std::move(folder.items)));
    const std::string name = folder.name;
    folders_.pop_back();
    if (folders_.empty()) return tree.id;
    folders_.back().items.push_back({TreeItem::Type::tree, name, tree.id.digest, tree.size});
    return std::nullopt;
}

Status SlotReader::begin(const std::string& path, const std::string& name) {
    TRIBUTARY_ASSIGN(const FileStatus status, files_.stat(path));
    if (status.kind == FileStatus::Kind::directory) return open(path, name);
    if (status.kind != FileStatus::Kind::regular)
        return fail(Errc::corrupt, path + " is neither a file nor a folder");
    TRIBUTARY_ASSIGN(auto file, files_.open_read(path));
    const auto type = status.executable ? TreeItem::Type::executable : TreeItem::Type::file;
    open_ = OpenFile{std::move(file), {}, {type, name, {}, 0}};
    return {};
}

Status SlotReader::step_file() {
    block_.resize(kReadBlockBytes);
    TRIBUTARY_ASSIGN(const std::size_t got, open_->file->read_at(open_->item.size, block_));
    open_->hash.update(ByteView(block_).first(got));
    open_->item.size += got;
    if (got == block_.size()) return {};
    open_->item.target = open_->hash.finish();
    folders_.back().items.push_back(std::move(open_->item));
    open_.reset();
    return {};
}

}  // namespace tributary::agent
