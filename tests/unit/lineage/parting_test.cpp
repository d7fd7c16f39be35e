#include "common/lineage/parting.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "tests/support/random.h"

namespace tributary::lineage {
namespace {

using Nodes = std::vector<std::uint32_t>;

// By the definition, pair by pair.
class Reference {
public:
    explicit Reference(const ParentTable& parents) {
        for (std::uint32_t node = 0; node < parents.size(); ++node) {
            std::set<std::uint32_t>& own = ancestors_.emplace_back();
            own.insert(node);
            for (const std::uint32_t parent : parents.of(node))
                own.insert(ancestors_[parent].begin(), ancestors_[parent].end());
        }
    }
    Nodes bases(std::uint32_t a, std::uint32_t b) const {
        Nodes common;
        std::set_intersection(ancestors_[a].begin(), ancestors_[a].end(), ancestors_[b].begin(),
                              ancestors_[b].end(), std::back_inserter(common));
        Nodes bases;
        for (const std::uint32_t node : common)
            if (std::none_of(common.begin(), common.end(), [&](std::uint32_t other) {
                    return other != node && ancestors_[other].contains(node);
                }))
                bases.push_back(node);
        return bases;
    }

private:
    std::vector<std::set<std::uint32_t>> ancestors_;
};

Nodes bases_between(const Partings& partings, std::size_t i, std::size_t j) {
    const auto [a, b] = std::minmax(partings.class_of[i], partings.class_of[j]);
    for (const Partings::Pair& pair : partings.pairs)
        if (pair.a == a && pair.b == b) {
            Nodes bases = partings.base_sets[pair.bases];
            std::sort(bases.begin(), bases.end());
            return bases;
        }
    ADD_FAILURE() << "no answer for heads " << i << " and " << j;
    return {};
}

// Some with several roots, some long and thin, some where everything meets everything.
ParentTable random_graph(test::Random& random) {
    ParentTable parents;
    const std::uint32_t size = 2 + random.below(60u);
    const std::uint32_t reach = 1 + random.below(size);
    const std::uint32_t most = 1 + random.below(4u);
    for (std::uint32_t node = 0; node < size; ++node) {
        std::set<std::uint32_t> own;
        for (std::uint32_t n = random.below(most + 1); n > 0 && node > 0; --n)
            own.insert(node - 1 - random.below(std::min(node, reach)));
        parents.add(Nodes(own.begin(), own.end()));
    }
    return parents;
}

TEST(PartingProperty, AnswersForEveryTwoHeadsAsTheDefinitionDoes) {
    for (std::uint32_t seed = 0; seed < 1000; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        test::Random random(seed);
        const ParentTable parents = random_graph(random);
        Nodes heads(parents.size());
        for (std::uint32_t node = 0; node < heads.size(); ++node) heads[node] = node;
        std::shuffle(heads.begin(), heads.end(), std::mt19937(seed));
        heads.resize(2 + random.below(std::min<std::uint32_t>(parents.size() - 1, 12)));

        const auto partings = lineage::partings(parents, heads);

        ASSERT_TRUE(partings);
        const Reference reference(parents);
        for (std::size_t i = 0; i < heads.size(); ++i)
            for (std::size_t j = i + 1; j < heads.size(); ++j)
                ASSERT_EQ(bases_between(*partings, i, j), reference.bases(heads[i], heads[j]))
                    << "heads " << heads[i] << " and " << heads[j];
    }
}

// A thousand boards train on one model, a hundred versions each.
TEST(Parting, IsOneQuestionForAThousandBoardsThatGoOnFromOneModel) {
    ParentTable parents;
    parents.add({});
    Nodes heads(1000, 0);
    for (int round = 0; round < 100; ++round)
        for (std::uint32_t& head : heads) {
            parents.add(Nodes{head});
            head = parents.size() - 1;
        }

    const auto partings = lineage::partings(parents, heads, {.classes = 1, .steps = 100});

    ASSERT_TRUE(partings);
    EXPECT_EQ(partings->pairs.size(), 1u);
    EXPECT_EQ(bases_between(*partings, 3, 999), Nodes{0});
}

TEST(Parting, OfStrangersIsNothing) {
    ParentTable parents;
    Nodes heads;
    for (std::uint32_t node = 0; node < 1000; ++node) {
        parents.add({});
        heads.push_back(node);
    }
    const auto partings = lineage::partings(parents, heads, {.classes = 1, .steps = 100});
    ASSERT_TRUE(partings);
    EXPECT_TRUE(bases_between(*partings, 0, 999).empty());
}

TEST(Parting, OfAThousandBoardsThatLeftATrunkOneByOneIsOnePassOverIt) {
    ParentTable parents;
    parents.add({});
    Nodes heads, forks;
    const auto extend = [&](std::uint32_t node, int length) {
        while (length-- > 0) {
            parents.add(Nodes{node});
            node = parents.size() - 1;
        }
        return node;
    };
    for (std::uint32_t trunk = 0; forks.size() < 1000;) {
        forks.push_back(trunk = extend(trunk, 90));
        heads.push_back(extend(trunk, 10));
    }
    const auto partings = lineage::partings(parents, heads, {.steps = 40'000'000});
    ASSERT_TRUE(partings);
    EXPECT_EQ(bases_between(*partings, 3, 998), Nodes{forks[3]});
}

// Every board went on from another version of the shared branch.
TEST(Parting, GivesUpOnMorePlacesThanThereIsTimeFor) {
    ParentTable parents;
    parents.add({});
    Nodes heads;
    for (std::uint32_t shared = 0, board = 0; board < 20; ++board) {
        parents.add(Nodes{shared});
        parents.add(Nodes{shared});
        shared = parents.size() - 1;
        heads.push_back(shared - 1);
    }
    EXPECT_TRUE(lineage::partings(parents, heads, {.classes = 20}));
    for (const PartingBudget budget : {PartingBudget{.classes = 18}, PartingBudget{.steps = 20}}) {
        const auto partings = lineage::partings(parents, heads, budget);
        ASSERT_FALSE(partings);
        EXPECT_EQ(partings.error().code, Errc::exhausted);
    }
}

// Two thousand places at each of which all but one of a thousand heads meet, another one each time:
// half a million pairs a place.
TEST(Parting, GivesUpBeforeWhatItKeepsFillsTheMemory) {
    constexpr std::uint32_t kHeads = 1000;
    ParentTable parents;
    for (std::uint32_t node = 0; node < 2 * kHeads; ++node) parents.add({});
    Nodes heads;
    for (std::uint32_t head = 0; head < kHeads; ++head) {
        Nodes all_but_one;
        for (std::uint32_t node = 0; node < 2 * kHeads; ++node)
            if (node % kHeads != head) all_but_one.push_back(node);
        parents.add(all_but_one);
        heads.push_back(parents.size() - 1);
    }
    const auto partings = lineage::partings(parents, heads);
    ASSERT_FALSE(partings);
    EXPECT_EQ(partings.error().code, Errc::exhausted);
}

}  // namespace
}  // namespace tributary::lineage
