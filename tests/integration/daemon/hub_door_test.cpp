// What a board asks of its hub's door, and what it says and believes when somebody else answers
// there: a real server with TLS, of our authority or a stranger's, over a simulated board.
#include "agent/app/daemon/hub_door.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "agent/sync/new_journal.h"
#include "common/net/http_server.h"
#include "common/record/message.h"
#include "common/trust/fetch.h"
#include "common/trust/key_change.h"
#include "common/trust/renewal.h"
#include "tests/integration/net/loop_runner.h"
#include "tests/support/secured_hub.h"
#include "tests/support/store_builder.h"
#include "tests/support/temp_dir.h"

namespace tributary::agent {
namespace {

using test::run_until;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr std::uint64_t kYearMs = 365ull * 86'400'000;

// All on one thread: the work at once, what follows it later.
class QueueOfOneThread final : public StoreQueue {
public:
    QueueOfOneThread(Loop& loop, Store& store) : loop_(loop), store_(store) {}
    void run(std::function<void(Store&)> work, std::function<void()> done) override {
        work(store_);
        if (done) loop_.post(std::move(done));
    }
    void run_long(std::function<void(Store&, const Breathe&)>, std::function<void()>) override {
        ADD_FAILURE() << "nothing here takes long";
    }

private:
    Loop& loop_;
    Store& store_;
};

class TrustHubDoor : public testing::Test {
protected:
    TrustHubDoor() {
        Config& config = node.config;
        config.state_dir = directory.path();
        store = *machine.open();
        auto key = trust::create_key(files, entropy, config.key_path());
        EXPECT_TRUE(key);
        StartBody start = test::start_body();
        start.public_key = (*key)->public_key();
        EXPECT_TRUE(store->start_journal(start));
        EXPECT_TRUE(store->commit());
        node.trust =
            *TrustKeeper::open(files, machine.clock, trust::system_verifier(), config.trust_path());
        const Bytes root = hub.document();
        EXPECT_TRUE(node.trust->begin(root, hub.digest_of(root), in(kYearMs)));
        EXPECT_TRUE(keep_authorities(files, config.ca_path(), hub.root));
        EXPECT_TRUE(trust::put_certificate(files, config.key_path(),
                                           certificate(hub.authority, (*key)->public_key())));
        keys.key = *std::move(key);
        pins.device = "board";
        follow_root(pins, hub.root);
        uplink.emplace(*store, *keys.key, trust::system_verifier(), pins, node.trust.get());
        queue.emplace(*loop, *store);
    }
    ~TrustHubDoor() override {
        if (door) door->stop();
    }

    static WallTime in(std::uint64_t ms) { return {TrustKeeper::kBuilt.ms + ms}; }
    Bytes certificate(trust::Authority& by, ByteView key) {
        return by.issue_device(entropy, "board", key, {{0}, in(2 * kYearMs)}).value();
    }
    static trust::Authority authority(const std::string& name, std::uint64_t seed) {
        test::SimEntropy random(seed);
        return trust::Authority::create(trust::generate_key(random).value(), random, name).value();
    }

    // ---- who answers at the door ----

    // A door whose certificate is by `by`. What it is asked, and whether it was shown who asks, is
    // in `asked`.
    void serve(trust::Authority& by, std::uint16_t port = 0) {
        server.reset();
        const std::string path = directory / ("server." + std::to_string(port) + ".pem");
        const auto key = trust::create_key(files, entropy, path).value();
        const std::vector<std::string> here = {"127.0.0.1"};
        const Bytes own = by.issue_door(entropy, key->public_key(), {}, here).value();
        HttpServerOptions options;
        options.listen = "127.0.0.1:" + std::to_string(port);
        options.tls = TlsIdentity{trust::to_pem(trust::kCertificateLabel, own) +
                                      trust::to_pem(trust::kCertificateLabel, by.certificate()),
                                  std::string(as_text(*read_file(files, path, 4096))),
                                  {}};
        HttpRoutes routes;
        for (const auto& [method, target] : {std::pair("GET", "/api/v1/root"),
                                             {"POST", "/api/v1/renew"},
                                             {"POST", "/api/v1/enrol"},
                                             {"GET", "/api/v1/object"}})
            routes.add(method, target, [this](const HttpRequest& request) {
                const std::string asks = request.target.substr(0, request.target.find('?'));
                asked[asks] += 1;
                if (!request.body.empty() || !request.header(trust::kFetchProofHeader).empty())
                    shown.insert(asks);
                last[asks] = request;
                return answers[asks] ? answers[asks](request) : HttpResponse{};
            });
        auto made = make_http_server(*loop, std::move(options), std::move(routes));
        ASSERT_TRUE(made) << made.error().what;
        server = *std::move(made);
    }
    void answer_roots(const std::vector<Bytes>& documents) {
        Json list = Json::array();
        for (const Bytes& document : documents) list.push(to_hex(document));
        answers["/api/v1/root"] = [text = Json::object({{"documents", list}}).text()](auto&) {
            HttpResponse response;
            response.body = text;
            return response;
        };
    }
    void answer_status(const std::string& path, unsigned status) {
        answers[path] = [status](auto&) {
            HttpResponse response;
            response.status = status;
            response.body = R"({"error":{"code":"unavailable","message":"later"}})";
            return response;
        };
    }
    // Gives a certificate for whatever key is asked for.
    void certify_by(trust::Authority& by) {
        answers["/api/v1/renew"] = [this, &by](const HttpRequest& request) {
            const Json form = *parse_json(as_text(request.body));
            const Bytes csr = *trust::from_pem(trust::kCsrLabel, *form.text_at("csr"));
            HttpResponse response;
            response.body = Json::object({{"certificate",
                                           trust::to_pem(trust::kCertificateLabel,
                                                         certificate(by, *trust::parse_csr(csr)))},
                                          {"renew_after", to_text(in(kYearMs))}})
                                .text();
            return response;
        };
    }
    // The document that follows, by those who keep the root keys; with this authority behind ours,
    // or instead.
    Bytes next_root(const trust::Authority& named, bool instead) {
        if (instead) hub.root.authorities.clear();
        hub.root.authorities.push_back(named.certificate());
        hub.root.version += 1;
        return hub.document();
    }

    // ---- the board ----

    void open() {
        HubDoor::Host host{*loop,
                           *queue,
                           node,
                           keys,
                           *uplink,
                           passphrase,
                           "https://127.0.0.1:" + std::to_string(server->port()),
                           {},
                           pins,
                           "board",
                           {},
                           {},
                           {},
                           {}};
        host.trust.ca_file = node.config.ca_path();
        host.trust.role = trust::kDoorRole;
        host.pins_changed = [](const Pins&) {};
        host.key_changed = [this] { ++reconnects; };
        host.journal_known = [] {};
        host.refused = [this](SecurityEvent event, const std::string& why) {
            refused.emplace_back(name_of(event), why);
        };
        door = std::make_shared<HubDoor>(std::move(host));
        door->look();
    }
    std::uint64_t version() const { return node.trust->root()->root.version; }
    // Until somebody told why he refuses something.
    void wait_for_refusal() {
        ASSERT_TRUE(run_until(*loop, [&] { return !refused.empty(); }));
        test::run_for(*loop, 50);  // nothing follows it
    }
    // The door has a document that others signed.
    void expect_root_of_other_keys_refused() {
        test::SecuredHub other(2);
        other.root.version = 2;
        answer_roots({other.document()});
        open();

        wait_for_refusal();

        EXPECT_EQ(version(), 1u);
        EXPECT_THAT(refused, ElementsAre(Pair("root_refused", testing::_)));
    }
    Bytes certificate_now() { return *trust::load_certificate(files, node.config.key_path()); }
    // From the key of now to another, which the hub has not receipted.
    void change_key() {
        KeySuccession succession(files, *store, node.config, node.trust.get(), nullptr);
        const Identity heir = *succession.prepare(entropy);
        ASSERT_TRUE(
            succession.keep_certificate(certificate(hub.authority, heir.key->public_key())));
        ASSERT_TRUE(succession.change(*keys.key));
        keys.former = *succession.former();
        keys.key = std::move(load_identity(files, node.config.key_path(), nullptr)->key);
        uplink->set_signer(*keys.key, keys.former->key.get(), keys.former->until);
    }

    test::TempDir directory;
    Files& files = system_files();
    test::SimEntropy entropy{5};
    test::StoreMachine machine;
    test::SecuredHub hub;
    trust::Authority stranger = authority("stranger", 91), next = authority("next", 92);
    std::unique_ptr<NetLoop> loop = make_loop();
    std::unique_ptr<Store> store;
    Node node{{files, machine.clock, entropy, {}}, {}, {}, {}, {}, {}, {}, {}, {}};
    IdentityPassphrase passphrase;
    JournalKeys keys;
    Pins pins;
    std::optional<Uplink> uplink;
    std::optional<QueueOfOneThread> queue;
    std::shared_ptr<HubDoor> door;

    std::unique_ptr<HttpServer> server;
    std::map<std::string, std::function<HttpResponse(const HttpRequest&)>> answers;
    std::map<std::string, int> asked;
    std::map<std::string, HttpRequest> last;
    std::set<std::string> shown;
    std::vector<std::pair<std::string, std::string>> refused;
    int reconnects = 0;
};

// While it was away the authority that it knows was dropped.
TEST_F(TrustHubDoor, TakesRootDocumentsThatProveThemselvesFromWhomItDoesNotBelieve) {
    serve(next);
    answer_roots({next_root(next, true)});
    open();

    ASSERT_TRUE(run_until(*loop, [&] { return version() == 2; }));
    EXPECT_THAT(refused, IsEmpty());
    EXPECT_EQ(last["/api/v1/root"].target, "/api/v1/root?after=1");
    EXPECT_TRUE(last["/api/v1/root"].body.empty());
}

// Behind the documents it believes who shows a certificate of the authority of now, and it renews.
TEST_F(TrustHubDoor, RenewsThereOnceTheRootNamesItsAuthority) {
    serve(next);
    answer_roots({next_root(next, true)});
    certify_by(next);
    const Bytes before = keys.key->public_key();
    open();

    ASSERT_TRUE(run_until(*loop, [&] { return reconnects == 1; }));
    EXPECT_NE(keys.key->public_key(), before);
    EXPECT_TRUE(trust::verify_certificate(certificate_now(), std::span(&next.certificate(), 1),
                                          trust::CertificateUse::client));
    EXPECT_THAT(refused, IsEmpty());
}

// Each document is signed by several people: the flash is not spared against them.
TEST_F(TrustHubDoor, RenewsOnceMoreWhenThatOneGoesOnTheSameDay) {
    serve(next);
    answer_roots({next_root(next, true)});
    certify_by(next);
    open();
    ASSERT_TRUE(run_until(*loop, [&] { return reconnects == 1; }));
    uplink->set_signer(*keys.key, nullptr, 0);
    keys.former.reset();  // the hub has receipted it
    (void)files.remove(node.config.old_key_path());
    trust::Authority third = authority("third", 93);
    serve(third, server->port());
    answer_roots({next_root(third, true)});
    certify_by(third);
    sync::Hello hello;
    hello.root_version = 3;
    ASSERT_TRUE(node.trust->on_hello(hello));
    door->look();

    ASSERT_TRUE(run_until(*loop, [&] { return reconnects == 2; }));
    EXPECT_TRUE(trust::verify_certificate(certificate_now(), std::span(&third.certificate(), 1),
                                          trust::CertificateUse::client));
}

// Whatever is due, a stranger hears which version the board has.
TEST_F(TrustHubDoor, SaysNothingElseToAStranger) {
    serve(stranger);
    answer_roots({next_root(next, false)});  // what is good of him is good
    ASSERT_TRUE(node.trust->note_renewal(in(0)));
    open();
    door->tell_new_journal();
    door->on_turned_away(true);

    wait_for_refusal();

    EXPECT_THAT(shown, IsEmpty());
    EXPECT_EQ(
        asked.count("/api/v1/renew") + asked.count("/api/v1/enrol") + asked.count("/api/v1/object"),
        0u);
    EXPECT_EQ(reconnects, 0);
}

TEST_F(TrustHubDoor, SendsAStrangerNoRequestForACertificate) {
    serve(stranger);
    answer_roots({next_root(next, false)});
    ASSERT_TRUE(node.trust->note_renewal(in(0)));
    certify_by(stranger);
    open();

    wait_for_refusal();

    EXPECT_EQ(version(), 2u) << "the document is good, whoever brings it";
    EXPECT_EQ(asked.count("/api/v1/renew"), 0u);
    EXPECT_THAT(refused, ElementsAre(Pair("door_unproven", HasSubstr("127.0.0.1"))));
}

TEST_F(TrustHubDoor, TellsOfADoorThatIsNotBelievedAndShowsNothingNew) {
    serve(stranger);
    answer_roots({});
    open();

    wait_for_refusal();

    EXPECT_THAT(refused, ElementsAre(Pair("door_unproven", HasSubstr("127.0.0.1"))));
    EXPECT_FALSE(door->trouble().empty());
}

TEST_F(TrustHubDoor, TakesNoRootOfAStrangersKeys) {
    serve(stranger);
    expect_root_of_other_keys_refused();
}

TEST_F(TrustHubDoor, TakesNoRootOfAStrangersKeysFromItsOwnDoorEither) {
    serve(hub.authority);
    expect_root_of_other_keys_refused();
}

// ---- a certificate that a power cut kept from being used ----

class TrustHubDoorAfterAPowerCut : public TrustHubDoor {
protected:
    // Came behind the next key, and the journal says nothing of it yet.
    void keep(trust::Authority& by, WallTime not_after) {
        KeySuccession succession(files, *store, node.config, node.trust.get(), nullptr);
        const Identity heir = *succession.prepare(entropy);
        heir_key = heir.key->public_key();
        kept = by.issue_device(entropy, "board", heir_key, {{0}, not_after}).value();
        EXPECT_TRUE(succession.keep_certificate(kept));
        EXPECT_TRUE(node.trust->note_renewal(in(0)));
    }
    // The certificate that it goes on with, of the same key.
    Bytes renewed(trust::Authority& by) {
        serve(hub.authority);
        answer_roots({});
        certify_by(by);
        open();
        EXPECT_TRUE(run_until(*loop, [&] { return reconnects == 1; }));
        EXPECT_EQ(keys.key->public_key(), heir_key);
        return certificate_now();
    }

    Bytes heir_key, kept;
};

TEST_F(TrustHubDoorAfterAPowerCut, GoesOnWithTheCertificateThatItHas) {
    keep(hub.authority, in(2 * kYearMs));
    EXPECT_EQ(renewed(hub.authority), kept);
    EXPECT_EQ(asked.count("/api/v1/renew"), 0u);
}

TEST_F(TrustHubDoorAfterAPowerCut, AsksOnceMoreWhenAnotherAuthorityTookOver) {
    keep(hub.authority, in(2 * kYearMs));
    ASSERT_TRUE(take_roots(*node.trust, files, node.config.ca_path(),
                           std::vector<Bytes>{next_root(next, false)}, pins));
    EXPECT_NE(renewed(next), kept);
    EXPECT_EQ(asked["/api/v1/renew"], 1);
}

TEST_F(TrustHubDoorAfterAPowerCut, AsksOnceMoreWhenItExpired) {
    keep(hub.authority, {TrustKeeper::kBuilt.ms - 1000});
    EXPECT_NE(renewed(hub.authority), kept);
    EXPECT_EQ(asked["/api/v1/renew"], 1);
}

// ---- a change of key that did not reach the hub ----

// Its authority was dropped since: without another certificate it would come to no broker.
TEST_F(TrustHubDoor, AsksForTheKeyThatItHasWhileTheLastChangeIsNotReceipted) {
    const Bytes first = keys.key->public_key();
    change_key();
    const Bytes second = keys.key->public_key(), held = certificate_now();
    serve(next);
    answer_roots({next_root(next, true)});
    certify_by(next);
    open();

    ASSERT_TRUE(run_until(*loop, [&] { return reconnects == 1; }));
    EXPECT_EQ(keys.key->public_key(), second);
    EXPECT_EQ(keys.former->key->public_key(), first);
    EXPECT_NE(certificate_now(), held);
    EXPECT_EQ(trust::parse_certificate(certificate_now())->public_key, second);
    const Json form = *parse_json(as_text(last["/api/v1/renew"].body));
    ASSERT_EQ((*form.array_at("key_changes"))->size(), 1u);
    EXPECT_EQ((*form.array_at("key_changes"))->front(), Json(to_hex(keys.former->changes.front())));
}

// Otherwise it asks for it day by day.
TEST_F(TrustHubDoor, NotesWhenToRenewAlsoWithTheCertificateThatItHas) {
    change_key();
    ASSERT_TRUE(node.trust->note_renewal(in(0)));
    serve(hub.authority);
    answer_roots({});
    answers["/api/v1/renew"] = [this](auto&) {
        HttpResponse response;
        response.body = Json::object({{"certificate",
                                       trust::to_pem(trust::kCertificateLabel, certificate_now())},
                                      {"renew_after", to_text(in(kYearMs))}})
                            .text();
        return response;
    };
    open();

    EXPECT_TRUE(run_until(*loop, [&] { return node.trust->state().renew_after == in(kYearMs); }));
    EXPECT_EQ(reconnects, 0);
}

TEST_F(TrustHubDoor, ShowsTheChangeWhereItAsksWhetherItIsStillBelieved) {
    change_key();
    serve(hub.authority);
    answer_roots({});
    answer_status("/api/v1/object", 404);
    certify_by(hub.authority);
    open();
    door->on_turned_away(true);

    ASSERT_TRUE(run_until(*loop, [&] { return asked.count("/api/v1/object") == 1; }));
    EXPECT_EQ(last["/api/v1/object"].header(trust::kFetchKeyChangesHeader),
              to_hex(keys.former->changes.front()));
}

// The hub says when: nothing of the board's is lost, and it is no refusal.
TEST_F(TrustHubDoor, WaitsWhereTheDoorSaysTooOften) {
    serve(hub.authority);
    answer_roots({});
    ASSERT_TRUE(node.trust->note_renewal(in(0)));
    answer_status("/api/v1/renew", 429);
    const Bytes key = keys.key->public_key();
    open();

    ASSERT_TRUE(run_until(*loop, [&] { return asked.count("/api/v1/renew") == 1; }));
    test::run_for(*loop, 1'500);

    EXPECT_EQ(asked["/api/v1/renew"], 1);
    EXPECT_EQ(keys.key->public_key(), key);
    EXPECT_THAT(refused, IsEmpty());
    EXPECT_THAT(door->trouble(), HasSubstr("later"));
}

}  // namespace
}  // namespace tributary::agent
