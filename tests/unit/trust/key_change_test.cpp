#include "common/trust/key_change.h"

#include <gtest/gtest.h>

#include "tests/support/fake_trust.h"

namespace tributary::trust {
namespace {

class TrustKeyChange : public testing::Test {
protected:
    TrustKeyChange() {
        incarnation_.bytes.fill(7);
        good_ = *sign_key_change(old_, new_, incarnation_);
    }
    Status verify(const KeyChangedBody& body) {
        return verify_key_change(verifier_, incarnation_, old_.public_key(), body);
    }
    void expect_denied(const KeyChangedBody& body, std::string_view reason) {
        const Status answer = verify(body);
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, Errc::denied);
        EXPECT_NE(answer.error().what.find(reason), std::string::npos) << answer.error().what;
    }

    FakeVerifier verifier_;
    FakeSigner old_{"old"}, new_{"new"}, thief_{"thief"};
    Incarnation incarnation_;
    KeyChangedBody good_;
};

TEST_F(TrustKeyChange, SignedByBothKeysHolds) { EXPECT_TRUE(verify(good_)); }

TEST_F(TrustKeyChange, SignedByTheOldKeyAloneIsDenied) {
    KeyChangedBody body = good_;
    body.by_new = *old_.sign(kKeyChangePurpose,
                             key_change_digest(incarnation_, body.old_key, body.public_key));
    expect_denied(body, "new key's word");
}

TEST_F(TrustKeyChange, SignedByTheNewKeyAloneIsDenied) {
    KeyChangedBody body = good_;
    body.by_old = body.by_new;
    expect_denied(body, "old key's word");
}

TEST_F(TrustKeyChange, OfAnotherKeyIsDenied) {
    expect_denied(*sign_key_change(thief_, new_, incarnation_), "another key");
}

TEST_F(TrustKeyChange, ClaimedForTheOldKeyByAnotherIsDenied) {
    KeyChangedBody body = *sign_key_change(thief_, new_, incarnation_);
    body.old_key = key_id(old_.public_key());
    expect_denied(body, "old key's word");
}

TEST_F(TrustKeyChange, MadeForAnotherJournalIsDenied) {
    Incarnation other = incarnation_;
    other.bytes[0] = 8;
    expect_denied(*sign_key_change(old_, new_, other), "old key's word");
}

TEST_F(TrustKeyChange, ToTheSameKeyIsDenied) {
    expect_denied(*sign_key_change(old_, old_, incarnation_), "replaces");
}

TEST_F(TrustKeyChange, SignedForAnotherPurposeIsDenied) {
    KeyChangedBody body = good_;
    body.by_old =
        *old_.sign(kRenewalPurpose, key_change_digest(incarnation_, body.old_key, body.public_key));
    expect_denied(body, "old key's word");
}

}  // namespace
}  // namespace tributary::trust
