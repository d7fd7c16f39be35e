// Attacks on the root document, one by one: what a device must not take for its root.
#include "common/trust/root.h"

#include <gtest/gtest.h>

#include "common/base/limits.h"
#include "common/hash/hash.h"
#include "common/trust/seal.h"
#include "tests/support/fake_trust.h"

namespace tributary::trust {
namespace {

Bytes key(const char* name) { return FakeSigner(name).public_key(); }

// Two of three keys: "a", "b", "c".
Root root_of(std::uint64_t version) {
    Root root;
    root.version = version;
    root.issued = {1'000};
    root.expires = {9'000};
    root.keys = {key("a"), key("b"), key("c")};
    root.threshold = 2;
    root.approvers = {{"quality", key("quality")}, {"safety", key("safety")}};
    root.approver_threshold = 2;
    root.hub_keys = {key("hub")};
    root.authorities = {Bytes(300, 1)};
    return root;
}

// Names of signers, one a letter.
Bytes signed_by(const Root& root, std::string_view names) {
    FakeSigner first(names.substr(0, 1));
    Bytes document = sign_root(first, root).value();
    for (const char name : names.substr(1)) {
        FakeSigner next(std::string_view(&name, 1));
        document = add_root_signature(next, document).value();
    }
    return document;
}

// The same without asking whether it is sound.
Bytes signed_anyhow(const MultiSignedDocument& unsigned_one, std::string_view names) {
    MultiSignedDocument document = unsigned_one;
    for (const char name : names) {
        FakeSigner signer(std::string_view(&name, 1));
        document.signatures.push_back(
            {key_id(signer.public_key()), *signer.sign(document.purpose, signed_digest(document))});
    }
    return encode_multi_signed_document(document).value();
}
Bytes unsound_signed_by(const Root& root, std::string_view names) {
    return signed_anyhow({std::string(kRootPurpose), encode_root(root).value(), {}}, names);
}

class TrustRoot : public testing::Test {
protected:
    // What became of the attempt, for messages as well as for codes.
    void expect_refused(const Result<VerifiedRoot>& answer, Errc code, std::string_view reason) {
        ASSERT_FALSE(answer);
        EXPECT_EQ(name_of(answer.error().code), name_of(code)) << answer.error().what;
        EXPECT_NE(answer.error().what.find(reason), std::string::npos) << answer.error().what;
    }
    Result<VerifiedRoot> next(const Root& current, const Bytes& document) {
        return verify_next_root(verifier_, current, document);
    }

    FakeVerifier verifier_;
    Root first_ = root_of(1);
};

TEST_F(TrustRoot, IsPinnedByItsPayloadWhoeverSignedIt) {
    const Digest pinned = root_digest(encode_root(first_).value());
    for (const char* names : {"ab", "bc", "abc"}) {
        const auto read = verify_first_root(verifier_, pinned, signed_by(first_, names));
        ASSERT_TRUE(read) << read.error().what;
        EXPECT_EQ(read->root, first_);
        EXPECT_EQ(read->digest, pinned);
    }
}

TEST_F(TrustRoot, ThatWasNotPromisedIsRefused) {
    Root other = first_;
    other.issued.ms += 1;
    expect_refused(verify_first_root(verifier_, root_digest(encode_root(first_).value()),
                                     signed_by(other, "ab")),
                   Errc::denied, "promised");
}

TEST_F(TrustRoot, PinnedButSignedByTooFewIsRefused) {
    const Digest pinned = root_digest(encode_root(first_).value());
    expect_refused(verify_first_root(verifier_, pinned, signed_by(first_, "a")), Errc::denied,
                   "1 of the 2");
}

TEST_F(TrustRoot, OfTheNextVersionIsTaken) {
    const auto read = next(first_, signed_by(root_of(2), "ac"));
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->root.version, 2u);
}

TEST_F(TrustRoot, SignedByOneOfTwoIsRefused) {
    expect_refused(next(first_, signed_by(root_of(2), "a")), Errc::denied, "1 of the 2");
}

TEST_F(TrustRoot, SignedByTwoStrangersIsRefused) {
    expect_refused(next(first_, signed_by(root_of(2), "xy")), Errc::denied, "0 of the 2");
}

TEST_F(TrustRoot, SignedByOneAndAStrangerIsRefused) {
    expect_refused(next(first_, signed_by(root_of(2), "ax")), Errc::denied, "1 of the 2");
}

TEST_F(TrustRoot, SignedTwiceByOneKeyCountsOnce) {
    MultiSignedDocument document = parse_multi_signed_document(signed_by(root_of(2), "a")).value();
    document.signatures.push_back(document.signatures.front());
    // It cannot even be written; so as it would come in, and as it would count.
    EXPECT_FALSE(encode_multi_signed_document(document));
    const std::vector<Bytes> keys = {key("a"), key("b"), key("c")};
    EXPECT_FALSE(verify_threshold(verifier_, keys, 2, kRootPurpose, document));
    const std::vector<Bytes> listed_twice = {key("a"), key("a")};
    EXPECT_FALSE(verify_threshold(verifier_, listed_twice, 2, kRootPurpose, document));
    FakeSigner a("a");
    const auto again = add_root_signature(a, signed_by(root_of(2), "a"));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::conflict);
}

TEST_F(TrustRoot, WithAWrongSignatureBesideAGoodOneIsRefused) {
    MultiSignedDocument document = parse_multi_signed_document(signed_by(root_of(2), "ab")).value();
    document.signatures[1].signature[5] ^= 1;
    expect_refused(next(first_, encode_multi_signed_document(document).value()), Errc::denied,
                   "1 of the 2");
}

TEST_F(TrustRoot, WhosePayloadWasChangedIsRefused) {
    MultiSignedDocument document = parse_multi_signed_document(signed_by(root_of(2), "ab")).value();
    Root changed = root_of(2);
    changed.hub_keys = {key("thief")};
    document.payload = encode_root(changed).value();
    expect_refused(next(first_, encode_multi_signed_document(document).value()), Errc::denied,
                   "0 of the 2");
}

TEST_F(TrustRoot, OfTheSameOrAnOlderVersionIsRefused) {
    const Root third = root_of(3);
    for (const std::uint64_t version : {1u, 2u, 3u})
        expect_refused(next(third, signed_by(root_of(version), "abc")), Errc::conflict, "no newer");
}

TEST_F(TrustRoot, ThatSkipsAVersionIsRefused) {
    for (const std::uint64_t version : {std::uint64_t{3}, ~std::uint64_t{0}})
        expect_refused(next(first_, signed_by(root_of(version), "abc")), Errc::conflict,
                       "does not follow");
}

TEST_F(TrustRoot, AfterTheGreatestVersionThereIsNoNext) {
    expect_refused(next(root_of(~std::uint64_t{0}), signed_by(first_, "abc")), Errc::conflict,
                   "no newer");
}

TEST_F(TrustRoot, OfNewKeysNeedsTheOldKeysAndTheNewOnes) {
    Root second = root_of(2);
    second.keys = {key("d"), key("e"), key("f")};
    expect_refused(next(first_, signed_by(second, "de")), Errc::denied, "root version 1");
    expect_refused(next(first_, signed_by(second, "ab")), Errc::denied, "root version 2");
    expect_refused(next(first_, signed_by(second, "abd")), Errc::denied, "root version 2");
    EXPECT_TRUE(next(first_, signed_by(second, "abde")));
}

TEST_F(TrustRoot, ThatRaisesItsThresholdNeedsTheHigherOne) {
    Root second = root_of(2);
    second.threshold = 3;
    expect_refused(next(first_, signed_by(second, "ab")), Errc::denied, "2 of the 3");
    EXPECT_TRUE(next(first_, signed_by(second, "abc")));
}

TEST_F(TrustRoot, ThatLowersItsThresholdNeedsTheHigherOneOnceMore) {
    Root second = root_of(2);
    second.threshold = 1;
    expect_refused(next(first_, signed_by(second, "a")), Errc::denied, "1 of the 2");
    EXPECT_TRUE(next(first_, signed_by(second, "ab")));
}

TEST_F(TrustRoot, SignedForAnotherPurposeIsRefused) {
    const MultiSignedDocument foreign{
        std::string(kApprovalPurpose), encode_root(root_of(2)).value(), {}};
    expect_refused(next(first_, signed_anyhow(foreign, "abc")), Errc::denied, "purpose");
    // Nobody adds a signature to it either, and so makes a root of what was meant otherwise.
    FakeSigner d("d");
    const auto signed_by_d = add_root_signature(d, signed_anyhow(foreign, "abc"));
    ASSERT_FALSE(signed_by_d);
    EXPECT_EQ(signed_by_d.error().code, Errc::denied);
    // Also when the purpose is put right afterwards.
    MultiSignedDocument renamed =
        parse_multi_signed_document(signed_anyhow(foreign, "abc")).value();
    renamed.purpose = kRootPurpose;
    expect_refused(next(first_, encode_multi_signed_document(renamed).value()), Errc::denied,
                   "0 of the 2");
}

TEST_F(TrustRoot, OfTheLargestSizeIsTakenAndOneByteMoreIsNot) {
    Root large = root_of(2);
    large.authorities.clear();
    for (std::uint8_t i = 0; i < 16; ++i)
        large.authorities.push_back(Bytes(limits::kCertificateBytesMax - 100, i));
    Bytes document = signed_by(large, "ab");
    ASSERT_LT(document.size(), limits::kRootBytesMax);
    // FlatBuffers lets bytes stand behind what it needs.
    document.resize(limits::kRootBytesMax);
    EXPECT_TRUE(next(first_, document));
    document.push_back(0);
    expect_refused(next(first_, document), Errc::denied, "65537");
}

TEST_F(TrustRoot, ThatIsNotSoundIsRefusedHoweverManySignedIt) {
    struct Case {
        const char* reason;
        void (*change)(Root&);
    };
    const Case cases[] = {
        {"asks for 0 signatures", [](Root& r) { r.threshold = 0; }},
        {"asks for 4 signatures", [](Root& r) { r.threshold = 4; }},
        {"root key stands in it twice", [](Root& r) { r.keys[1] = r.keys[0]; }},
        {"asks for 0 approvals", [](Root& r) { r.approver_threshold = 0; }},
        {"asks for 3 approvals", [](Root& r) { r.approver_threshold = 3; }},
        {"approver's key stands", [](Root& r) { r.approvers[1].key = r.approvers[0].key; }},
        {"same name", [](Root& r) { r.approvers[1].name = r.approvers[0].name; }},
        {"of a hub", [](Root& r) { r.hub_keys.push_back(r.hub_keys[0]); }},
        {"online", [](Root& r) { r.hub_keys.push_back(r.keys[0]); }},
        {"online", [](Root& r) { r.hub_keys.push_back(r.approvers[0].key); }},
        {"authority", [](Root& r) { r.authorities.push_back(r.authorities[0]); }},
        {"expires", [](Root& r) { r.expires = r.issued; }},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.reason);
        Root root = root_of(2);
        c.change(root);
        expect_refused(next(first_, unsound_signed_by(root, "abc")), Errc::invalid, c.reason);
        FakeSigner a("a");
        EXPECT_FALSE(sign_root(a, root));
    }
}

TEST_F(TrustRoot, IsCountedForItsPurposeAndAThresholdAboveZeroOnly) {
    const MultiSignedDocument document =
        parse_multi_signed_document(signed_by(root_of(2), "ab")).value();
    const std::vector<Bytes> keys = {key("a"), key("b"), key("c")};
    EXPECT_TRUE(verify_threshold(verifier_, keys, 2, kRootPurpose, document));
    const Status zero = verify_threshold(verifier_, keys, 0, kRootPurpose, document);
    ASSERT_FALSE(zero);
    EXPECT_NE(zero.error().what.find("protects nothing"), std::string::npos);
    const Status foreign = verify_threshold(verifier_, keys, 2, kApprovalPurpose, document);
    ASSERT_FALSE(foreign);
    EXPECT_NE(foreign.error().what.find("another purpose"), std::string::npos);
}

TEST_F(TrustRoot, CutShortIsRefused) {
    const Bytes document = signed_by(root_of(2), "ab");
    for (std::size_t length = 0; length < document.size(); ++length) {
        const auto answer =
            next(first_,
                 Bytes(document.begin(), document.begin() + static_cast<std::ptrdiff_t>(length)));
        // The last bytes may be padding that nothing needs.
        EXPECT_TRUE(!answer || length + 8 > document.size()) << length;
    }
}

TEST_F(TrustRoot, ChainIsWalkedStepByStepOverThreeRotations) {
    // Each version hands over to the next one's keys.
    std::vector<Bytes> documents;
    const char* const generations[] = {"abc", "def", "ghi", "jkl"};
    for (std::uint64_t version = 2; version <= 4; ++version) {
        Root root = root_of(version);
        root.keys.clear();
        for (const char name : std::string_view(generations[version - 1]))
            root.keys.push_back(FakeSigner(std::string_view(&name, 1)).public_key());
        const std::string signers = std::string(generations[version - 2]).substr(0, 2) +
                                    std::string(generations[version - 1]).substr(0, 2);
        documents.push_back(signed_by(root, signers));
    }
    const VerifiedRoot start{first_, {}};
    const auto end = verify_root_chain(verifier_, start, documents);
    ASSERT_TRUE(end) << end.error().what;
    EXPECT_EQ(end->root.version, 4u);
    const std::vector<Bytes> gap = {documents[0], documents[2]};
    expect_refused(verify_root_chain(verifier_, start, gap), Errc::conflict, "does not follow");
}

TEST_F(TrustRoot, ChainOfMoreThanTheLimitIsNotBegun) {
    const std::vector<Bytes> documents(limits::kRootStepsMax + 1);
    expect_refused(verify_root_chain(verifier_, {first_, {}}, documents), Errc::exhausted, "1024");
}

TEST_F(TrustRoot, ExpiresByTheTimeItIsAskedWithAndIsAcceptedAllTheSame) {
    EXPECT_FALSE(is_expired(first_, {8'999}));
    EXPECT_TRUE(is_expired(first_, {9'000}));
    Root never = first_;
    never.expires = {};
    EXPECT_FALSE(is_expired(never, {~std::uint64_t{0}}));
    EXPECT_TRUE(next(first_, signed_by(root_of(2), "ab")));
}

TEST_F(TrustRoot, TellsWhenAKeyOfTheHubIsNamedNoLonger) {
    Root second = root_of(2);
    EXPECT_FALSE(drops_hub_key(first_, second));
    second.hub_keys.push_back(key("second hub"));
    EXPECT_FALSE(drops_hub_key(first_, second));
    second.hub_keys.erase(second.hub_keys.begin());
    EXPECT_TRUE(drops_hub_key(first_, second));
}

TEST_F(TrustRoot, HoldsWithRealKeysForBothVerifiers) {
    const auto a = *generate_key(system_entropy()), b = *generate_key(system_entropy());
    Root root = root_of(1);
    root.keys = {a->public_key(), b->public_key()};
    const Digest pinned = root_digest(encode_root(root).value());
    const Bytes half = sign_root(*a, root).value();
    const Bytes whole = add_root_signature(*b, half).value();
    for (Verifier* verifier : {&system_verifier(), &bulk_verifier()}) {
        EXPECT_TRUE(verify_first_root(*verifier, pinned, whole));
        EXPECT_FALSE(verify_first_root(*verifier, pinned, half));
    }
}

}  // namespace
}  // namespace tributary::trust
