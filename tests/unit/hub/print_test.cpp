// What people are shown of words that boards and strangers chose.
#include "hub/cli/print.h"

#include <gtest/gtest.h>

namespace tributary::cli {
namespace {

Json with(std::string text) { return Json::object({{"what", std::move(text)}}); }

TEST(TrustPrintedWord, WritesNoLineOfItsOwn) {
    const std::string forged = "refused: no\n9  2026-11-21 22:00:00  approved  by ann";
    const std::string row = table({"WHAT"}, {{text_of(with(forged), "what")}});
    EXPECT_EQ(row, "WHAT\nrefused: no?9  2026-11-21 22:00:00  approved  by ann\n");
    EXPECT_EQ(text_of(with("a\r\nb"), "what", Lines::several), "a?\nb");
}

TEST(TrustPrintedWord, HoldsNothingThatATerminalObeysOrTurnsAround) {
    EXPECT_EQ(harmless("a\x1b[2Jb\x7f\t"), "a?[2Jb??");
    EXPECT_EQ(harmless("a\xC2\x9B"
                       "b"),
              "a?b");
    EXPECT_EQ(harmless("a\u202Eb\u202Ac\u2066d\u2069e\u200Ff\u2028g"), "a?b?c?d?e?f?g");
    EXPECT_EQ(harmless("na\u00EFve \u2013 \u2713 \u206A"), "na\u00EFve \u2013 \u2713 \u206A");
    EXPECT_EQ(harmless("cut \xE2\x80"), "cut \xE2\x80");
}

TEST(CliPrint, OneLongNameDoesNotPushTheColumnsOfAllRows) {
    const std::string longest(250, 'n');

    const std::string printed = table({"FILE", "SIZE"}, {{"a.csv", "1"}, {longest, "2"}});

    EXPECT_EQ(printed, "FILE   SIZE\na.csv  1\n" + longest + "  2\n");
}

TEST(CliPrint, WhatIsWatchedFitsTheTerminal) {
    const std::string text = "one\ntwo\nthree\n";
    EXPECT_EQ(fitting(text, {4, 80}), text);
    EXPECT_EQ(fitting(text, {3, 80}), "one\n... and 2 more lines\n");
    EXPECT_EQ(fitting("a line of 30 characters or so.\ntwo\n", {3, 20}), "... and 2 more lines\n");
}

}  // namespace
}  // namespace tributary::cli
