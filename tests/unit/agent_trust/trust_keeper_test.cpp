// Attacks on what a board believes: root documents, times, the hub's history.
#include "agent/trust/trust_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "common/trust/certificate.h"
#include "tests/support/fake_trust.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_files.h"

namespace tributary::agent {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kDayMs = 86'400'000;
constexpr WallTime k2099{4'070'908'800'000};

Bytes key(const std::string& name) { return trust::FakeSigner(name).public_key(); }

// Version `version`, kept by "keeper", of the hub "hub" unless another is named.
Root root_of(std::uint64_t version, const std::string& hub = "hub") {
    Root root;
    root.version = version;
    root.issued = TrustKeeper::kBuilt;
    root.keys = {key("keeper")};
    root.threshold = 1;
    root.approvers = {{"quality", key("quality")}};
    root.approver_threshold = 1;
    root.hub_keys = {key(hub)};
    root.authorities = {Bytes(300, 1)};
    return root;
}

Bytes signed_root(const Root& root, const std::string& by = "keeper") {
    trust::FakeSigner keeper(by);
    return *trust::sign_root(keeper, root);
}

Digest digest_of(const Bytes& document) {
    return trust::root_digest(parse_multi_signed_document(document)->payload);
}

class TrustKept : public testing::Test {
protected:
    TrustKept() { open(); }

    void open() {
        auto opened = TrustKeeper::open(files, clock, verifier, "/state/trust");
        ASSERT_TRUE(opened) << opened.error().what;
        kept = *std::move(opened);
    }
    void enrol(const Root& root = root_of(1)) {
        const Bytes document = signed_root(root);
        ASSERT_TRUE(kept->begin(document, digest_of(document), {}));
    }
    sync::Hello hello(std::uint64_t time_ms) {
        sync::Hello said;
        said.role = sync::Role::hub;
        said.epoch = 1;
        said.head = {journal(), 100, {}};
        said.time_ms = time_ms;
        said.root_version = 1;
        return said;
    }
    static Incarnation journal() {
        Incarnation hub;
        hub.bytes[0] = 1;
        return hub;
    }
    static EntryHash hash(std::uint8_t number) {
        EntryHash hash;
        hash.digest.bytes[0] = number;
        return hash;
    }
    static Receipt receipt(std::uint64_t hub_sequence, EntryHash head) {
        Receipt said;
        said.epoch = 1;
        said.hub = journal();
        said.hub_sequence = hub_sequence;
        said.hub_head = head;
        return said;
    }

    tributary::test::SimFiles files;
    tributary::test::SimClock clock{{0}, ClockQuality::unknown};  // a board without a clock
    trust::FakeVerifier verifier;
    std::unique_ptr<TrustKeeper> kept;
};

// ---- the root document ----

TEST_F(TrustKept, ARootThatWasRotatedThreeTimesWhileTheBoardWasAwayIsFollowed) {
    enrol();
    const std::vector<Bytes> missed = {signed_root(root_of(2)), signed_root(root_of(3)),
                                       signed_root(root_of(4))};

    ASSERT_TRUE(kept->follow(missed));

    open();
    EXPECT_EQ(kept->root()->root.version, 4u);
}

TEST_F(TrustKept, AStepThatIsLeftOutIsRefusedAndNothingChanges) {
    enrol();
    const std::vector<Bytes> gap = {signed_root(root_of(2)), signed_root(root_of(4))};

    EXPECT_FALSE(kept->follow(gap));

    EXPECT_EQ(kept->root()->root.version, 1u);
}

TEST_F(TrustKept, ARootByAKeyThatTheOneBeforeDoesNotNameIsRefused) {
    enrol();
    Root stolen = root_of(2);
    stolen.keys = {key("thief")};
    EXPECT_FALSE(kept->follow(std::vector<Bytes>{signed_root(stolen, "thief")}));
}

TEST_F(TrustKept, ABoardThatWasNeverEnrolledFollowsNoRoot) {
    EXPECT_FALSE(kept->follow(std::vector<Bytes>{signed_root(root_of(2))}));
}

TEST_F(TrustKept, AnotherRootThanThePinnedOneIsNoBeginning) {
    const Bytes other = signed_root(root_of(1, "another hub"));

    EXPECT_FALSE(kept->begin(other, digest_of(signed_root(root_of(1))), {}));

    EXPECT_FALSE(kept->enrolled());
}

// Whatever a cut leaves: the version before or the one after, and never an older one accepted then.
TEST_F(TrustKept, AnOlderRootIsNeverTakenWhereverThePowerWasCut) {
    for (std::uint64_t cut = 0, done = 0; done == 0; ++cut) {
        for (std::uint64_t seed = 0; seed < 8; ++seed) {
            tributary::test::SimFiles disk;
            auto board = *TrustKeeper::open(disk, clock, verifier, "/state/trust");
            const Bytes first = signed_root(root_of(1));
            ASSERT_TRUE(board->begin(first, digest_of(first), {}));
            ASSERT_TRUE(board->follow(std::vector<Bytes>{signed_root(root_of(2))}));
            disk.crash_before_effect(disk.effects() + cut, seed);
            done = board->follow(std::vector<Bytes>{signed_root(root_of(3))}).has_value();
            disk.set_hook({});  // it would go off again in what follows
            if (!done) disk.restart();

            auto after = TrustKeeper::open(disk, clock, verifier, "/state/trust");
            ASSERT_TRUE(after) << after.error().what;
            const std::uint64_t version = (*after)->root()->root.version;
            EXPECT_GE(version, 2u);
            EXPECT_FALSE((*after)->follow(std::vector<Bytes>{signed_root(root_of(1))}));
            EXPECT_FALSE((*after)->follow(std::vector<Bytes>{signed_root(root_of(2))}));
            EXPECT_EQ((*after)->root()->root.version, version);
        }
    }
}

// ---- another authority ----

class TrustAuthorityThatGoes : public TrustKept {
protected:
    trust::Authority authority(const std::string& name) {
        return *trust::Authority::create(*trust::generate_key(entropy), entropy, name);
    }
    Bytes issued_by(trust::Authority& by) {
        return *by.issue_device(entropy, "board-1", board->public_key(), trust::kAlways);
    }
    void enrol_under(const std::vector<Bytes>& authorities) {
        Root root = root_of(1);
        root.authorities = authorities;
        enrol(root);
        ASSERT_TRUE(kept->note_renewal(far));
    }

    tributary::test::SimEntropy entropy{9};
    std::unique_ptr<trust::Signer> board = *trust::generate_key(entropy);
    trust::Authority was = authority("was"), next = authority("next");
    WallTime far{TrustKeeper::kBuilt.ms + 400 * kDayMs};
};

TEST_F(TrustAuthorityThatGoes, LetsABoardRenewWithinADay) {
    enrol_under({was.certificate(), next.certificate()});
    const Bytes certificate = issued_by(was);
    ASSERT_TRUE(kept->hasten_renewal(certificate));
    const WallTime at = kept->state().renew_after;
    EXPECT_GE(at, kept->now());
    EXPECT_LE(at.ms, kept->now().ms + TrustKeeper::kHastenedMs);

    open();
    clock.advance(kDayMs / 2);
    ASSERT_TRUE(kept->hasten_renewal(certificate));
    EXPECT_EQ(kept->state().renew_after, at) << "a restart puts nothing off";
}

TEST_F(TrustAuthorityThatGoes, LetsEachBoardRenewAtItsOwnMoment) {
    std::set<std::uint64_t> moments;
    for (int i = 0; i < 8; ++i) {
        enrol_under({was.certificate(), next.certificate()});
        ASSERT_TRUE(kept->hasten_renewal(issued_by(was)));
        moments.insert(kept->state().renew_after.ms);
    }
    EXPECT_EQ(moments.size(), 8u);
}

TEST_F(TrustAuthorityThatGoes, LetsABoardRenewAtOnceWhenItIsGone) {
    enrol_under({next.certificate()});
    ASSERT_TRUE(kept->hasten_renewal(issued_by(was)));
    EXPECT_EQ(kept->state().renew_after, kept->now());
}

TEST_F(TrustAuthorityThatGoes, HastensNothingForTheNewOnesCertificate) {
    enrol_under({was.certificate(), next.certificate()});
    ASSERT_TRUE(kept->hasten_renewal(issued_by(next)));
    EXPECT_EQ(kept->state().renew_after, far);
}

TEST_F(TrustKept, OneTruncatedStateFileLeavesTheStateBefore) {
    enrol();
    ASSERT_TRUE(kept->follow(std::vector<Bytes>{signed_root(root_of(2))}));
    files.rewrite("/state/trust.1", [](Bytes& bytes) { bytes.resize(bytes.size() / 2); });

    open();

    EXPECT_TRUE(kept->was_damaged());
    EXPECT_TRUE(kept->enrolled());
}

TEST_F(TrustKept, TwoTruncatedStateFilesAreNoBoardThatWasNeverEnrolled) {
    enrol();
    ASSERT_TRUE(kept->follow(std::vector<Bytes>{signed_root(root_of(2))}));
    for (const char* file : {"/state/trust.0", "/state/trust.1"})
        files.rewrite(file, [](Bytes& bytes) { bytes.resize(7); });

    const auto opened = TrustKeeper::open(files, clock, verifier, "/state/trust");

    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::corrupt);
    EXPECT_THAT(opened.error().what, HasSubstr("enrol it again"));
}

// The disk has room for the root, and none for the file of authorities.
TEST_F(TrustKept, ARootHoldsAlsoWhenItsAuthoritiesCannotBeWrittenAndTheyFollow) {
    enrol();
    Pins pins;
    follow_root(pins, kept->root()->root);
    const std::vector<Bytes> next = {signed_root(root_of(2, "next hub"))};
    ASSERT_TRUE(files.make_directories("/state"));
    int renames = 0;
    files.set_hook([&](auto, const std::string& path) {
        if (path.starts_with("/state/ca.pem") && renames++ == 0)
            files.fail_call(tributary::test::SimFiles::Effect::create, 1, ENOSPC);
    });

    const Status taken = take_roots(*kept, files, "/state/ca.pem", next, pins);

    files.set_hook({});
    ASSERT_FALSE(taken);
    EXPECT_EQ(kept->root()->root.version, 2u);
    EXPECT_EQ(pins.hub_keys, root_of(2, "next hub").hub_keys);
    EXPECT_FALSE(files.stat("/state/ca.pem"));

    Pins before;  // of whoever did not hear of it
    ASSERT_TRUE(take_roots(*kept, files, "/state/ca.pem", {}, before));
    EXPECT_EQ(before.hub_keys, pins.hub_keys);
    EXPECT_TRUE(files.stat("/state/ca.pem"));
}

TEST_F(TrustKept, WhenNoRootFollowsNothingIsPinned) {
    enrol();
    Pins pins;
    EXPECT_FALSE(take_roots(*kept, files, "/state/ca.pem",
                            std::vector<Bytes>{signed_root(root_of(3, "next hub"))}, pins));
    EXPECT_EQ(pins, Pins());
}

// ---- time ----

TEST_F(TrustKept, AHubsTimeFromBeforeThisProgramIsIgnored) {
    enrol();
    ASSERT_TRUE(kept->on_hello(hello(1'000)));

    EXPECT_EQ(kept->now(), TrustKeeper::kBuilt);
    EXPECT_FALSE(kept->proven_now());
}

TEST_F(TrustKept, WhatTheHubSaidOfTheTimeNeverGoesBack) {
    enrol();
    ASSERT_TRUE(kept->on_hello(hello(TrustKeeper::kBuilt.ms + 10 * kDayMs)));
    ASSERT_TRUE(kept->on_hello(hello(TrustKeeper::kBuilt.ms + kDayMs)));

    EXPECT_EQ(kept->now().ms, TrustKeeper::kBuilt.ms + 10 * kDayMs);
    ASSERT_TRUE(kept->save_now());
    open();
    EXPECT_EQ(kept->ratchet().ms, TrustKeeper::kBuilt.ms + 10 * kDayMs);
}

TEST_F(TrustKept, AClockAt2099OrAt1970ChangesNothingOfWhatTheHubSays) {
    enrol();
    for (const WallTime wrong : {WallTime{0}, k2099}) {
        clock.set_wall(wrong);
        ASSERT_TRUE(kept->on_hello(hello(TrustKeeper::kBuilt.ms + kDayMs)));
        EXPECT_EQ(kept->now().ms, TrustKeeper::kBuilt.ms + kDayMs);
        EXPECT_TRUE(kept->admits_installs());
    }
}

TEST_F(TrustKept, TimeGoesOnWithinASession) {
    enrol();
    ASSERT_TRUE(kept->on_hello(hello(TrustKeeper::kBuilt.ms + kDayMs)));
    clock.advance(5'000);

    EXPECT_EQ(kept->now().ms, TrustKeeper::kBuilt.ms + kDayMs + 5'000);
}

TEST_F(TrustKept, TheFlashIsSparedWhateverTheHubSays) {
    enrol();
    const auto before = files.counters().syncs;
    for (int i = 0; i < 50; ++i) {
        clock.advance(1'000);
        ASSERT_TRUE(kept->on_hello(
            hello(TrustKeeper::kBuilt.ms + kDayMs + 1'000 * static_cast<std::uint64_t>(i))));
    }
    EXPECT_LE(files.counters().syncs, before + 1);
}

TEST_F(TrustKept, AHubKeyThatIsDroppedTakesItsTimeWithIt) {
    enrol();
    ASSERT_TRUE(kept->on_hello(hello(k2099.ms)));
    ASSERT_TRUE(kept->save_now());
    const std::uint64_t era = kept->state().era;

    ASSERT_TRUE(kept->follow(std::vector<Bytes>{signed_root(root_of(2, "next hub"))}));

    EXPECT_EQ(kept->now(), TrustKeeper::kBuilt);
    EXPECT_NE(kept->state().era, era);
    open();
    EXPECT_EQ(kept->ratchet(), TrustKeeper::kBuilt);
}

TEST_F(TrustKept, ARootThatKeepsTheHubsKeyKeepsItsTime) {
    enrol();
    ASSERT_TRUE(kept->on_hello(hello(TrustKeeper::kBuilt.ms + kDayMs)));
    const std::uint64_t era = kept->state().era;

    ASSERT_TRUE(kept->follow(std::vector<Bytes>{signed_root(root_of(2))}));

    EXPECT_EQ(kept->ratchet().ms, TrustKeeper::kBuilt.ms + kDayMs);
    EXPECT_EQ(kept->state().era, era);
}

// ---- installs ----

TEST_F(TrustKept, NothingNewIsInstalledBeforeTheHubProvedItselfInThisSession) {
    enrol();
    EXPECT_FALSE(kept->admits_installs());
    ASSERT_TRUE(kept->on_hello(hello(TrustKeeper::kBuilt.ms + kDayMs)));
    EXPECT_TRUE(kept->admits_installs());

    kept->on_session_closed();

    EXPECT_FALSE(kept->admits_installs());
}

TEST_F(TrustKept, AnExpiredRootStopsNewInstallsAlone) {
    Root root = root_of(1);
    root.expires = {TrustKeeper::kBuilt.ms + kDayMs};
    enrol(root);
    ASSERT_TRUE(kept->on_hello(hello(TrustKeeper::kBuilt.ms + 2 * kDayMs)));

    const Status may = kept->admits_installs();

    ASSERT_FALSE(may);
    EXPECT_EQ(may.error().code, Errc::denied);
    EXPECT_THAT(may.error().what, HasSubstr("what runs goes on"));
    EXPECT_TRUE(kept->follow(std::vector<Bytes>{signed_root(root_of(2))}));
    EXPECT_TRUE(kept->admits_installs());
}

// ---- the hub's history ----

class TrustWitness : public TrustKept {
protected:
    void see(std::uint64_t hub_sequence, std::uint8_t head) {
        begin_session();
        ASSERT_TRUE(kept->on_receipt(receipt(hub_sequence, hash(head))));
        kept->on_session_closed();
    }
    void begin_session() {
        kept->when_alarmed([this](SecurityEvent event, std::string why) {
            EXPECT_EQ(event, SecurityEvent::hub_history);
            alarms.push_back(std::move(why));
        });
        sync::Hello ours;
        kept->describe(ours);
        shown = ours.witness;
    }
    sync::JournalPoint shown;
    std::vector<std::string> alarms;
};

TEST_F(TrustWitness, TheHubIsShownWhereItsJournalWas) {
    see(50, 5);
    begin_session();
    EXPECT_EQ(shown, (sync::JournalPoint{journal(), 50, hash(5)}));
}

TEST_F(TrustWitness, AHubWhoseJournalBecameShorterIsNotBelieved) {
    see(200, 5);
    begin_session();

    const Status taken = kept->on_hello(hello(0));  // ends at entry 100

    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Errc::denied);
    EXPECT_THAT(taken.error().what, HasSubstr("history was rewritten"));
}

TEST_F(TrustWitness, AHubThatShowsAnotherEntryThereIsNotBelieved) {
    see(100, 5);
    begin_session();
    sync::Hello said = hello(0);
    said.head.hash = hash(6);
    EXPECT_FALSE(kept->on_hello(said));
}

TEST_F(TrustWitness, AReceiptFromBeforeWhatWasSeenIsNotBelieved) {
    see(200, 5);
    begin_session();
    EXPECT_FALSE(kept->on_receipt(receipt(150, hash(4))));
}

TEST_F(TrustWitness, AHubThatWasPutBackFromABackupSaysSoByItsEpoch) {
    see(200, 5);
    begin_session();
    sync::Hello said = hello(0);
    said.epoch = 2;
    EXPECT_TRUE(kept->on_hello(said));
}

// An older state that goes on as if nothing had been: approvals and revocations of it are undone.
TEST_F(TrustWitness, AHubThatGoesOnInAnEarlierEpochIsNotBelieved) {
    enrol();
    begin_session();
    Receipt later = receipt(200, hash(5));
    later.epoch = 2;
    ASSERT_TRUE(kept->on_receipt(later));
    kept->on_session_closed();
    begin_session();
    sync::Hello said = hello(0);
    said.head.incarnation.bytes[0] ^= 1;
    const Status taken = kept->on_hello(said);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Errc::denied);
    EXPECT_THAT(taken.error().what, HasSubstr("goes on in epoch 1"));
    EXPECT_THAT(taken.error().what, HasSubstr("restore a newer backup"));
    EXPECT_THAT(taken.error().what, HasSubstr("'tributary-hub root next --new-hub-key'"));
    EXPECT_TRUE(alarms.empty());
}

// One backup was restored twice: else every board were cut off for good.
TEST_F(TrustWitness, AHubThatShowsAnotherJournalOfTheSameEpochIsBelievedAndTold) {
    enrol();
    see(200, 5);
    begin_session();
    sync::Hello said = hello(0);
    said.head.incarnation.bytes[0] ^= 1;
    ASSERT_TRUE(kept->on_hello(said));
    ASSERT_EQ(alarms.size(), 1u);
    EXPECT_THAT(alarms[0], HasSubstr("another journal of epoch 1"));
    Receipt taken = receipt(101, hash(9));
    taken.hub = said.head.incarnation;
    ASSERT_TRUE(kept->on_receipt(taken));
    said.head.sequence = 102;
    ASSERT_TRUE(kept->on_hello(said));
    EXPECT_EQ(alarms.size(), 1u);  // once in a session

    kept->on_session_closed();
    begin_session();
    EXPECT_EQ(shown.incarnation, said.head.incarnation);
    ASSERT_TRUE(kept->on_hello(said));
    EXPECT_EQ(alarms.size(), 1u);
    // From there on it is held to that journal.
    said.head.sequence = 100;
    EXPECT_FALSE(kept->on_hello(said));
}

// A thief may have shown any epoch and any journal.
TEST_F(TrustWitness, OfAKeyThatTheRootDropsIsForgottenWithIt) {
    enrol();
    begin_session();
    Receipt thiefs = receipt(200, hash(5));
    thiefs.epoch = 1'000'000;
    ASSERT_TRUE(kept->on_receipt(thiefs));
    kept->on_session_closed();
    begin_session();
    EXPECT_FALSE(kept->on_hello(hello(0)));

    ASSERT_TRUE(kept->follow(std::vector<Bytes>{signed_root(root_of(2, "next hub"))}));
    begin_session();

    EXPECT_EQ(shown, sync::JournalPoint{});
    EXPECT_TRUE(kept->on_hello(hello(0)));
    open();
    EXPECT_EQ(kept->state().witness, sync::JournalPoint{});
}

// Sent before that receipt, and overtaken by it.
TEST_F(TrustWitness, AHelloThatWasOnItsWayWhileAReceiptCameIsNoRewrittenHistory) {
    begin_session();
    ASSERT_TRUE(kept->on_hello(hello(0)));
    ASSERT_TRUE(kept->on_receipt(receipt(150, hash(7))));
    EXPECT_TRUE(kept->on_hello(hello(0)));
}

}  // namespace
}  // namespace tributary::agent
