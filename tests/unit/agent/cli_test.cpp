#include "agent/cli/cli.h"

#include <gtest/gtest.h>

namespace tributary::agent {
namespace {

std::variant<CommandLine, Told> parse(std::vector<const char*> words) {
    words.insert(words.begin(), "tributary-agent");
    return parse_command_line(static_cast<int>(words.size()), words.data());
}

template <class Args>
Args verb_of(std::vector<const char*> words) {
    const auto parsed = parse(std::move(words));
    const auto* line = std::get_if<CommandLine>(&parsed);
    if (!line) ADD_FAILURE() << std::get<Told>(parsed).text;
    return line ? std::get<Args>(*line->verb) : Args{};
}

TEST(AgentCommandLine, TakesOneValueAtEachMentionSoThatPathsMayFollow) {
    const auto args = verb_of<CommitArgs>({"commit", "--repo", "a/b", "--meta", "k=v", "one", "-m",
                                           "text", "--input", "x", "two", "--input", "r=y"});
    EXPECT_EQ(args.paths, (std::vector<std::string>{"one", "two"}));
    EXPECT_EQ(args.metadata, (std::vector<std::string>{"k=v"}));
    EXPECT_EQ(args.inputs, (std::vector<std::string>{"x", "r=y"}));
    EXPECT_EQ(args.message, "text");
    EXPECT_EQ(args.branch, "main");
}

TEST(AgentCommandLine, TakesPathsThatLookLikeOptionsAfterTwoDashes) {
    const auto args = verb_of<CommitArgs>({"commit", "--repo", "a/b", "--", "-strange"});
    EXPECT_EQ(args.paths, (std::vector<std::string>{"-strange"}));
}

TEST(AgentCommandLine, WatchesOnlyWhatIsAskedForSo) {
    EXPECT_TRUE(std::get<CommandLine>(parse({"status", "--watch"})).watch);
    EXPECT_FALSE(std::get<CommandLine>(parse({"status"})).watch);
    EXPECT_TRUE(std::holds_alternative<Told>(parse({"log", "--watch"})));
}

TEST(AgentCommandLine, TakesGlobalOptionsBeforeAndAfterTheVerb) {
    for (const auto& words : {std::vector<const char*>{"--config", "f", "--json", "status"},
                              std::vector<const char*>{"status", "--json", "--config", "f"}}) {
        const auto parsed = parse(words);
        ASSERT_TRUE(std::holds_alternative<CommandLine>(parsed));
        EXPECT_TRUE(std::get<CommandLine>(parsed).style.json);
        EXPECT_EQ(std::get<CommandLine>(parsed).config_path, "f");
    }
}

TEST(AgentCommandLine, TellsHelpAndVersionForEveryVerb) {
    for (const char* verb :
         {"init", "commit", "log", "status", "restore", "fsck", "gc", "doctor"}) {
        const auto help = parse({verb, "--help"});
        ASSERT_TRUE(std::holds_alternative<Told>(help)) << verb;
        EXPECT_FALSE(std::get<Told>(help).is_error);
        EXPECT_NE(std::get<Told>(help).text.find(std::string("tributary-agent ") + verb),
                  std::string::npos);
        const auto version = parse({verb, "--version"});
        ASSERT_TRUE(std::holds_alternative<Told>(version)) << verb;
        EXPECT_EQ(std::get<Told>(version).text, "tributary-agent " TRIBUTARY_VERSION "\n");
    }
}

TEST(AgentCommandLine, TakesAPartOfTheStoreToCheck) {
    const auto args = verb_of<FsckArgs>({"fsck", "--subset", "3/30"});
    EXPECT_EQ(args.part, 3u);
    EXPECT_EQ(args.parts, 30u);
    for (const char* wrong : {"", "3", "3/", "/3", "0/3", "4/3", "1/3x", "-1/3", "1/1000000"})
        EXPECT_TRUE(std::holds_alternative<Told>(parse({"fsck", "--subset", wrong}))) << wrong;
    EXPECT_TRUE(std::holds_alternative<Told>(parse({"fsck", "--data", "--subset", "1/2"})));
}

TEST(AgentCommandLine, CallsWrongUsageAnError) {
    for (const auto& words : {std::vector<const char*>{},
                              {"comit"},
                              {"commit"},
                              {"commit", "--repo", "a/b"},
                              {"restore", "x"},
                              {"status", "--nonsense"},
                              {"log", "-n", "few"},
                              {"status", "fsck"}}) {
        const auto parsed = parse(words);
        ASSERT_TRUE(std::holds_alternative<Told>(parsed));
        EXPECT_TRUE(std::get<Told>(parsed).is_error);
        EXPECT_NE(std::get<Told>(parsed).text.find("--help"), std::string::npos);
    }
}

TEST(AgentCommandLine, NamesTheWordThatIsNotKnownAndTheNearestThatIs) {
    const std::pair<std::vector<const char*>, std::string> cases[] = {
        {{"comit", "--repo", "a/b", "x"}, "unknown command 'comit'; did you mean 'commit'?"},
        {{"commit", "--rep", "a/b", "x"}, "unknown option '--rep'; did you mean '--repo'?"},
        {{"--confg=x", "status"}, "unknown option '--confg'; did you mean '--config'?"},
        {{"commit", "--repo", "a/b", "-x", "y"}, "unknown option '-x'"},
        {{"elephant"}, "unknown command 'elephant';"},
    };
    for (const auto& [words, says] : cases) {
        const auto parsed = parse(words);
        ASSERT_TRUE(std::holds_alternative<Told>(parsed)) << says;
        EXPECT_TRUE(std::get<Told>(parsed).text.starts_with(says)) << std::get<Told>(parsed).text;
    }
}

}  // namespace
}  // namespace tributary::agent
