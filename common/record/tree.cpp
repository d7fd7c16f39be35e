#include "common/record/tree.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/hash/hash.h"

namespace tributary {
namespace {

constexpr std::uint8_t kForm = 1;
constexpr std::string_view kPurpose = "tributary/1/tree";
constexpr std::string_view kSplitPurpose = "tributary/1/split";
constexpr std::size_t kNodeHeaderBytes = 1 + 1 + 4;
constexpr std::size_t kItemBytesMin = 2 + 1 + Digest::kStoredBytes + 8;
constexpr unsigned kSplitBits = 10;      // a node of about 1,024 items
constexpr unsigned kSplitLevelsMax = 3;  // of split bits in four bytes; deeper ones share the last
constexpr std::uint8_t kLevelMax = 32;   // each level is at most half as long as the one below

std::size_t item_bytes(const TreeItem& item, bool leaf) {
    return (leaf ? 1u : 0u) + 2 + item.name.size() + Digest::kStoredBytes + 8;
}

std::size_t node_bytes(std::span<const TreeItem> items, bool leaf) {
    std::size_t bytes = kNodeHeaderBytes;
    for (const TreeItem& item : items) bytes += item_bytes(item, leaf);
    return bytes;
}

Bytes encode_node(std::uint8_t level, std::span<const TreeItem> items) {
    Bytes bytes;
    bytes.reserve(node_bytes(items, level == 0));
    ByteWriter writer(bytes);
    writer.put(kForm);
    writer.put(level);
    writer.put(static_cast<std::uint32_t>(items.size()));
    for (const TreeItem& item : items) {
        if (level == 0) writer.put(static_cast<std::uint8_t>(item.type));
        writer.put_short_text(item.name);
        item.target.put(writer);
        writer.put(item.size);
    }
    return bytes;
}

// Whether a node ends after this name at this level: a property of the name alone.
bool ends_node(std::string_view name, std::uint8_t level) {
    const Digest hash = sha256_of(kSplitPurpose, as_bytes(name));
    const unsigned shift = kSplitBits * std::min<unsigned>(level, kSplitLevelsMax - 1);
    const std::uint32_t bits = load_le<std::uint32_t>(hash.bytes.data()) >> shift;
    return (bits & ((1u << kSplitBits) - 1)) == 0;
}

// Cuts one level into nodes, appends them to `tree`, and returns the items of the level above.
std::vector<TreeItem> split_level(std::uint8_t level, std::span<const TreeItem> items,
                                  EncodedTree& tree) {
    std::vector<TreeItem> above;
    std::size_t start = 0;
    std::size_t bytes = kNodeHeaderBytes;
    const auto close = [&](std::size_t end) {
        EncodedTreeNode node{{}, encode_node(level, items.subspan(start, end - start))};
        node.id = TreeId{sha256_of(kPurpose, node.bytes)};
        TreeItem item{TreeItem::Type::tree, items[start].name, node.id.digest, 0};
        for (std::size_t i = start; i < end; ++i) item.size += items[i].size;
        above.push_back(std::move(item));
        tree.nodes.push_back(std::move(node));
        start = end;
        bytes = kNodeHeaderBytes;
    };
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::size_t more = item_bytes(items[i], level == 0);
        if (bytes + more > limits::kTreeNodeBytesMax) close(i);
        bytes += more;
        // Two items at least, so that every level is at most half as long as the one below,
        // whatever the names.
        if (i + 1 - start >= 2 && ends_node(items[i].name, level)) close(i + 1);
    }
    if (start < items.size()) close(items.size());
    return above;
}

// Appends the items below `node`, which has a level above 0.
Status read_into(const TreeNode& node, const TreeId& id, const LoadTreeNode& load,
                 std::vector<TreeItem>& out) {
    for (const TreeItem& item : node.items) {
        const TreeId child_id{item.target};
        TRIBUTARY_ASSIGN(const Bytes bytes, load(child_id));
        TRIBUTARY_ASSIGN(TreeNode child, parse_tree_node(bytes));
        if (child.level + 1 != node.level || child.items.empty() ||
            child.items.front().name != item.name)
            return fail(Errc::corrupt, "tree " + id.text() + " does not fit the nodes below it");
        if (child.level > 0) {
            TRIBUTARY_TRY(read_into(child, child_id, load, out));
            continue;
        }
        // Keeps a node that stands in many places from being read many times.
        if (!out.empty() && child.items.front().name <= out.back().name)
            return fail(Errc::corrupt, "tree " + id.text() + " is out of order");
        std::ranges::move(child.items, std::back_inserter(out));
    }
    return {};
}

struct Walk {
    const LoadTreeNode& load;
    const std::function<Status(const std::string&, const TreeItem&)>& visit;
    const std::uint64_t paths_max;
    std::uint64_t paths = 0;  // met so far
};

// Answers the bytes of all files below, so that the level above can check what it says of us.
Result<std::uint64_t> walk(Walk& all, const TreeId& id, const std::string& prefix,
                           std::size_t depth) {
    if (depth >= limits::kTreeDepthMax)
        return fail(Errc::corrupt,
                    "directories are nested deeper than " + std::to_string(limits::kTreeDepthMax));
    TRIBUTARY_ASSIGN(const std::vector<TreeItem> items, read_tree(id, all.load));
    if (items.empty() && depth > 0) {
        const std::string path = prefix.substr(0, prefix.size() - 1);
        TRIBUTARY_TRY(
            all.visit(path, {TreeItem::Type::tree, path.substr(path.rfind('/') + 1), id.digest}));
    }
    std::uint64_t size = 0;
    for (const TreeItem& item : items) {
        // A directory may stand in many places, so a few nodes can name more paths than there is
        // time to visit.
        if (all.paths++ == all.paths_max)
            return fail(Errc::exhausted, "the tree stands for more than " +
                                             std::to_string(all.paths_max) +
                                             " files and folders, which are not listed at once; "
                                             "ask for single files by their path");
        const std::string path = prefix + item.name;
        if (item.is_tree()) {
            TRIBUTARY_ASSIGN(const std::uint64_t below,
                             walk(all, TreeId{item.target}, path + "/", depth + 1));
            if (below != item.size)
                return fail(Errc::corrupt, "directory '" + path + "' is not as large as it says");
        } else {
            TRIBUTARY_TRY(all.visit(path, item));
        }
        size += item.size;
    }
    return size;
}

// The item of this name in one directory.
Result<std::optional<TreeItem>> find_name(TreeId node_id, std::string_view name,
                                          const LoadTreeNode& load) {
    std::optional<std::uint8_t> level;
    while (true) {
        TRIBUTARY_ASSIGN(const Bytes bytes, load(node_id));
        TRIBUTARY_ASSIGN(TreeNode node, parse_tree_node(bytes));
        if (level && node.level + 1 != *level)
            return fail(Errc::corrupt, "tree " + node_id.text() + " stands at a wrong level");
        level = node.level;
        const auto after = std::ranges::upper_bound(node.items, name, {}, &TreeItem::name);
        if (after == node.items.begin()) return std::nullopt;
        TreeItem& item = *std::prev(after);
        if (node.level > 0)
            node_id = TreeId{item.target};
        else
            return item.name == name ? std::optional(std::move(item)) : std::nullopt;
    }
}

}  // namespace

bool valid_tree_name(std::string_view name) {
    return !name.empty() && name.size() <= limits::kNameBytesMax && name != "." && name != ".." &&
           name.find('/') == name.npos && name.find('\0') == name.npos;
}

Result<TreeNode> parse_tree_node(ByteView bytes) {
    const auto corrupt = [] { return fail(Errc::corrupt, "a tree is not in canonical form"); };
    if (bytes.size() > limits::kTreeNodeBytesMax) return corrupt();
    ByteReader reader(bytes);
    if (reader.take<std::uint8_t>() != kForm) return corrupt();
    TreeNode node;
    node.level = reader.take<std::uint8_t>();
    const auto count = reader.take<std::uint32_t>();
    if (node.level > kLevelMax || count > bytes.size() / kItemBytesMin) return corrupt();
    if (node.level > 0 && count == 0) return corrupt();
    node.items.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        TreeItem item;
        item.type = TreeItem::Type::tree;
        if (node.level == 0) {
            const auto type = reader.take<std::uint8_t>();
            if (type < 1 || type > 3) return corrupt();
            item.type = static_cast<TreeItem::Type>(type);
        }
        item.name = reader.take_short_text();
        const std::optional<Digest> target = Digest::take(reader);
        item.size = reader.take<std::uint64_t>();
        if (!reader.ok() || !target || target->is_none() || !valid_tree_name(item.name))
            return corrupt();
        if (!node.items.empty() && item.name <= node.items.back().name) return corrupt();
        item.target = *target;
        node.items.push_back(std::move(item));
    }
    if (!reader.done()) return corrupt();
    return node;
}

Result<EncodedTree> encode_tree(std::vector<TreeItem> items) {
    std::ranges::sort(items, {}, &TreeItem::name);
    EncodedTree tree;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (!valid_tree_name(items[i].name))
            return fail(Errc::invalid,
                        "'" + items[i].name + "' cannot be a file name in a version");
        if (i > 0 && items[i].name == items[i - 1].name)
            return fail(Errc::invalid, "'" + items[i].name + "' stands twice in one directory");
        if (items[i].target.is_none())
            return fail(Errc::invalid, "'" + items[i].name + "' names nothing");
        if (items[i].size > UINT64_MAX - tree.size)
            return fail(Errc::invalid, "'" + items[i].name + "' makes its directory too large");
        tree.size += items[i].size;
    }
    std::uint8_t level = 0;
    while (node_bytes(items, level == 0) > limits::kTreeNodeBytesMax)
        items = split_level(level++, items, tree);
    EncodedTreeNode root{{}, encode_node(level, items)};
    root.id = TreeId{sha256_of(kPurpose, root.bytes)};
    tree.id = root.id;
    tree.nodes.push_back(std::move(root));
    return tree;
}

Result<std::vector<TreeItem>> read_tree(const TreeId& id, const LoadTreeNode& load) {
    TRIBUTARY_ASSIGN(const Bytes bytes, load(id));
    TRIBUTARY_ASSIGN(TreeNode root, parse_tree_node(bytes));
    if (root.level == 0) return std::move(root.items);

    std::vector<TreeItem> items;
    TRIBUTARY_TRY(read_into(root, id, load, items));
    // There is one way to split: what was cut otherwise would give equal content another id.
    TRIBUTARY_ASSIGN(const EncodedTree again, encode_tree(items));
    if (again.id != id)
        return fail(Errc::corrupt, "tree " + id.text() + " is split where it should not be");
    return items;
}

Status walk_tree(const TreeId& id, const LoadTreeNode& load,
                 const std::function<Status(const std::string& path, const TreeItem& file)>& visit,
                 std::uint64_t paths_max) {
    Walk all{load, visit, paths_max};
    return walk(all, id, "", 0).map([](std::uint64_t) {});
}

Result<std::optional<TreeItem>> find_file(const TreeId& id, std::string_view path,
                                          const LoadTreeNode& load) {
    TreeId directory = id;
    while (true) {
        const std::string_view name = path.substr(0, path.find('/'));
        TRIBUTARY_ASSIGN(std::optional<TreeItem> item, find_name(directory, name, load));
        const bool last = name.size() == path.size();
        if (!item || item->is_tree() == last) return std::nullopt;
        if (last) return item;
        path.remove_prefix(name.size() + 1);
        directory = TreeId{item->target};
    }
}

}  // namespace tributary
