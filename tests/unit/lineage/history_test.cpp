#include "common/lineage/history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/lineage/world.h"

namespace tributary::lineage {
namespace {

std::set<VersionId> ancestors(const World& w, const VersionId& id) {
    std::set<VersionId> all{id};
    std::vector<VersionId> open{id};
    while (!open.empty()) {
        const VersionId next = open.back();
        open.pop_back();
        for (const VersionId& parent : w.version(next).parents)
            if (all.insert(parent).second) open.push_back(parent);
    }
    return all;
}

// By the definition, with no cleverness.
std::vector<VersionId> bases(const World& w, const VersionId& a, const VersionId& b) {
    const auto of_a = ancestors(w, a);
    const auto of_b = ancestors(w, b);
    std::vector<VersionId> common;
    std::set_intersection(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(),
                          std::back_inserter(common));
    std::vector<VersionId> best;
    for (const VersionId& c : common)
        if (std::none_of(common.begin(), common.end(), [&](const VersionId& other) {
                return other != c && ancestors(w, other).contains(c);
            }))
            best.push_back(c);
    return best;
}

TEST(HistoryProperty, PartingsAreTheBestCommonAncestorsOfEveryPair) {
    for (std::uint32_t seed = 0; seed < 40; ++seed) {
        std::mt19937 random(seed);
        World w;
        std::vector<VersionId> all;
        for (int i = 0; i < 24; ++i) {
            std::vector<VersionId> parents;
            for (std::size_t n = random() % 3; n > 0 && !all.empty(); --n) {
                const VersionId& parent = all[random() % all.size()];
                if (std::find(parents.begin(), parents.end(), parent) == parents.end())
                    parents.push_back(parent);
            }
            all.push_back(w.commit({{"f", std::to_string(i)}}, parents));
        }
        std::vector<VersionId> heads;
        for (int i = 0; i < 9; ++i) heads.push_back(all[random() % all.size()]);
        std::sort(heads.begin(), heads.end());
        heads.erase(std::unique(heads.begin(), heads.end()), heads.end());

        const auto partings = *w.history.partings(heads);
        for (std::size_t i = 0; i < heads.size(); ++i)
            for (std::size_t j = 0; j < heads.size(); ++j) {
                if (i == j) continue;
                std::vector<VersionId> found;
                for (const auto& parting : partings)
                    if (contains(parting.rows[i], j)) found.push_back(parting.base);
                EXPECT_EQ(found, bases(w, heads[i], heads[j])) << "seed " << seed;
                EXPECT_EQ(*w.history.is_ancestor(heads[i], heads[j]),
                          ancestors(w, heads[j]).contains(heads[i]));
            }
        std::vector<VersionId> independent;
        for (const VersionId& head : heads)
            if (std::none_of(heads.begin(), heads.end(), [&](const VersionId& other) {
                    return other != head && ancestors(w, other).contains(head);
                }))
                independent.push_back(head);
        EXPECT_EQ(*w.history.independent(heads), independent) << "seed " << seed;
    }
}

}  // namespace
}  // namespace tributary::lineage
