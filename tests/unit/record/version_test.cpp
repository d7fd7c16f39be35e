#include "common/record/version.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/limits.h"
#include "common/hash/hash.h"

namespace tributary {
namespace {

Digest digest_of(std::string_view text) { return sha256(as_bytes(text)); }

Version some_version() {
    Version version;
    version.tree = {digest_of("tree")};
    version.parents = {{digest_of("p2")}, {digest_of("p1")}};
    version.inputs = {{digest_of("data"), "train_data", "day=1"}, {digest_of("code"), "code", ""}};
    version.incarnation.bytes.fill(7);
    version.author = "board-1";
    version.time = {1700000000000, 3, ClockQuality::ratchet};
    version.notes = {digest_of("notes")};
    return version;
}

Bytes small_version() {
    Version version;
    version.tree = {digest_of("tree")};
    return *encode_version(version);
}

void expect_corrupt(ByteView bytes, const char* why) {
    const auto parsed = parse_version(bytes);
    ASSERT_FALSE(parsed) << why;
    EXPECT_EQ(parsed.error().code, Errc::corrupt) << why;
}

TEST(Version, ReadsBackWithInputsSortedAndParentsInTheirOrder) {
    Version version = some_version();
    const auto bytes = encode_version(version);
    ASSERT_TRUE(bytes);
    std::swap(version.inputs[0], version.inputs[1]);
    EXPECT_EQ(parse_version(*bytes), version);
}

TEST(Version, OneStatementHasOneForm) {
    Version other = some_version();
    std::swap(other.inputs[0], other.inputs[1]);
    other.inputs.push_back(other.inputs[0]);
    EXPECT_EQ(*encode_version(other), *encode_version(some_version()));
}

TEST(Version, RefusesWhatItCannotState) {
    const auto expect_invalid = [](auto&& change) {
        Version version = some_version();
        change(version);
        const auto bytes = encode_version(version);
        ASSERT_FALSE(bytes);
        EXPECT_EQ(bytes.error().code, Errc::invalid);
    };
    expect_invalid([](Version& v) { v.tree = {}; });
    expect_invalid([](Version& v) { v.parents.push_back({}); });
    expect_invalid([](Version& v) { v.parents.push_back(v.parents[0]); });
    expect_invalid([](Version& v) { v.inputs[0].id = {}; });
    expect_invalid([](Version& v) { v.inputs[0].role = std::string(256, 'r'); });
    expect_invalid([](Version& v) { v.inputs[0].selector = std::string(256, 's'); });
    expect_invalid([](Version& v) { v.author = std::string(256, 'a'); });
    expect_invalid([](Version& v) { v.author = "\xff"; });
    expect_invalid([](Version& v) {
        for (std::size_t i = 0; i <= limits::kParentsMax; ++i)
            v.parents.push_back({digest_of(std::to_string(i))});
    });
    expect_invalid([](Version& v) {  // each within its limit, together too long
        for (std::size_t i = 0; i < limits::kInputsMax - 2; ++i)
            v.inputs.push_back({digest_of(std::to_string(i)), std::string(255, 'r'), "s"});
    });
}

TEST(Version, RefusesEveryOtherForm) {
    const Bytes good = *encode_version(some_version());
    for (std::size_t length = 0; length < good.size(); ++length)
        expect_corrupt(ByteView(good).first(length), "cut short");
    Bytes bytes = good;
    bytes.push_back(0);
    expect_corrupt(bytes, "trailing byte");
    bytes = good;
    bytes[0] = 2;
    expect_corrupt(bytes, "form");
    bytes = good;
    std::copy_n(good.begin() + 36, 33, bytes.begin() + 69);
    expect_corrupt(bytes, "a parent twice");
    bytes = good;
    bytes[36] = 0;
    expect_corrupt(bytes, "none spelled otherwise");
    bytes = small_version();
    bytes[34] = 1;
    expect_corrupt(bytes, "a count without its items");
    bytes = small_version();
    bytes[bytes.size() - 34] = 3;
    expect_corrupt(bytes, "clock quality");
}

TEST(Version, RefusesInputsOutOfOrderOrTwice) {
    Version version = some_version();
    version.parents.clear();
    version.inputs = {{digest_of("1"), "a", ""}, {digest_of("2"), "b", ""}};
    const Bytes good = *encode_version(version);
    const std::ptrdiff_t first = 1 + 33 + 2 + 2, size = 33 + 2 + 1 + 2;
    Bytes bytes = good;
    std::swap_ranges(bytes.begin() + first, bytes.begin() + first + size,
                     bytes.begin() + first + size);
    expect_corrupt(bytes, "order");
    std::copy_n(bytes.begin() + first, size, bytes.begin() + first + size);
    expect_corrupt(bytes, "twice");
}

TEST(Version, EveryFlippedBitIsRefusedOrAnotherId) {
    const Bytes good = *encode_version(some_version());
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        Bytes changed = good;
        changed[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
        const auto parsed = parse_version(changed);
        if (parsed) {
            // accepted: then it is the canonical form of what was read
            ASSERT_EQ(*encode_version(*parsed), changed) << "bit " << bit;
        }
    }
}

TEST(Notes, ReadBackWhatWasWritten) {
    const Notes notes{
        "Gr\xc3\xbc\xc3\x9f"
        "e, \xe6\x97\xa5 \xf0\x9f\x99\x82",
        {{"lr", "0.1"}, {"epochs", ""}}};
    const auto bytes = encode_notes(notes);
    ASSERT_TRUE(bytes) << bytes.error().what;
    EXPECT_EQ(parse_notes(*bytes), notes);
}

TEST(Notes, RefuseWhatTheyCannotHold) {
    for (const Notes& notes :
         {Notes{}, Notes{"\xc3", {}}, Notes{"\xc0\x80", {}}, Notes{"\xed\xa0\x80", {}},
          Notes{"\xf4\x90\x80\x80", {}}, Notes{"\xe0\x80\x80", {}}, Notes{"\x80", {}},
          Notes{"\xf5\x80\x80\x80", {}}, Notes{"", {{"", "v"}}}, Notes{"", {{"k", "\xff"}}},
          Notes{"", {{std::string(256, 'k'), "v"}}},
          Notes{std::string(limits::kNotesBytesMax, 'm'), {}}}) {
        const auto bytes = encode_notes(notes);
        ASSERT_FALSE(bytes) << notes.message.substr(0, 20);
        EXPECT_EQ(bytes.error().code, Errc::invalid);
    }
}

TEST(Notes, AreRefusedInEveryOtherForm) {
    const Bytes good = *encode_notes({"m", {{"a", "1"}, {"b", "2"}}});
    for (std::size_t length = 0; length < good.size(); ++length)
        EXPECT_FALSE(parse_notes(ByteView(good).first(length))) << length;
    Bytes bytes = good;
    bytes.push_back(0);
    EXPECT_FALSE(parse_notes(bytes));
    bytes = good;
    std::swap(bytes[10], bytes[18]);  // keys out of order
    EXPECT_FALSE(parse_notes(bytes));
    bytes[18] = bytes[10];  // the same key twice
    EXPECT_FALSE(parse_notes(bytes));
    bytes = {1, 0, 0, 0, 0, 0, 0};  // nothing said
    EXPECT_FALSE(parse_notes(bytes));
}

}  // namespace
}  // namespace tributary
