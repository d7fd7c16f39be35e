#include "hub/lineage/query.h"

#include <algorithm>
#include <map>

#include "common/base/words.h"
#include "common/lineage/diff.h"
#include "common/lineage/graph.h"
#include "common/record/document.h"

namespace tributary::hub {
namespace {

std::string short_digits(const std::string& id) {
    constexpr std::string_view kPrefix = "sha256:";
    return id.starts_with(kPrefix) ? id.substr(kPrefix.size(), 12) : id;
}

Json file_form(const std::optional<TreeItem>& file) {
    if (!file) return {};
    return Json::object({{"blob", file->target.text()},
                         {"bytes", file->size},
                         {"executable", file->type == TreeItem::Type::executable}});
}

// The graph over the catalog: versions with parents, inputs, boards and approvals, and what runs
// where.
class CatalogEdges {
public:
    explicit CatalogEdges(const Catalog& catalog) : catalog_(catalog) {}

    Result<std::vector<lineage::Edge>> operator()(const lineage::Node& node,
                                                  lineage::Direction direction) const {
        using lineage::NodeKind;
        std::vector<lineage::Edge> edges;
        if (node.kind == NodeKind::device) {
            if (direction == lineage::Direction::down) runs_of(node.id, edges);
        } else if (node.kind == NodeKind::deployment) {
            if (direction == lineage::Direction::up) deployment_edges(node, edges);
        } else if (const auto id = Digest::parse(node.id)) {
            version_edges(*id, node, direction, edges);
        }
        return edges;
    }

    lineage::Node node_of(const Digest& id) const {
        const bool known = catalog_.version(VersionId{id}) != nullptr;
        return {known ? lineage::NodeKind::version : lineage::NodeKind::unknown, id.text()};
    }

private:
    static lineage::Node deployment(const std::string& device, const std::string& model) {
        return {lineage::NodeKind::deployment, device + "/" + model};
    }

    void version_edges(const Digest& id, const lineage::Node& node, lineage::Direction direction,
                       std::vector<lineage::Edge>& edges) const {
        const bool up = direction == lineage::Direction::up;
        for (const Catalog::Edge& edge : up ? catalog_.edges_up(id) : catalog_.edges_down(id)) {
            const auto kind =
                edge.kind == "parent" ? lineage::EdgeKind::parent : lineage::EdgeKind::used;
            edges.push_back({node_of(edge.from), node_of(edge.to), kind, edge.role});
        }
        const KnownVersion* known = catalog_.version(VersionId{id});
        if (up && known) {
            const std::string device = catalog_.device_of(known->version.incarnation);
            if (!device.empty())
                edges.push_back({node,
                                 {lineage::NodeKind::device, device},
                                 lineage::EdgeKind::recorded_by,
                                 {}});
            if (const auto* approvals = catalog_.approvals(known->id))
                for (const Approval& approval : *approvals)
                    edges.push_back({node,
                                     {lineage::NodeKind::document, approval.document.text()},
                                     lineage::EdgeKind::approved_by,
                                     {}});
        }
        if (!up)
            for (const auto& [device_id, model] : catalog_.deployments_of(VersionId{id}))
                edges.push_back(
                    {deployment(device_id, model), node, lineage::EdgeKind::deployed_as, {}});
    }

    void runs_of(const std::string& device_id, std::vector<lineage::Edge>& edges) const {
        if (const Device* device = catalog_.device(device_id))
            for (const auto& [model, state] : device->models)
                edges.push_back({deployment(device_id, model),
                                 {lineage::NodeKind::device, device_id},
                                 lineage::EdgeKind::runs_on,
                                 {}});
    }

    void deployment_edges(const lineage::Node& node, std::vector<lineage::Edge>& edges) const {
        const auto slash = node.id.find('/');
        const Device* device = catalog_.device(node.id.substr(0, slash));
        if (!device || slash == node.id.npos) return;
        const auto model = device->models.find(node.id.substr(slash + 1));
        if (model == device->models.end()) return;
        edges.push_back(
            {node, {lineage::NodeKind::device, device->id}, lineage::EdgeKind::runs_on, {}});
        if (!model->second.running.is_none())
            edges.push_back(
                {node, node_of(model->second.running.digest), lineage::EdgeKind::deployed_as, {}});
    }

    const Catalog& catalog_;
};

// Who approved, as the document says: "alice with key 0123456789ab". What cannot be read is told by
// its name.
std::string approver_of(Store& store, const Digest& document, const ApproverNames& names = {}) {
    const auto bytes = store.read_plain({RecordKind::document, document});
    const auto outer = bytes ? parse_signed_document(*bytes) : tl::make_unexpected(bytes.error());
    const auto inner = outer ? parse_approval(outer->payload) : tl::make_unexpected(outer.error());
    if (!inner) return "document " + short_digits(document.text()) + ", which cannot be read";
    const auto known = names.find(outer->key);
    return (known == names.end() ? inner->approver : known->second) + " with key " +
           short_digits(outer->key.text());
}

// "vision/digits 0123456789ab", the way a person would say it.
std::string label_of(Ledger& ledger, const lineage::Node& node) {
    if (const auto id = Digest::parse(node.id)) {
        if (node.kind == lineage::NodeKind::document)
            return "approval by " + approver_of(ledger.store(), *id);
        if (const KnownVersion* known = ledger.catalog().version(VersionId{*id}))
            return known->repo + " " + short_digits(node.id);
    }
    return std::string(lineage::name_of(node.kind)) + " " + short_digits(node.id);
}

// The edges as a person follows them: by how far their nearer end is from the start.
std::vector<lineage::Edge> nearest_first(const lineage::LineageGraph& graph) {
    std::map<lineage::Node, std::uint32_t> depth;
    for (const lineage::LineageNode& node : graph.nodes) depth[node.node] = node.depth;
    std::vector<lineage::Edge> edges = graph.edges;
    std::ranges::stable_sort(edges, {}, [&](const lineage::Edge& edge) {
        const auto [nearer, further] = std::minmax(depth[edge.from], depth[edge.to]);
        return std::pair(std::uint32_t{nearer}, std::uint32_t{further});
    });
    return edges;
}

std::string_view name_of_kind(EntryKind kind) {
    switch (kind) {
        case EntryKind::start: return "start";
        case EntryKind::commit: return "commit";
        case EntryKind::device_bound: return "device_bound";
        case EntryKind::ref_moved: return "ref_moved";
        case EntryKind::approved: return "approved";
        case EntryKind::assigned: return "assigned";
        case EntryKind::install: return "install";
        case EntryKind::retired: return "retired";
        case EntryKind::thinned: return "thinned";
        case EntryKind::key_changed: return "key_changed";
        case EntryKind::token_issued: return "token_issued";
        case EntryKind::token_used: return "token_used";
        case EntryKind::token_revoked: return "token_revoked";
        case EntryKind::certified: return "certified";
        case EntryKind::revoked: return "revoked";
        case EntryKind::admitted: return "admitted";
        case EntryKind::quarantined: return "quarantined";
        case EntryKind::security_event: return "security_event";
        case EntryKind::root_followed: return "root_followed";
    }
    return "unknown";
}

std::string by(const std::string& actor) { return actor.empty() ? "" : ", by " + actor; }

// The same of keys and enrolment.
std::string sentence_of_trust(const EntryBody& body) {
    if (const auto* issued = std::get_if<TokenIssuedBody>(&body))
        return "token " + short_digits(issued->token.text()) + " issued" +
               (issued->group.empty() ? "" : " for group " + issued->group) +
               (issued->device.empty() ? "" : " for device " + issued->device) + ", until " +
               to_text(issued->expires) + by(issued->actor);
    if (const auto* used = std::get_if<TokenUsedBody>(&body))
        return "token " + short_digits(used->token.text()) + " used by device " + used->device;
    if (const auto* token = std::get_if<TokenRevokedBody>(&body))
        return "token " + short_digits(token->token.text()) + " revoked" + by(token->actor);
    if (const auto* certified = std::get_if<CertifiedBody>(&body))
        return "device " + certified->device + " certified for key " +
               short_digits(certified->key.text()) + " until " + to_text(certified->not_after) +
               " (" + certified->why + ")";
    if (const auto* revoked = std::get_if<RevokedBody>(&body))
        return (revoked->key.is_none() ? "" : "key " + short_digits(revoked->key.text()) + " of ") +
               ("device " + revoked->device) + " revoked" + by(revoked->actor) +
               (revoked->reason.empty() ? "" : " (" + revoked->reason + ")");
    if (const auto* refused = std::get_if<SecurityEventBody>(&body))
        return "refused " + counted(refused->count, "time") + ": " + refused->event +
               (refused->device.empty() ? "" : " of device " + refused->device) +
               (refused->address.empty() ? "" : ", the last from " + refused->address) +
               (refused->detail.empty() ? "" : " (" + refused->detail + ")");
    if (const auto* followed = std::get_if<RootFollowedBody>(&body))
        return "root document " + std::to_string(followed->version) + " (" +
               short_digits(followed->root.text()) + ") holds from here on";
    if (const auto* admitted = std::get_if<AdmittedBody>(&body))
        return "key " + short_digits(admitted->key.text()) +
               (admitted->accepted ? " accepted" : " rejected") +
               (admitted->device.empty() ? "" : " as device " + admitted->device) +
               by(admitted->actor);
    return "";
}

// One line that says what an entry of the hub states.
std::string sentence_of(Store& store, const EntryBody& body, const ApproverNames& names) {
    if (const auto* start = std::get_if<StartBody>(&body))
        return "journal begun by " + start->software +
               (start->continues.is_none() ? "" : ", goes on from " + start->continues.text());
    if (const auto* bound = std::get_if<DeviceBoundBody>(&body))
        return "device " + bound->device + " bound to journal " + bound->incarnation.text() +
               (bound->group.empty() ? "" : ", group " + bound->group);
    if (const auto* moved = std::get_if<RefMovedBody>(&body))
        return moved->repo + "/" + moved->ref + " -> " +
               (moved->to.is_none() ? "nothing" : short_digits(moved->to.text())) + " by " +
               moved->actor + " (" + moved->reason + ")";
    if (const auto* approved = std::get_if<ApprovedBody>(&body))
        return "version " + short_digits(approved->version.text()) + " of " + approved->repo +
               " approved by " + approver_of(store, approved->document, names);
    if (const auto* retired = std::get_if<RetiredBody>(&body))
        return "device " + retired->device + (retired->retired ? " retired" : " is back") +
               ", by " + retired->actor;
    if (const auto* device = std::get_if<QuarantinedBody>(&body))
        return "device " + device->device +
               (device->quarantined ? " quarantined: " + device->reason : " is heard again") +
               by(device->actor);
    if (const auto* assigned = std::get_if<AssignedBody>(&body))
        return "device " + assigned->device + " shall run " +
               short_digits(assigned->version.text()) + " as " + assigned->model + " (assignment " +
               std::to_string(assigned->number) + ")";
    return sentence_of_trust(body);
}

}  // namespace

Status ListBudget::take(const std::string& path) {
    bytes_ += path.size();
    if (++paths_ <= limits::kListPathsMax && bytes_ <= limits::kListBytesMax) return {};
    return fail(Errc::exhausted, "the answer has more than " +
                                     std::to_string(limits::kListPathsMax) + " files, or " +
                                     std::to_string(limits::kListBytesMax / limits::MiB) +
                                     " MiB of their paths, which are not listed at once; compare "
                                     "versions that are nearer to each other, or fetch files by "
                                     "their path");
}

Result<Json> diff_form(Ledger& ledger, const KnownVersion& from, const KnownVersion& to) {
    Json changes = Json::array();
    ListBudget budget;
    const auto list = [&](const lineage::Change& change) -> Status {
        TRIBUTARY_TRY(budget.take(change.path));
        changes.push(Json::object({{"kind", lineage::name_of(change.kind)},
                                   {"path", change.path},
                                   {"before", file_form(change.before)},
                                   {"after", file_form(change.after)}}));
        return {};
    };
    TRIBUTARY_TRY(
        lineage::diff_trees(from.version.tree, to.version.tree, tree_loader(ledger.store()), list));
    return Json::object(
        {{"from", from.id.text()}, {"to", to.id.text()}, {"changes", std::move(changes)}});
}

Result<Json> lineage_form(Ledger& ledger, const VersionId& id, const std::string& direction,
                          const std::string& depth, bool with_dot) {
    if (direction != "up" && direction != "down" && direction != "both")
        return fail(Errc::invalid, "'direction' is up, down or both, not '" + direction + "'");
    const bool digits =
        !depth.empty() && depth.size() <= 6 && depth.find_first_not_of("0123456789") == depth.npos;
    if (!digits) return fail(Errc::invalid, "'depth' is a number of edges, not '" + depth + "'");

    const Catalog& catalog = ledger.catalog();
    const CatalogEdges source(catalog);
    lineage::LineageQuery query;
    query.start = {source.node_of(id.digest)};
    query.up = direction != "down";
    query.down = direction != "up";
    query.depth_max = static_cast<std::uint32_t>(std::stoul(depth));
    TRIBUTARY_ASSIGN(const lineage::LineageGraph graph, lineage::trace(query, source));

    Json nodes = Json::array();
    for (const lineage::LineageNode& node : graph.nodes)
        nodes.push(Json::object({{"id", node.node.id},
                                 {"kind", lineage::name_of(node.node.kind)},
                                 {"name", label_of(ledger, node.node)},
                                 {"depth", node.depth}}));
    Json edges = Json::array();
    for (const lineage::Edge& edge : nearest_first(graph))
        edges.push(Json::object({{"from", edge.from.id},
                                 {"from_name", label_of(ledger, edge.from)},
                                 {"kind", lineage::name_of(edge.kind)},
                                 {"role", edge.role},
                                 {"to", edge.to.id},
                                 {"to_name", label_of(ledger, edge.to)}}));
    Json form = Json::object(
        {{"nodes", std::move(nodes)}, {"edges", std::move(edges)}, {"truncated", graph.truncated}});
    if (with_dot)
        form.set("dot", lineage::to_dot(graph, [&](const lineage::Node& node) {
                     return label_of(ledger, node);
                 }));
    return form;
}

Result<Json> audit_form(Ledger& ledger, std::size_t limit, std::uint64_t before,
                        const ApproverNames& names) {
    Store& store = ledger.store();
    const JournalHead head = store.head();
    const std::uint64_t end = std::min(before, head.sequence + 1);
    const std::uint64_t first = end > limit ? end - limit : 1;
    Json::Array oldest_first;
    Status read;
    TRIBUTARY_TRY(store.read_entries(head.incarnation, first, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        if (entry && entry->header.sequence >= end) return false;
        const auto body = entry ? parse_body(entry->header.kind, entry->body)
                                : Result<EntryBody>(tl::make_unexpected(entry.error()));
        if (!body) {
            read = tl::make_unexpected(body.error());
            return false;
        }
        oldest_first.push_back(
            Json::object({{"sequence", entry->header.sequence},
                          {"hash", entry->hash.text()},
                          {"fence", entry->header.fence},
                          {"time", to_text(WallTime{entry->header.time.wall_ms})},
                          {"kind", name_of_kind(entry->header.kind)},
                          {"what", sentence_of(store, *body, names)}}));
        return true;
    }));
    TRIBUTARY_TRY(read);
    Json entries = Json::array();
    for (auto entry = oldest_first.rbegin(); entry != oldest_first.rend(); ++entry)
        entries.push(std::move(*entry));
    return Json::object({{"journal", head.incarnation.text()},
                         {"entries", std::move(entries)},
                         {"older", first > 1}});
}

}  // namespace tributary::hub
