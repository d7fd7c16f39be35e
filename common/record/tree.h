// Trees: names in byte order, each a file or a tree. One byte form; any other is rejected.
//
//   node  = u8 form (1), u8 level, u32 count, count items
//   item of level 0 = u8 type (1 file, 2 executable file, 3 tree), u16 length, name, digest (33
//   bytes), u64 size item of level n = u16 length, first name below, digest (33 bytes) of a node of
//   level n - 1, u64 size below
//
// A directory whose single node is at most 256 KiB is that node. A larger one splits: its items in
// order are cut into nodes, at level n after each item whose name, hashed by
// sha256_of("tributary/1/split", name), has ten zero bits from bit 10*min(n, 2) of the first four
// bytes (a little-endian number) on, if the node then has two items or more; and before an item
// that would make a node pass 256 KiB. The first name of each node becomes an item of the next
// level, until one node of at most 256 KiB holds them all. So the shape depends on the content
// alone, and one change rewrites O(log n) nodes. The tree's id is its root node's name. Size: bytes
// of all files below.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/limits.h"
#include "common/base/result.h"

namespace tributary {

struct TreeItem {
    enum class Type : std::uint8_t { file = 1, executable = 2, tree = 3 };

    Type type = Type::file;
    std::string name;        // one component: valid_tree_name()
    Digest target;           // a BlobId, or a TreeId
    std::uint64_t size = 0;  // bytes of the file, or of all files below

    bool is_tree() const { return type == Type::tree; }
    bool operator==(const TreeItem&) const = default;
};

// One component: 1 to 255 bytes, no '/', no NUL, not "." or "..".
bool valid_tree_name(std::string_view name);

struct TreeNode {
    std::uint8_t level = 0;
    std::vector<TreeItem> items;  // in byte order of name; at level n > 0 each stands for a node of
                                  // level n - 1 (type tree)
};

// corrupt unless `bytes` is exactly the canonical form.
Result<TreeNode> parse_tree_node(ByteView bytes);

struct EncodedTreeNode {
    TreeId id;
    Bytes bytes;
};
struct EncodedTree {
    TreeId id;  // of the root node
    std::uint64_t size = 0;
    std::vector<EncodedTreeNode> nodes;  // children before parents; the root is last
};
// Sorts the items; invalid when a name is not valid or stands twice, a target is none, or the sizes
// do not fit 64 bits.
Result<EncodedTree> encode_tree(std::vector<TreeItem> items);

// Loads a node's plain bytes by id; the caller's store or a map in tests.
using LoadTreeNode = std::function<Result<Bytes>(const TreeId&)>;
// All items of one directory, through its split nodes; corrupt when they are not split as
// encode_tree() would.
Result<std::vector<TreeItem>> read_tree(const TreeId& id, const LoadTreeNode& load);
// Every file and every empty directory below, with its path ('/'-separated) in byte order of each
// level; stops at the first error. Depth is bounded; exhausted when more than `paths_max` files and
// directories stand below, each counted in every place; corrupt when a directory's size is not that
// of its files, which shows only after they were visited.
Status walk_tree(const TreeId& id, const LoadTreeNode& load,
                 const std::function<Status(const std::string& path, const TreeItem& file)>& visit,
                 std::uint64_t paths_max = limits::kListPathsMax);
// The file at a '/'-separated path, reading only the nodes on the way; nullopt when no file is
// there.
Result<std::optional<TreeItem>> find_file(const TreeId& id, std::string_view path,
                                          const LoadTreeNode& load);

}  // namespace tributary
