#include "common/lineage/reference.h"

#include <gtest/gtest.h>

#include <map>

namespace tributary::lineage {
namespace {

TEST(Reference, IsARepositoryAndARef) {
    const std::pair<std::string, Reference> cases[] = {
        {"models/cnn", {"models/cnn", "", ""}},
        {"models/cnn/main", {"models/cnn", "main", ""}},
        {"models/cnn/try/fast~2", {"models/cnn", "try/fast~2", ""}},
        {"models/cnn/@production", {"models/cnn", "@production", ""}},
        {"models/cnn/device/a/main", {"models/cnn", "device/a/main", ""}},
        {"models/cnn~2", {"models/cnn", "~2", ""}},
        {"models/cnn@{2026-01-31}^", {"models/cnn", "@{2026-01-31}^", ""}},
        {"models/cnn/a%2Fb", {"models/cnn", "a%2Fb", ""}},  // escapes are a URI's
        {"main~2", {"", "main~2", ""}},
        {"sha256:abcd", {"", "sha256:abcd", ""}},
        {"@team/production", {"", "@team/production", ""}},
        {"Models/cnn", {"", "Models/cnn", ""}},  // no repository can be called so
        {"", {"", "", ""}},
    };
    for (const auto& [text, expected] : cases) {
        const auto parsed = parse_reference(text);
        ASSERT_TRUE(parsed) << text << ": " << parsed.error().what;
        EXPECT_EQ(*parsed, expected) << text << " read as " << parsed->repo << " | " << parsed->ref;
    }
}

TEST(Reference, OfAUriHasOneSegmentForTheRefAndThenAPath) {
    const std::pair<std::string, Reference> cases[] = {
        {"models/cnn", {"models/cnn", "", ""}},
        {"models/cnn/main", {"models/cnn", "main", ""}},
        {"models/cnn/device%2Fa%2fmain~2", {"models/cnn", "device/a/main~2", ""}},
        {"models/cnn/main@%7B2026-01-31%7d", {"models/cnn", "main@{2026-01-31}", ""}},
        {"models/cnn/main/weights.bin", {"models/cnn", "main", "weights.bin"}},
        {"models/cnn/main/a%20b/100%25/%C3%A9", {"models/cnn", "main", "a b/100%/\xC3\xA9"}},
    };
    for (const auto& [rest, expected] : cases) {
        const auto parsed = parse_reference("tributary://" + rest);
        ASSERT_TRUE(parsed) << rest << ": " << parsed.error().what;
        EXPECT_EQ(*parsed, expected)
            << rest << " read as " << parsed->repo << " | " << parsed->ref << " | " << parsed->path;
    }
}

TEST(Reference, ThatIsNoneIsRefusedAndQuoted) {
    for (const std::string text : {"tributary://",
                                   "tributary://models",
                                   "tributary://Models/cnn",
                                   "tributary://models//main",
                                   "tributary://models/cnn/",
                                   "tributary://models/cnn/main/",
                                   "tributary://models/cnn/main//a",
                                   "tributary://models/cnn/main/../a",
                                   "tributary://models/cnn/main/%2e%2E",
                                   "tributary://models/cnn/main/a%2Fb",
                                   "tributary://models/cnn/a%2",
                                   "tributary://models/cnn/a%",
                                   "tributary://models/cnn/a%zz",
                                   "tributary://models/cnn/a%+1",
                                   "tributary://models/cnn/a%00",
                                   "tributary://models/cnn/main?x",
                                   "tributary://a/b/main#x",
                                   "models/cnn/",
                                   "models/cnn@main",
                                   "models/cnn@main~2"}) {
        const auto parsed = parse_reference(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, Errc::invalid) << text;
        EXPECT_NE(parsed.error().what.find("`" + text + "`"), std::string::npos);
    }
}

TEST(Reference, WithAnAtSignIsToldWhatToWrite) {
    const std::string what = parse_reference("models/cnn@main").error().what;
    EXPECT_NE(what.find("models/cnn/main"), std::string::npos);
    EXPECT_NE(what.find("models/cnn/@main"), std::string::npos);
}

VersionId id(std::uint8_t first) {
    VersionId v;
    v.digest.bytes[0] = first;
    return v;
}

RefSource repository(std::map<std::string, VersionId> refs) {
    RefSource source;
    source.repo = "models/cnn";
    source.lookup = [refs](const std::string& ref,
                           std::optional<WallTime>) -> Result<std::optional<VersionId>> {
        const auto found = refs.find(ref);
        return found == refs.end() ? std::nullopt : std::optional(found->second);
    };
    source.by_prefix = [](std::string_view, std::size_t) -> Result<std::vector<VersionId>> {
        return std::vector<VersionId>();
    };
    source.parents = [](const VersionId&) -> Result<std::vector<VersionId>> {
        return std::vector<VersionId>{id(9)};
    };
    source.names = [refs]() -> Result<std::vector<std::string>> {
        std::vector<std::string> names;
        for (const auto& [name, version] : refs) names.push_back(name);
        return names;
    };
    return source;
}

Result<VersionId> resolve(std::string_view text, const RefSource& source) {
    TRIBUTARY_ASSIGN(const Reference reference, parse_reference(text));
    return resolve_reference(reference, source);
}

TEST(ReferenceResolution, TakesMainOrTheOnlyBranchWhenNoRefIsWritten) {
    const auto with_main = repository({{"main", id(1)}, {"other", id(2)}, {"tags/main", id(3)}});
    EXPECT_EQ(resolve("models/cnn", with_main), id(1));
    EXPECT_EQ(resolve("models/cnn~1", with_main), id(9));
    EXPECT_EQ(resolve("models/cnn/other", with_main), id(2));
    const auto with_one = repository({{"season", id(1)}, {"@main", id(2)}, {"tags/v1", id(3)}});
    EXPECT_EQ(resolve("models/cnn", with_one), id(1));
}

TEST(ReferenceResolution, ListsWhatThereIsWhenNothingIsMeantClearly) {
    struct Case {
        std::map<std::string, VersionId> refs;
        std::string text;
        Errc code;
        std::string says;
    };
    const Case cases[] = {
        {{{"a", id(1)}, {"b", id(2)}}, "models/cnn", Errc::conflict, "\n  models/cnn/b"},
        {{{"device/a/main", id(1)}}, "models/cnn", Errc::not_found, "models/cnn/device/a/main"},
        {{{"a", id(1)}}, "models/cnn/c", Errc::not_found, "models/cnn/a"},
        {{{"a", id(1)}}, "models/cnn/@c", Errc::not_found, "no @c in models/cnn"},
        {{{"a", id(1)}, {"tags/a", id(2)}}, "models/cnn/a", Errc::conflict, "models/cnn/heads/a"},
        {{}, "models/cnn", Errc::not_found, "no repository models/cnn"},
        {{}, "models/cnn/a", Errc::not_found, "no repository models/cnn"},
    };
    for (const Case& c : cases) {
        const auto found = resolve(c.text, repository(c.refs));
        ASSERT_FALSE(found) << c.text;
        EXPECT_EQ(found.error().code, c.code) << found.error().what;
        EXPECT_NE(found.error().what.find(c.says), std::string::npos) << found.error().what;
    }
}

TEST(ReferenceResolution, RefusesAPathWhereAVersionIsMeant) {
    const auto found =
        resolve("tributary://models/cnn/device/a/main", repository({{"device/a/main", id(1)}}));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::invalid);
    EXPECT_NE(found.error().what.find("%2F"), std::string::npos);
}

}  // namespace
}  // namespace tributary::lineage
