#include "common/lineage/policy.h"

#include <gtest/gtest.h>

namespace tributary::lineage {
namespace {

TEST(MergePolicy, TakesTheFirstLineThatFits) {
    const auto policy = parse_policy(
        "# how boards fold\n"
        "data/raw/**   conflict\n"
        "data/**\tunion\r\n"
        "*.ckpt        newest\n"
        "\n"
        "default       conflict\n");
    ASSERT_TRUE(policy) << policy.error().what;
    EXPECT_EQ(policy->rule_for("data/raw/a"), Rule::conflict_);
    EXPECT_EQ(policy->rule_for("data/x/y"), Rule::union_);
    EXPECT_EQ(policy->rule_for("last.ckpt"), Rule::newest);
    EXPECT_EQ(policy->rule_for("models/last.ckpt"), Rule::conflict_);
}

TEST(MergePolicy, RefusesWhatWouldDecideInSilence) {
    const std::pair<const char*, const char*> cases[] = {
        {"", "no default"},
        {"data/** union", "no default"},
        {"data/** best\ndefault union", "line 1"},
        {"default union\ndata/** union", "line 2"},
        {"data/**\ndefault union", "line 1"},
    };
    for (const auto& [text, reason] : cases) {
        const auto policy = parse_policy(text);
        ASSERT_FALSE(policy) << text;
        EXPECT_EQ(policy.error().code, Errc::invalid);
        EXPECT_NE(policy.error().what.find(reason), std::string::npos) << policy.error().what;
    }
}

TEST(MergePolicy, HasOneCanonicalForm) {
    const auto policy = *parse_policy("a/** union\nb newest\ndefault conflict");
    EXPECT_EQ(parse_policy(policy.text())->digest(), policy.digest());
    EXPECT_EQ(*parse_canonical_policy(policy.canonical()), policy);
    EXPECT_NE(parse_policy("b newest\na/** union\ndefault conflict")->digest(), policy.digest());
    for (std::size_t length = 0; length < policy.canonical().size(); ++length)
        EXPECT_FALSE(parse_canonical_policy(ByteView(policy.canonical()).first(length)));
    Bytes longer = policy.canonical();
    longer.push_back(0);
    EXPECT_FALSE(parse_canonical_policy(longer));
}

TEST(Glob, StarsStopAtSlashesAndDoubleStarsDoNot) {
    EXPECT_TRUE(glob_matches("**", "a/b/c"));
    EXPECT_TRUE(glob_matches("a/*", "a/b"));
    EXPECT_FALSE(glob_matches("a/*", "a/b/c"));
    EXPECT_TRUE(glob_matches("a/**/z", "a/b/c/z"));
    EXPECT_TRUE(glob_matches("**/*.csv", "x/y/t.csv"));
    EXPECT_FALSE(glob_matches("*.csv", "x/t.csv"));
    EXPECT_TRUE(glob_matches("a?c", "abc"));
    EXPECT_FALSE(glob_matches("a?c", "a/c"));
    EXPECT_FALSE(glob_matches("abc", "abcd"));
    EXPECT_TRUE(glob_matches("", ""));
    // No pattern takes long.
    std::string stars(200, '*');
    stars.push_back('b');
    EXPECT_FALSE(glob_matches(stars, std::string(2000, 'a')));
}

}  // namespace
}  // namespace tributary::lineage
