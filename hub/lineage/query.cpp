#include "hub/lineage/query.h"

#include "common/lineage/diff.h"
#include "common/lineage/graph.h"

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

// "checkpoint 0123456789ab of vision/digits", the way a person would say it.
std::string label_of(const Catalog& catalog, const lineage::Node& node) {
    if (node.kind == lineage::NodeKind::version)
        if (const auto id = Digest::parse(node.id))
            if (const KnownVersion* known = catalog.version(VersionId{*id}))
                return known->repo + " " + short_digits(node.id);
    return std::string(lineage::name_of(node.kind)) + " " + short_digits(node.id);
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
    }
    return "unknown";
}

// One line that says what an entry of the hub states.
std::string sentence_of(const EntryBody& body) {
    if (const auto* start = std::get_if<StartBody>(&body))
        return "journal begun by " + start->software;
    if (const auto* bound = std::get_if<DeviceBoundBody>(&body))
        return "device " + bound->device + " bound to journal " + bound->incarnation.text();
    if (const auto* moved = std::get_if<RefMovedBody>(&body))
        return moved->repo + "/" + moved->ref + " -> " + short_digits(moved->to.text()) + " by " +
               moved->actor + " (" + moved->reason + ")";
    if (const auto* approved = std::get_if<ApprovedBody>(&body))
        return "version " + short_digits(approved->version.text()) + " of " + approved->repo +
               " approved";
    if (const auto* assigned = std::get_if<AssignedBody>(&body))
        return "device " + assigned->device + " shall run " +
               short_digits(assigned->version.text()) + " as " + assigned->model + " (assignment " +
               std::to_string(assigned->number) + ")";
    return "";
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
                          const std::string& depth) {
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
                                 {"name", label_of(catalog, node.node)},
                                 {"depth", node.depth}}));
    Json edges = Json::array();
    for (const lineage::Edge& edge : graph.edges)
        edges.push(Json::object({{"from", edge.from.id},
                                 {"from_name", label_of(catalog, edge.from)},
                                 {"kind", lineage::name_of(edge.kind)},
                                 {"role", edge.role},
                                 {"to", edge.to.id},
                                 {"to_name", label_of(catalog, edge.to)}}));
    return Json::object({{"nodes", std::move(nodes)},
                         {"edges", std::move(edges)},
                         {"truncated", graph.truncated},
                         {"dot", lineage::to_dot(graph, [&](const lineage::Node& node) {
                              return label_of(catalog, node);
                          })}});
}

Result<Json> audit_form(Ledger& ledger, std::size_t limit) {
    Store& store = ledger.store();
    const JournalHead head = store.head();
    const std::uint64_t first = head.sequence > limit ? head.sequence - limit + 1 : 1;
    Json::Array newest_first;
    Status read;
    TRIBUTARY_TRY(store.read_entries(head.incarnation, first, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        const auto body = entry ? parse_body(entry->header.kind, entry->body)
                                : Result<EntryBody>(tl::make_unexpected(entry.error()));
        if (!body) {
            read = tl::make_unexpected(body.error());
            return false;
        }
        newest_first.insert(newest_first.begin(),
                            Json::object({{"sequence", entry->header.sequence},
                                          {"hash", entry->hash.text()},
                                          {"fence", entry->header.fence},
                                          {"time", to_text(WallTime{entry->header.time.wall_ms})},
                                          {"kind", name_of_kind(entry->header.kind)},
                                          {"what", sentence_of(*body)}}));
        return true;
    }));
    TRIBUTARY_TRY(read);
    return Json::object(
        {{"journal", head.incarnation.text()}, {"entries", Json(std::move(newest_first))}});
}

}  // namespace tributary::hub
