#include "common/text/log.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/text/json.h"
#include "common/text/said_once.h"

namespace tributary {
namespace {

// Reads what is logged while it lives.
class CapturedLog {
public:
    CapturedLog(LogLevel level, bool json) {
        configure_log(level, json);
        capture_log([this](LogLevel, std::string_view line) { lines.emplace_back(line); });
    }
    ~CapturedLog() {
        capture_log({});
        configure_log(LogLevel::info, false);
    }
    std::vector<std::string> lines;
};

TEST(Log, PlainLinesQuoteOnlyWhatIsNotOneWord) {
    CapturedLog log(LogLevel::info, false);
    log_info("store opened", {{"path", "/var/x"}, {"note", "two words"}, {"n", 7}, {"ok", true}});
    ASSERT_EQ(log.lines.size(), 1u);
    EXPECT_EQ(log.lines[0], "info  store opened path=/var/x note=\"two words\" n=7 ok=true");
}

TEST(Log, ALineStaysOneLineWhateverItsFieldsHold) {
    CapturedLog log(LogLevel::info, false);
    log_warn("odd name", {{"name", "a\nerror forged"}});
    EXPECT_EQ(log.lines.at(0), "warn  odd name name=\"a\\nerror forged\"");
}

TEST(Log, JsonLinesParse) {
    CapturedLog log(LogLevel::info, true);
    log_error("broker away", {{"url", "mqtt://h"}, {"tries", std::uint64_t{3}}});
    const Json line = parse_json(log.lines.at(0)).value();
    EXPECT_EQ(line.text_at("level").value(), "error");
    EXPECT_EQ(line.text_at("event").value(), "broker away");
    EXPECT_EQ(line.u64_at("tries").value(), 3u);
}

TEST(Log, LeavesOutWhatIsBelowTheLevel) {
    CapturedLog log(LogLevel::warn, false);
    log_info("not wanted");
    log_warn("wanted");
    EXPECT_EQ(log.lines.size(), 1u);
    EXPECT_FALSE(log_enabled(LogLevel::debug));
}

TEST(Log, StderrLinesCarryTheTimeAndParseAsJson) {
    configure_log(LogLevel::info, true);
    testing::internal::CaptureStderr();
    log_info("hello", {{"percent", "%v %t"}});
    const std::string text = testing::internal::GetCapturedStderr();
    configure_log(LogLevel::info, false);
    const auto line = parse_json(text);
    ASSERT_TRUE(line) << text;
    EXPECT_EQ(line->as_object()->front().name, "time");
    EXPECT_EQ(line->text_at("percent").value(), "%v %t");
}

TEST(Log, LevelsParseByName) {
    EXPECT_EQ(parse_log_level("debug"), LogLevel::debug);
    EXPECT_FALSE(parse_log_level("loud"));
}

TEST(SaidOnce, EachReasonOnceWhileItLastsAndNotVeryMany) {
    SaidOnce said;
    EXPECT_TRUE(said.is_new("a"));
    EXPECT_TRUE(said.is_new("b"));
    EXPECT_FALSE(said.is_new("a"));
    said.is_over();
    EXPECT_TRUE(said.is_new("a"));
    int lines = 0;
    for (int i = 0; i < 1'000; ++i) lines += said.is_new(std::to_string(i));
    EXPECT_LT(lines, 10);
}

}  // namespace
}  // namespace tributary
