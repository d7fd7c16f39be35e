#include "common/text/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tributary {
namespace {

std::string refusal_of(std::string_view text, JsonLimits limits = {}) {
    const auto parsed = parse_json(text, limits);
    if (parsed) return "parsed";
    EXPECT_EQ(parsed.error().code, Errc::invalid);
    return parsed.error().what;
}

TEST(Json, WritesMembersInTheOrderTheyWereSet) {
    const Json json = Json::object({{"z", 1}, {"a", Json::array({true, Json(), "x"})}});
    EXPECT_EQ(json.text(), R"({"z":1,"a":[true,null,"x"]})");
}

TEST(Json, PrettyFormIndentsAndKeepsEmptyContainersShort) {
    const Json json = Json::object({{"a", Json::array({1, 2})}, {"b", Json::object()}});
    EXPECT_EQ(json.pretty(), "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
}

TEST(Json, KeepsIntegersExactOverAll64Bits) {
    const std::string text = "[18446744073709551615,-9223372036854775808,9007199254740993]";
    const Json json = parse_json(text).value();
    EXPECT_EQ(json.as_array()->at(0).as_u64(), std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(json.as_array()->at(1).as_i64(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(json.text(), text);
}

TEST(Json, ADoubleReadsBackAsTheSameDouble) {
    for (const double value : {0.1, 1.0, -0.0, 1e300, 5e-324}) {
        const Json back = parse_json(Json(value).text()).value();
        EXPECT_EQ(back, Json(value)) << Json(value).text();
    }
    EXPECT_EQ(Json(std::nan("")).text(), "null");
}

TEST(Json, RoundTripsEscapesAndUnicode) {
    const std::string text = "quote\" slash\\ line\n tab\t bell\a \xC3\xA9 \xF0\x9F\x8C\x8A";
    EXPECT_EQ(*parse_json(Json(text).text()).value().as_text(), text);
    EXPECT_EQ(*parse_json(R"("\u00e9\ud83c\udf0a")").value().as_text(), "\xC3\xA9\xF0\x9F\x8C\x8A");
}

TEST(Json, BytesThatAreNotUtf8NeverBreakTheDocument) {
    const std::string bad = "a\xFF\xC0\xAF\xED\xA0\x80z";
    EXPECT_TRUE(parse_json(Json(bad).text()));
    EXPECT_EQ(json_quoted("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
}

TEST(Json, RefusesWhatIsNotOneDocument) {
    for (const char* text : {"", " ", "{", "[1,]", "{\"a\":1}x", "nul", "'a'", "\"\xFF\"", "01",
                             "// c\n1", "[1 2]", "{\"a\" 1}"})
        EXPECT_FALSE(parse_json(text)) << text;
}

TEST(Json, SaysWhereTheTextIsWrong) {
    EXPECT_NE(refusal_of("{\n  \"a\": oops}").find("line 2"), std::string::npos);
}

TEST(Json, RefusesANameThatStandsTwice) {
    EXPECT_NE(refusal_of(R"({"a":1,"a":2})").find("\"a\" stands twice"), std::string::npos);
}

TEST(Json, RefusesIntegersThatWouldLoseDigits) {
    EXPECT_NE(refusal_of("[18446744073709551616]").find("64 bits"), std::string::npos);
}

TEST(Json, RefusesDocumentsPastTheLimits) {
    EXPECT_TRUE(parse_json("[[1]]", {100, 2}));
    EXPECT_FALSE(parse_json("[[[1]]]", {100, 2}));
    std::string padded(101, ' ');
    padded.push_back('1');
    EXPECT_FALSE(parse_json(padded, {100, 2}));
    EXPECT_FALSE(parse_json(std::string(100'000, '[')));
}

TEST(Json, ReadsMembersOfTheRightKindAndNamesTheWrongOnes) {
    const Json json = parse_json(R"({"n":7,"t":"x","neg":-1,"list":[]})").value();
    EXPECT_EQ(json.u64_at("n").value(), 7u);
    EXPECT_EQ(json.text_at("t").value(), "x");
    EXPECT_TRUE(json.array_at("list").value()->empty());
    EXPECT_FALSE(json.u64_at("neg"));
    EXPECT_NE(json.text_at("absent").error().what.find("'absent'"), std::string::npos);
    EXPECT_FALSE(Json(3).text_at("of no object"));
}

}  // namespace
}  // namespace tributary
