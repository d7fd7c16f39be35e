// Where the histories of many heads part: as each two by themselves, and in one walk.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "common/base/bytes.h"
#include "common/lineage/history.h"

namespace tributary::lineage {
namespace {

constexpr std::uint64_t kStepsMax = 10'000'000;

// Versions that are only numbers.
class Graph {
public:
    std::size_t add(const std::vector<std::size_t>& parents) {
        Version version;
        for (const std::size_t parent : parents) version.parents.push_back(id(parent));
        versions_.push_back(std::move(version));
        return versions_.size() - 1;
    }
    // Chain of `length` on top of a version.
    std::size_t extend(std::size_t head, std::size_t length) {
        for (std::size_t i = 0; i < length; ++i) head = add({head});
        return head;
    }
    static VersionId id(std::size_t number) {
        VersionId id;
        store_le(id.digest.bytes.data(), static_cast<std::uint64_t>(number + 1));
        return id;
    }
    static std::size_t number(const VersionId& id) {
        return static_cast<std::size_t>(load_le<std::uint64_t>(id.digest.bytes.data())) - 1;
    }
    Result<Partings> partings(const std::vector<std::size_t>& heads,
                              std::uint64_t steps_max = kStepsMax) {
        std::vector<VersionId> ids;
        for (const std::size_t head : heads) ids.push_back(id(head));
        return history_.partings(ids, steps_max);
    }
    std::size_t size() const { return versions_.size(); }

    std::set<std::size_t> ancestors(std::size_t of) const {
        std::set<std::size_t> found;
        std::vector<std::size_t> open{of};
        while (!open.empty()) {
            const std::size_t next = open.back();
            open.pop_back();
            if (!found.insert(next).second) continue;
            for (const VersionId& parent : versions_[next].parents) open.push_back(number(parent));
        }
        return found;
    }
    // By the definition.
    std::vector<VersionId> bases(std::size_t a, std::size_t b) const {
        std::set<std::size_t> common, below;
        std::ranges::set_intersection(ancestors(a), ancestors(b),
                                      std::inserter(common, common.end()));
        for (const std::size_t one : common)
            for (const std::size_t ancestor : ancestors(one))
                if (ancestor != one) below.insert(ancestor);
        std::vector<VersionId> bases;
        for (const std::size_t one : common)
            if (!below.contains(one)) bases.push_back(id(one));
        std::ranges::sort(bases);
        return bases;
    }

private:
    std::vector<Version> versions_;
    History history_{
        [this](const VersionId& id) -> Result<Version> { return versions_[number(id)]; }};
};

TEST(Partings, AreTheMergeBasesOfEachTwoHeads) {
    for (std::uint32_t seed = 0; seed < 300; ++seed) {
        std::mt19937 random(seed);
        Graph graph;
        for (int i = 0; i < 30; ++i) {
            std::set<std::size_t> parents;
            for (std::uint32_t wanted = random() % 4; wanted > 0 && graph.size() > 0; --wanted)
                parents.insert(graph.size() - 1 -
                               random() % std::min<std::size_t>(graph.size(), 8));
            graph.add({parents.begin(), parents.end()});
        }
        std::set<std::size_t> heads;
        while (heads.size() < 7) heads.insert(random() % graph.size());
        const std::vector<std::size_t> of(heads.begin(), heads.end());
        const Partings partings = graph.partings(of).value();
        for (std::size_t i = 0; i < of.size(); ++i)
            for (std::size_t j = 0; j < i; ++j)
                ASSERT_EQ(partings.lists()[partings.of(i, j)], graph.bases(of[i], of[j]))
                    << "seed " << seed << ", versions " << of[i] << " and " << of[j];
    }
}

// 100,000 versions, 1,000 heads: pairs of heads are many, walks are one.
TEST(Partings, OfAThousandHeadsOfOneAncestorTakeOneShortWalk) {
    Graph graph;
    const std::size_t fork = graph.extend(graph.add({}), 90'000);
    std::vector<std::size_t> heads;
    for (int i = 0; i < 1'000; ++i) heads.push_back(graph.extend(fork, 10));
    const Partings partings = graph.partings(heads).value();
    EXPECT_EQ(partings.lists()[partings.of(3, 998)], std::vector{Graph::id(fork)});
    EXPECT_EQ(partings.lists().size(), 2u);
    EXPECT_LT(partings.steps(), 1'600'000u) << "half a million pairs, and 1,000 sets to join";
}

TEST(Partings, OfAThousandHeadsThatLeftATrunkOneByOneTakeOneWalk) {
    Graph graph;
    std::size_t trunk = graph.add({});
    std::vector<std::size_t> heads, forks;
    for (int i = 0; i < 1'000; ++i) {
        forks.push_back(trunk = graph.extend(trunk, 90));
        heads.push_back(graph.extend(trunk, 10));
    }
    const Partings partings = graph.partings(heads).value();
    EXPECT_EQ(partings.lists()[partings.of(3, 998)], std::vector{Graph::id(forks[3])});
    EXPECT_LT(partings.steps(), 2'000'000u);
}

TEST(Partings, GiveUpOnHistoriesThatCrossWithoutEnd) {
    Graph graph;
    std::vector<std::size_t> row;
    for (int i = 0; i < 40; ++i) row.push_back(graph.add({}));
    for (int level = 0; level < 20; ++level) {
        std::vector<std::size_t> next;
        for (std::size_t i = 0; i < row.size(); ++i)
            next.push_back(graph.add({row[i], row[(i * 7 + 1) % row.size()]}));
        row = next;
    }
    ASSERT_TRUE(graph.partings(row));
    const auto partings = graph.partings(row, 1'000);
    ASSERT_FALSE(partings);
    EXPECT_EQ(partings.error().code, Errc::exhausted);
}

}  // namespace
}  // namespace tributary::lineage
