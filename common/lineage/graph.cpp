#include "common/lineage/graph.h"

#include <algorithm>
#include <map>
#include <set>

namespace tributary::lineage {
namespace {

class Trace {
public:
    Trace(const LineageQuery& query, const EdgeSource& source) : query_(query), source_(source) {}

    Status follow(Direction direction) {
        std::set<Node> seen(query_.start.begin(), query_.start.end());
        std::set<Node> level = seen;
        for (const Node& node : level) reach(node, 0);
        for (std::uint32_t depth = 0; !level.empty(); ++depth) {
            std::set<Node> next;
            for (const Node& node : level) {
                TRIBUTARY_ASSIGN(const auto edges, source_(node, direction));
                if (depth == query_.depth_max) {
                    truncated_ |= !edges.empty();
                    continue;
                }
                for (const Edge& edge : edges) {
                    const Node& other = direction == Direction::up ? edge.to : edge.from;
                    if (!reach(other, depth + 1)) continue;
                    edges_.insert(edge);
                    if (seen.insert(other).second) next.insert(other);
                }
            }
            if (depth == query_.depth_max) break;
            level = std::move(next);
        }
        return {};
    }

    LineageGraph answer() {
        LineageGraph graph;
        for (const auto& [node, depth] : depths_) graph.nodes.push_back({node, depth});
        std::stable_sort(
            graph.nodes.begin(), graph.nodes.end(),
            [](const LineageNode& a, const LineageNode& b) { return a.depth < b.depth; });
        graph.edges.assign(edges_.begin(), edges_.end());
        graph.truncated = truncated_;
        return graph;
    }

private:
    // False when there is no more room for this node.
    bool reach(const Node& node, std::uint32_t depth) {
        if (const auto known = depths_.find(node); known != depths_.end()) {
            known->second = std::min(known->second, depth);
            return true;
        }
        if (depths_.size() >= query_.nodes_max) {
            truncated_ = true;
            return false;
        }
        depths_.emplace(node, depth);
        return true;
    }

    const LineageQuery& query_;
    const EdgeSource& source_;
    std::map<Node, std::uint32_t> depths_;
    std::set<Edge> edges_;
    bool truncated_ = false;
};

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out + "\"";
}

std::string key_of(const Node& node) { return std::string(name_of(node.kind)) + " " + node.id; }

std::string plain_label(const Node& node) {
    std::string id = node.id;
    constexpr std::string_view tag = "sha256:";
    if (id.starts_with(tag)) id = id.substr(tag.size(), 12);
    return std::string(name_of(node.kind)) + "\n" + id;
}

}  // namespace

std::string_view name_of(NodeKind kind) {
    switch (kind) {
        case NodeKind::version: return "version";
        case NodeKind::run: return "run";
        case NodeKind::deployment: return "deployment";
        case NodeKind::device: return "device";
        case NodeKind::person: return "person";
        case NodeKind::document: return "document";
        case NodeKind::unknown: return "unknown";
    }
    return "unknown";
}

std::string_view name_of(EdgeKind kind) {
    switch (kind) {
        case EdgeKind::parent: return "parent";
        case EdgeKind::used: return "used";
        case EdgeKind::generated: return "generated";
        case EdgeKind::derived_from: return "derived_from";
        case EdgeKind::deployed_as: return "deployed_as";
        case EdgeKind::runs_on: return "runs_on";
        case EdgeKind::recorded_by: return "recorded_by";
        case EdgeKind::approved_by: return "approved_by";
    }
    return "unknown";
}

Result<LineageGraph> trace(const LineageQuery& query, const EdgeSource& source) {
    Trace trace(query, source);
    if (query.up) TRIBUTARY_TRY(trace.follow(Direction::up));
    if (query.down) TRIBUTARY_TRY(trace.follow(Direction::down));
    return trace.answer();
}

std::string to_dot(const LineageGraph& graph,
                   const std::function<std::string(const Node&)>& label) {
    std::string dot = "digraph lineage {\n  rankdir=BT;\n  node [shape=box];\n";
    for (const LineageNode& n : graph.nodes)
        dot += "  " + quoted(key_of(n.node)) +
               " [label=" + quoted(label ? label(n.node) : plain_label(n.node)) + "];\n";
    for (const Edge& edge : graph.edges) {
        std::string text(name_of(edge.kind));
        if (!edge.role.empty()) text += " " + edge.role;
        dot += "  " + quoted(key_of(edge.from)) + " -> " + quoted(key_of(edge.to)) +
               " [label=" + quoted(text) + "];\n";
    }
    return dot + "}\n";
}

}  // namespace tributary::lineage
