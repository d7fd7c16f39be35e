#include "common/lineage/refs.h"

#include <gtest/gtest.h>

#include <map>

namespace tributary::lineage {
namespace {

VersionId id(std::uint8_t first, std::uint8_t second = 0) {
    VersionId v;
    v.digest.bytes[0] = first;
    v.digest.bytes[1] = second;
    v.digest.bytes[31] = 1;
    return v;
}

// main: 0xa3 → (0xa2, 0xb1) → ...; 0xa2 → 0xa1
struct Hub {
    std::map<std::string, VersionId> refs{
        {"main", id(0xa3)},      {"tags/v1", id(0xa2)},    {"@production", id(0xa1)},
        {"twice", id(0xa1)},     {"tags/twice", id(0xb1)}, {"same", id(0xa1)},
        {"tags/same", id(0xa1)}, {"feed", id(0xb1)},       {"device/board-7/main", id(0xb1)}};
    std::map<VersionId, std::vector<VersionId>> parents{{id(0xa3), {id(0xa2), id(0xb1)}},
                                                        {id(0xa2), {id(0xa1)}},
                                                        {id(0xa1), {}},
                                                        {id(0xb1), {}},
                                                        {id(0xfe, 0xed), {}},
                                                        {id(0xfe, 0xee), {}}};

    RefSource source() {
        return {
            [this](const std::string& ref,
                   std::optional<WallTime> at) -> Result<std::optional<VersionId>> {
                if (at && at->ms < 1000) return std::nullopt;
                const auto found = refs.find(ref);
                if (found == refs.end()) return std::nullopt;
                return at ? id(0xa1) : found->second;
            },
            [this](std::string_view digits, std::size_t limit) -> Result<std::vector<VersionId>> {
                std::vector<VersionId> found;
                for (const auto& [version, unused] : parents)
                    if (to_hex(version.digest.bytes).starts_with(digits) && found.size() < limit)
                        found.push_back(version);
                return found;
            },
            [this](const VersionId& version) -> Result<std::vector<VersionId>> {
                const auto found = parents.find(version);
                if (found == parents.end()) return fail(Errc::not_found, "not held here");
                return found->second;
            },
            {},
            {}};
    }
};

TEST(RefExpression, ReadsEveryFormOfTheGrammar) {
    using Start = RefExpression::Start;
    using Steps = std::vector<RefExpression::Step>;
    struct Case {
        std::string text;
        Start start;
        std::string name;
        std::optional<WallTime> at;
        Steps steps;
    };
    const std::string hex(64, 'a');
    const std::string old = "device/board-7/main@" + std::string(32, '0');
    const Case cases[] = {
        {"main", Start::name, "main", {}, {}},
        {"main~2", Start::name, "main", {}, {{'~', 2}}},
        {"v1^2", Start::name, "v1", {}, {{'^', 2}}},
        {"main~^^3~", Start::name, "main", {}, {{'~', 1}, {'^', 1}, {'^', 3}, {'~', 1}}},
        {"experiments/lr-0.1", Start::name, "experiments/lr-0.1", {}, {}},
        {"tags/v1", Start::tag, "v1", {}, {}},
        {"heads/main", Start::branch, "main", {}, {}},
        {"@production", Start::alias, "production", {}, {}},
        {"@production@{1970-01-01}~1", Start::alias, "production", WallTime{0}, {{'~', 1}}},
        {"device/board-7/main", Start::device, "device/board-7/main", {}, {}},
        {old, Start::device, old, {}, {}},
        {old + "@{1970-01-01}", Start::device, old, WallTime{0}, {}},
        {"sha256:" + hex, Start::id, hex, {}, {}},
        {"sha256:abcd^0", Start::id, "abcd", {}, {{'^', 0}}},
        {"main@{2026-01-31T00:00Z}", Start::name, "main", WallTime{1769817600000}, {}},
    };
    for (const Case& c : cases) {
        const auto parsed = parse_ref(c.text);
        ASSERT_TRUE(parsed) << c.text << ": " << parsed.error().what;
        EXPECT_EQ(*parsed, (RefExpression{c.start, c.name, c.at, c.steps})) << c.text;
    }
}

TEST(RefExpression, RefusesTheRestAndQuotesIt) {
    for (const std::string text : {"",
                                   "~1",
                                   "^",
                                   "@",
                                   "@{1970-01-01}",
                                   "main@{",
                                   "main@{yesterday}",
                                   "main@{}",
                                   "a b",
                                   "main~x",
                                   "main~99999999",
                                   "main@production",
                                   "sha256:abc",
                                   "sha256:ABCD",
                                   "sha256:",
                                   "device/",
                                   "device/board-7",
                                   "device/Board/main",
                                   "device/board-7/",
                                   "tags/",
                                   "heads/",
                                   "device/board-7/main@123",
                                   "sha256:abcd@{1970-01-01}",
                                   "-m",
                                   "a..b",
                                   "main~1@{1970-01-01}"}) {
        const auto parsed = parse_ref(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, Errc::invalid);
        EXPECT_NE(parsed.error().what.find("`" + text + "`"), std::string::npos);
    }
}

TEST(RefResolution, FindsWhatIsMeant) {
    Hub hub;
    const std::pair<std::string, VersionId> cases[] = {
        {"main", id(0xa3)},
        {"main~1", id(0xa2)},
        {"main~2", id(0xa1)},
        {"main^2", id(0xb1)},
        {"main^1~", id(0xa1)},
        {"main^0", id(0xa3)},
        {"main~0", id(0xa3)},
        {"v1", id(0xa2)},
        {"tags/v1", id(0xa2)},
        {"same", id(0xa1)},
        {"heads/twice", id(0xa1)},
        {"tags/twice", id(0xb1)},
        {"@production", id(0xa1)},
        {"device/board-7/main", id(0xb1)},
        {"main@{1970-01-02}", id(0xa1)},
        {"a300", id(0xa3)},
        {"sha256:feed", id(0xfe, 0xed)},
        {"feed", id(0xb1)},           // a ref goes before digits
        {id(0x77).text(), id(0x77)},  // a whole id need not be held
        {id(0x77).text().substr(7), id(0x77)},
    };
    for (const auto& [text, expected] : cases) {
        const auto found = resolve_ref(text, hub.source());
        ASSERT_TRUE(found) << text << ": " << found.error().what;
        EXPECT_EQ(*found, expected) << text;
    }
}

TEST(RefResolution, ListsTheCandidatesOfAnAmbiguousName) {
    Hub hub;
    const auto both = resolve_ref("twice", hub.source());
    ASSERT_FALSE(both);
    EXPECT_EQ(both.error().code, Errc::conflict);
    EXPECT_NE(both.error().what.find("heads/twice"), std::string::npos);
    EXPECT_NE(both.error().what.find("tags/twice"), std::string::npos);

    hub.parents[id(0xfe, 0xed)] = {};
    VersionId twin = id(0xfe, 0xed);
    twin.digest.bytes[31] = 2;
    hub.parents[twin] = {};
    const auto prefix = resolve_ref("sha256:feed", hub.source());
    ASSERT_FALSE(prefix);
    EXPECT_EQ(prefix.error().code, Errc::conflict);
    EXPECT_NE(prefix.error().what.find(twin.text()), std::string::npos);
    EXPECT_NE(prefix.error().what.find(id(0xfe, 0xed).text()), std::string::npos);
}

TEST(RefResolution, SaysWhatIsMissing) {
    Hub hub;
    const std::pair<std::string, std::string> cases[] = {
        {"nothing", "nothing"},        {"main~3", "there is no ~3"}, {"main^3", "has 2 parents"},
        {"@staging", "@staging"},      {"tags/v9", "tags/v9"},       {"dddd", "dddd"},
        {"main@{1970-01-01}", "1970"}, {"8", "at least 4 digits"},
    };
    for (const auto& [text, reason] : cases) {
        const auto found = resolve_ref(text, hub.source());
        ASSERT_FALSE(found) << text;
        EXPECT_EQ(found.error().code, Errc::not_found) << text;
        EXPECT_NE(found.error().what.find(reason), std::string::npos) << found.error().what;
    }
}

}  // namespace
}  // namespace tributary::lineage
