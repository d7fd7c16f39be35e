#include "common/lineage/graph.h"

#include <gtest/gtest.h>

#include <map>

namespace tributary::lineage {
namespace {

Node version(const std::string& id) { return {NodeKind::version, id}; }

class Edges {
public:
    void add(Edge edge) { edges_.push_back(std::move(edge)); }
    EdgeSource source() {
        return [this](const Node& node, Direction direction) -> Result<std::vector<Edge>> {
            ++asked[{node, direction}];
            std::vector<Edge> found;
            for (auto edge = edges_.rbegin(); edge != edges_.rend(); ++edge)
                if ((direction == Direction::up ? edge->from : edge->to) == node)
                    found.push_back(*edge);
            return found;
        };
    }
    std::map<std::pair<Node, Direction>, int> asked;

private:
    std::vector<Edge> edges_;
};

// data → checkpoint → later checkpoint → deployment on a board
Edges story() {
    Edges edges;
    edges.add({version("later"), version("first"), EdgeKind::parent, ""});
    edges.add({version("first"), version("data"), EdgeKind::used, "train_data"});
    edges.add({version("later"), version("data"), EdgeKind::used, "eval_data"});
    edges.add({version("data"), {NodeKind::device, "board-7"}, EdgeKind::recorded_by, ""});
    edges.add({{NodeKind::deployment, "board-7/3"}, version("later"), EdgeKind::deployed_as, ""});
    edges.add({version("other"), version("data"), EdgeKind::used, "train_data"});
    return edges;
}

std::vector<std::string> names(const LineageGraph& graph) {
    std::vector<std::string> names;
    for (const LineageNode& n : graph.nodes)
        names.push_back(std::to_string(n.depth) + " " + n.node.id);
    return names;
}

TEST(Lineage, GoesUpToEverythingAVersionCameFrom) {
    Edges edges = story();
    const auto graph = trace({{version("later")}, true, false}, edges.source());
    EXPECT_EQ(names(*graph),
              (std::vector<std::string>{"0 later", "1 data", "1 first", "2 board-7"}));
    EXPECT_EQ(graph->edges.size(), 4u);
    EXPECT_FALSE(graph->truncated);
}

TEST(Lineage, GoesDownToEverythingThatUsedIt) {
    Edges edges = story();
    const auto graph = trace({{version("first")}, false, true}, edges.source());
    EXPECT_EQ(names(*graph), (std::vector<std::string>{"0 first", "1 later", "2 board-7/3"}));
}

TEST(Lineage, BothWaysLeavesOutWhatOthersMadeOfTheOrigins) {
    Edges edges = story();
    const auto graph = trace({{version("first")}, true, true}, edges.source());
    EXPECT_EQ(names(*graph), (std::vector<std::string>{"0 first", "1 data", "1 later",
                                                       "2 board-7/3", "2 board-7"}));
}

TEST(Lineage, SaysWhenALimitLeftSomethingOut) {
    Edges edges = story();
    const auto shallow = trace({{version("later")}, true, false, 1}, edges.source());
    EXPECT_EQ(names(*shallow), (std::vector<std::string>{"0 later", "1 data", "1 first"}));
    EXPECT_EQ(shallow->edges.size(), 2u);
    EXPECT_TRUE(shallow->truncated);
    const auto few = trace({{version("later")}, true, false, 9, 2}, edges.source());
    EXPECT_EQ(few->nodes.size(), 2u);
    EXPECT_TRUE(few->truncated);
    EXPECT_FALSE(trace({{version("later")}, true, false, 2}, edges.source())->truncated);
}

TEST(Lineage, EndsOnACycleAndAsksForEachNodeOnce) {
    Edges edges;
    for (int i = 0; i < 10; ++i)
        edges.add({version(std::to_string(i)), version(std::to_string((i + 1) % 10)),
                   EdgeKind::derived_from, ""});
    const auto graph = trace({{version("3")}, true, true}, edges.source());
    EXPECT_EQ(graph->nodes.size(), 10u);
    EXPECT_EQ(graph->edges.size(), 10u);
    for (const auto& [key, times] : edges.asked) EXPECT_EQ(times, 1);
}

TEST(Lineage, PassesOnTheSourcesError) {
    const auto graph = trace({{version("x")}}, [](const Node&, Direction) {
        return Result<std::vector<Edge>>(fail(Errc::unavailable, "index is being rebuilt"));
    });
    ASSERT_FALSE(graph);
    EXPECT_EQ(graph.error().code, Errc::unavailable);
}

TEST(Lineage, PrintsDotThatNothingInANameCanBreak) {
    LineageGraph graph;
    const Node odd{NodeKind::person, "a \"b\" \\ c"};
    const Node v = version("sha256:" + std::string(64, 'a'));
    graph.nodes = {{v, 0}, {odd, 1}};
    graph.edges = {{v, odd, EdgeKind::used, "train_data"}};
    EXPECT_EQ(to_dot(graph),
              "digraph lineage {\n"
              "  rankdir=BT;\n"
              "  node [shape=box];\n"
              "  \"version sha256:" +
                  std::string(64, 'a') +
                  "\" [label=\"version\\naaaaaaaaaaaa\"];\n"
                  "  \"person a \\\"b\\\" \\\\ c\" [label=\"person\\na \\\"b\\\" \\\\ c\"];\n"
                  "  \"version sha256:" +
                  std::string(64, 'a') +
                  "\" -> \"person a \\\"b\\\" \\\\ c\" [label=\"used train_data\"];\n"
                  "}\n");
}

}  // namespace
}  // namespace tributary::lineage
