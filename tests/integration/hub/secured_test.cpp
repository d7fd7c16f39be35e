// A secured hub as its operator meets it: made, started with its broker, and ended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "common/env/clock.h"
#include "common/net/http_client.h"
#include "common/text/json.h"
#include "hub/broker/broker_keeper.h"
#include "hub/broker/broker_process.h"
#include "hub/broker/take_over.h"
#include "hub/deploy/deployment.h"
#include "hub/deploy/init.h"
#include "tests/integration/net/loop_runner.h"
#include "tests/integration/net/mqtt_peer.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace tributary::hub {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using test::eventually;
using test::MqttPeer;
using test::run_until;
using ::testing::HasSubstr;

constexpr milliseconds kSoon(20'000);
constexpr std::uint64_t kSoonMs = 20'000 * test::kPatience;

// A folder for a hub, and ports for it.
struct Place {
    test::TempDir dir;
    std::string hub = dir / "hub";
    std::uint16_t api_port = test::free_port();
    std::uint16_t devices_port = test::free_port();
    std::uint16_t broker_port = test::free_port();

    Place() { std::ofstream(dir / "passphrase") << "correct horse battery\n"; }

    std::vector<std::string> words(const std::string& verb) const {
        return {test::program("tributary-hub"),
                verb,
                hub,
                "--bind",
                "127.0.0.1",
                "--api-port",
                std::to_string(api_port),
                "--devices-port",
                std::to_string(devices_port),
                "--broker-port",
                std::to_string(broker_port),
                "--root-keys",
                "2",
                "--root-passphrase-file",
                dir / "passphrase"};
    }
    test::Finished root(std::vector<std::string> words) const {
        words.insert(words.begin(), {test::program("tributary-hub"), "root"});
        return test::run(std::move(words));
    }
    std::string in(const std::string& path) const { return hub + "/" + path; }
    std::string broker_url() const { return "mqtts://127.0.0.1:" + std::to_string(broker_port); }

    // Key and certificate of a device in one file, as its own enrolment would give it.
    std::string credentials(const std::string& device) const {
        const auto config = load_config(system_files(), in("hub.toml"));
        const auto deployment = Deployment::open(system_files(), *config);
        EXPECT_TRUE(deployment) << deployment.error().what;
        const std::string path = dir / (device + ".pem");
        const auto key = trust::create_key(system_files(), system_entropy(), path);
        const auto certificate =
            (*deployment)
                ->authority()
                .issue_device(system_entropy(), device, (*key)->public_key(), trust::kAlways);
        EXPECT_TRUE(certificate) << certificate.error().what;
        EXPECT_TRUE(trust::put_certificate(system_files(), path, *certificate));
        return path;
    }
    MqttOptions client(const std::string& credentials_path, std::string topic = "") const {
        MqttOptions options;
        options.url = broker_url();
        options.client_id = "whatever-it-says";
        options.ca_file = in("trust/ca.pem");
        options.certificate_file = credentials_path;
        if (!topic.empty()) options.subscriptions = {std::move(topic)};
        options.backoff_base_ms = 50;
        options.backoff_max_ms = 200;
        options.refused_retry_ms_max = 200;
        return options;
    }
};

Result<HttpClientResponse> get(const std::string& url, const std::string& ca) {
    HttpClientRequest request;
    request.url = url;
    request.trust.ca_file = ca;
    return http_request(std::move(request));
}

// Processes that a process started.
std::vector<pid_t> children_of(pid_t pid) {
    const std::string id = std::to_string(pid);
    std::ifstream list("/proc/" + id + "/task/" + id + "/children");
    std::vector<pid_t> children;
    for (pid_t child = 0; list >> child;) children.push_back(child);
    return children;
}

bool runs(pid_t pid) { return ::kill(pid, 0) == 0; }

unsigned mode_of(const std::string& path) {
    return static_cast<unsigned>(fs::status(path).permissions()) & 0777u;
}

TEST(SecuredHub, IsMadeWithFilesThatOnlyItsOwnerReads) {
    const Place place;
    const test::Finished made = test::run(place.words("init"));
    ASSERT_EQ(made.ending.exit_code, 0) << made.err;
    EXPECT_THAT(made.out, HasSubstr("take-away"));
    for (const char* secret : {"master.key", "state/key.pem", "trust/ca.key.pem",
                               "trust/api.key.pem", "trust/hub.key.pem", "broker/server.key.pem",
                               "take-away/root-1.pem", "take-away/root-2.pem"})
        EXPECT_EQ(mode_of(place.in(secret)), 0600u) << secret;
    EXPECT_EQ(mode_of(place.hub), 0700u);

    const test::Finished again = test::run(place.words("init"));
    EXPECT_EQ(again.ending.exit_code, 3);
    EXPECT_THAT(again.err, HasSubstr("holds a hub already"));
}

TEST(SecuredHub, ShowsAMadePassphraseOnceAndThatOpensTheRootKeys) {
    const Place place;
    std::vector<std::string> words = place.words("init");
    words.resize(words.size() - 2);  // without a passphrase file
    words.push_back("--json");
    const test::Finished made = test::run(words);
    ASSERT_EQ(made.ending.exit_code, 0) << made.err;
    const auto form = parse_json(made.out);
    ASSERT_TRUE(form) << made.out;
    const auto text = form->text_at("passphrase");
    ASSERT_TRUE(text);
    const auto passphrase = trust::Passphrase::of_person(*text);
    EXPECT_TRUE(trust::load_key(system_files(), place.in("take-away/root-1.pem"), &*passphrase));
    EXPECT_EQ(trust::load_key(system_files(), place.in("take-away/root-1.pem")).error().code,
              Errc::denied);
}

TEST(SecuredHub, StartsItsBrokerRestartsItAndTakesItAlong) {
    const Place place;
    test::Process hub(place.words("up"));
    ASSERT_TRUE(hub.wait_for_output("connected to the broker", kSoon)) << hub.err();

    // The API, to who has the authority's certificate, and to nobody without TLS.
    const std::string address = "127.0.0.1:" + std::to_string(place.api_port) + "/healthz";
    const auto healthy = get("https://" + address, place.in("trust/ca.pem"));
    ASSERT_TRUE(healthy) << healthy.error().what;
    EXPECT_EQ(healthy->status, 200u);
    EXPECT_FALSE(get("https://" + address, ""));
    const auto plain = get("http://" + address, "");
    EXPECT_TRUE(!plain || plain->status == 400u);

    // The broker dies.
    std::vector<pid_t> children = children_of(hub.pid());
    ASSERT_EQ(children.size(), 1u);
    const pid_t first = children.front();
    ::kill(first, SIGKILL);
    ASSERT_TRUE(hub.wait_for_output("the broker ended", kSoon)) << hub.err();
    ASSERT_TRUE(eventually(
        [&] {
            const auto health = get("https://" + address, place.in("trust/ca.pem"));
            children = children_of(hub.pid());
            return health && health->status == 200u && children.size() == 1 &&
                   children.front() != first;
        },
        milliseconds(40'000)))
        << hub.err();

    EXPECT_EQ(hub.stop(), (test::Ending{0, 0})) << hub.err();
    EXPECT_TRUE(eventually([&] { return !runs(children.front()); }, kSoon));

    // And again, as it was made the first time.
    test::Process once_more(place.words("up"));
    ASSERT_TRUE(once_more.wait_for_output("connected to the broker", kSoon)) << once_more.err();
    EXPECT_EQ(once_more.out(), "");
    EXPECT_EQ(once_more.stop(), (test::Ending{0, 0}));
}

TEST(SecuredHub, PrintsNoPassphraseIntoALog) {
    const Place place;
    std::vector<std::string> words = place.words("up");
    words.resize(words.size() - 2);
    const test::Finished refused = test::run(words);
    EXPECT_EQ(refused.ending.exit_code, 2);
    EXPECT_EQ(refused.out, "");
    EXPECT_NE(refused.err.find("--root-passphrase-file"), std::string::npos) << refused.err;
    EXPECT_FALSE(fs::exists(place.hub));
}

TEST(SecuredHub, LeavesNoBrokerBehindWhenItIsKilled) {
    const Place place;
    test::Process hub(place.words("up"));
    ASSERT_TRUE(hub.wait_for_output("connected to the broker", kSoon)) << hub.err();
    const std::vector<pid_t> children = children_of(hub.pid());
    ASSERT_EQ(children.size(), 1u);
    hub.send_signal(SIGKILL);
    ASSERT_TRUE(hub.wait(kSoon));
    EXPECT_TRUE(eventually([&] { return !runs(children.front()); }, kSoon));
}

TEST(SecuredHub, RefusesApproversInItsConfiguration) {
    const Place place;
    ASSERT_EQ(test::run(place.words("init")).ending.exit_code, 0);
    std::ofstream(place.in("hub.toml"), std::ios::app) << "\n[approval]\nkeys = [\"ann.pub\"]\n";
    const test::Finished ended =
        test::run({test::program("tributary-hub"), "--config", place.in("hub.toml"), "run"});
    EXPECT_EQ(ended.ending.exit_code, 2);
    EXPECT_THAT(ended.err, HasSubstr("root document names the approvers"));
}

TEST(SecuredHub, DoesNotRunWithAKeyThatItsRootDoesNotName) {
    const Place place;
    ASSERT_EQ(test::run(place.words("init")).ending.exit_code, 0);
    fs::rename(place.in("state/key.pem"), place.in("gone.pem"));
    const std::vector<std::string> words = {test::program("tributary-hub"), "--config",
                                            place.in("hub.toml"), "run"};
    const test::Finished without = test::run(words);
    EXPECT_EQ(without.ending.exit_code, 1);
    EXPECT_THAT(without.err, HasSubstr("signing key"));
    ASSERT_TRUE(trust::create_key(system_files(), system_entropy(), place.in("state/key.pem")));
    EXPECT_THAT(test::run(words).err, HasSubstr("root document"));
}

TEST(SecuredHub, GetsItsNextRootFromTwoHolders) {
    const Place place;
    ASSERT_EQ(test::run(place.words("init")).ending.exit_code, 0);
    const auto approver =
        trust::create_key(system_files(), system_entropy(), place.dir / "ann.pem");
    std::ofstream(place.dir / "ann.pub") << trust::public_key_pem((*approver)->public_key());
    const std::string draft = place.dir / "draft";
    const auto sign = [&](const char* key) {
        return place.root({"sign", draft, "--key", place.in("take-away/") + key,
                           "--passphrase-file", place.dir / "passphrase"});
    };

    const test::Finished next =
        place.root({"next", place.hub, "-o", draft, "--add-approver",
                    "ann=" + place.dir.path() + "/ann.pub", "--expires", "365d"});
    ASSERT_EQ(next.ending.exit_code, 0) << next.err;
    EXPECT_EQ(sign("root-1.pem").ending.exit_code, 0);
    EXPECT_EQ(sign("root-1.pem").ending.exit_code, 3) << "a key counts once";
    const test::Finished early = place.root({"publish", place.hub, draft});
    EXPECT_EQ(early.ending.exit_code, 1);
    EXPECT_THAT(early.err, HasSubstr("1 of the 2 signatures"));
    EXPECT_EQ(sign("root-2.pem").ending.exit_code, 0);
    ASSERT_EQ(place.root({"publish", place.hub, draft}).ending.exit_code, 0);

    const test::Finished shown = place.root({"show", place.hub, "--json"});
    const auto form = parse_json(shown.out);
    ASSERT_TRUE(form) << shown.out;
    EXPECT_EQ(form->find("version")->as_u64(), 2u);
    EXPECT_EQ(form->find("approvers")->as_array()->front().text_at("name").value(), "ann");
    EXPECT_NE(place.root({"next", place.hub, "-o", draft}).ending.exit_code, 0)
        << "a draft with signatures is not overwritten";
}

TEST(SecuredHub, OpensAnApproversKeyByItsPassphraseAlone) {
    const Place place;
    const std::string key = place.dir / "ann.pem";
    const auto tributary = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {test::program("tributary"), "--hub",
                                     "http://127.0.0.1:" + std::to_string(place.api_port)});
        return test::run(std::move(words));
    };
    const std::string passphrase = place.dir / "passphrase";
    ASSERT_EQ(tributary({"key", key, "--passphrase-file", passphrase}).ending.exit_code, 0);
    const test::Finished without = tributary({"approve", "g/r", "--key", key});
    EXPECT_EQ(without.ending.exit_code, 2);
    EXPECT_THAT(without.err, HasSubstr("is encrypted: say --passphrase-file"));
    EXPECT_EQ(tributary({"approve", "g/r", "--key", key, "--passphrase-file", passphrase})
                  .ending.exit_code,
              5)
        << "opened, and no hub is there";
}

// The broker as `init` configures it, and the hub's part of guarding it, in this process.
struct TrustAtTheBroker : ::testing::Test {
    void SetUp() override {
        ASSERT_EQ(test::run(place.words("init")).ending.exit_code, 0);
        config = load_config(system_files(), place.in("hub.toml")).value();
        deployment = Deployment::open(system_files(), config).value();
        auto started = BrokerProcess::start(*loop, system_commands(), config.broker_config);
        ASSERT_TRUE(started) << started.error().what;
        broker = *std::move(started);
        TakeOverOptions options;
        options.broker_url = place.broker_url();
        options.broker_ca = config.broker_ca;
        options.folder = config.state_dir;
        BrokerKeeperOptions keeping;
        keeping.acl_path = config.broker_acl;
        keeping.reload = [this] { return broker->reload(); };
        keeping.list_path = place.in("broker/revoked.pem");
        keeping.sign_list = [this](std::span<const Bytes> serials) -> Result<std::string> {
            TRIBUTARY_ASSIGN(const Bytes list,
                             deployment->authority().revocation_list(++lists, serials));
            return trust::to_pem(trust::kRevocationListLabel, list);
        };
        keeper = std::make_unique<BrokerKeeper>(
            *loop, system_files(), system_commands(),
            std::make_unique<TakeOver>(*loop, system_files(), system_clock(), system_entropy(),
                                       deployment->authority(), options),
            std::move(keeping));
        // Whoever connects in a test finds it listening.
        MqttPeer first(*loop, place.client(place.credentials("first")));
        ASSERT_TRUE(until([&] { return first.connects == 1; }));
    }
    bool until(const std::function<bool()>& happened) {
        return run_until(*loop, happened, kSoonMs);
    }

    Place place;
    std::unique_ptr<NetLoop> loop = make_loop();
    HubConfig config;
    std::unique_ptr<Deployment> deployment;
    std::unique_ptr<BrokerProcess> broker;
    std::unique_ptr<BrokerKeeper> keeper;
    std::uint64_t lists = 1;
};

TEST_F(TrustAtTheBroker, TakesNobodyWithoutACertificate) {
    MqttPeer known(*loop, place.client(place.credentials("b1")));
    ASSERT_TRUE(until([&] { return known.connects == 1; }));
    MqttOptions options = place.client("");
    MqttPeer stranger(*loop, std::move(options));
    ASSERT_TRUE(until([&] { return !stranger.errors.empty(); }));
    test::run_for(*loop, 500);
    EXPECT_EQ(stranger.connects, 0);
}

TEST_F(TrustAtTheBroker, LetsADeviceSpeakOnItsOwnTopicsAlone) {
    MqttPeer one(*loop, place.client(place.credentials("b1")));
    ASSERT_TRUE(until([&] { return one.connects == 1; }));
    ASSERT_TRUE(one.transport->publish("tributary/1/07/b1/up", as_bytes("mine"), 1));
    ASSERT_TRUE(until([&] { return one.sent.size() == 1; }));
    EXPECT_TRUE(one.errors.empty());
    for (const char* topic : {"tributary/1/07/b2/up", "tributary/1/07/b1/down",
                              "tributary/1/cast/0000000000000001", "elsewhere"}) {
        one.errors.clear();
        ASSERT_TRUE(until([&] {
            return static_cast<bool>(one.transport->publish(topic, as_bytes("forged"), 2));
        }));
        ASSERT_TRUE(until([&] { return !one.errors.empty(); })) << topic;
        EXPECT_EQ(one.errors.front().code, Errc::denied) << topic;
    }
}

// The broker takes the id from the certificate, whatever the client says: two sessions, not one
// that pushes the other out.
TEST_F(TrustAtTheBroker, WhoClaimsAnothersClientIdPushesNobodyOut) {
    const auto as_b2 = [&](MqttOptions options) {
        options.client_id = "b2";
        options.backoff_base_ms = options.backoff_max_ms = 600'000;  // once only
        return options;
    };
    MqttPeer two(*loop, as_b2(place.client(place.credentials("b2"))));
    ASSERT_TRUE(until([&] { return two.connects == 1; }));
    MqttPeer thief(*loop, as_b2(place.client(place.credentials("b1"))));
    ASSERT_TRUE(until([&] { return thief.connects == 1; }));
    ASSERT_TRUE(two.transport->publish("tributary/1/07/b2/up", as_bytes("still here"), 1));
    ASSERT_TRUE(until([&] { return two.sent.size() == 1 || !two.errors.empty(); }));
    EXPECT_TRUE(two.errors.empty()) << two.errors.front().what;
}

TEST_F(TrustAtTheBroker, GivesADeviceNothingOfAnother) {
    MqttPeer hub(*loop, [&] {
        MqttOptions options = place.client(place.in("trust/hub.pem"));
        options.key_file = place.in("trust/hub.key.pem");
        options.key_passphrase = deployment->passphrase(role::kBrokerClient).text();
        return options;
    }());
    MqttPeer two(*loop, place.client(place.credentials("b2"), "tributary/1/+/+/down"));
    ASSERT_TRUE(until([&] { return hub.connects == 1 && two.connects == 1; }));
    ASSERT_TRUE(hub.transport->publish("tributary/1/07/b1/down", as_bytes("for b1"), 1));
    ASSERT_TRUE(hub.transport->publish("tributary/1/07/b2/down", as_bytes("for b2"), 2));
    ASSERT_TRUE(until([&] { return !two.received.empty(); }));
    EXPECT_EQ(as_text(two.received.front().payload), "for b2");
}

// Another board took its place under the same name: the acl cannot tell them apart.
TEST_F(TrustAtTheBroker, RefusesTheOldCertificateOfABoardThatWasReplaced) {
    const std::string old_path = place.dir / "old.pem";
    fs::rename(place.credentials("b1"), old_path);
    const std::string new_path = place.credentials("b1");
    MqttOptions options = place.client(old_path);
    options.backoff_base_ms = options.backoff_max_ms = 600'000;  // once only
    MqttPeer old_board(*loop, std::move(options));
    ASSERT_TRUE(until([&] { return old_board.connects == 1; }));
    const Bytes certificate = trust::load_certificate(system_files(), old_path).value();

    ASSERT_TRUE(keeper->deny({{}, {trust::parse_certificate(certificate)->serial}}));
    keeper->cut("b1");
    ASSERT_TRUE(until([&] { return !old_board.errors.empty() && keeper->idle(); }))
        << "its session goes on";

    MqttPeer again(*loop, place.client(old_path));
    MqttPeer successor(*loop, place.client(new_path));
    ASSERT_TRUE(until([&] { return successor.connects == 1 && again.errors.size() > 1; }));
    EXPECT_EQ(again.connects, 0);
    EXPECT_EQ(successor.connects, 1) << "nobody pushes it out";
    EXPECT_TRUE(successor.errors.empty());
}

TEST_F(TrustAtTheBroker, CutsADeniedDeviceOffAtOnceAndLetsItInAgain) {
    MqttPeer hub(*loop, [&] {
        MqttOptions options = place.client(place.in("trust/hub.pem"), "tributary/1/+/+/up");
        options.key_file = place.in("trust/hub.key.pem");
        options.key_passphrase = deployment->passphrase(role::kBrokerClient).text();
        return options;
    }());
    MqttOptions options = place.client(place.credentials("b1"));
    options.backoff_base_ms = options.backoff_max_ms = 600'000;  // once only
    MqttPeer one(*loop, std::move(options));
    ASSERT_TRUE(until([&] { return hub.connects == 1 && one.connects == 1; }));

    ASSERT_TRUE(keeper->deny({{"b1"}, {}}));
    ASSERT_TRUE(until([&] { return !one.errors.empty() && keeper->idle(); }))
        << "its session goes on";
    EXPECT_FALSE(fs::exists(place.in("state/take-over.pem")));

    // It may connect, and gets nothing through once the broker has read the new rules, which it
    // does not in its first second.
    MqttPeer again(*loop, place.client(place.dir / "b1.pem"));
    const auto refuses = [&] {
        static_cast<void>(again.transport->publish("tributary/1/07/b1/up", as_bytes("x"), 1));
        return !again.errors.empty();
    };
    ASSERT_TRUE(until(refuses));
    hub.received.clear();
    again.errors.clear();
    ASSERT_TRUE(until(refuses));
    EXPECT_EQ(again.errors.front().code, Errc::denied);
    EXPECT_TRUE(hub.received.empty());

    ASSERT_TRUE(keeper->deny({{}, {}}));
    ASSERT_TRUE(until([&] {
        static_cast<void>(again.transport->publish("tributary/1/07/b1/up", as_bytes("y"), 3));
        return !hub.received.empty();
    }));
}

}  // namespace
}  // namespace tributary::hub
