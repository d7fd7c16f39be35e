// Attacks on the hub's Hello, one by one: nobody but a hub that the pins name, now, is told more of
// the journal than how long it is.
#include <gtest/gtest.h>

#include "agent/sync/uplink.h"
#include "common/trust/hello.h"
#include "tests/support/fake_trust.h"
#include "tests/support/store_builder.h"

namespace tributary::agent {
namespace {

class TrustHello : public testing::Test {
protected:
    static constexpr std::uint64_t kNonce = 7;

    TrustHello() {
        store = *machine.open();
        pins.device = "board-1";
        pins.hub_keys = {hub.public_key(), second.public_key()};
        uplink.emplace(*store, key, verifier, pins);
    }
    sync::Hello said(trust::Signer& by, std::uint64_t nonce = kNonce,
                     const std::string& device = "board-1") {
        sync::Hello hello;
        hello.role = sync::Role::hub;
        hello.epoch = 1;
        hello.time_ms = 1'800'000'000'000;
        hello.root_version = 3;
        hello.proof = *by.sign(trust::kHelloPurpose, trust::hello_digest(nonce, device, hello));
        return hello;
    }
    Errc refusal(const sync::Hello& hello) {
        const Status checked = uplink->check_hello(kNonce, hello);
        return checked ? Errc::cancelled : checked.error().code;
    }

    test::StoreMachine machine;
    std::unique_ptr<Store> store;
    trust::FakeSigner key{"board"}, hub{"hub"}, second{"second hub"}, stranger{"stranger"};
    trust::FakeVerifier verifier;
    Pins pins;
    std::optional<Uplink> uplink;
};

TEST_F(TrustHello, OfEachKeyThatThePinsNameIsBelieved) {
    EXPECT_TRUE(uplink->check_hello(kNonce, said(hub)));
    EXPECT_TRUE(uplink->check_hello(kNonce, said(second)));
}

TEST_F(TrustHello, OfAStrangerIsNot) { EXPECT_EQ(refusal(said(stranger)), Errc::denied); }

TEST_F(TrustHello, ThatAnsweredAnotherNonceIsNot) {
    EXPECT_EQ(refusal(said(hub, kNonce + 1)), Errc::denied);
}

TEST_F(TrustHello, ToAnotherDeviceIsNot) {
    EXPECT_EQ(refusal(said(hub, kNonce, "board-2")), Errc::denied);
}

TEST_F(TrustHello, WhoseTimeWasChangedIsNot) {
    sync::Hello hello = said(hub);
    hello.time_ms += 1;
    EXPECT_EQ(refusal(hello), Errc::denied);
}

TEST_F(TrustHello, WhoseRootVersionWasChangedIsNot) {
    sync::Hello hello = said(hub);
    hello.root_version = 2;
    EXPECT_EQ(refusal(hello), Errc::denied);
}

TEST_F(TrustHello, WhoseHeadWasChangedIsNot) {
    sync::Hello hello = said(hub);
    hello.head.sequence += 1;
    EXPECT_EQ(refusal(hello), Errc::denied);
    hello = said(hub);
    hello.head.incarnation.bytes[0] ^= 1;
    EXPECT_EQ(refusal(hello), Errc::denied);
}

TEST_F(TrustHello, IsToldAsReplayedWhenItWasProvenBefore) {
    std::vector<SecurityEvent> refused;
    uplink->when_refused(
        [&](SecurityEvent event, const std::string&) { refused.push_back(event); });
    const sync::Hello hello = said(hub);
    ASSERT_TRUE(uplink->check_hello(kNonce, hello));
    EXPECT_TRUE(refused.empty());
    EXPECT_FALSE(uplink->check_hello(kNonce + 1, hello));
    EXPECT_FALSE(uplink->check_hello(kNonce + 1, said(stranger)));
    EXPECT_EQ(refused, (std::vector{SecurityEvent::hub_replayed, SecurityEvent::hub_unproven}));
}

TEST_F(TrustHello, OfAKeyThatTheRootNamesNoMoreIsNot) {
    pins.hub_keys = {second.public_key()};
    uplink->set_pins(pins);
    EXPECT_EQ(refusal(said(hub)), Errc::denied);
}

}  // namespace
}  // namespace tributary::agent
