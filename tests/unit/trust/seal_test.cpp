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

}  // namespace
}  // namespace tributary::trust
