#include "hub/lineage/settle.h"

#include <algorithm>
#include <set>

#include "common/lineage/overlay.h"

namespace tributary::hub {
namespace {

constexpr std::size_t kPathsShown = 5;

using Items = std::map<std::string, std::optional<TreeItem>>;

// What each open path shall show.
Result<Items> chosen_items(Ledger& ledger, const std::vector<lineage::Conflict>& open,
                           const Settlement& settlement) {
    for (const auto& [path, version] : settlement.by_path)
        if (std::ranges::find(open, path, &lineage::Conflict::path) == open.end())
            return fail(Errc::invalid,
                        "'" + path + "' is not in conflict; these are: " + paths_text(open));
    Items items;
    std::vector<lineage::Conflict> unsaid;
    for (const lineage::Conflict& conflict : open) {
        const auto own = settlement.by_path.find(conflict.path);
        const auto& version = own == settlement.by_path.end() ? settlement.rest : own->second;
        const KnownVersion* known = version ? ledger.catalog().version(*version) : nullptr;
        if (version && !known)
            return fail(Errc::not_found, "version " + version->text() + " is not held here");
        if (!known) {
            unsaid.push_back(conflict);
            continue;
        }
        TRIBUTARY_ASSIGN(
            items[conflict.path],
            lineage::find_item(known->version.tree, conflict.path, tree_loader(ledger.store())));
    }
    if (!unsaid.empty())
        return fail(Errc::conflict, "nothing is said for " + paths_text(unsaid) +
                                        "; say PATH=REF for each, or one REF for all of them");
    return items;
}

// The merge with these items, as the hub's own word.
Result<Bytes> stage_settled(Ledger& ledger, Clock& clock, const KnownVersion& merge,
                            const Items& items, const std::string& actor) {
    Store& store = ledger.store();
    TRIBUTARY_ASSIGN(const EncodedTree tree,
                     lineage::overlay(merge.version.tree, items, tree_loader(store)));
    for (const EncodedTreeNode& node : tree.nodes)
        TRIBUTARY_TRY(store.stage_object(RecordKind::tree, node.bytes));
    TRIBUTARY_TRY(ledger.catalog().check_tree(tree.id, tree_loader(store)));

    Version version;
    version.tree = tree.id;
    version.parents = {merge.id};
    version.incarnation = store.head().incarnation;
    version.author = actor;
    version.time =
        std::max(store.head().time, merge.version.time).next(clock.wall(), clock.quality());
    Notes notes;
    notes.message = "Settled: " + std::to_string(items.size()) +
                    (items.size() == 1 ? " path was" : " paths were") + " in conflict";
    TRIBUTARY_ASSIGN(const Bytes notes_bytes, encode_notes(notes));
    TRIBUTARY_TRY(store.stage_object(RecordKind::notes, notes_bytes));
    version.notes = notes_id(notes_bytes);
    TRIBUTARY_ASSIGN(Bytes bytes, encode_version(version));
    TRIBUTARY_TRY(store.stage_object(RecordKind::version, bytes));
    return bytes;
}

}  // namespace

Result<std::vector<lineage::Conflict>> open_conflicts(Store& store, const Version& version) {
    std::vector<lineage::Conflict> open;
    for (const Digest& object : lineage::open_conflicts(version)) {
        TRIBUTARY_ASSIGN(const Bytes bytes, store.read_plain({RecordKind::conflict, object}));
        TRIBUTARY_ASSIGN(std::vector<lineage::Conflict> some, lineage::parse_conflicts(bytes));
        std::ranges::move(some, std::back_inserter(open));
    }
    std::ranges::sort(open, {}, &lineage::Conflict::path);  // objects come by name
    return open;
}

std::vector<std::string> boards_of(const std::vector<lineage::Conflict>& conflicts,
                                   const Catalog& catalog) {
    std::set<std::string> boards;
    for (const lineage::Conflict& conflict : conflicts)
        for (const lineage::ConflictSide& side : conflict.sides)
            if (const KnownVersion* known = catalog.version(side.version)) {
                const std::string board = catalog.device_of(known->version.incarnation);
                boards.insert(board.empty() ? "the hub" : board);  // what was settled before
            }
    return {boards.begin(), boards.end()};
}

std::string paths_text(const std::vector<lineage::Conflict>& conflicts) {
    std::string text;
    for (std::size_t i = 0; i < std::min(conflicts.size(), kPathsShown); ++i)
        text += (i == 0 ? "" : ", ") + conflicts[i].path;
    if (conflicts.size() > kPathsShown)
        text += " and " + std::to_string(conflicts.size() - kPathsShown) + " more";
    return text;
}

Result<VersionId> settle(Ledger& ledger, Clock& clock, const std::string& repo,
                         const std::string& branch, const Settlement& settlement) {
    const Catalog& catalog = ledger.catalog();
    const std::optional<VersionId> head = catalog.ref(repo, branch);
    const KnownVersion* merge = head ? catalog.version(*head) : nullptr;
    if (!merge)
        return fail(Errc::not_found, repo + " has no shared branch " + branch +
                                         "; `tributary repo list` shows what there is");
    TRIBUTARY_ASSIGN(const auto open, open_conflicts(ledger.store(), merge->version));
    if (open.empty())
        return fail(Errc::invalid, "nothing is in conflict in " + repo + "/" + branch);
    TRIBUTARY_ASSIGN(const Items items, chosen_items(ledger, open, settlement));
    TRIBUTARY_ASSIGN(const Bytes bytes,
                     stage_settled(ledger, clock, *merge, items, settlement.actor));
    const VersionId settled = version_id(bytes);
    TRIBUTARY_TRY(
        ledger.append({RefMovedBody{repo, branch, *head, settled, "settle", settlement.actor}}));
    return settled;
}

}  // namespace tributary::hub
