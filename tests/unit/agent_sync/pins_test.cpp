// The first contact as values and as a file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/sync/pins.h"
#include "agent/sync/sync_state.h"
#include "common/trust/contact.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_files.h"

namespace tributary::agent {
namespace {

class PinsTest : public testing::Test {
protected:
    PinsTest() {
        (void)files.make_directories("/state");
        pins.device = "board-1";
        pins.hub.bytes[0] = 7;
        pins.hub_name = "hub";
        pins.hub_keys = {key()};
        pins.approvers = {key(), key()};
        pins.approvals_needed = 2;
    }
    Bytes key() { return (*trust::generate_key(entropy))->public_key(); }

    test::SimFiles files;
    test::SimEntropy entropy{5};
    Pins pins;
};

TEST_F(PinsTest, ComeBackFromTheirFile) {
    ASSERT_TRUE(save_pins(files, "/state/pins.json", pins));

    const auto loaded = load_pins(files, "/state/pins.json");

    ASSERT_TRUE(loaded);
    EXPECT_EQ(*loaded, pins);
}

TEST_F(PinsTest, AreNoneBeforeTheFirstContact) {
    const auto loaded = load_pins(files, "/state/pins.json");
    ASSERT_TRUE(loaded);
    EXPECT_EQ(*loaded, std::nullopt);
}

TEST_F(PinsTest, ADamagedFileIsNeverTakenForOtherPins) {
    ASSERT_TRUE(save_pins(files, "/state/pins.json", pins));
    Bytes bytes = *read_file(files, "/state/pins.json", 100'000);
    const std::string text(as_text(bytes));
    bytes[text.find("board-1") + 6] = '2';
    ASSERT_TRUE(replace_file(files, "/state/pins.json", bytes));

    const auto loaded = load_pins(files, "/state/pins.json");

    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, Errc::corrupt);
    EXPECT_THAT(loaded.error().what, testing::HasSubstr("remove it"));
}

TEST_F(PinsTest, TheRequestProvesThatTheBoardHoldsItsKey) {
    const auto signer = trust::generate_key(entropy);
    const auto request = contact_request(pins.hub, **signer, "board");

    ASSERT_TRUE(request);
    Bytes signature(64);
    ASSERT_TRUE(from_hex(*request->text_at("signature"), signature));
    EXPECT_TRUE(trust::system_verifier().verify(
        (*signer)->public_key(), trust::kContactPurpose,
        trust::contact_digest(pins.hub, (*signer)->public_key()), signature));
}

TEST_F(PinsTest, EachChangeIsNamedAndAnotherDisplayNameIsNone) {
    Pins other = pins;
    other.hub_name = "renamed";
    EXPECT_EQ(difference(pins, other), "");

    other.hub_keys = {key()};
    other.approvals_needed = 1;
    EXPECT_EQ(difference(pins, other), "the hub's key, the number of approvals needed");
}

TEST_F(PinsTest, AnAnswerWithoutAKeyIsNotUsed) {
    const auto answer = parse_json(R"({"device":"board","hub":{"name":"h"}})");
    const auto parsed = parse_contact_answer(*answer);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, Errc::corrupt);
}

TEST_F(PinsTest, TheStateOfSyncComesBackAndADamagedOneIsEmpty) {
    const SyncState state{12345, {VersionId{sha256(as_bytes("x"))}}, 3, Incarnation{{1, 2}}};
    ASSERT_TRUE(save_sync_state(files, "/state/sync.json", state));
    EXPECT_EQ(load_sync_state(files, "/state/sync.json"), state);

    ASSERT_TRUE(replace_file(files, "/state/sync.json", as_bytes("{\"sent")));
    EXPECT_EQ(load_sync_state(files, "/state/sync.json"), SyncState{});
}

}  // namespace
}  // namespace tributary::agent
