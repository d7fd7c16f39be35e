// Lineage questions: what did this come from, and what came from it, over every kind of thing and
// every repository. Pure: edges come through a callback, from whatever index holds them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace tributary::lineage {

enum class NodeKind : std::uint8_t { version, run, deployment, device, person, document, unknown };
enum class EdgeKind : std::uint8_t {
    parent,        // version → version before it
    used,          // version or run → its input; role says as what
    generated,     // version → run that made it
    derived_from,  // version → version it was made of
    deployed_as,   // deployment → version
    runs_on,       // deployment → device
    recorded_by,   // version → device
    approved_by,   // version → person or document
};
std::string_view name_of(NodeKind kind);
std::string_view name_of(EdgeKind kind);

struct Node {
    NodeKind kind = NodeKind::unknown;
    std::string id;  // of a version `sha256:...`; of others what their own part calls them
    auto operator<=>(const Node&) const = default;
};

// From what is later to what it comes from.
struct Edge {
    Node from;
    Node to;
    EdgeKind kind{};
    std::string role;  // of `used`; else empty
    auto operator<=>(const Edge&) const = default;
};

enum class Direction : std::uint8_t {
    up,    // towards origins: along edges
    down,  // towards what came of it: against edges
};
// The edges that leave (up) or enter (down) a node, in any order. A node that is only known by name
// has none.
using EdgeSource = std::function<Result<std::vector<Edge>>(const Node&, Direction)>;

struct LineageQuery {
    std::vector<Node> start;
    bool up = true;
    bool down = false;  // with up: the origins and the outcomes of the start, not those of origins
    std::uint32_t depth_max = UINT32_MAX;  // edges away from the start
    std::uint32_t nodes_max = 100'000;
};

struct LineageNode {
    Node node;
    std::uint32_t depth = 0;  // least number of edges from the start
    bool operator==(const LineageNode&) const = default;
};
struct LineageGraph {
    std::vector<LineageNode> nodes;  // by depth, then node
    std::vector<Edge> edges;         // sorted, each once; both ends are among the nodes
    bool truncated = false;          // a limit left something out
};

// Each node is asked for its edges at most once in each direction, so cycles end.
Result<LineageGraph> trace(const LineageQuery& query, const EdgeSource& source);

// Graphviz. `label` gives a node's text; without it the kind and the id, digests cut to 12 digits.
std::string to_dot(const LineageGraph& graph,
                   const std::function<std::string(const Node&)>& label = {});

}  // namespace tributary::lineage
