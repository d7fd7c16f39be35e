// Entry bodies, recipes, seals and signed documents: bytes that were written once read as the same
// values for ever. That today's builder still writes these very bytes is checked too, for two
// builds of one release should agree; a newer FlatBuffers may end that, and only that.
#include <gtest/gtest.h>

#include <algorithm>

#include "common/hash/hash.h"
#include "common/record/document.h"
#include "common/record/entry.h"
#include "common/record/recipe.h"
#include "tests/compat/golden.h"

namespace tributary {
namespace {

Digest digest_of(std::string_view text) { return sha256(as_bytes(text)); }
Incarnation incarnation_of(std::uint8_t fill) {
    Incarnation incarnation;
    incarnation.bytes.fill(fill);
    return incarnation;
}

void expect_body(std::string_view name, const EntryBody& body) {
    SCOPED_TRACE(name);
    const Bytes golden = golden::flat(name);
    EXPECT_EQ(to_hex(encode_body(body)), to_hex(golden));
    const auto read = parse_body(kind_of(body), golden);
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(*read, body);
}

template <class Value>
void expect_document(std::string_view name, const Value& value,
                     Result<Bytes> (*encode)(const Value&), Result<Value> (*parse)(ByteView)) {
    SCOPED_TRACE(name);
    const Bytes golden = golden::flat(name);
    EXPECT_EQ(to_hex(*encode(value)), to_hex(golden));
    const auto read = parse(golden);
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(*read, value);
}

TEST(CompatEntryBody, IsWrittenAndReadAsEver) {
    const VersionId version{digest_of("version")};
    expect_body("start", StartBody{Bytes(91, 4), {}, 0, {}, "tributary-agent 0.1.0"});
    expect_body(
        "start again",
        StartBody{
            Bytes(91, 4), incarnation_of(1), 77, {digest_of("head")}, "tributary-agent 0.1.0"});
    expect_body("commit", CommitBody{"vision/defects", "main", version});
    expect_body("device bound", DeviceBoundBody{"board-1", incarnation_of(2), Bytes(91, 5)});
    expect_body("ref moved",
                RefMovedBody{"vision/defects", "main", {}, version, "merge", "operator"});
    expect_body("approved", ApprovedBody{"vision/defects", version, digest_of("document")});
    expect_body("assigned", AssignedBody{"board-1", 3, "defects", "vision/defects", version,
                                         digest_of("document")});
    expect_body("install", InstallBody{3, "defects", version, "committed", version,
                                       digest_of("tree"), "unproven"});
    expect_body("retired", RetiredBody{"board-1", true, "operator"});
    expect_body("thinned", ThinnedBody{version});
    expect_body("device bound in a group",
                DeviceBoundBody{"board-1", incarnation_of(2), Bytes(91, 5), "line-3"});
    expect_body("key changed",
                KeyChangedBody{digest_of("old key"), Bytes(91, 6), Bytes(64, 7), Bytes(64, 8)});
    expect_body(
        "token issued",
        TokenIssuedBody{digest_of("token"), "line-3", "board-1", {1769817600000}, "operator"});
    expect_body("token used", TokenUsedBody{digest_of("token"), "board-1"});
    expect_body("token revoked", TokenRevokedBody{digest_of("token"), "operator"});
    expect_body(
        "certified",
        CertifiedBody{"board-1", digest_of("key"), Bytes(300, 9), {1769817600000}, "enrolled"});
    expect_body("revoked", RevokedBody{"board-1", digest_of("key"), "operator", "stolen"});
    expect_body("admitted", AdmittedBody{digest_of("key"), "board-1", "line-3", true, "operator"});
    expect_body("quarantined", QuarantinedBody{"board-1", true, "too much was refused", ""});
    expect_body("released", QuarantinedBody{"board-1", false, "", "operator"});
    expect_body("security event",
                SecurityEventBody{"bad_seal", "board-1", 5'000'000'000, "by another key", ""});
    expect_body("security event of a stranger",
                SecurityEventBody{"door_csr", "", 1, "not signed by its own key", "192.0.2.7"});
    expect_body("root followed", RootFollowedBody{3, digest_of("root")});
}

TEST(CompatRecipe, IsWrittenAndReadAsEver) {
    expect_document(
        "recipe",
        Recipe{1048576 + 5, {{{digest_of("one")}, 1048576, 1, 3}, {{digest_of("two")}, 5, 0, 0}}},
        encode_recipe, parse_recipe);
}

TEST(CompatDocument, IsWrittenAndReadAsEver) {
    expect_document("seal",
                    Seal{incarnation_of(1),
                         12,
                         {digest_of("head")},
                         digest_of("key"),
                         "tributary/1/seal",
                         1,
                         3,
                         {digest_of("left"), digest_of("right")},
                         Bytes(64, 9)},
                    encode_seal, parse_seal);
    expect_document(
        "signed document",
        SignedDocument{"tributary/1/approval", {1, 2, 3}, digest_of("key"), Bytes(64, 9)},
        encode_signed_document, parse_signed_document);
    expect_document("signed document of a batch",
                    SignedDocument{"tributary/1/receipt",
                                   {1, 2, 3},
                                   digest_of("key"),
                                   Bytes(64, 9),
                                   1,
                                   3,
                                   {digest_of("left"), digest_of("right")}},
                    encode_signed_document, parse_signed_document);
    expect_document("root",
                    Root{3,
                         {1769817600000},
                         {1801353600000},
                         {Bytes(91, 1), Bytes(91, 2), Bytes(91, 3)},
                         2,
                         {{"quality", Bytes(91, 4)}, {"safety", Bytes(91, 5)}},
                         2,
                         {Bytes(91, 6)},
                         {Bytes(400, 7)}},
                    encode_root, parse_root);
    expect_document("receipt",
                    Receipt{"board-1",
                            incarnation_of(1),
                            12,
                            {digest_of("head")},
                            {{digest_of("v1")}, {digest_of("v2")}},
                            {{digest_of("v3"), "digest"}},
                            incarnation_of(2),
                            900,
                            {digest_of("hub head")},
                            4},
                    encode_receipt, parse_receipt);
    expect_document("approval",
                    Approval{"vision/defects",
                             {digest_of("version")},
                             {digest_of("tree")},
                             "quality",
                             {1769817600000, 2, ClockQuality::synced}},
                    encode_approval, parse_approval);
    expect_document("assignment",
                    Assignment{7,
                               "board-1",
                               "defects",
                               "vision/defects",
                               {digest_of("version")},
                               {digest_of("tree")},
                               "weights/model.safetensors",
                               digest_of("approval"),
                               {1769817600000}},
                    encode_assignment, parse_assignment);
}

TEST(CompatMultiSignedDocument, IsWrittenAndReadAsEver) {
    MultiSignedDocument document;
    document.purpose = "tributary/1/root";
    document.payload = {1, 2, 3};
    document.signatures = {{digest_of("a"), Bytes(64, 8)}, {digest_of("b"), Bytes(64, 9)}};
    std::ranges::sort(document.signatures, {}, &MultiSignedDocument::Signature::key);
    const Bytes golden = golden::flat("multi-signed document");
    EXPECT_EQ(to_hex(*encode_multi_signed_document(document)), to_hex(golden));
    EXPECT_EQ(parse_multi_signed_document(golden), document);
}

}  // namespace
}  // namespace tributary
