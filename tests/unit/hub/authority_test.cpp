// One authority takes over from another: root document by root document, at each start of the hub.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "common/trust/revocation_list.h"
#include "hub/deploy/authorities.h"
#include "hub/deploy/papers.h"
#include "hub/enrol/issuer_count.h"
#include "tests/support/manual_loop.h"
#include "tests/unit/hub/deployment_home.h"
#include "tests/unit/hub/enrolment_home.h"

namespace tributary::hub {
namespace {

using test::DeploymentTest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TrustAuthority : public DeploymentTest {
protected:
    void SetUp() override {
        ASSERT_TRUE(make());
        first = newest().authorities.front();
    }
    // As `root next --new-authority`, `root next --drop-authority`, and two holders who sign.
    void name_another() {
        RootChange change;
        change.authority =
            next_authority(files, system_entropy(), *config(), newest().version + 1).value();
        second = *change.authority;
        publish(change);
    }
    void drop_the_other() {
        RootChange change;
        change.drop_authority = true;
        publish(change);
    }
    Status start() { return start(newest(), load_master_key(files, *config()).value()); }
    Status start(const Root& root, const trust::MasterKey& master) {
        auto authorities = Authorities::load(files, *config(), master, root);
        if (!authorities) return tl::make_unexpected(authorities.error());
        return follow_root(files, system_entropy(), *config(), master, root, *authorities);
    }
    // Whose certificates these papers are; both ends of what hub and broker say to each other.
    void expect_papers_by(const Bytes& authority) {
        const std::vector<Bytes> by = {authority};
        for (const std::string path : {"/hub/trust/api.pem", "/hub/broker/server.pem"}) {
            const Bytes der = trust::from_pem(trust::kCertificateLabel, text_of(path)).value();
            const auto says = trust::verify_certificate(der, by, trust::CertificateUse::server);
            ASSERT_TRUE(says) << path << ": " << says.error().what;
            EXPECT_EQ(says->names, std::vector<std::string>{"plant-hub"});
            EXPECT_EQ(says->addresses, std::vector<std::string>{"127.0.0.1"});
            EXPECT_EQ(says->door, path == "/hub/trust/api.pem");
            EXPECT_THAT(text_of(path), HasSubstr(pem(authority)));
        }
        const Bytes hub =
            trust::from_pem(trust::kCertificateLabel, text_of("/hub/trust/hub.pem")).value();
        EXPECT_TRUE(trust::verify_certificate(hub, by, trust::CertificateUse::client));
        expect_keys_fit();
    }
    // What hub and broker prove themselves with: certificates, and the files of their keys.
    static constexpr std::array<const char*, 3> kPapers = {"/hub/trust/api", "/hub/trust/hub",
                                                           "/hub/broker/server"};
    Bytes key_of(const std::string& paper) {
        const trust::MasterKey master = load_master_key(files, *config()).value();
        const trust::Passphrase opens =
            master.passphrase(paper.ends_with("api") ? role::kApi : role::kBrokerClient);
        const bool plain = paper.ends_with("server");
        const auto key = trust::load_key(files, paper + ".key.pem", plain ? nullptr : &opens);
        EXPECT_TRUE(key) << key.error().what;
        return key ? (*key)->public_key() : Bytes();
    }
    void expect_keys_fit() {
        for (const std::string paper : kPapers) {
            const Bytes der =
                trust::from_pem(trust::kCertificateLabel, text_of(paper + ".pem")).value();
            EXPECT_EQ(trust::parse_certificate(der)->public_key, key_of(paper)) << paper;
            EXPECT_FALSE(files.stat(paper + ".next.key.pem")) << paper;
        }
    }
    std::vector<Bytes> keys() {
        std::vector<Bytes> keys;
        for (const char* paper : kPapers) keys.push_back(key_of(paper));
        return keys;
    }
    // As `tributary-hub server-keys`.
    Status make_other_keys() {
        return make_next_server_keys(files, system_entropy(), *config(),
                                     load_master_key(files, *config()).value());
    }
    void expect_none_of(const std::vector<Bytes>& before) {
        const std::vector<Bytes> now = keys();
        for (std::size_t i = 0; i < now.size(); ++i) EXPECT_NE(now[i], before[i]) << kPapers[i];
    }
    static std::string pem(const Bytes& der) {
        return trust::to_pem(trust::kCertificateLabel, der);
    }

    Bytes first, second;
};

TEST_F(TrustAuthority, ThatTakesOverIssuesWhileTheOtherVouches) {
    name_another();
    ASSERT_TRUE(start());

    const auto opened = Deployment::open(files, *config()).value();
    EXPECT_EQ(opened->authorities().vouching().certificate(), first);
    EXPECT_EQ(opened->authority().certificate(), second);
    EXPECT_EQ(text_of("/hub/trust/ca.pem"), pem(first) + pem(second));
    EXPECT_EQ(text_of("/hub/broker/ca.pem"), pem(first) + pem(second));
    expect_papers_by(first);  // boards that were away know no other
}

TEST_F(TrustAuthority, VouchesAloneOnceTheOtherIsDropped) {
    const std::vector<Bytes> before = keys();
    name_another();
    ASSERT_TRUE(start());
    EXPECT_EQ(keys(), before);
    drop_the_other();
    ASSERT_TRUE(start());

    expect_none_of(before);
    EXPECT_EQ(text_of("/hub/trust/ca.pem"), pem(second));
    EXPECT_EQ(text_of("/hub/broker/ca.pem"), pem(second));
    expect_papers_by(second);
    EXPECT_FALSE(files.stat("/hub/trust/ca.next.key.pem"));
    const std::string door = text_of("/hub/trust/api.pem");
    EXPECT_TRUE(start());
    EXPECT_EQ(text_of("/hub/trust/api.pem"), door);
    name_another();  // and so on
    EXPECT_TRUE(start());
}

TEST_F(TrustAuthority, TakesOverInOneStepThatTheHubSlept) {
    name_another();
    drop_the_other();
    ASSERT_TRUE(start());
    expect_papers_by(second);
}

TEST_F(TrustAuthority, TakesOverWhereverThePowerIsCut) {
    name_another();
    ASSERT_TRUE(start());
    drop_the_other();
    const Root root = newest();
    const trust::MasterKey master = load_master_key(files, *config()).value();
    bool done = false;
    for (std::uint64_t cut = 0; !done; ++cut) {
        // From the same folder each time.
        const std::vector<std::string> paths = {
            "/hub/trust/ca.pem",         "/hub/trust/ca.key.pem",  "/hub/trust/ca.next.key.pem",
            "/hub/trust/api.pem",        "/hub/trust/hub.pem",     "/hub/broker/ca.pem",
            "/hub/broker/server.pem",    "/hub/trust/api.key.pem", "/hub/trust/hub.key.pem",
            "/hub/broker/server.key.pem"};
        std::vector<std::string> before;
        for (const std::string& path : paths) before.push_back(text_of(path));
        files.crash_before_effect(files.effects() + cut, cut);
        done = start(root, master).has_value();
        files.set_hook({});
        if (!done) files.restart();

        ASSERT_TRUE(start(root, master)) << "cut at " << cut;
        expect_papers_by(second);
        EXPECT_EQ(text_of("/hub/trust/ca.pem"), pem(second));
        for (std::size_t i = 0; i < paths.size(); ++i)
            ASSERT_TRUE(replace_file(files, paths[i], as_bytes(before[i])));
    }
}

// The first of the two documents, wherever it is cut: the key, then each thing that names it.
TEST_F(TrustAuthority, IsMadeAndNamedWhereverThePowerIsCut) {
    const HubConfig made = *config();
    const trust::MasterKey master = load_master_key(files, made).value();
    const std::string key = "/hub/trust/ca.next.key.pem";
    std::optional<Bytes> named;
    for (std::uint64_t cut = 0; !named; ++cut) {
        files.crash_before_effect(files.effects() + cut, cut);
        if (auto next = next_authority(files, system_entropy(), made, 2)) named = *std::move(next);
        files.set_hook({});
        if (named) break;
        files.restart();
        // What was made and never named stands in nobody's way.
        ASSERT_TRUE(start(newest(), master)) << "cut at " << cut;
        expect_papers_by(first);
        (void)files.remove(key);
    }
    second = *named;
    RootChange change;
    change.authority = second;
    const Bytes document = signed_by(changed(change), {"root-1.pem", "root-2.pem"});
    bool done = false;
    for (std::uint64_t cut = 0; !done; ++cut) {
        files.crash_before_effect(files.effects() + cut, cut);
        done = publish_root(files, "/hub/trust", document).has_value() &&
               start(newest(), master).has_value();
        files.set_hook({});
        if (!done) files.restart();

        if (newest().version == 1) {
            ASSERT_TRUE(publish_root(files, "/hub/trust", document)) << "cut at " << cut;
        }
        ASSERT_TRUE(start(newest(), master)) << "cut at " << cut;
        EXPECT_EQ(text_of("/hub/trust/ca.pem"), pem(first) + pem(second));
        EXPECT_EQ(text_of("/hub/broker/ca.pem"), pem(first) + pem(second));
        expect_papers_by(first);
        EXPECT_EQ(Authorities::load(files, made, master, newest())->issuing().certificate(),
                  second);
        if (done) break;
        ASSERT_TRUE(files.remove("/hub/trust/root.2"));
        ASSERT_TRUE(start(newest(), master));
        EXPECT_EQ(text_of("/hub/trust/ca.pem"), pem(first));
    }
}

TEST_F(TrustAuthority, LeavesCertificatesThatSomebodyElseIssued) {
    auto stranger = trust::Authority::create(trust::generate_key(system_entropy()).value(),
                                             system_entropy(), "stranger")
                        .value();
    const auto key = trust::generate_key(system_entropy()).value();
    const std::vector<std::string> names = {"broker.example"};
    const Bytes der = stranger.issue_server(system_entropy(), key->public_key(), names, {}).value();
    ASSERT_TRUE(replace_file(files, "/hub/broker/server.pem", as_bytes(pem(der))));
    const std::string theirs = pem(stranger.certificate()) + pem(first);
    ASSERT_TRUE(replace_file(files, "/hub/broker/ca.pem", as_bytes(theirs)));
    name_another();
    drop_the_other();
    ASSERT_TRUE(start());
    EXPECT_EQ(text_of("/hub/broker/server.pem"), pem(der));
    EXPECT_EQ(text_of("/hub/broker/ca.pem"), theirs);
}

TEST_F(TrustAuthority, OfAnEarlierDraftIsNotTakenForANewOne) {
    ASSERT_TRUE(next_authority(files, system_entropy(), *config(), 2));
    const auto again = next_authority(files, system_entropy(), *config(), 2);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::conflict);
    EXPECT_THAT(again.error().what, HasSubstr("remove this file"));
}

TEST_F(TrustAuthority, ThatIsNotHereIsNotPublished) {
    RootChange change;
    change.authority = trust::Authority::create(trust::generate_key(system_entropy()).value(),
                                                system_entropy(), "elsewhere")
                           .value()
                           .certificate();
    Root next = changed(change);
    next.authorities = {*change.authority};
    const Status serves =
        check_root_serves(files, *config(), load_master_key(files, *config()).value(), next);
    ASSERT_FALSE(serves);
    EXPECT_THAT(serves.error().what, HasSubstr("no authority whose key is here"));
}

TEST_F(TrustAuthority, IsNeitherTheLastToGoNorTheThirdToCome) {
    EXPECT_FALSE(check_authorities_change(newest(), false, true));
    EXPECT_TRUE(check_authorities_change(newest(), true, false));
    name_another();
    EXPECT_FALSE(check_authorities_change(newest(), true, false));
    EXPECT_TRUE(check_authorities_change(newest(), false, true));
    EXPECT_FALSE(check_authorities_change(newest(), true, true));
}

TEST_F(TrustAuthority, SignsAListOfTheRevokedOfItsOwn) {
    name_another();
    const auto opened = Deployment::open(files, *config()).value();
    const std::vector<Bytes> serials = {Bytes{1, 2, 3}};
    const std::string text = opened->authorities().lists_of_revoked(serials, {1}).value();
    const auto lists = trust::all_from_pem(trust::kRevocationListLabel, text).value();
    ASSERT_EQ(lists.size(), 2u);
    for (const Bytes& list : lists) EXPECT_EQ(trust::listed_in(list).value(), serials);
    EXPECT_EQ(lists[0], opened->authorities().vouching().revocation_list(1, serials).value());
    EXPECT_EQ(lists[1], opened->authorities().issuing().revocation_list(1, serials).value());
}

// ---- other keys for the servers ----

class TrustServerKeys : public TrustAuthority {
protected:
    // A certificate of this server by somebody else's authority, put in the place of ours.
    Bytes issue_elsewhere(const std::string& paper) {
        auto stranger = trust::Authority::create(trust::generate_key(system_entropy()).value(),
                                                 system_entropy(), "stranger")
                            .value();
        const std::vector<std::string> names = {"server.example"};
        const Bytes der = stranger.issue_server(system_entropy(), key_of(paper), names, {}).value();
        EXPECT_TRUE(replace_file(files, paper + ".pem", as_bytes(pem(der))));
        return der;
    }
};

TEST_F(TrustServerKeys, AreReplacedAtTheStartThatFollows) {
    const std::vector<Bytes> before = keys();
    ASSERT_TRUE(make_other_keys());
    EXPECT_EQ(keys(), before);
    EXPECT_TRUE(next_server_keys_wait(files, *config()));

    ASSERT_TRUE(start());

    expect_none_of(before);
    expect_papers_by(first);
    EXPECT_FALSE(next_server_keys_wait(files, *config()));
    const std::vector<Bytes> now = keys();
    ASSERT_TRUE(start());
    EXPECT_EQ(keys(), now);
}

TEST_F(TrustServerKeys, AreOfTheAuthorityThatVouches) {
    name_another();
    ASSERT_TRUE(make_other_keys());
    ASSERT_TRUE(start());
    expect_papers_by(first);
}

TEST_F(TrustServerKeys, AreReplacedWhereverThePowerIsCut) {
    const Root root = newest();
    const trust::MasterKey master = load_master_key(files, *config()).value();
    bool done = false;
    for (std::uint64_t cut = 0; !done; ++cut) {
        const std::vector<Bytes> before = keys();
        ASSERT_TRUE(make_other_keys());
        files.crash_before_effect(files.effects() + cut, cut);
        done = start(root, master).has_value();
        files.set_hook({});
        if (!done) files.restart();

        ASSERT_TRUE(start(root, master)) << "cut at " << cut;
        expect_papers_by(first);
        expect_none_of(before);
    }
}

// A hub may start at any moment of it.
TEST_F(TrustServerKeys, ThatAreBeingMadeWhenThePowerIsCutDoNoHarm) {
    const Root root = newest();
    const HubConfig made = *config();
    const trust::MasterKey master = load_master_key(files, made).value();
    bool done = false;
    for (std::uint64_t cut = 0; !done; ++cut) {
        files.crash_before_effect(files.effects() + cut, cut);
        done = make_next_server_keys(files, system_entropy(), made, master).has_value();
        files.set_hook({});
        if (!done) files.restart();

        ASSERT_TRUE(start(root, master)) << "cut at " << cut;
        expect_papers_by(first);
    }
}

TEST_F(TrustServerKeys, OfAnEarlierTryAreNotTakenForNewOnes) {
    ASSERT_TRUE(make_other_keys());
    const Status again = make_other_keys();
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::conflict);
    EXPECT_THAT(again.error().what, HasSubstr("remove this file"));
}

TEST_F(TrustServerKeys, OfABrokerThatSomebodyElseSetUpStay) {
    const Bytes der = issue_elsewhere("/hub/broker/server");
    const Bytes key = key_of("/hub/broker/server");

    ASSERT_TRUE(make_other_keys());
    ASSERT_TRUE(start());

    EXPECT_EQ(key_of("/hub/broker/server"), key);
    EXPECT_EQ(text_of("/hub/broker/server.pem"), pem(der));
    EXPECT_FALSE(files.stat("/hub/broker/server.next.key.pem"));
}

// A hub that runs leaves for them, and must come back.
TEST_F(TrustServerKeys, ThatCannotBeUsedGiveWayToOthers) {
    const std::vector<Bytes> before = keys();
    ASSERT_TRUE(make_other_keys());
    ASSERT_TRUE(replace_file(files, "/hub/trust/api.next.key.pem", as_bytes("damaged")));
    const trust::Passphrase another = test::passphrase();  // as of another master key
    ASSERT_TRUE(files.remove("/hub/trust/hub.next.key.pem"));
    ASSERT_TRUE(
        trust::create_key(files, system_entropy(), "/hub/trust/hub.next.key.pem", &another));

    const Status started = start();

    ASSERT_TRUE(started) << started.error().what;
    expect_none_of(before);
    expect_papers_by(first);
}

TEST_F(TrustServerKeys, ThatCannotBeUsedDoNotKeepAnAuthorityFromBeingDropped) {
    const std::vector<Bytes> before = keys();
    name_another();
    drop_the_other();
    ASSERT_TRUE(replace_file(files, "/hub/broker/server.next.key.pem", as_bytes("damaged")));
    ASSERT_TRUE(start());
    expect_none_of(before);
    expect_papers_by(second);
}

TEST_F(TrustServerKeys, WaitWhenAllOfOursAreThere) {
    ASSERT_TRUE(make_other_keys());
    ASSERT_TRUE(files.remove("/hub/broker/server.next.key.pem"));
    EXPECT_FALSE(next_server_keys_wait(files, *config()));
    issue_elsewhere("/hub/broker/server");
    EXPECT_TRUE(next_server_keys_wait(files, *config()));
}

TEST_F(TrustServerKeys, OfADoorThatSomebodyElseSetUpStayAndTheOthersAreTaken) {
    const std::vector<Bytes> before = keys();
    issue_elsewhere("/hub/trust/api");
    ASSERT_TRUE(make_other_keys());
    EXPECT_TRUE(next_server_keys_wait(files, *config()));
    ASSERT_TRUE(start());
    EXPECT_FALSE(next_server_keys_wait(files, *config()));
    EXPECT_EQ(keys()[0], before[0]);
    EXPECT_NE(keys()[1], before[1]);
    EXPECT_NE(keys()[2], before[2]);
}

TEST_F(TrustServerKeys, AreNotSaidToBeMadeWhereNoServerIsOurs) {
    for (const std::string paper : kPapers) issue_elsewhere(paper);
    const Status made = make_other_keys();
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::invalid);
}

// ---- whose certificates boards hold ----

class TrustIssuerCount : public test::EnrolmentTest {
protected:
    TrustIssuerCount() {
        journal = board.store().head().incarnation;
        given(at.enrol(journal, key, at.token()));
        root.version = 2;
        root.authorities = {at.authority->certificate()};
    }
    // From now on certificates are by this one.
    void name_another() {
        next_authority = std::make_unique<trust::Authority>(
            trust::Authority::create(trust::generate_key(at.authority_entropy).value(),
                                     at.authority_entropy, "the next")
                .value());
        root.authorities.push_back(next_authority->certificate());
        at.enrolment = std::make_unique<Enrolment>(
            *at.home.ledger, *next_authority, at.home.clock, at.home.entropy,
            Enrolment::Options{.door_url = "https://127.0.0.1:8461",
                               .door_authority = sha256(at.authority->certificate())},
            [] { return sha256(as_bytes("root")); }, Enrolment::Changed());
    }
    HeldCertificates count() { return count_certificates(at.catalog(), root); }

    test::Board board{"board-one", 2};  // whose key is `key`, and whose next one `next`
    Root root;
    std::unique_ptr<trust::Authority> next_authority;
};

TEST_F(TrustIssuerCount, IsByTheCertificateOfTheKeyThatIsInForce) {
    EXPECT_EQ(count().to_renew(), 0u);
    name_another();
    EXPECT_EQ(count().to_renew(), 1u);
    EXPECT_THAT(count().named.front().boards.some, ElementsAre("board-one"));

    ASSERT_TRUE(at.enrolment->renew(at.renewal("board-one", journal, key, next)));
    EXPECT_EQ(count().to_renew(), 1u) << "nobody knows yet whether the answer arrived";
    board.change_key(4);
    board.bring_to(*at.home.ledger);
    EXPECT_EQ(count().to_renew(), 0u);
    EXPECT_THAT(count().named.back().boards.some, ElementsAre("board-one"));
}

TEST_F(TrustIssuerCount, AnAnswerThatWasLostIsGivenAnewByTheAuthorityOfNow) {
    const auto by = [](const trust::Authority& authority, const Bytes& certificate) {
        return trust::verify_certificate(certificate, std::span(&authority.certificate(), 1),
                                         trust::CertificateUse::client)
            .has_value();
    };
    const auto enrolled = [&] { return given(at.enrol(journal, key)).certificate; };
    const auto renewed = [&] {
        return at.enrolment->renew(at.renewal("board-one", journal, key, next))->certificate;
    };
    EXPECT_TRUE(by(*at.authority, enrolled()));
    name_another();
    const Bytes first = enrolled();
    EXPECT_TRUE(by(*next_authority, first));
    EXPECT_EQ(enrolled(), first) << "and that one again";
    const Bytes second = renewed();
    EXPECT_TRUE(by(*next_authority, second));

    const auto before = std::move(next_authority);
    name_another();
    EXPECT_EQ(enrolled(), first) << "a renewal is under way";
    const Bytes third = renewed();
    EXPECT_TRUE(by(*next_authority, third));
    EXPECT_EQ(renewed(), third);
}

TEST_F(TrustIssuerCount, LeavesOutWhoIsNotComing) {
    name_another();
    ASSERT_TRUE(at.enrolment->revoke("board-one", "me", "lost"));
    EXPECT_EQ(count().to_renew(), 0u);
}

// Two authorities of one name are two: a broker's operator may have called his as he likes.
TEST_F(TrustIssuerCount, KnowsAnAuthorityByItsKeyAndNotByItsName) {
    next_authority = std::make_unique<trust::Authority>(
        trust::Authority::create(trust::generate_key(at.authority_entropy).value(),
                                 at.authority_entropy,
                                 trust::parse_certificate(at.authority->certificate())->subject)
            .value());
    root.authorities = {next_authority->certificate(), at.authority->certificate()};
    EXPECT_EQ(count().to_renew(), 0u);
    std::swap(root.authorities[0], root.authorities[1]);
    EXPECT_EQ(count().to_renew(), 1u);
}

TEST_F(TrustIssuerCount, TellsOfBoardsWhoseAuthorityIsGone) {
    name_another();
    root.authorities.erase(root.authorities.begin());
    EXPECT_EQ(count().others.count, 1u);
    EXPECT_EQ(count().to_renew(), 1u);
}

// A board that was retired, and holds a certificate of before, is counted on again.
TEST_F(TrustIssuerCount, GoesOnAfterAllHaveRenewed) {
    test::ManualLoop loop;
    test::SimFiles files;
    ASSERT_TRUE(files.make_directories("/state"));
    name_another();
    ASSERT_TRUE(at.home.ledger->append({RetiredBody{"board-one", true, "me"}}));
    const IssuerCount counting(loop, files, *at.home.ledger, root, "/state");
    EXPECT_EQ(load_certificate_count(files, "/state")->to_renew(), 0u);
    ASSERT_TRUE(at.home.ledger->append({RetiredBody{"board-one", false, "me"}}));
    loop.run_until([] { return false; }, 2 * IssuerCount::kEveryMs);
    EXPECT_EQ(load_certificate_count(files, "/state")->to_renew(), 1u);
}

TEST_F(TrustIssuerCount, IsInAFileWhileTheHubRuns) {
    test::ManualLoop loop;
    test::SimFiles files;
    ASSERT_TRUE(files.make_directories("/state"));
    EXPECT_EQ(load_certificate_count(files, "/state").error().code, Errc::not_found);
    name_another();
    const IssuerCount counting(loop, files, *at.home.ledger, root, "/state");
    EXPECT_EQ(load_certificate_count(files, "/state").value(), count());

    given(at.enrol(elsewhere, other, at.token(), "second"));
    loop.run_until([] { return false; }, 2 * IssuerCount::kEveryMs);
    const HeldCertificates held = load_certificate_count(files, "/state").value();
    EXPECT_EQ(held, count());
    EXPECT_THAT(held.named.back().boards.some, ElementsAre("second"));
}

TEST_F(TrustIssuerCount, TokensPinTheAuthorityOfTheDoor) {
    name_another();
    at.token();
    EXPECT_EQ(trust::parse_token(at.last_token.text)->authority,
              sha256(at.authority->certificate()));
}

}  // namespace
}  // namespace tributary::hub
