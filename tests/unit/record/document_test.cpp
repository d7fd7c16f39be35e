#include "common/record/document.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/limits.h"
#include "common/hash/hash.h"
#include "common/record/tree.h"

namespace tributary {
namespace {

Digest digest_of(std::string_view text) { return sha256(as_bytes(text)); }
Incarnation incarnation_of(std::uint8_t fill) {
    Incarnation incarnation;
    incarnation.bytes.fill(fill);
    return incarnation;
}

Seal some_seal() {
    Seal seal;
    seal.incarnation = incarnation_of(1);
    seal.sequence = 12;
    seal.head = {digest_of("head")};
    seal.key = digest_of("key");
    seal.purpose = "tributary/1/seal";
    seal.signature = Bytes(64, 9);
    return seal;
}
SignedDocument some_document() {
    return {"tributary/1/approval", {1, 2, 3}, digest_of("key"), Bytes(64, 9)};
}
Receipt some_receipt() {
    Receipt receipt;
    receipt.device = "board-1";
    receipt.incarnation = incarnation_of(1);
    receipt.sequence = 12;
    receipt.head = {digest_of("head")};
    receipt.whole = {{digest_of("v1")}, {digest_of("v2")}};
    receipt.refused = {{digest_of("v3"), "a piece is missing"}, {digest_of("v4"), "digest"}};
    receipt.hub = incarnation_of(2);
    receipt.hub_sequence = 900;
    receipt.hub_head = {digest_of("hub head")};
    receipt.epoch = 4;
    return receipt;
}
Approval some_approval() {
    return {"vision/defects",
            {digest_of("v")},
            {digest_of("t")},
            "quality",
            {1700000000000, 2, ClockQuality::synced}};
}
Assignment some_assignment() {
    return {7,
            "board-1",
            "defects",
            "vision/defects",
            {digest_of("v")},
            {digest_of("t")},
            "weights/model.safetensors",
            digest_of("approval"),
            {1700000000000}};
}

TEST(Seal, ReadsBackWhatWasWritten) {
    Seal seal = some_seal();
    EXPECT_EQ(parse_seal(*encode_seal(seal)), seal);
    seal.leaf_index = 2;
    seal.leaf_count = 5;
    seal.path = {digest_of("a"), digest_of("b"), digest_of("c")};
    EXPECT_EQ(parse_seal(*encode_seal(seal)), seal);
}

TEST(Seal, OfOneHeadCoversItsLeaf) {
    const Seal seal = some_seal();
    EXPECT_EQ(signed_digest(seal), hash_tree_leaf(seal.head.digest.bytes));
}

TEST(Seal, OfABatchCoversTheSameRootForEveryHead) {
    std::vector<Digest> heads;
    for (int i = 0; i < 7; ++i) heads.push_back(digest_of(std::to_string(i)));
    for (std::size_t i = 0; i < heads.size(); ++i) {
        Seal seal = some_seal();
        seal.head = {heads[i]};
        seal.leaf_index = i;
        seal.leaf_count = heads.size();
        seal.path = hash_tree_path(heads, i);
        EXPECT_EQ(signed_digest(*parse_seal(*encode_seal(seal))), hash_tree_root(heads));
    }
}

TEST(Seal, WithAPathThatDoesNotFitCoversNothing) {
    Seal seal = some_seal();
    seal.path = {digest_of("a")};
    EXPECT_TRUE(signed_digest(seal).is_none());
}

TEST(Seal, RefusesWhatCannotBeSealed) {
    const auto expect_invalid = [](auto&& change) {
        Seal seal = some_seal();
        change(seal);
        const auto bytes = encode_seal(seal);
        ASSERT_FALSE(bytes);
        EXPECT_EQ(bytes.error().code, Errc::invalid);
    };
    expect_invalid([](Seal& s) { s.incarnation = {}; });
    expect_invalid([](Seal& s) { s.sequence = 0; });
    expect_invalid([](Seal& s) { s.head = {}; });
    expect_invalid([](Seal& s) { s.key = {}; });
    expect_invalid([](Seal& s) { s.purpose = std::string(256, 'p'); });
    expect_invalid([](Seal& s) { s.leaf_index = 1; });
    expect_invalid([](Seal& s) { s.path.resize(65, digest_of("a")); });
    expect_invalid([](Seal& s) { s.path = {Digest{}}; });
    expect_invalid([](Seal& s) { s.signature.clear(); });
}

TEST(SignedDocument, KeepsThePayloadByteForByte) {
    const SignedDocument document = some_document();
    EXPECT_EQ(parse_signed_document(*encode_signed_document(document)), document);
}

TEST(SignedDocument, SignatureCoversPurposeAndPayload) {
    SignedDocument document = some_document();
    const Digest digest = signed_digest(document);
    EXPECT_EQ(digest, sha256_of("tributary/1/approval", document.payload));
    document.purpose = "tributary/1/assignment";
    EXPECT_NE(signed_digest(document), digest);
}

TEST(SignedDocument, OfABatchCoversTheSameRootForEachOfIts) {
    std::vector<Digest> leaves;
    for (std::uint8_t i = 0; i < 5; ++i)
        leaves.push_back(sha256_of("tributary/1/approval", {&i, 1}));
    for (std::uint8_t i = 0; i < 5; ++i) {
        SignedDocument document = some_document();
        document.payload = {i};
        document.leaf_index = i;
        document.leaf_count = 5;
        document.path = hash_tree_path(leaves, i);
        const auto read = parse_signed_document(*encode_signed_document(document));
        EXPECT_EQ(read, document);
        EXPECT_EQ(signed_digest(*read), hash_tree_root(leaves));
        document.leaf_index = (document.leaf_index + 1) % 5;
        EXPECT_NE(signed_digest(document), hash_tree_root(leaves));
    }
}

TEST(SignedDocument, WithAPathThatDoesNotFitCoversNothing) {
    SignedDocument document = some_document();
    document.path = {digest_of("a")};
    EXPECT_TRUE(signed_digest(document).is_none());
    document.leaf_count = 5;
    EXPECT_TRUE(signed_digest(document).is_none());
}

TEST(SignedDocument, OfABatchRefusesIndexesAndPathsPastTheirLimit) {
    SignedDocument document = some_document();
    document.leaf_index = 1;
    EXPECT_FALSE(encode_signed_document(document));
    document = some_document();
    document.leaf_count = ~std::uint64_t{0};
    document.path.assign(65, digest_of("a"));
    EXPECT_FALSE(encode_signed_document(document));
}

MultiSignedDocument some_signed_by_two() {
    MultiSignedDocument document;
    document.purpose = "tributary/1/root";
    document.payload = {1, 2, 3};
    document.signatures = {{digest_of("a"), Bytes(64, 8)}, {digest_of("b"), Bytes(64, 9)}};
    std::ranges::sort(document.signatures, {}, &MultiSignedDocument::Signature::key);
    return document;
}

TEST(MultiSignedDocument, ReadsBackItsSignaturesInOneOrder) {
    MultiSignedDocument document = some_signed_by_two();
    EXPECT_EQ(parse_multi_signed_document(*encode_multi_signed_document(document)), document);
    EXPECT_EQ(signed_digest(document), sha256_of("tributary/1/root", document.payload));
    MultiSignedDocument turned = document;
    std::ranges::reverse(turned.signatures);
    EXPECT_EQ(*encode_multi_signed_document(turned), *encode_multi_signed_document(document));
}

TEST(MultiSignedDocument, RefusesAKeyThatStandsTwice) {
    MultiSignedDocument document = some_signed_by_two();
    document.signatures[1].key = document.signatures[0].key;
    const auto refused = encode_multi_signed_document(document);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("twice"), std::string::npos);
}

TEST(MultiSignedDocument, RefusesMoreSignaturesThanItsLimit) {
    MultiSignedDocument document = some_signed_by_two();
    document.signatures.clear();
    for (std::size_t i = 0; i <= limits::kSignaturesMax; ++i)
        document.signatures.push_back({digest_of(std::to_string(i)), Bytes(64, 8)});
    EXPECT_FALSE(encode_multi_signed_document(document));
    document.signatures.pop_back();
    EXPECT_TRUE(encode_multi_signed_document(document));
}

Root some_root() {
    return {3,
            {1700000000000},
            {1800000000000},
            {Bytes(91, 1), Bytes(91, 2)},
            2,
            {{"quality", Bytes(91, 4)}},
            1,
            {Bytes(91, 6)},
            {Bytes(400, 7)}};
}

TEST(Root, ReadsBackWhatWasWritten) {
    Root root = some_root();
    EXPECT_EQ(parse_root(*encode_root(root)), root);
    root.approvers.clear();
    EXPECT_EQ(parse_root(*encode_root(root)), root);
}

TEST(Root, RefusesWhatLacksAPartOrPassesALimit) {
    const auto expect_invalid = [](auto&& change) {
        Root root = some_root();
        change(root);
        EXPECT_FALSE(encode_root(root));
    };
    expect_invalid([](Root& r) { r.version = 0; });
    expect_invalid([](Root& r) { r.keys.clear(); });
    expect_invalid([](Root& r) { r.hub_keys.clear(); });
    expect_invalid([](Root& r) { r.authorities.clear(); });
    expect_invalid([](Root& r) { r.keys[0].clear(); });
    expect_invalid([](Root& r) { r.keys[0].resize(513); });
    expect_invalid([](Root& r) { r.keys.resize(65, Bytes(91, 1)); });
    expect_invalid([](Root& r) { r.approvers[0].name.clear(); });
    expect_invalid([](Root& r) { r.authorities[0].resize(limits::kCertificateBytesMax + 1); });
    expect_invalid([](Root& r) { r.authorities.resize(17, Bytes(limits::kCertificateBytesMax)); });
}

TEST(Receipt, ReadsBackWhatWasWritten) {
    EXPECT_EQ(parse_receipt(*encode_receipt(some_receipt())), some_receipt());
    Receipt nothing_held = some_receipt();
    nothing_held.sequence = 0;
    nothing_held.head = {};
    nothing_held.whole.clear();
    nothing_held.refused.clear();
    EXPECT_EQ(parse_receipt(*encode_receipt(nothing_held)), nothing_held);
}

TEST(Receipt, HoldsTenThousandVersions) {
    Receipt receipt = some_receipt();
    for (int i = 0; i < 10000; ++i) receipt.whole.push_back({digest_of(std::to_string(i))});
    EXPECT_EQ(parse_receipt(*encode_receipt(receipt)), receipt);
}

TEST(Receipt, RefusesASequenceWithoutItsHead) {
    Receipt receipt = some_receipt();
    receipt.head = {};
    EXPECT_FALSE(encode_receipt(receipt));
}

TEST(Approval, ReadsBackWhatWasWritten) {
    EXPECT_EQ(parse_approval(*encode_approval(some_approval())), some_approval());
}

TEST(Assignment, ReadsBackWhatWasWritten) {
    Assignment assignment = some_assignment();
    EXPECT_EQ(parse_assignment(*encode_assignment(assignment)), assignment);
    assignment.path.clear();
    EXPECT_EQ(parse_assignment(*encode_assignment(assignment)), assignment);
}

TEST(Assignment, RefusesAPathThatLeavesItsTree) {
    for (const std::string path : {"../x", "/x", "a//b", "a/", "a/../b", "."}) {
        Assignment assignment = some_assignment();
        assignment.path = path;
        EXPECT_FALSE(encode_assignment(assignment)) << path;
    }
}

TEST(Documents, HaveTheSameBytesForTheSameValues) {
    EXPECT_EQ(*encode_receipt(some_receipt()), *encode_receipt(some_receipt()));
    EXPECT_EQ(*encode_assignment(some_assignment()), *encode_assignment(some_assignment()));
}

// The document under a table whose first field, `rules`, has a bit set: an Approval of nothing
// else.
TEST(Documents, WithUnknownRulesAskForAnUpgrade) {
    const Bytes only_rules = {12, 0, 0, 0, 0, 0, 6, 0, 8, 0, 4, 0, 6, 0, 0, 0, 1, 0, 0, 0};
    for (const auto& code :
         {parse_approval(only_rules).error().code, parse_assignment(only_rules).error().code,
          parse_root(only_rules).error().code})
        EXPECT_EQ(code, Errc::unsupported);
}

TEST(Documents, NeverCrashOnDamage) {
    for (const Bytes& bytes :
         {*encode_seal(some_seal()), *encode_signed_document(some_document()),
          *encode_receipt(some_receipt()), *encode_approval(some_approval()),
          *encode_assignment(some_assignment()),
          *encode_multi_signed_document(some_signed_by_two()), *encode_root(some_root())}) {
        const auto parse_all = [](ByteView view) {
            (void)parse_seal(view);
            (void)parse_signed_document(view);
            (void)parse_receipt(view);
            (void)parse_approval(view);
            (void)parse_assignment(view);
            (void)parse_multi_signed_document(view);
            (void)parse_root(view);
        };
        for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
            Bytes changed = bytes;
            changed[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
            parse_all(changed);
        }
        for (std::size_t length = 0; length < bytes.size(); ++length)
            parse_all(ByteView(bytes).first(length));
    }
}

}  // namespace
}  // namespace tributary
