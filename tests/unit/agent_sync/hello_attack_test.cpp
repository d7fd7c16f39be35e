// Attacks on the hub's Hello, one by one: nobody but a hub that the pins name, now, is told more of
// the journal than how long it is.
#include <gtest/gtest.h>

#include "agent/sync/uplink.h"
#include "common/trust/hello.h"
#include "common/trust/key_change.h"
#include "common/trust/seal.h"
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

// ---- and what our own says of changed keys ----

class TrustShownKeyChanges : public TrustHello {
protected:
    TrustShownKeyChanges() {
        EXPECT_TRUE(store->start_journal(test::start_body()));
        EXPECT_TRUE(store->commit());
        EXPECT_TRUE(meet());
    }
    // The hub says how far it holds our journal.
    Status meet() { return meet(store->head()); }
    Status meet(const JournalHead& held) {
        sync::Hello hello = said(hub);
        hello.journals = {{held.incarnation, held.sequence, held.hash}};
        return uplink->on_hub_hello(hello, true);
    }
    void renew() {
        trust::FakeSigner next("key " + std::to_string(++renewals));
        const auto body = trust::sign_key_change(key, next, store->head().incarnation);
        ASSERT_TRUE(body && store->stage_entry(*body));
        ASSERT_TRUE(store->commit());
    }
    void receive_receipt() {
        const JournalHead own = store->head();
        Receipt receipt;
        receipt.device = pins.device;
        receipt.incarnation = own.incarnation;
        receipt.sequence = own.sequence;
        receipt.head = own.hash;
        receipt.epoch = 1;
        receipt.hub = hubs_journal;
        receipt.hub_sequence = own.sequence;
        receipt.hub_head = own.hash;
        const auto payload = encode_receipt(receipt);
        ASSERT_TRUE(payload);
        const auto document = trust::sign_document(hub, trust::kReceiptPurpose, *payload);
        ASSERT_TRUE(document);
        const Status logged = uplink->log_receipt(*document);
        ASSERT_TRUE(logged) << logged.error().what;
    }
    std::size_t shown() {
        sync::Hello ours;
        ours.answers = 5;
        const auto hello = uplink->describe(kNonce, ours);
        EXPECT_TRUE(hello) << hello.error().what;
        return hello ? hello->key_changes.size() : 0;
    }
    Incarnation hubs_journal{{1}};
    int renewals = 0;
};

TEST_F(TrustShownKeyChanges, AreThoseAloneThatTheHubDoesNotHave) {
    JournalHead early;
    for (int i = 0; i < 20; ++i) {
        if (i == 17) early = store->head();
        renew();
        EXPECT_EQ(shown(), 1u);
        EXPECT_EQ(shown(), 1u);
        receive_receipt();
        EXPECT_EQ(shown(), 0u);
    }
    ASSERT_TRUE(meet(early));  // it was put back
    EXPECT_EQ(shown(), 3u);
    ASSERT_TRUE(meet());
    EXPECT_EQ(shown(), 0u);
}

TEST_F(TrustShownKeyChanges, AreMoreThanFitOnlyWhenTheHubHasNoneOfThem) {
    for (std::size_t i = 0; i <= sync::kHelloKeyChangesMax; ++i) renew();
    sync::Hello ours;
    ours.answers = 5;
    const auto hello = uplink->describe(kNonce, ours);
    ASSERT_FALSE(hello);
    EXPECT_EQ(hello.error().code, Errc::exhausted);
    receive_receipt();
    EXPECT_EQ(shown(), 0u);
}

}  // namespace
}  // namespace tributary::agent
