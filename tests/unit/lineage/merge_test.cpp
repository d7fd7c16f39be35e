#include "common/lineage/merge.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/doubled_tree.h"
#include "tests/unit/lineage/world.h"

namespace tributary::lineage {
namespace {

std::vector<std::string> paths(const std::vector<Conflict>& conflicts) {
    std::vector<std::string> paths;
    for (const Conflict& conflict : conflicts) paths.push_back(conflict.path);
    return paths;
}
const auto kStrict = *parse_policy("default conflict");

// The merge bases of two versions, sorted.
std::vector<VersionId> merge_bases(World& w, const VersionId& a, const VersionId& b) {
    const auto partings = *w.history.partings(std::vector{a, b});
    EXPECT_EQ(partings.pairs.size(), 1u);
    std::vector<VersionId> bases;
    for (const std::uint32_t base : partings.base_sets.at(partings.pairs.front().bases))
        bases.push_back(w.history.id(base));
    std::sort(bases.begin(), bases.end());
    return bases;
}

TEST(History, FindsWhereTwoBranchesPart) {
    World w;
    const VersionId root = w.commit({{"a", "1"}});
    const VersionId fork = w.commit({{"a", "2"}}, {root});
    const VersionId left = w.commit({{"a", "3"}}, {fork});
    const VersionId right = w.commit({{"b", "3"}}, {w.commit({{"b", "2"}}, {fork})});
    EXPECT_EQ(merge_bases(w, left, right), std::vector{fork});
    EXPECT_EQ(merge_bases(w, fork, right), std::vector{fork});
    EXPECT_TRUE(merge_bases(w, left, w.commit({{"z", "1"}})).empty());
    EXPECT_EQ(*w.history.independent(std::vector{root, left}), std::vector{left});
    EXPECT_EQ(w.history.independent(std::vector{left, right})->size(), 2u);
}

TEST(History, FindsBothBasesOfACrissCross) {
    World w;
    const VersionId root = w.commit({{"a", "1"}});
    const VersionId x = w.commit({{"a", "2"}}, {root});
    const VersionId y = w.commit({{"a", "3"}}, {root});
    const VersionId p = w.commit({{"a", "4"}}, {x, y});
    const VersionId q = w.commit({{"a", "5"}}, {y, x});
    std::vector<VersionId> both{x, y};
    std::sort(both.begin(), both.end());
    EXPECT_EQ(merge_bases(w, p, q), both);
}

TEST(History, DoesNotBelieveClocks) {
    World w;
    const VersionId fork = w.commit({{"a", "1"}}, {}, 1'000'000);
    const VersionId left = w.commit({{"a", "2"}}, {fork}, 5);  // this board thinks it is 1970
    const VersionId right = w.commit({{"b", "2"}}, {fork}, 2'000'000);
    EXPECT_EQ(merge_bases(w, left, right), std::vector{fork});
    EXPECT_EQ(*w.history.independent(std::vector{left, fork}), std::vector{left});
}

TEST(History, FollowsALongChainWithoutDeepRecursionAndRemembersIt) {
    World w;
    VersionId head = w.commit({{"a", "1"}});
    const VersionId first = head;
    for (int i = 0; i < 20'000; ++i) {
        Version next = w.version(head);
        next.parents = {head};
        head = w.put(next);
    }
    EXPECT_EQ(*w.history.independent(std::vector{first, head}), std::vector{head});
    w.versions_loaded = 0;
    EXPECT_EQ(merge_bases(w, first, head), std::vector{first});
    EXPECT_EQ(w.versions_loaded, 0u);
}

TEST(Fold, TakesTheOnlyAdvancedHeadAsItIs) {
    World w;
    const VersionId main = w.commit({{"a", "1"}});
    const VersionId ahead = w.commit({{"a", "2"}}, {main});
    const Fold fold = w.fold(main, {ahead, main});
    EXPECT_FALSE(fold.made);
    EXPECT_EQ(fold.id, ahead);
    EXPECT_EQ(w.fold({}, {main}).id, main);
    EXPECT_EQ(w.fold(ahead, {main}).id, ahead);
}

TEST(Fold, UnitesWhatStrangersRecorded) {
    World w;
    const VersionId a = w.commit({{"site-a/1", "x"}, {"README", "r"}});
    const VersionId b = w.commit({{"site-b/1", "y"}, {"README", "r"}});
    const VersionId c = w.commit({{"site-b/2", "z"}});
    const Fold fold = w.fold({}, {a, b, c});
    EXPECT_EQ(w.files(fold.tree.id),
              (FilesOf{{"site-a/1", "x"}, {"site-b/1", "y"}, {"site-b/2", "z"}, {"README", "r"}}));
    EXPECT_TRUE(fold.tree.conflicts.empty());
}

// Half a million pairs, of which each has a base.
TEST(Fold, UnitesAThousandBoardsThatTrainedOnOneModelAgainAndAgain) {
    World w;
    VersionId main = w.commit({{"model", "0"}, {"keep", "k"}});
    std::vector<VersionId> heads(1000);
    for (int round = 1; round <= 3; ++round) {
        for (std::size_t i = 0; i < heads.size(); ++i) {
            if (i == 7 && round > 1) continue;  // has not been heard of since
            const std::string board = std::to_string(i);
            heads[i] = w.commit({{"model", i == 9 ? "better" : "0"},
                                 {"keep", "k"},
                                 {"boards/" + board, std::to_string(round)}},
                                {round == 1 ? main : heads[i]});
        }
        const Fold fold = w.fold(main, heads);
        EXPECT_TRUE(fold.tree.conflicts.empty());
        main = fold.id;
    }
    const FilesOf files = w.files(main);
    EXPECT_EQ(files.size(), 1002u);
    EXPECT_EQ(files.at("model"), "better");
    EXPECT_EQ(files.at("boards/6"), "3");
    EXPECT_EQ(files.at("boards/7"), "1");
}

TEST(Fold, LeavesWhatAVersionCannotCoverForTheNextOne) {
    World w;
    const Policy policy = *parse_policy("default conflict");
    std::vector<VersionId> heads;
    for (int i = 0; i < 10; ++i)
        heads.push_back(
            w.commit({{"boards/" + std::to_string(i), "x"}, {"mode", std::to_string(i % 2)}}));
    const Fold at_once = w.fold({}, heads, policy);
    EXPECT_EQ(at_once.heads_left, 0U);

    VersionId main;
    for (const std::size_t left : {6U, 3U, 0U}) {
        const auto fold = fold_heads(w.history, w.load_node(), policy, main, heads, {.parents = 4});
        ASSERT_TRUE(fold) << fold.error().what;
        EXPECT_EQ(fold->heads_left, left);
        EXPECT_LE(fold->version.parents.size(), 4U);
        main = w.take(*fold);
    }
    EXPECT_EQ(w.tree_of(main), at_once.tree.id);
    EXPECT_EQ(open_conflicts(w.version(main)), open_conflicts(at_once.version));
    EXPECT_EQ(w.fold(main, heads, policy).id, main);
}

TEST(Fold, StatesNothingOfItsOwn) {
    World w;
    const VersionId a = w.commit({{"a", "1"}}, {}, 70);
    const VersionId b = w.commit({{"b", "1"}}, {}, 90);
    const VersionId c = w.commit({{"c", "1"}}, {}, 80);
    const VersionId main = w.fold({}, {a, b}).id;
    const Version& merge = w.version(w.fold(main, {c}).id);
    EXPECT_EQ(merge.parents, (std::vector{main, c}));
    EXPECT_TRUE(merge.incarnation.is_none());
    EXPECT_TRUE(merge.author.empty());
    EXPECT_EQ(merge.time.wall_ms, 90u);
    EXPECT_TRUE(is_merge(merge));
    const Fold again = w.fold(main, {c});
    EXPECT_EQ(parse_notes(again.notes_bytes)->metadata.at(std::string(kPolicyNote)),
              parse_policy("default union")->digest().text());
    EXPECT_EQ(parse_version(again.version_bytes)->notes, notes_id(again.notes_bytes));
}

struct Outcome {
    const char* what;
    std::optional<std::string> base, left, right;
    std::optional<std::string> by_union;  // nullopt with a conflict: the base's content shows
    bool union_conflict;
    bool strict_conflict;
};
const std::optional<std::string> none;

TEST(Fold, DecidesEveryPairOfChangesAsThePolicySays) {
    const Outcome table[] = {
        {"nobody changed", "0", "0", "0", "0", false, false},
        {"one changed", "0", "1", "0", "1", false, false},
        {"one added", none, "1", none, "1", false, false},
        {"one deleted", "0", none, "0", none, false, false},
        {"both deleted", "0", none, none, none, false, false},
        {"both changed alike", "0", "1", "1", "1", false, false},
        {"both changed differently", "0", "1", "2", "0", true, true},
        {"both added alike", none, "1", "1", "1", false, false},
        {"both added differently", none, "1", "2", none, true, true},
        {"one deleted what the other changed", "0", none, "1", "1", false, true},
        {"one made it executable", "0", "0*", "0", "0*", false, false},
        {"one made it executable, one changed it", "0", "0*", "1", "0", true, true},
    };
    for (const Outcome& row : table) {
        World w;
        const auto with = [](const std::optional<std::string>& content) {
            FilesOf files{{"keep", "k"}};
            if (content) files["p/f"] = *content;
            return files;
        };
        const VersionId base = w.commit(with(row.base));
        const VersionId left = w.commit(with(row.left), {base});
        const VersionId right = w.commit(with(row.right), {base});
        const Fold united = w.fold(base, {left, right});
        EXPECT_EQ(w.files(united.tree.id), with(row.by_union)) << row.what;
        EXPECT_EQ(!united.tree.conflicts.empty(), row.union_conflict) << row.what;
        const Fold strict = w.fold(base, {left, right}, kStrict);
        EXPECT_EQ(!strict.tree.conflicts.empty(), row.strict_conflict) << row.what;
        if (row.strict_conflict) {
            EXPECT_EQ(w.files(strict.tree.id), with(row.base)) << row.what;
        } else {
            EXPECT_EQ(strict.tree.id, united.tree.id) << row.what;
        }
    }
}

TEST(Fold, KeepsAConflictAsAnObjectThatTheVersionNames) {
    World w;
    const VersionId base = w.commit({{"d/f", "0"}, {"other", "0"}});
    const VersionId left = w.commit({{"d/f", "1"}, {"other", "0"}, {"new", "n"}}, {base});
    const VersionId right = w.commit({{"d/f", "2"}, {"other", "5"}}, {base});
    const Fold fold = w.fold(base, {left, right});
    EXPECT_EQ(w.files(fold.id), (FilesOf{{"d/f", "0"}, {"other", "5"}, {"new", "n"}}));
    ASSERT_EQ(fold.conflict_objects.size(), 1u);
    EXPECT_EQ(open_conflicts(w.version(fold.id)), std::vector{fold.conflict_objects[0].name});
    const auto stored = parse_conflicts(fold.conflict_objects[0].bytes);
    ASSERT_TRUE(stored) << stored.error().what;
    ASSERT_EQ(stored->size(), 1u);
    const Conflict& conflict = stored->front();
    EXPECT_EQ(conflict.path, "d/f");
    EXPECT_EQ(conflict.base.item->target, sha256(as_bytes("0")));
    ASSERT_EQ(conflict.sides.size(), 2u);
    for (const ConflictSide& side : conflict.sides)
        EXPECT_EQ(side.version, side.item->target == sha256(as_bytes("1")) ? left : right);
}

TEST(Fold, KeepsTheConflictOpenUntilSomebodyStatesAnAnswer) {
    World w;
    const VersionId a = w.commit({{"f", "1"}});
    const VersionId b = w.commit({{"f", "2"}});
    const VersionId main = w.fold({}, {a, b}).id;
    const VersionId c = w.commit({{"g", "1"}});
    const Fold still = w.fold(main, {c});
    EXPECT_EQ(paths(still.tree.conflicts), std::vector<std::string>{"f"});
    const VersionId answer = w.commit({{"f", "2"}, {"g", "1"}}, {still.id});
    const VersionId later_a = w.commit({{"f", "1"}, {"h", "1"}}, {a});  // goes on as before
    const Fold solved = w.fold(still.id, {answer, later_a});
    EXPECT_TRUE(solved.tree.conflicts.empty());
    EXPECT_EQ(w.files(solved.id), (FilesOf{{"f", "2"}, {"g", "1"}, {"h", "1"}}));
}

TEST(Fold, ADirectoryAgainstAFileIsAConflict) {
    World w;
    const VersionId base = w.commit({{"keep", "k"}});
    const VersionId file = w.commit({{"keep", "k"}, {"x", "1"}}, {base});
    const VersionId directory = w.commit({{"keep", "k"}, {"x/y", "1"}}, {base});
    const Fold fold = w.fold(base, {file, directory});
    EXPECT_EQ(paths(fold.tree.conflicts), std::vector<std::string>{"x"});
    EXPECT_EQ(w.files(fold.id), (FilesOf{{"keep", "k"}}));
}

TEST(Fold, NewestTakesTheLatestHeadsWord) {
    World w;
    const auto policy = *parse_policy("log/** newest\ndefault conflict");
    const VersionId base = w.commit({{"log/a", "0"}, {"b", "0"}}, {}, 1);
    const VersionId late = w.commit({{"log/a", "1"}, {"b", "1"}}, {base}, 9);
    const VersionId early = w.commit({{"log/a", "2"}, {"b", "2"}}, {base}, 5);
    const Fold fold = w.fold(base, {early, late}, policy);
    EXPECT_EQ(w.files(fold.id), (FilesOf{{"log/a", "1"}, {"b", "0"}}));
    EXPECT_EQ(paths(fold.tree.conflicts), std::vector<std::string>{"b"});
}

TEST(Fold, ManyConflictsAreCutIntoObjectsInPathOrder) {
    World w;
    FilesOf left, right;
    for (int i = 0; i < 1000; ++i) {
        left["d/" + std::to_string(i)] = "1";
        right["d/" + std::to_string(i)] = "2";
    }
    left["d-x"] = "1";
    right["d-x"] = "2";
    const Fold fold = w.fold({}, {w.commit(left), w.commit(right)});
    EXPECT_GT(fold.conflict_objects.size(), 1u);
    std::vector<Conflict> all;
    for (const EncodedConflicts& object : fold.conflict_objects) {
        const auto some = parse_conflicts(object.bytes);
        ASSERT_TRUE(some) << some.error().what;
        all.insert(all.end(), some->begin(), some->end());
    }
    EXPECT_EQ(all.size(), 1001u);
    EXPECT_EQ(open_conflicts(fold.version).size(), fold.conflict_objects.size());
}

// ---- What must hold for any history, in any order of arrival ----

struct Fleet {
    World world;
    std::vector<VersionId> all;    // in the order in which they were recorded
    std::vector<VersionId> heads;  // of each board
};

// Boards that begin alone or from another's work, commit, and sometimes take up another's head.
void record(Fleet& fleet, std::mt19937& random) {
    const std::size_t boards = 2 + random() % 4;
    fleet.heads.resize(boards);
    for (int commits = 0; commits < 12; ++commits) {
        VersionId& head = fleet.heads[random() % boards];
        std::vector<VersionId> parents;
        FilesOf files;
        if (head.is_none() && !fleet.all.empty() && random() % 2 == 0)
            head = fleet.all[random() % fleet.all.size()];
        if (!head.is_none()) {
            parents.push_back(head);
            files = fleet.world.files(head);
        }
        const VersionId& other = fleet.heads[random() % boards];
        if (random() % 5 == 0 && !other.is_none() && other != head) parents.push_back(other);
        head = fleet.world.commit(random_files(random, files), parents,
                                  1 + random() % 5 * 100 + fleet.all.size());
        fleet.all.push_back(head);
    }
    std::erase_if(fleet.heads, [](const VersionId& id) { return id.is_none(); });
}

const char* const kPolicies[] = {"default union", "default conflict", "default newest",
                                 "d/** newest\n?  union\ndefault conflict"};

TEST(FoldProperty, TheTreeAndItsConflictsDependOnTheSetOfHeadsAlone) {
    for (std::uint32_t seed = 0; seed < 60; ++seed) {
        std::mt19937 random(seed);
        Fleet fleet;
        record(fleet, random);
        World& w = fleet.world;
        const Policy policy = *parse_policy(kPolicies[seed % std::size(kPolicies)]);
        const Fold at_once = w.fold({}, fleet.heads, policy);
        const TreeId expected_tree = w.tree_of(at_once.id);

        // One by one, in groups, with repeats and with older versions among them, in any order.
        for (int round = 0; round < 5; ++round) {
            std::vector<VersionId> arrivals = fleet.heads;
            for (int i = 0; i < 4; ++i) arrivals.push_back(fleet.all[random() % fleet.all.size()]);
            std::shuffle(arrivals.begin(), arrivals.end(), random);
            VersionId main;
            Fold last;
            while (!arrivals.empty()) {
                std::vector<VersionId> group;
                for (std::size_t n = 1 + random() % 3; n > 0 && !arrivals.empty(); --n) {
                    group.push_back(arrivals.back());
                    arrivals.pop_back();
                }
                const Fold fold = w.fold(main, group, policy);
                if (fold.made) last = fold;
                main = fold.id;
            }
            EXPECT_EQ(w.tree_of(main), expected_tree) << "seed " << seed;
            if (is_merge(w.version(main)) && at_once.made) {
                EXPECT_EQ(last.tree.conflicts, at_once.tree.conflicts) << "seed " << seed;
            }
        }
    }
}

TEST(FoldProperty, ManyVersionsFoldTheSameAsOne) {
    for (std::uint32_t seed = 200; seed < 260; ++seed) {
        std::mt19937 random(seed);
        Fleet fleet;
        record(fleet, random);
        World& w = fleet.world;
        const Policy policy = *parse_policy(kPolicies[seed % std::size(kPolicies)]);
        const Fold at_once = w.fold({}, fleet.heads, policy);
        VersionId main;
        std::size_t left = 0;
        do {
            const auto fold =
                fold_heads(w.history, w.load_node(), policy, main, fleet.heads, {.parents = 2});
            ASSERT_TRUE(fold) << fold.error().what;
            main = w.take(*fold);
            left = fold->heads_left;
        } while (left != 0);
        EXPECT_EQ(w.tree_of(main), w.tree_of(at_once.id)) << "seed " << seed;
    }
}

TEST(FoldProperty, SeparateFoldsUnitedAreTheFoldOfAll) {
    for (std::uint32_t seed = 100; seed < 140; ++seed) {
        std::mt19937 random(seed);
        Fleet fleet;
        record(fleet, random);
        World& w = fleet.world;
        const Policy policy = *parse_policy(kPolicies[seed % std::size(kPolicies)]);
        const auto half = static_cast<std::ptrdiff_t>(fleet.heads.size() / 2 + 1);
        const std::vector<VersionId> left(fleet.heads.begin(), fleet.heads.begin() + half);
        const std::vector<VersionId> right(fleet.heads.begin() + half - 1, fleet.heads.end());
        const VersionId two_hubs =
            w.fold(w.fold({}, left, policy).id, {w.fold({}, right, policy).id}, policy).id;
        EXPECT_EQ(w.tree_of(two_hubs), w.tree_of(w.fold({}, fleet.heads, policy).id))
            << "seed " << seed;
    }
}

TEST(FoldProperty, TheSameBaseAndHeadsGiveTheSameIdAnywhereAndFoldingAgainChangesNothing) {
    for (std::uint32_t seed = 200; seed < 240; ++seed) {
        std::mt19937 random(seed);
        Fleet fleet;
        record(fleet, random);
        World& w = fleet.world;
        const VersionId base = w.fold({}, {fleet.heads[0], fleet.all[0]}).id;
        const Fold here = w.fold(base, fleet.heads);
        std::vector<VersionId> reversed(fleet.heads.rbegin(), fleet.heads.rend());
        reversed.push_back(fleet.all[0]);
        // Another hub: nothing remembered from before.
        History fresh(w.load_version());
        const auto there =
            fold_heads(fresh, w.load_node(), *parse_policy("default union"), base, reversed);
        ASSERT_TRUE(there);
        EXPECT_EQ(there->id, here.id) << "seed " << seed;
        EXPECT_EQ(w.fold(here.id, fleet.heads).id, here.id) << "seed " << seed;
    }
}

TEST(FoldProperty, EveryPathShowsSomeHeadsContentOrAnOpenConflictsBase) {
    for (std::uint32_t seed = 300; seed < 340; ++seed) {
        std::mt19937 random(seed);
        Fleet fleet;
        record(fleet, random);
        World& w = fleet.world;
        const Fold fold = w.fold({}, fleet.heads);
        if (!fold.made) continue;
        for (const auto& [path, content] : w.files(fold.id)) {
            const bool some = std::any_of(fleet.heads.begin(), fleet.heads.end(),
                                          [&, p = path, c = content](const VersionId& head) {
                                              const FilesOf files = w.files(head);
                                              const auto found = files.find(p);
                                              return found != files.end() && found->second == c;
                                          });
            const bool open = std::any_of(fold.tree.conflicts.begin(), fold.tree.conflicts.end(),
                                          [&, p = path](const Conflict& c) {
                                              return p == c.path || p.starts_with(c.path + "/");
                                          });
            EXPECT_TRUE(some || open) << path << ", seed " << seed;
        }
    }
}

Result<Fold> fold_at_most(World& w, const VersionId& a, const VersionId& b,
                          const MergeBudget& budget, const std::string& policy = "default union") {
    const VersionId heads[] = {a, b};
    return fold_heads(w.history, test::at_most(10'000, w.load_node()), *parse_policy(policy), {},
                      heads, budget);
}

TEST(Merge, GivesUpOnDirectoriesThatStandInMorePlacesThanThereIsTimeFor) {
    World w;
    const VersionId base = w.commit_tree(test::doubled_tree(60, "e"));
    for (const std::vector<VersionId>& parents : {std::vector<VersionId>{}, {base}}) {
        const VersionId a = w.commit_tree(test::doubled_tree(60, "f"), parents);
        const VersionId b = w.commit_tree(test::doubled_tree(60, "g"), parents);
        const auto fold = fold_at_most(w, a, b, {.names = 1000});
        ASSERT_FALSE(fold);
        EXPECT_EQ(fold.error().code, Errc::exhausted);
    }
}

TEST(Merge, LooksAtExactlyAsManyNamesAsItMay) {
    World w;
    const VersionId a = w.commit({{"d/1", "1"}, {"d/2", "2"}});
    const VersionId b = w.commit({{"d/3", "3"}, {"d/4", "4"}, {"e", "5"}});
    EXPECT_TRUE(fold_at_most(w, a, b, {.names = 6}));
    EXPECT_FALSE(fold_at_most(w, a, b, {.names = 5}));
}

// A name costs as much as the heads that show it, not as all there are.
TEST(Merge, LooksAtEachNameOnceHoweverManyHeadsDoNotShowIt) {
    World w;
    std::vector<VersionId> heads;
    for (int i = 0; i < 600; ++i) heads.push_back(w.commit({{std::to_string(i), "x"}}));
    const MergeBudget budget{.names = 600 + 600 / 256};  // the root is shown by all
    const auto fold =
        fold_heads(w.history, w.load_node(), *parse_policy("default union"), {}, heads, budget);
    ASSERT_TRUE(fold) << fold.error().what;
    EXPECT_EQ(parse_tree_node(fold->tree.nodes.back().bytes)->items.size(), 600U);
}

// Two heads that merged the same thousand strangers part at all of them.
TEST(Merge, CountsTheBasesInWhichEachNameIsLookedFor) {
    World w;
    std::vector<VersionId> strangers;
    for (int i = 0; i < 1024; ++i) strangers.push_back(w.commit({}));
    const VersionId a = w.commit({{"a", "1"}}, strangers);
    const VersionId b = w.commit({{"b", "1"}}, strangers);
    const std::uint64_t names = 2 + 3 * 1024 / 256;  // at the root and at both of its names
    EXPECT_TRUE(fold_at_most(w, a, b, {.names = names}));
    EXPECT_FALSE(fold_at_most(w, a, b, {.names = names - 1}));
}

TEST(Merge, GivesUpOnDirectoriesThatTakeMoreMemoryThanThereIs) {
    World w;
    const VersionId a = w.commit({{"d/1", "1"}, {"d/2", "2"}});
    const VersionId b = w.commit({{"d/1", "1"}, {"d/3", "3"}});
    EXPECT_TRUE(fold_at_most(w, a, b, {.listed = 6}));
    const auto fold = fold_at_most(w, a, b, {.listed = 5});
    ASSERT_FALSE(fold);
    EXPECT_EQ(fold.error().code, Errc::exhausted);
}

TEST(Merge, TakesWhatOnlyOneHeadHasHoweverOftenItStandsThere) {
    World w;
    const VersionId a = w.commit_tree(test::doubled_tree(60));
    const VersionId b = w.commit({{"x", "1"}});
    EXPECT_TRUE(fold_at_most(w, a, b, {.names = 3}));
}

// 512 places where "f" and "g" meet, each with a path of many bytes.
TEST(Merge, GivesUpOnConflictsThatTakeMoreMemoryThanItMay) {
    World w;
    const VersionId a = w.commit_tree(test::doubled_tree(10, "f", "1"));
    const VersionId b = w.commit_tree(test::doubled_tree(10, "f", "2"));
    EXPECT_TRUE(fold_at_most(w, a, b, {}, "default conflict"));
    const auto fold = fold_at_most(w, a, b, {.bytes = 10'000}, "default conflict");
    ASSERT_FALSE(fold);
    EXPECT_EQ(fold.error().code, Errc::exhausted);
}

TEST(Merge, HandsOutANodeOnceHoweverOftenItStandsThere) {
    World w;
    const VersionId a = w.commit_tree(test::doubled_tree(10, "f"));
    const VersionId b = w.commit_tree(test::doubled_tree(10, "g"));
    const auto fold = fold_at_most(w, a, b, {.bytes = 10'000});
    ASSERT_TRUE(fold) << fold.error().what;
    EXPECT_EQ(fold->tree.nodes.size(), 10U);
}

}  // namespace
}  // namespace tributary::lineage
