#include "common/record/entry.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/limits.h"
#include "common/hash/hash.h"
#include "tests/support/process.h"

namespace tributary {
namespace {

Digest digest_of(std::string_view text) { return sha256(as_bytes(text)); }
VersionId version_of(std::string_view text) { return {digest_of(text)}; }
Incarnation some_incarnation(std::uint8_t fill = 0x5a) {
    Incarnation incarnation;
    incarnation.bytes.fill(fill);
    return incarnation;
}

std::vector<EntryBody> one_body_of_each_kind() {
    StartBody again{Bytes(91, 4), some_incarnation(1), 77, {digest_of("head")}, "agent 0.1.0"};
    return {
        StartBody{Bytes(91, 4), {}, 0, {}, "tributary-agent 0.1.0"},
        again,
        CommitBody{"vision/defects", "main", version_of("v")},
        DeviceBoundBody{"board-1", some_incarnation(), Bytes(91, 5)},
        RefMovedBody{"vision/defects", "main", {}, version_of("v"), "merge", ""},
        RefMovedBody{"vision/defects", "@production", version_of("v"), {}, "cli", "operator"},
        ApprovedBody{"vision/defects", version_of("v"), digest_of("document")},
        AssignedBody{"board-1", 3, "defects", "vision/defects", version_of("v"), digest_of("d")},
        InstallBody{3, "defects", version_of("v"), "failed", {}, {}, "digest"},
        RetiredBody{"board-1", true, "operator"},
        RetiredBody{"board-1", false, ""},
        ThinnedBody{version_of("v")},
        DeviceBoundBody{"board-1", some_incarnation(), Bytes(91, 5), "line-3"},
        KeyChangedBody{digest_of("old"), Bytes(91, 6), Bytes(64, 7), Bytes(64, 8)},
        TokenIssuedBody{digest_of("t"), "line-3", "board-1", {1700000000000}, "operator"},
        TokenIssuedBody{digest_of("t"), "", "", {1}, ""},
        TokenUsedBody{digest_of("t"), "board-1"},
        TokenRevokedBody{digest_of("t"), "operator"},
        CertifiedBody{"board-1", digest_of("key"), Bytes(400, 9), {1700000000000}, "enrolled"},
        RevokedBody{"board-1", {}, "operator", "stolen"},
        RevokedBody{"board-1", digest_of("key"), "", ""},
        AdmittedBody{digest_of("key"), "board-1", "line-3", true, "operator"},
        AdmittedBody{digest_of("key"), "", "", false, ""},
        RootFollowedBody{2, digest_of("root")},
        InstallBody{3, "defects", version_of("v"), "committed", version_of("v"), digest_of("c"),
                    "unproven"},
    };
}

EntryHeader header_for(ByteView body) {
    EntryHeader header;
    header.incarnation = some_incarnation();
    header.sequence = 2;
    header.previous = {digest_of("entry 1")};
    header.time = {1700000000123, 4, ClockQuality::synced};
    header.fence = 9;
    header.kind = EntryKind::commit;
    header.body = body_digest(body);
    return header;
}

Bytes entry_of(const EntryHeader& header, ByteView body) {
    Bytes plain = encode_entry_header(header);
    plain.insert(plain.end(), body.begin(), body.end());
    return plain;
}

TEST(Entry, ReadsBackWhatWasWritten) {
    const Bytes body = encode_body(CommitBody{"a/b", "main", version_of("v")});
    const EntryHeader header = header_for(body);
    const Bytes plain = entry_of(header, body);
    const auto entry = parse_entry(plain);
    ASSERT_TRUE(entry) << entry.error().what;
    EXPECT_EQ(entry->header, header);
    EXPECT_TRUE(std::ranges::equal(entry->body, body));
    EXPECT_EQ(entry->hash, entry_hash(ByteView(plain).first(EntryHeader::kBytes)));
}

TEST(Entry, EveryFlippedBitIsRefusedOrAnotherEntry) {
    const Bytes body = encode_body(CommitBody{"a/b", "main", version_of("v")});
    const Bytes plain = entry_of(header_for(body), body);
    const EntryHash hash = parse_entry(plain)->hash;
    for (std::size_t bit = 0; bit < plain.size() * 8; ++bit) {
        Bytes changed = plain;
        changed[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
        const auto entry = parse_entry(changed);
        ASSERT_TRUE(!entry || entry->hash != hash) << "bit " << bit;
    }
}

TEST(Entry, RefusesAnyOtherFormOfItsHeader) {
    const Bytes body = {1, 2, 3};
    const Bytes plain = entry_of(header_for(body), body);
    const auto expect_corrupt = [&](std::size_t at, std::uint8_t value) {
        Bytes changed = plain;
        changed[at] = value;
        const auto entry = parse_entry(changed);
        ASSERT_FALSE(entry) << "byte " << at;
        EXPECT_EQ(entry.error().code, Errc::corrupt);
    };
    expect_corrupt(0, 2);    // form
    expect_corrupt(17, 0);   // sequence 0
    expect_corrupt(17, 1);   // sequence 1 with a previous entry
    expect_corrupt(25, 0);   // "none" before a digest
    expect_corrupt(25, 2);   // unknown algorithm
    expect_corrupt(70, 3);   // clock quality
    expect_corrupt(81, 0);   // no body digest
    expect_corrupt(114, 9);  // another body
    for (std::size_t length = 0; length < plain.size(); ++length)
        EXPECT_FALSE(parse_entry(ByteView(plain).first(length))) << length;
}

TEST(Entry, OnlyTheFirstHasNoPrevious) {
    EntryHeader first = header_for({});
    first.sequence = 1;
    first.previous = {};
    Bytes plain = entry_of(first, {});
    EXPECT_TRUE(parse_entry(plain));
    plain[17] = 2;
    EXPECT_FALSE(parse_entry(plain));
}

TEST(Entry, CarriesAnUnknownKind) {
    const Bytes body = {0xff, 0xfe};
    EntryHeader header = header_for(body);
    header.kind = static_cast<EntryKind>(999);
    const Bytes plain = entry_of(header, body);
    const auto entry = parse_entry(plain);
    ASSERT_TRUE(entry);
    const auto parsed = parse_body(entry->header.kind, entry->body);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(kind_of(*parsed), static_cast<EntryKind>(999));
}

TEST(EntryBody, ReadsBackWhatWasWritten) {
    for (const EntryBody& body : one_body_of_each_kind()) {
        const auto parsed = parse_body(kind_of(body), encode_body(body));
        ASSERT_TRUE(parsed) << static_cast<int>(kind_of(body)) << parsed.error().what;
        EXPECT_EQ(*parsed, body) << static_cast<int>(kind_of(body));
    }
}

TEST(EntryBody, IsReadAtAnyAlignment) {
    const EntryBody body = CommitBody{"a/b", "main", version_of("v")};
    const Bytes bytes = encode_body(body);
    for (std::size_t shift = 0; shift < 9; ++shift) {
        Bytes shifted(shift);
        shifted.insert(shifted.end(), bytes.begin(), bytes.end());
        const auto parsed = parse_body(EntryKind::commit, ByteView(shifted).subspan(shift));
        ASSERT_TRUE(parsed) << shift;
        EXPECT_EQ(*parsed, body);
    }
}

TEST(EntryBody, IsRefusedWhenSomethingRequiredIsMissing) {
    // a Start without a key has the form of every table whose fields are all absent
    const Bytes nothing = {8, 0, 0, 0, 4, 0, 4, 0, 4, 0, 0, 0};
    for (unsigned kind = 1; kind <= 7; ++kind) {
        const auto parsed = parse_body(static_cast<EntryKind>(kind), nothing);
        ASSERT_FALSE(parsed) << kind;
        EXPECT_EQ(parsed.error().code, Errc::corrupt);
    }
}

TEST(EntryBody, NeverCrashesOnDamage) {
    for (const EntryBody& body : one_body_of_each_kind()) {
        const Bytes bytes = encode_body(body);
        for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
            Bytes changed = bytes;
            changed[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
            for (unsigned kind = 1; kind <= 7; ++kind)
                (void)parse_body(static_cast<EntryKind>(kind), changed);
        }
        for (std::size_t length = 0; length < bytes.size(); ++length)
            (void)parse_body(kind_of(body), ByteView(bytes).first(length));
    }
    (void)parse_body(EntryKind::commit, Bytes(limits::kEntryBodyBytesMax + 1));
}

TEST(EntryBodyDeathTest, DoesNotWriteWhatAReaderWouldRefuse) {
    // an emulated program cannot start itself anew
    if (test::kEmulator.empty()) GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(encode_body(CommitBody{"a/b", std::string(256, 'b'), version_of("v")}),
                 "parse_body");
}

}  // namespace
}  // namespace tributary
