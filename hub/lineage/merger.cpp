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

Result<std::optional<Merger::Folded>> Merger::fold(const std::string& repo) {
    const RepositoryConfig config = policy_for(config_, repo);
    const Catalog& catalog = ledger_.catalog();
    Store& store = ledger_.store();
    const VersionId branch = catalog.ref(repo, config.branch).value_or(VersionId{});

    std::vector<VersionId> heads;
    for (const auto& [device, head] : catalog.device_heads(repo, config.branch)) {
        // A head that was refused as incomplete waits until it is whole.
        if (catalog.version(head)) heads.push_back(head);
    }
    if (heads.empty()) return std::nullopt;

    TRIBUTARY_ASSIGN(const lineage::Policy policy, policy_of(config));
    TRIBUTARY_ASSIGN(
        const lineage::Fold fold,
        lineage::fold_heads(history_of(repo), tree_loader(store), policy, branch, heads));
    if (fold.id == branch) return std::nullopt;

    if (fold.made) {
        for (const EncodedTreeNode& node : fold.tree.nodes)
            TRIBUTARY_TRY(store.stage_object(RecordKind::tree, node.bytes));
        for (const lineage::EncodedConflicts& object : fold.conflict_objects)
            TRIBUTARY_TRY(store.stage_object(RecordKind::conflict, object.bytes));
        TRIBUTARY_TRY(store.stage_object(RecordKind::notes, fold.notes_bytes));
        TRIBUTARY_TRY(store.stage_object(RecordKind::version, fold.version_bytes));
    }
    TRIBUTARY_TRY(ledger_.append(
        {RefMovedBody{repo, config.branch, branch, fold.id, "merge", config_.name}}));

    const Folded folded{fold.id, heads.size(), fold.tree.conflicts.size()};
    log_info("heads folded", {{"repo", repo},
                              {"branch", config.branch},
                              {"version", fold.id.text()},
                              {"heads", folded.heads},
                              {"conflicts", folded.conflicts}});
    return folded;
}

lineage::History& Merger::history_of(const std::string& repo) {
    const auto load = [this](const VersionId& id) { return read_version(ledger_.store(), id); };
    return histories_.try_emplace(repo, load).first->second;
}

}  // namespace tributary::hub
