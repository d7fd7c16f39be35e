#include "common/trust/seal.h"

#include <gtest/gtest.h>

#include "common/hash/hash.h"
#include "tests/support/fake_trust.h"

namespace tributary::trust {
namespace {

class SealTest : public testing::Test {
protected:
    SealTest() {
        header_.incarnation.bytes[0] = 1;
        header_.sequence = 1;
        header_.kind = EntryKind::start;
        body_ = encode_body(StartBody{signer_->public_key(), {}, 0, {}, "test"});
        header_.body = body_digest(body_);
        plain_ = encode_entry_header(header_);
        plain_.insert(plain_.end(), body_.begin(), body_.end());
    }
    EntryView entry() const { return *parse_entry(plain_); }
    Seal sealed() {
        return *parse_seal(*seal_head(*signer_, header_.incarnation, 1, entry().hash));
    }
    const Bytes& key() const { return signer_->public_key(); }

    std::unique_ptr<Signer> signer_ = *generate_key(system_entropy());
    Verifier& verifier_ = system_verifier();
    EntryHeader header_;
    Bytes body_;
    Bytes plain_;
};

TEST_F(SealTest, HoldsForItsEntryAndKey) {
    const Seal seal = sealed();
    EXPECT_TRUE(verify_seal(verifier_, key(), seal));
    EXPECT_TRUE(verify_seal(bulk_verifier(), key(), seal));
    EXPECT_TRUE(seal_covers(seal, entry()));
}

TEST_F(SealTest, IsWorthNothingForAnotherHeadKeyOrPurpose) {
    const auto stranger = *generate_key(system_entropy());
    EXPECT_EQ(verify_seal(verifier_, stranger->public_key(), sealed()).error().code, Errc::denied);

    Seal other_head = sealed();
    other_head.head.digest.bytes[0] ^= 1;
    EXPECT_EQ(verify_seal(verifier_, key(), other_head).error().code, Errc::denied);

    Seal other_purpose = sealed();
    other_purpose.purpose = kReceiptPurpose;
    EXPECT_EQ(verify_seal(verifier_, key(), other_purpose).error().code, Errc::denied);

    Seal bad_path = sealed();
    bad_path.path.push_back({});
    EXPECT_EQ(verify_seal(verifier_, key(), bad_path).error().code, Errc::denied);
}

TEST_F(SealTest, DoesNotCoverAnEntryWhoseNumberOrJournalItMisstates) {
    Seal seal = sealed();
    seal.sequence = 2;
    EXPECT_EQ(seal_covers(seal, entry()).error().code, Errc::denied);
    seal = sealed();
    seal.incarnation.bytes[3] ^= 1;
    EXPECT_EQ(seal_covers(seal, entry()).error().code, Errc::denied);
}

TEST_F(SealTest, OfABatchHoldsForEachLeaf) {
    std::vector<Digest> leaves;
    for (std::uint8_t i = 0; i < 5; ++i) leaves.push_back(sha256(ByteView(&i, 1)));
    leaves[3] = entry().hash.digest;
    Seal seal = sealed();
    seal.leaf_index = 3;
    seal.leaf_count = 5;
    seal.path = hash_tree_path(leaves, 3);
    seal.signature = *signer_->sign(kSealPurpose, hash_tree_root(leaves));
    EXPECT_TRUE(verify_seal(verifier_, key(), seal));
    seal.leaf_index = 2;
    EXPECT_FALSE(verify_seal(verifier_, key(), seal));
}

TEST(SignedDocuments, AreBelievedFromATrustedKeyForTheirPurposeOnly) {
    FakeVerifier verifier;
    FakeSigner approver("approver"), hub("hub");
    const Bytes payload{1, 2, 3};
    const Bytes document = *sign_document(approver, kApprovalPurpose, payload);
    const std::vector<Bytes> approvers{hub.public_key(), approver.public_key()};

    const auto read = verify_document(verifier, approvers, kApprovalPurpose, document);
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->payload, payload);

    const auto code_of = [&](std::span<const Bytes> keys, std::string_view purpose,
                             const Bytes& bytes) {
        const auto answer = verify_document(verifier, keys, purpose, bytes);
        return answer ? std::nullopt : std::optional(answer.error().code);
    };
    EXPECT_EQ(code_of(approvers, kAssignmentPurpose, document), Errc::denied);
    EXPECT_EQ(code_of(std::span(approvers).first(1), kApprovalPurpose, document), Errc::denied);
    EXPECT_EQ(code_of({}, kApprovalPurpose, document), Errc::denied);

    auto forged = *parse_signed_document(document);
    forged.payload[0] = 9;
    EXPECT_EQ(code_of(approvers, kApprovalPurpose, *encode_signed_document(forged)), Errc::denied);
    forged = *parse_signed_document(document);
    forged.key = key_id(hub.public_key());  // a trusted key that did not sign it
    EXPECT_EQ(code_of(approvers, kApprovalPurpose, *encode_signed_document(forged)), Errc::denied);
    for (std::size_t length = 0; length < document.size(); length += 7)
        EXPECT_EQ(code_of(approvers, kApprovalPurpose,
                          Bytes(document.begin(),
                                document.begin() + static_cast<std::ptrdiff_t>(length))),
                  Errc::corrupt);
}

class TrustBatch : public testing::Test {
protected:
    TrustBatch() {
        for (std::uint8_t i = 0; i < 7; ++i) payloads_.push_back(Bytes{i, 2, 3});
        documents_ = sign_documents(hub_, kReceiptPurpose, payloads_).value();
    }
    SignedDocument third() const { return parse_signed_document(documents_[2]).value(); }

    FakeVerifier verifier_;
    FakeSigner hub_{"hub"};
    std::vector<Bytes> trusted_{hub_.public_key()};
    std::vector<Bytes> payloads_, documents_;
};

TEST_F(TrustBatch, HasOneSignatureAndEachDocumentHoldsAlone) {
    for (std::size_t i = 0; i < documents_.size(); ++i) {
        const auto read = verify_document(verifier_, trusted_, kReceiptPurpose, documents_[i]);
        ASSERT_TRUE(read) << read.error().what;
        EXPECT_EQ(read->payload, payloads_[i]);
        EXPECT_EQ(read->signature, third().signature);
    }
}

TEST_F(TrustBatch, OfOneIsWhatIsSignedAlone) {
    const auto one = sign_documents(hub_, kReceiptPurpose, std::span(payloads_).first(1)).value();
    EXPECT_EQ(one, std::vector<Bytes>{*sign_document(hub_, kReceiptPurpose, payloads_[0])});
    EXPECT_TRUE(sign_documents(hub_, kReceiptPurpose, {}).value().empty());
}

TEST_F(TrustBatch, LendsItsSignatureToNothingElse) {
    const auto expect_denied = [&](std::string_view reason, auto&& change) {
        SignedDocument document = third();
        change(document);
        const auto answer = verify_document(verifier_, trusted_, kReceiptPurpose,
                                            encode_signed_document(document).value());
        ASSERT_FALSE(answer) << reason;
        EXPECT_EQ(answer.error().code, Errc::denied);
        EXPECT_NE(answer.error().what.find(reason), std::string::npos) << answer.error().what;
    };
    const auto signature = "not this key's", path = "does not lead";
    expect_denied(signature, [](SignedDocument& d) { d.payload[0] = 99; });
    expect_denied(signature, [](SignedDocument& d) { d.leaf_index = 3; });
    expect_denied(signature, [](SignedDocument& d) { d.path[1].bytes[4] ^= 1; });
    expect_denied(signature, [](SignedDocument& d) {  // as if it had been signed alone
        d.path.clear();
        d.leaf_index = 0;
        d.leaf_count = 1;
    });
    expect_denied(path, [](SignedDocument& d) { d.leaf_count = 9; });
    expect_denied(path, [](SignedDocument& d) { d.path.pop_back(); });
    expect_denied(path, [](SignedDocument& d) { d.path.push_back(d.path.front()); });
    expect_denied("another purpose", [](SignedDocument& d) { d.purpose = kAssignmentPurpose; });
}

TEST_F(TrustBatch, GivesNoLeafOfAnotherBatch) {
    const std::vector<Bytes> others = {{1}, {2}, {3}, {4}, {5}, {6}, {7}};
    const auto batch = sign_documents(hub_, kReceiptPurpose, others).value();
    SignedDocument document = third();
    document.path = parse_signed_document(batch[2]).value().path;
    document.signature = parse_signed_document(batch[2]).value().signature;
    const auto answer = verify_document(verifier_, trusted_, kReceiptPurpose,
                                        encode_signed_document(document).value());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::denied);
}

TEST_F(TrustBatch, IsNoneWithAPlaceThatNoBatchHas) {
    const auto expect_corrupt = [&](auto&& change) {
        SignedDocument document = third();
        change(document);
        const auto encoded = encode_signed_document(document);
        const auto answer = encoded
                                ? verify_document(verifier_, trusted_, kReceiptPurpose, *encoded)
                                : Result<SignedDocument>(tl::make_unexpected(encoded.error()));
        ASSERT_FALSE(answer);
        EXPECT_NE(answer.error().code, Errc::denied) << answer.error().what;
    };
    expect_corrupt([](SignedDocument& d) { d.leaf_count = 0; });
    expect_corrupt([](SignedDocument& d) { d.leaf_index = 7; });
    expect_corrupt([](SignedDocument& d) { d.leaf_index = UINT64_MAX; });
    expect_corrupt([](SignedDocument& d) { d.leaf_count = std::uint64_t{1} << 32; });
    expect_corrupt([](SignedDocument& d) { d.leaf_count = UINT64_MAX; });
    expect_corrupt([](SignedDocument& d) { d.path.resize(17, d.path[0]); });
}

TEST_F(TrustBatch, OfMoreThanOneMayHoldIsSeveral) {
    const std::vector<Bytes> payloads(kBatchMax + 1, Bytes{1});
    const auto documents = sign_documents(hub_, kReceiptPurpose, payloads).value();
    ASSERT_EQ(documents.size(), payloads.size());
    for (const std::size_t i : {std::size_t{0}, kBatchMax - 1, kBatchMax}) {
        const auto read = verify_document(verifier_, trusted_, kReceiptPurpose, documents[i]);
        ASSERT_TRUE(read) << read.error().what;
        EXPECT_EQ(read->leaf_count, i < kBatchMax ? kBatchMax : 1);
    }
}

TEST_F(TrustBatch, MayNotHoldADocumentOfAnotherPurpose) {
    // Even though the leaf is in the tree that was signed.
    const Digest leaf = sha256_of(kAssignmentPurpose, payloads_[0]);
    const std::vector<Digest> leaves = {sha256_of(kReceiptPurpose, payloads_[1]), leaf};
    SignedDocument document;
    document.purpose = kAssignmentPurpose;
    document.payload = payloads_[0];
    document.key = key_id(hub_.public_key());
    document.leaf_index = 1;
    document.leaf_count = 2;
    document.path = hash_tree_path(leaves, 1);
    document.signature = *hub_.sign(kReceiptPurpose, hash_tree_root(leaves));
    const auto answer = verify_document(verifier_, trusted_, kAssignmentPurpose,
                                        encode_signed_document(document).value());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::denied);
}

}  // namespace
}  // namespace tributary::trust
