#include "hub/lineage/merger.h"

#include "common/lineage/merge.h"
#include "common/lineage/policy.h"
#include "common/text/log.h"

namespace tributary::hub {
namespace {

Result<lineage::Policy> policy_of(const RepositoryConfig& config) {
    std::string text;
    for (const std::string& rule : config.rules) {
        const auto equals = rule.rfind('=');
        if (equals == rule.npos)
            return fail(Errc::invalid, "merge rule '" + rule + "' of repository '" + config.name +
                                           "' is not \"GLOB = POLICY\"");
        text += rule.substr(0, equals) + " " + rule.substr(equals + 1) + "\n";
    }
    text += "default " + config.merge + "\n";
    auto policy = lineage::parse_policy(text);
    if (!policy)
        return with_context("merge policy of repository '" + config.name + "'", policy.error());
    return policy;
}

}  // namespace

Status check_policies(const HubConfig& config) {
    for (const RepositoryConfig& repository : config.repositories)
        TRIBUTARY_TRY(policy_of(repository));
    return {};
}

Merger::Work Merger::work_of(const std::string& repo) const {
    const Catalog& catalog = ledger_.catalog();
    const std::string branch = policy_for(config_, repo).branch;
    Work work{catalog.ref(repo, branch).value_or(VersionId{}), {}};
    for (const auto& [device, head] : catalog.device_heads(repo, branch)) {
        // A head that was refused as incomplete waits until it is whole.
        if (catalog.version(head)) work.heads.push_back(head);
    }
    return work;
}

bool Merger::leaves_alone(const std::string& repo) const {
    const auto left = left_alone_.find(repo);
    return left != left_alone_.end() && left->second.work == work_of(repo);
}

Result<lineage::Fold> Merger::make_fold(const std::string& repo, const Work& work) {
    TRIBUTARY_ASSIGN(const lineage::Policy policy, policy_of(policy_for(config_, repo)));
    const LoadTreeNode load = tree_loader(ledger_.store());
    TRIBUTARY_ASSIGN(lineage::Fold fold, lineage::fold_heads(history_of(repo), load, policy,
                                                             work.branch, work.heads, budget_));
    if (!fold.made) return fold;

    // Heads that are legal can together be more than a version may.
    std::unordered_map<TreeId, const Bytes*> made;
    for (const EncodedTreeNode& node : fold.tree.nodes) made.emplace(node.id, &node.bytes);
    const auto load_either = [&](const TreeId& id) -> Result<Bytes> {
        const auto found = made.find(id);
        return found == made.end() ? load(id) : Result<Bytes>(*found->second);
    };
    if (const Status small = ledger_.catalog().check_tree(fold.tree.id, load_either); !small) {
        if (small.error().code != Errc::invalid) return tl::make_unexpected(small.error());
        return fail(Errc::exhausted,
                    "the heads are too much for one version: " + small.error().what);
    }
    return fold;
}

Result<std::optional<Merger::Folded>> Merger::fold(const std::string& repo) {
    const Work work = work_of(repo);
    if (work.heads.empty()) return std::nullopt;
    if (leaves_alone(repo)) return tl::make_unexpected(left_alone_.at(repo).why);
    left_alone_.erase(repo);

    const std::string branch = policy_for(config_, repo).branch;
    std::vector<EntryBody> moves;
    Folded folded{work.branch, work.heads.size(), 0};
    for (bool more = true; more;) {
        const Result<lineage::Fold> fold = make_fold(repo, {folded.version, work.heads});
        if (!fold && fold.error().code == Errc::exhausted)
            left_alone_.emplace(repo, LeftAlone{work, fold.error()});
        if (!fold) return tl::make_unexpected(fold.error());
        if (fold->id == folded.version) break;
        TRIBUTARY_TRY(stage(*fold));
        moves.push_back(
            RefMovedBody{repo, branch, folded.version, fold->id, "merge", config_.name});
        folded.version = fold->id;
        folded.conflicts = fold->tree.conflicts.size();
        more = fold->heads_left != 0;
    }
    if (moves.empty()) return std::nullopt;
    TRIBUTARY_TRY(ledger_.append(moves));
    log_info("heads folded", {{"repo", repo},
                              {"branch", branch},
                              {"version", folded.version.text()},
                              {"heads", folded.heads},
                              {"versions", moves.size()},
                              {"conflicts", folded.conflicts}});
    return folded;
}

Status Merger::stage(const lineage::Fold& fold) {
    if (!fold.made) return {};
    Store& store = ledger_.store();
    for (const EncodedTreeNode& node : fold.tree.nodes)
        TRIBUTARY_TRY(store.stage_object(RecordKind::tree, node.bytes));
    for (const lineage::EncodedConflicts& object : fold.conflict_objects)
        TRIBUTARY_TRY(store.stage_object(RecordKind::conflict, object.bytes));
    TRIBUTARY_TRY(store.stage_object(RecordKind::notes, fold.notes_bytes));
    return store.stage_object(RecordKind::version, fold.version_bytes).map([](const Digest&) {});
}

lineage::History& Merger::history_of(const std::string& repo) {
    const auto load = [this](const VersionId& id) { return read_version(ledger_.store(), id); };
    return histories_.try_emplace(repo, load).first->second;
}

}  // namespace tributary::hub
