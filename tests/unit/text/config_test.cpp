#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/text/toml.h"

namespace tributary {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Watch {
    std::string path;
    std::uint64_t settle_ms = 1000;
};

struct Config {
    std::string state_dir;
    std::string level = "info";
    bool json = false;
    std::uint16_t port = 1883;
    double fraction = 0.5;
    std::uint64_t flush_ms = 5000;
    std::uint64_t ram_bytes = 10u << 20;
    std::vector<std::string> tags;
    std::vector<Watch> watches;
};

void declare_watch(ConfigTable& table, Watch& watch) {
    table.text("path", watch.path, "What to watch.").require();
    table.duration("settle", watch.settle_ms, "How long a file must rest.");
}

struct Declared {
    Config config;
    ConfigTable table;
    Declared() {
        table.text("state_dir", config.state_dir, "Where the store lives.").require();
        ConfigTable& log = table.section("log", "The log.");
        log.text("level", config.level, "How much.").one_of({"error", "info"});
        log.flag("json", config.json, "For machines | pipes.");
        ConfigTable& hub = table.section("hub", "The hub.");
        hub.integer<std::uint16_t>("port", config.port, "Its port.", 1);
        hub.number("fraction", config.fraction, "A share.", 0, 1);
        hub.duration("flush", config.flush_ms, "Longest wait.");
        hub.size("ram", config.ram_bytes, "Budget.");
        hub.texts("tags", config.tags, "Labels.");
        table.tables<Watch>("watch", config.watches, "A folder.", declare_watch);
    }
    std::string refusal(std::string_view toml) {
        const Status read = table.read(toml, "a.toml");
        return read ? "accepted" : read.error().what;
    }
};

TEST(Config, ReadsEveryTypeWithItsUnit) {
    Declared d;
    const Status read = d.table.read(R"(
        state_dir = "/s"
        [log]
        level = "error"
        json = true
        [hub]
        port = 8883
        fraction = 1
        flush = "250ms"
        ram = "64KiB"
        tags = ["a", "b"]
        [[watch]]
        path = "/in"
        [[watch]]
        path = "/more"
        settle = "5m"
    )",
                                     "a.toml");
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(d.config.level, "error");
    EXPECT_TRUE(d.config.json);
    EXPECT_EQ(d.config.port, 8883);
    EXPECT_EQ(d.config.fraction, 1.0);
    EXPECT_EQ(d.config.flush_ms, 250u);
    EXPECT_EQ(d.config.ram_bytes, 65536u);
    EXPECT_EQ(d.config.tags.size(), 2u);
    ASSERT_EQ(d.config.watches.size(), 2u);
    EXPECT_EQ(d.config.watches[0].settle_ms, 1000u);
    EXPECT_EQ(d.config.watches[1].settle_ms, 300'000u);
}

TEST(Config, KeepsDefaultsForWhatTheFileDoesNotSay) {
    Declared d;
    ASSERT_TRUE(d.table.read("state_dir = '/s'", "a.toml"));
    EXPECT_EQ(d.config.port, 1883);
    EXPECT_TRUE(d.config.watches.empty());
}

TEST(Config, AnUnknownKeyIsNamedWithItsLineAndTheNearestKnownKey) {
    Declared d;
    EXPECT_THAT(d.refusal("state_dir = '/s'\n[hub]\nflsh = '1s'\n"),
                AllOf(HasSubstr("a.toml, line 3"), HasSubstr("unknown key 'hub.flsh'"),
                      HasSubstr("'hub.flush'")));
    EXPECT_THAT(d.refusal("state_dir = '/s'\n[[watch]]\npth = '/in'\n"),
                AllOf(HasSubstr("line 3"), HasSubstr("'watch.path'")));
}

TEST(Config, AWrongValueIsAnsweredWithWhatIsWanted) {
    Declared d;
    EXPECT_THAT(d.refusal("state_dir = 7"), HasSubstr("must be a text in quotes"));
    EXPECT_THAT(d.refusal("state_dir = '/s'\nhub.flush = 30"), HasSubstr("\"30s\""));
    EXPECT_THAT(d.refusal("state_dir = '/s'\nhub.ram = '64 apples'"), HasSubstr("\"64KiB\""));
    EXPECT_THAT(d.refusal("state_dir = '/s'\nhub.port = 0"), HasSubstr("from 1 to 65535"));
    EXPECT_THAT(d.refusal("state_dir = '/s'\nhub.fraction = nan"), HasSubstr("from 0.0 to 1.0"));
    EXPECT_THAT(d.refusal("state_dir = '/s'\nlog.level = 'loud'"), HasSubstr("\"error\" \"info\""));
    EXPECT_THAT(d.refusal("state_dir = '/s'\nhub = 3"), HasSubstr("write [hub]"));
    EXPECT_THAT(d.refusal("state_dir = '/s'\n[watch]\npath='/in'"), HasSubstr("write [[watch]]"));
}

TEST(Config, AMissingRequiredKeyIsNamed) {
    Declared d;
    EXPECT_THAT(d.refusal(""), HasSubstr("'state_dir' is missing; it is: Where"));
    EXPECT_THAT(d.refusal("state_dir = '/s'\n[[watch]]\nsettle = '1s'"),
                HasSubstr("'watch.path' is missing"));
}

TEST(Config, WhatIsNotTomlIsRefusedWithItsLine) {
    Declared d;
    EXPECT_THAT(d.refusal("state_dir = '/s'\nbroken ="), HasSubstr("a.toml, line 2"));
}

TEST(Config, WhatIsPrintedReadsBackTheSame) {
    Declared first;
    ASSERT_TRUE(first.table.read(
        "state_dir = \"/s \\\"q\\\" \\u0001\"\nhub.flush = '90s'\n[[watch]]\npath = '/in'",
        "a.toml"));
    Declared second;
    const Status read = second.table.read(first.table.print(), "printed");
    ASSERT_TRUE(read) << read.error().what << "\n" << first.table.print();
    EXPECT_EQ(second.config.state_dir, first.config.state_dir);
    EXPECT_EQ(second.config.flush_ms, 90'000u);
    EXPECT_EQ(second.table.print(), first.table.print());
}

TEST(Config, ListsEveryKeyWithTheDefaultItWasDeclaredWith) {
    Declared d;
    ASSERT_TRUE(d.table.read("state_dir = '/s'\nhub.flush = '1s'", "a.toml"));
    const auto keys = d.table.keys();
    ASSERT_EQ(keys.size(), 10u);
    EXPECT_EQ(keys.front().path, "state_dir");
    EXPECT_TRUE(keys.front().required);
    EXPECT_EQ(keys[5].path, "hub.flush");
    EXPECT_EQ(keys[5].default_value, "\"5s\"");
    EXPECT_EQ(keys.back().path, "watch[].settle");
    EXPECT_THAT(config_table_markdown(keys),
                AllOf(HasSubstr("| `state_dir` | text | required | Where the store lives. |"),
                      HasSubstr("For machines \\| pipes.")));
}

TEST(Quantity, ParsesOnlyWholeNumbersWithAKnownUnit) {
    EXPECT_EQ(parse_duration_ms("30s"), 30'000u);
    EXPECT_EQ(parse_size_bytes("10MiB"), 10u << 20);
    EXPECT_EQ(parse_size_bytes("1MB"), 1'000'000u);
    EXPECT_EQ(parse_size_or_percent("50%"), (SizeOrPercent{0, 50}));
    EXPECT_EQ(parse_size_or_percent("10MiB"), (SizeOrPercent{10u << 20, 0}));
    for (const char* wrong : {"", "%", "0%", "101%", "-1%", "5 %", "50%%", "5.5%", "50"})
        EXPECT_EQ(parse_size_or_percent(wrong), std::nullopt) << wrong;
    EXPECT_EQ(size_text(SizeOrPercent{0, 50}), "50%");
    EXPECT_EQ(size_text(SizeOrPercent{65536, 0}), "64KiB");
    for (const char* text : {"", "s", "30", "-1s", "1.5s", "30 s", "30S", "99999999999999999999s",
                             "18446744073709551615d"})
        EXPECT_FALSE(parse_duration_ms(text)) << text;
}

TEST(Quantity, PrintsTheShortestExactSpelling) {
    EXPECT_EQ(duration_text(90'000), "90s");
    EXPECT_EQ(duration_text(300'000), "5m");
    EXPECT_EQ(duration_text(0), "0ms");
    EXPECT_EQ(size_text(65536), "64KiB");
    EXPECT_EQ(size_text(1000), "1000B");
}

}  // namespace
}  // namespace tributary
