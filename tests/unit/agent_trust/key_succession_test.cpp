#include "agent/trust/key_succession.h"

#include <gtest/gtest.h>

#include "agent/sync/new_journal.h"
#include "common/trust/key_change.h"
#include "tests/support/full_counts.h"
#include "tests/support/secured_hub.h"
#include "tests/support/store_builder.h"

namespace tributary::agent {
namespace {

tributary::test::SecuredHub& hub() {
    static tributary::test::SecuredHub hub;
    return hub;
}

// A board with a key and a certificate, whose next key waits with its certificate.
class Board {
    tributary::test::StoreMachine machine_;  // outlives the store

public:
    explicit Board(std::uint64_t seed = 3) : machine_(seed) {
        config.state_dir = "/data";
        auto key = trust::create_key(files(), machine_.entropy, config.key_path());
        EXPECT_TRUE(key);
        certify(config.key_path(), (*key)->public_key());
        open();
        StartBody start = tributary::test::start_body();
        start.public_key = (*key)->public_key();
        EXPECT_TRUE(store->start_journal(start));
        EXPECT_TRUE(store->commit());
    }

    tributary::test::SimFiles& files() { return machine_.files; }
    void open() {
        keys.reset();
        store.reset();
        auto opened = machine_.open();
        ASSERT_TRUE(opened) << opened.error().what;
        store = *std::move(opened);
        auto kept = TrustKeeper::open(files(), machine_.clock, trust::system_verifier(),
                                      config.trust_path());
        ASSERT_TRUE(kept);
        trust = *std::move(kept);
        keys.emplace(files(), *store, config, trust.get(), nullptr);
    }
    void certify(const std::string& path, ByteView key) {
        EXPECT_TRUE(trust::put_certificate(files(), path, hub().certificate("board-1", key)));
    }
    void prepare() {
        const auto next = keys->prepare(machine_.entropy);
        ASSERT_TRUE(next) << next.error().what;
        if (!next->says) certify(config.next_key_path(), next->key->public_key());
    }
    Result<Identity> identity() { return load_identity(files(), config.key_path(), nullptr); }

    Config config;
    std::unique_ptr<Store> store;
    std::unique_ptr<TrustKeeper> trust;
    std::optional<KeySuccession> keys;
};

TEST(TrustKeySuccession, TheNextKeyTakesOver) {
    Board board;
    board.prepare();
    const Bytes before = board.identity()->key->public_key();

    ASSERT_TRUE(board.keys->change(*board.identity()->key));

    const auto now = board.identity();
    ASSERT_TRUE(now) << now.error().what;
    EXPECT_NE(now->key->public_key(), before);
    EXPECT_TRUE(now->says);
    EXPECT_TRUE(*board.keys->is_in_force(now->key->public_key()));
    EXPECT_FALSE(*board.keys->is_in_force(before));
}

TEST(TrustKeySuccession, TheKeyBeforeStaysUntilWhatItSealsIsReceipted) {
    Board board;
    board.prepare();
    const Bytes before = board.identity()->key->public_key();
    ASSERT_TRUE(board.keys->change(*board.identity()->key));
    const std::uint64_t changed = board.store->head().sequence;

    EXPECT_FALSE(*board.keys->forget_former(changed - 1));

    const auto former = board.keys->former();
    ASSERT_TRUE(former && *former);
    EXPECT_EQ((*former)->key->public_key(), before);
    EXPECT_EQ((*former)->until, changed);
    EXPECT_TRUE(*board.keys->forget_former(changed));
    EXPECT_FALSE(*board.keys->former());
}

// Else what stands before that change could be sealed by nobody.
TEST(TrustKeySuccession, NoFurtherKeyTakesOverBeforeTheLastChangeIsReceipted) {
    Board board;
    board.prepare();
    ASSERT_TRUE(board.keys->change(*board.identity()->key));
    const std::uint64_t changed = board.store->head().sequence;
    const Bytes second = board.identity()->key->public_key();
    const Bytes first = (*board.keys->former())->key->public_key();
    board.prepare();

    const Status refused = board.keys->change(*board.identity()->key);

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::conflict);
    EXPECT_EQ((*board.keys->former())->key->public_key(), first);
    EXPECT_EQ(board.identity()->key->public_key(), second);
    ASSERT_TRUE(*board.keys->forget_former(changed));
    ASSERT_TRUE(board.keys->change(*board.identity()->key));
    EXPECT_EQ((*board.keys->former())->key->public_key(), second);
}

TEST(TrustKeySuccession, TellsTheChangesThatLedToTheKeyOfNow) {
    Board board;
    board.prepare();
    const Bytes first = board.identity()->key->public_key();
    ASSERT_TRUE(board.keys->change(*board.identity()->key));

    const auto former = board.keys->former();

    ASSERT_TRUE(former && *former);
    ASSERT_EQ((*former)->changes.size(), 1u);
    const auto told = parse_body(EntryKind::key_changed, (*former)->changes.front());
    ASSERT_TRUE(told);
    EXPECT_TRUE(trust::verify_key_change(trust::system_verifier(), board.store->head().incarnation,
                                         first, std::get<KeyChangedBody>(*told)));
}

// It can seal nothing, and stands in nobody's way.
TEST(TrustKeySuccession, ADamagedKeyBeforeIsGivenUp) {
    Board board;
    board.prepare();
    ASSERT_TRUE(board.keys->change(*board.identity()->key));
    board.files().rewrite(board.config.old_key_path(), [](Bytes& bytes) { bytes.resize(20); });

    EXPECT_FALSE(*board.keys->former());
    board.prepare();
    EXPECT_TRUE(board.keys->change(*board.identity()->key));
}

TEST(TrustKeySuccession, AKeyThatTheJournalDoesNotNameIsNotInForce) {
    Board board;
    tributary::test::SimEntropy entropy(77);
    const auto stranger = *trust::generate_key(entropy);
    EXPECT_FALSE(*board.keys->is_in_force(stranger->public_key()));
}

TEST(TrustKeySuccession, WhatTheJournalSaysIsKnownWithoutTheStateFile) {
    Board board;
    board.prepare();
    ASSERT_TRUE(board.keys->change(*board.identity()->key));
    for (const char* file : {"/data/trust.0", "/data/trust.1"}) (void)board.files().remove(file);
    board.open();

    EXPECT_TRUE(*board.keys->is_in_force(board.identity()->key->public_key()));
}

TEST(TrustKeySuccession, ADamagedNextKeyIsGivenUp) {
    Board board;
    board.prepare();
    board.files().rewrite(board.config.next_key_path(), [](Bytes& bytes) { bytes.resize(20); });

    ASSERT_TRUE(board.keys->settle());

    EXPECT_FALSE(board.files().stat(board.config.next_key_path()));
    EXPECT_TRUE(board.identity());
}

// Cut before every effect, 8 kinds of damage: one key is in force, it is the one in key.pem, the
// journal goes on, and the renewal can be finished.
TEST(TrustKeySuccession, AtAnyCutExactlyOneKeyIsInForce) {
    std::uint64_t cut = 0;
    for (bool done = false; !done; ++cut) {
        for (std::uint64_t seed = 0; seed < tributary::test::damage_seeds(2); ++seed) {
            SCOPED_TRACE("cut " + std::to_string(cut) + ", seed " + std::to_string(seed));
            Board board;
            const Bytes first = board.identity()->key->public_key();
            board.files().crash_before_effect(board.files().effects() + cut, seed);
            const auto renew = [&]() -> Status {
                tributary::test::SimEntropy entropy(9);
                TRIBUTARY_ASSIGN(const Identity next, board.keys->prepare(entropy));
                TRIBUTARY_TRY(board.keys->keep_certificate(
                    hub().certificate("board-1", next.key->public_key())));
                TRIBUTARY_ASSIGN(const Identity present, board.identity());
                return board.keys->change(*present.key);
            };
            done = renew().has_value();
            board.keys.reset();
            board.trust.reset();
            board.store.reset();
            if (!done) board.files().restart();
            board.files().crash_before_effect(UINT64_MAX, 0);  // no other cut

            board.open();
            ASSERT_TRUE(board.keys->settle());
            auto identity = board.identity();
            ASSERT_TRUE(identity) << identity.error().what;
            EXPECT_TRUE(identity->says);
            const auto in_force = board.keys->is_in_force(identity->key->public_key());
            ASSERT_TRUE(in_force) << in_force.error().what;
            EXPECT_TRUE(*in_force);
            const bool renewed = identity->key->public_key() != first;
            EXPECT_EQ(*board.keys->is_in_force(first), !renewed);

            ASSERT_TRUE(board.store->stage_entry(
                CommitBody{"models/cnn", "main", VersionId{sha256(as_bytes("a version"))}}));
            ASSERT_TRUE(board.store->commit());
            if (renewed) continue;
            board.prepare();
            ASSERT_TRUE(board.keys->change(*identity->key));
            EXPECT_TRUE(*board.keys->is_in_force(board.identity()->key->public_key()));
        }
    }
    EXPECT_GT(cut, 15u);
}

}  // namespace
}  // namespace tributary::agent
