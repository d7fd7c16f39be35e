#include "common/net/mqtt.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <fstream>

#include "tests/integration/net/loop_runner.h"
#include "tests/support/certificates.h"
#include "tests/support/mosquitto.h"
#include "tests/support/peer.h"
#include "tests/support/temp_dir.h"

namespace tributary {
namespace {

using test::Mosquitto;
using test::run_for;
using test::run_until;

// One client and what it has been told. Most tests need but one, which hears itself.
struct Peer {
    Peer(NetLoop& loop, MqttOptions options) {
        auto made = make_mqtt(loop, system_entropy(), std::move(options));
        if (!made) ADD_FAILURE() << made.error().what;
        transport = std::move(*made);
        transport->start({
            [this] { ++connects; },
            [this](const Error& error) { errors.push_back(error); },
            [this](Message message) { received.push_back(std::move(message)); },
            [this](std::uint64_t token) { sent.push_back(token); },
            [this](const std::string& filter) { subscribed.push_back(filter); },
        });
    }
    int connects = 0;
    std::vector<Error> errors;
    std::vector<Message> received;
    std::vector<std::uint64_t> sent;
    std::vector<std::string> subscribed;
    std::unique_ptr<Transport> transport;
};

MqttOptions options_for(const Mosquitto& broker, std::string id, std::string topic = "") {
    MqttOptions options;
    options.url = broker.url();
    options.client_id = std::move(id);
    if (!topic.empty()) options.subscriptions = {std::move(topic)};
    options.backoff_base_ms = 20;
    options.backoff_max_ms = 100;
    return options;
}

TEST(Mqtt, DeliversWhatIsPublishedAndTellsThatTheBrokerTookIt) {
    const Mosquitto broker;
    const auto loop = make_loop();
    Peer board(*loop, options_for(broker, "board", "t/+/up"));
    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 1; }));

    const Bytes payload(limits::kFrameBytesMax, 0xa5);
    ASSERT_TRUE(board.transport->publish("t/1/up", payload, 77));

    ASSERT_TRUE(
        run_until(*loop, [&] { return board.received.size() == 1 && board.sent.size() == 1; }));
    EXPECT_EQ(board.received[0].topic, "t/1/up");
    EXPECT_EQ(board.received[0].payload, payload);
    EXPECT_EQ(board.sent[0], 77u);
}

TEST(Mqtt, SubscribesToMoreUntilItUnsubscribesOrTheConnectionEnds) {
    Mosquitto broker;
    const auto loop = make_loop();
    Peer board(*loop, options_for(broker, "board", "t/own"));
    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 1; }));
    const auto arrives = [&] {
        const std::size_t before = board.received.size();
        EXPECT_TRUE(board.transport->publish("t/more", Bytes(1), 1));
        EXPECT_TRUE(board.transport->publish("t/own", Bytes(2), 2));
        EXPECT_TRUE(run_until(*loop, [&] {
            return board.received.size() > before && board.received.back().payload.size() == 2;
        }));
        return board.received.size() - before == 2;
    };

    EXPECT_FALSE(arrives());
    board.transport->subscribe("t/more");
    ASSERT_TRUE(run_until(*loop, [&] { return board.subscribed.size() == 1; }));
    EXPECT_EQ(board.subscribed[0], "t/more");
    EXPECT_TRUE(arrives());
    board.transport->unsubscribe("t/more");
    EXPECT_FALSE(arrives());

    board.transport->subscribe("t/more");
    ASSERT_TRUE(run_until(*loop, [&] { return board.subscribed.size() == 2; }));
    broker.kill();
    broker.start();
    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 2; }));
    EXPECT_FALSE(arrives());
}

TEST(Mqtt, RefusesMoreThanTheWindowUntilTheBrokerHasTakenSome) {
    const Mosquitto broker;
    const auto loop = make_loop();
    Peer board(*loop, options_for(broker, "board"));
    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 1; }));

    std::uint64_t accepted = 0;
    while (board.transport->publish("t", as_bytes("x"), accepted)) ++accepted;

    EXPECT_EQ(accepted, limits::kFramesInFlightMax);
    ASSERT_TRUE(run_until(*loop, [&] { return board.sent.size() == accepted; }));
    EXPECT_TRUE(board.transport->publish("t", as_bytes("x"), 99));
}

TEST(Mqtt, KeepsOrderAndLosesNothingThroughAFullWindow) {
    const Mosquitto broker;
    const auto loop = make_loop();
    Peer board(*loop, options_for(broker, "board", "t"));
    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 1; }));
    constexpr std::uint64_t kMessages = 400;
    std::uint64_t next = 0;

    ASSERT_TRUE(run_until(*loop, [&] {
        Bytes payload(16 * 1024);
        while (next < kMessages) {
            store_le(payload.data(), next);
            if (!board.transport->publish("t", payload, next)) break;
            ++next;
        }
        return board.received.size() == kMessages;
    }));

    std::uint64_t expected = 0;
    for (const Message& message : board.received)
        EXPECT_EQ(load_le<std::uint64_t>(message.payload.data()), expected++);
}

TEST(Mqtt, SaysWhatToCheckWhenTheBrokerIsAwayAndConnectsWhenItAppears) {
    Mosquitto broker("allow_anonymous true\n", false);
    const auto loop = make_loop();
    Peer board(*loop, options_for(broker, "board"));
    ASSERT_TRUE(run_until(*loop, [&] { return board.errors.size() >= 2; }));
    EXPECT_EQ(board.errors[0].code, Errc::unavailable);
    EXPECT_NE(board.errors[0].what.find(broker.url()), std::string::npos) << board.errors[0].what;
    EXPECT_NE(board.errors[0].what.find("check"), std::string::npos);
    EXPECT_FALSE(board.transport->publish("t", as_bytes("x"), 1));

    broker.start();

    EXPECT_TRUE(run_until(*loop, [&] { return board.connects == 1; }));
}

TEST(Mqtt, ComesBackWithItsSubscriptionsAfterTheBrokerWasKilled) {
    Mosquitto broker;
    const auto loop = make_loop();
    Peer board(*loop, options_for(broker, "board", "t"));
    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 1; }));

    broker.kill();
    ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
    broker.start();

    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 2; }));
    ASSERT_TRUE(board.transport->publish("t", as_bytes("again"), 1));
    EXPECT_TRUE(run_until(*loop, [&] { return board.received.size() == 1; }));
}

TEST(Mqtt, FreesTheWindowWhenTheConnectionIsLost) {
    Mosquitto broker;
    const auto loop = make_loop();
    Peer board(*loop, options_for(broker, "board"));
    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 1; }));
    for (std::uint64_t i = 0; i < limits::kFramesInFlightMax; ++i)
        ASSERT_TRUE(board.transport->publish("t", as_bytes("x"), i));

    broker.kill();
    ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
    broker.start();

    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 2; }));
    for (std::uint64_t i = 0; i < limits::kFramesInFlightMax; ++i)
        EXPECT_TRUE(board.transport->publish("t", as_bytes("x"), 100 + i));
}

TEST(Mqtt, ItsWillIsSentAtOnceWhenItStops) {
    const Mosquitto broker;
    const auto loop = make_loop();
    Peer hub(*loop, options_for(broker, "hub", "gone"));
    ASSERT_TRUE(run_until(*loop, [&] { return hub.connects == 1; }));
    MqttOptions options = options_for(broker, "board");
    options.will = Message{"gone", {'b'}};
    auto board = std::make_unique<Peer>(*loop, options);
    ASSERT_TRUE(run_until(*loop, [&] { return board->connects == 1; }));
    run_for(*loop, 200);
    EXPECT_TRUE(hub.received.empty());
    board.reset();
    EXPECT_TRUE(run_until(*loop, [&] { return hub.received.size() == 1; }));
}

TEST(Mqtt, LeavesAWillThatTheBrokerSendsWhenItIsCutOff) {
    const Mosquitto broker;
    const auto loop = make_loop();
    Peer hub(*loop, options_for(broker, "hub", "gone"));
    ASSERT_TRUE(run_until(*loop, [&] { return hub.connects == 1; }));
    MqttOptions options = options_for(broker, "board");
    options.will = Message{"gone", {'b'}};
    options.backoff_base_ms = options.backoff_max_ms = 60'000;
    Peer first(*loop, options);
    ASSERT_TRUE(run_until(*loop, [&] { return first.connects == 1; }));
    const Peer second(*loop, options);  // of the same id: the broker cuts the first one off
    EXPECT_TRUE(run_until(*loop, [&] { return hub.received.size() == 1; }));
}

TEST(Mqtt, SuspectsAnotherClientWithItsIdWhenItIsThrownOutAgainAndAgain) {
    const Mosquitto broker;
    const auto loop = make_loop();
    Peer first(*loop, options_for(broker, "board"));
    ASSERT_TRUE(run_until(*loop, [&] { return first.connects == 1; }));
    const Peer second(*loop, options_for(broker, "board"));
    ASSERT_TRUE(run_until(
        *loop, [&] { return first.errors.size() >= 3; }, 30'000));
    EXPECT_EQ(first.errors[0].what.find("copy of this state_dir"), std::string::npos);
    EXPECT_NE(first.errors[2].what.find("copy of this state_dir"), std::string::npos)
        << first.errors[2].what;
}

TEST(Mqtt, SaysAtOnceThatTheBrokersPacketsAreTooSmall) {
    const Mosquitto broker("allow_anonymous true\nmax_packet_size 20000\n");
    const auto loop = make_loop();
    Peer board(*loop, options_for(broker, "board"));
    ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
    EXPECT_EQ(board.errors[0].code, Errc::denied);
    EXPECT_NE(board.errors[0].what.find("max_packet_size is below that; raise it"),
              std::string::npos)
        << board.errors[0].what;
    EXPECT_EQ(board.connects, 0);
}

TEST(Mqtt, DoesNotRepeatWhatIsTooLargeForTheBroker) {
    const Mosquitto broker("allow_anonymous true\nmessage_size_limit 20000\n");
    const auto loop = make_loop();
    Peer board(*loop, options_for(broker, "board"));
    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 1; }));
    ASSERT_TRUE(board.transport->publish("t", Bytes(30'000), 1));
    ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
    EXPECT_EQ(board.errors[0].code, Errc::denied);
    EXPECT_NE(board.errors[0].what.find("message_size_limit is below that; raise it"),
              std::string::npos)
        << board.errors[0].what;
    run_for(*loop, 300);
    EXPECT_EQ(board.connects, 1);
    EXPECT_TRUE(board.transport->next_attempt());
}

TEST(Mqtt, TriesAgainRarelyWhenItIsNotAuthorised) {
    const Mosquitto broker("allow_anonymous false\n");
    const auto loop = make_loop();
    Peer board(*loop, options_for(broker, "board"));
    ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
    EXPECT_EQ(board.errors[0].code, Errc::denied) << board.errors[0].what;
    run_for(*loop, 300);
    EXPECT_EQ(board.errors.size(), 1u);
    ASSERT_TRUE(board.transport->next_attempt());
    EXPECT_GT(*board.transport->next_attempt(), loop->now() + 240'000);
}

TEST(Mqtt, MayBeStoppedOrDestroyedAtAnyMoment) {
    const Mosquitto broker;
    const Mosquitto nobody("allow_anonymous true\n", false);
    const auto loop = make_loop();
    for (std::uint64_t wait_ms = 0; wait_ms < 40; wait_ms += 2) {
        for (const Mosquitto* at : {&broker, &nobody}) {
            Peer board(*loop, options_for(*at, "board", "#"));
            run_for(*loop, wait_ms);
            static_cast<void>(board.transport->publish("t", Bytes(1000), 1));
            if (wait_ms % 4 == 0) board.transport->stop();
            const std::size_t told = board.errors.size() + board.sent.size();
            if (wait_ms % 4 == 0) {
                run_for(*loop, 5);
                EXPECT_EQ(board.errors.size() + board.sent.size(), told);
            }
        }
    }
}

TEST(Mqtt, MayBeDestroyedByItsOwnCallback) {
    const Mosquitto broker;
    const auto loop = make_loop();
    auto transport = *make_mqtt(*loop, system_entropy(), options_for(broker, "board"));
    bool told = false;
    transport->start({[&] {
                          transport.reset();
                          told = true;
                      },
                      {},
                      {},
                      {}});
    EXPECT_TRUE(run_until(*loop, [&] { return told; }));
}

TEST(Mqtt, NamesTheOptionThatCannotWork) {
    const auto loop = make_loop();
    MqttOptions good;
    good.url = "mqtt://127.0.0.1";
    good.client_id = "board";
    const auto error_of = [&](auto change) {
        MqttOptions options = good;
        change(options);
        const auto made = make_mqtt(*loop, system_entropy(), options);
        return made ? std::string() : made.error().what;
    };
    EXPECT_EQ(error_of([](MqttOptions&) {}), "");
    EXPECT_NE(error_of([](auto& o) { o.url = "http://x"; }).find("mqtt://"), std::string::npos);
    EXPECT_NE(error_of([](auto& o) { o.ca_file = "ca.pem"; }).find("mqtts://"), std::string::npos);
    EXPECT_NE(error_of([](auto& o) {
                  o.url = "mqtts://x";
                  o.ca_file = "/nowhere/ca.pem";
              }).find("/nowhere/ca.pem"),
              std::string::npos);
    EXPECT_NE(error_of([](auto& o) { o.in_flight_max = 16; }), "");
}

// A broker of which the test says every byte; MQTT 5.

constexpr std::string_view kLetIn("\x20\x03\x00\x00\x00", 5);  // CONNACK

std::string at(const test::PeerServer& server, const std::string& scheme = "mqtt") {
    return scheme + "://127.0.0.1:" + std::to_string(server.port());
}

MqttOptions options_for(const test::PeerServer& server) {
    MqttOptions options;
    options.url = at(server);
    options.client_id = "board";
    options.backoff_base_ms = options.backoff_max_ms = 60'000;
    return options;
}

TEST(Mqtt, UnderstandsWhatComesByteByByte) {
    const test::PeerServer server([](test::Peer& peer) {
        peer.hear();
        peer.trickle(kLetIn, 1);
        peer.trickle(std::string_view("\x30\x07\x00\x01t\x00"
                                      "abc",
                                      9),
                     1);  // PUBLISH
        peer.hear();
    });
    const auto loop = make_loop();
    const Peer board(*loop, options_for(server));
    ASSERT_TRUE(run_until(*loop, [&] { return board.received.size() == 1; }));
    EXPECT_EQ(board.received[0].topic, "t");
    EXPECT_EQ(as_text(board.received[0].payload), "abc");
}

TEST(Mqtt, GivesASignOfLifeWhenItHasNothingToSay) {
    std::string heard;
    {
        const test::PeerServer server([&](test::Peer& peer) {
            peer.hear();
            peer.say(kLetIn);
            heard = peer.hear();
        });
        const auto loop = make_loop();
        MqttOptions options = options_for(server);
        options.keep_alive_s = 5;
        const Peer board(*loop, options);
        EXPECT_TRUE(run_until(
            *loop, [&] { return !board.errors.empty(); }, 9'000));
    }
    EXPECT_EQ(heard, std::string("\xc0\x00", 2));  // PINGREQ
}

// TLS

// A broker whose certificate is for `name`, and the files of who may connect to it.
struct SecureBroker {
    explicit SecureBroker(const std::string& name = "IP:127.0.0.1", const std::string& more = "")
        : broker(configuration(name, more)) {}

    std::string configuration(const std::string& name, const std::string& more) {
        test::CertificateOptions options;
        options.names = {name};
        const test::Certificate own = authority.issue(options);
        file("ca.pem", authority.pem());
        return "allow_anonymous true\ncafile " + keys / "ca.pem" + "\ncertfile " +
               file("server.pem", own.pem) + "\nkeyfile " + file("server.key", own.key) + "\n" +
               more;
    }
    std::string file(const std::string& name, const std::string& text) {
        std::ofstream(keys / name) << text;
        return keys / name;
    }
    static test::CertificateOptions of_a_board() {
        test::CertificateOptions options;
        options.subject = "board";
        options.names = {};
        options.usage = "clientAuth";
        return options;
    }
    MqttOptions options() const {
        MqttOptions made = options_for(broker, "board", "t");
        made.url = broker.url("mqtts");
        made.ca_file = keys / "ca.pem";
        return made;
    }
    // With key and certificate in one file.
    MqttOptions options(const test::Certificate& certificate) {
        MqttOptions made = options();
        made.certificate_file = file("key.pem", certificate.key + certificate.pem);
        return made;
    }

    test::TempDir keys;
    test::Authority authority;
    Mosquitto broker;
};

// The first that a client with these options is told: "" for connected.
Error first_word(MqttOptions options) {
    const auto loop = make_loop();
    const Peer board(*loop, std::move(options));
    run_until(*loop, [&] { return board.connects == 1 || !board.errors.empty(); });
    if (!board.errors.empty()) return board.errors[0];
    return {Errc::cancelled, board.connects == 1 ? "" : "nothing was told"};
}

TEST(MqttTls, ConnectsToABrokerThatOurCaSigned) {
    const SecureBroker secure;
    EXPECT_EQ(first_word(secure.options()).what, "");
}

TEST(MqttTls, SaysWhichCaDoesNotTrustTheBroker) {
    SecureBroker secure;
    MqttOptions options = secure.options();
    options.ca_file = secure.file("other.pem", test::Authority("other").pem());
    const Error error = first_word(options);
    EXPECT_EQ(error.code, Errc::unavailable);
    EXPECT_NE(error.what.find("trusted is an authority of " + options.ca_file), std::string::npos)
        << error.what;
}

TEST(MqttTls, RefusesACertificateOfAnotherHost) {
    const SecureBroker secure("DNS:elsewhere");
    const Error error = first_word(secure.options());
    EXPECT_EQ(error.code, Errc::unavailable);
    EXPECT_NE(error.what.find("not for '127.0.0.1' but for elsewhere"), std::string::npos)
        << error.what;
}

TEST(MqttTls, SaysThatAPlainPortDoesNotSpeakTls) {
    const Mosquitto broker;
    MqttOptions options = options_for(broker, "board");
    options.url = broker.url("mqtts");
    options.connect_timeout_s = 2;
    const Error error = first_word(options);
    EXPECT_NE(error.what.find("TLS port"), std::string::npos) << error.what;
}

TEST(MqttTls, GivesUpABrokerThatFallsSilentInTheHandshake) {
    const test::PeerServer server([](test::Peer& peer) { peer.hear_all(); });
    MqttOptions options = options_for(server);
    options.url = at(server, "mqtts");
    options.connect_timeout_s = 1;
    const Error error = first_word(options);
    EXPECT_NE(error.what.find("for 1 s"), std::string::npos) << error.what;
}

TEST(MqttTls, NoticesAtOnceThatTheHandshakeWasReset) {
    const test::PeerServer server([](test::Peer& peer) {
        peer.hear();
        peer.reset();
    });
    MqttOptions options = options_for(server);
    options.url = at(server, "mqtts");
    const Error error = first_word(options);
    EXPECT_NE(error.what.find("TLS port"), std::string::npos) << error.what;
}

// What a client is told by a broker that shows `certificate` and lets it in.
Error word_of(const SecureBroker& secure, const test::CertificateOptions& certificate,
              MqttOptions options, std::string* asked = nullptr) {
    const test::Certificate own = secure.authority.issue(certificate);
    const test::PeerServer server([&](test::Peer& peer) {
        if (!peer.tls_as_server(own)) return;
        const char* name = SSL_get_servername(peer.ssl(), TLSEXT_NAMETYPE_host_name);
        if (asked && name) *asked = name;
        peer.hear();
        peer.say(kLetIn);
        peer.hear_all();
    });
    options.url += std::to_string(server.port());
    options.subscriptions.clear();
    return first_word(options);
}

TEST(MqttTls, AsksForTheHostByItsName) {
    const SecureBroker secure;
    test::CertificateOptions certificate;
    certificate.names = {"DNS:localhost", "IP:127.0.0.1"};
    MqttOptions options = secure.options();
    std::string asked;
    options.url = "mqtts://localhost:";
    EXPECT_EQ(word_of(secure, certificate, options, &asked).what, "");
    EXPECT_EQ(asked, "localhost");

    asked.clear();
    options.url = "mqtts://127.0.0.1:";
    EXPECT_EQ(word_of(secure, certificate, options, &asked).what, "");
    EXPECT_EQ(asked, "");  // an address is no name
}

TEST(MqttTls, JudgesTheBrokersCertificateByTheTimeThatItIsTold) {
    const SecureBroker secure;
    test::CertificateOptions certificate;
    certificate.valid_until_s = 1'000'000'000;  // 2001
    MqttOptions options = secure.options();
    options.url = "mqtts://127.0.0.1:";
    EXPECT_NE(word_of(secure, certificate, options).what.find("expired on 2001-09-09"),
              std::string::npos);
    options.now_ms = [] { return 999'999'999'000; };
    EXPECT_EQ(word_of(secure, certificate, options).what, "");
}

TEST(MqttTls, BreaksOffWhatIsLargerThanAnyPacketMayBe) {
    constexpr std::string_view kEndless("\x30\xff\xff\xff\x7f\x00\x01t\x00", 9);  // 256 MiB
    const SecureBroker secure;
    const test::Certificate own = secure.authority.issue();
    std::size_t taken = 0;
    {
        const test::PeerServer server([&](test::Peer& peer) {
            if (!peer.tls_as_server(own)) return;
            peer.hear();
            peer.say(kLetIn);
            peer.say(kEndless);
            const std::string part(64 * 1024, 'x');
            while (taken < 200 * limits::MiB && peer.say(part)) taken += part.size();
        });
        const auto loop = make_loop();
        MqttOptions options = options_for(server);
        options.url = at(server, "mqtts");
        options.ca_file = secure.options().ca_file;
        const Peer board(*loop, options);
        ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
        EXPECT_NE(board.errors[0].what.find("a packet of more than 4 MiB"), std::string::npos)
            << board.errors[0].what;
    }
    EXPECT_LT(taken, 24 * limits::MiB);  // both kernels' buffers among it
}

TEST(MqttTls, SpeaksNothingOlderThanTls12) {
    const test::Authority authority;
    const test::Certificate certificate = authority.issue();
    bool agreed = true;
    {
        const test::PeerServer server(
            [&](test::Peer& peer) { agreed = peer.tls_as_server(certificate, TLS1_1_VERSION); });
        const test::TempDir keys;
        std::ofstream(keys / "ca.pem") << authority.pem();
        MqttOptions options;
        options.url = "mqtts://127.0.0.1:" + std::to_string(server.port());
        options.client_id = "board";
        options.ca_file = keys / "ca.pem";
        EXPECT_EQ(first_word(options).code, Errc::unavailable);
    }
    EXPECT_FALSE(agreed);
}

TEST(MqttTls, ShowsItsCertificateFromOneFileOrTwoAndWithAnEncryptedKey) {
    SecureBroker secure("IP:127.0.0.1", "require_certificate true\n");
    const test::Certificate own = secure.authority.issue(SecureBroker::of_a_board());
    EXPECT_EQ(first_word(secure.options(own)).what, "");

    MqttOptions apart = secure.options();
    apart.certificate_file = secure.file("cert.pem", own.pem);
    apart.key_file = secure.file("apart.key", own.key);
    EXPECT_EQ(first_word(apart).what, "");

    MqttOptions locked = secure.options({own.pem, test::encrypted_key(own.key, "open sesame")});
    locked.key_passphrase = "open sesame";
    EXPECT_EQ(first_word(locked).what, "");
    for (const char* passphrase : {"", "wrong"}) {
        locked.key_passphrase = passphrase;
        const auto loop = make_loop();
        const auto made = make_mqtt(*loop, system_entropy(), locked);
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().code, Errc::invalid);
        EXPECT_NE(made.error().what.find("passphrase"), std::string::npos) << made.error().what;
    }
}

// A broker that speaks TLS as `server`, wants a certificate, and finds `verdict` on what it is
// shown.
Error refusal(const SecureBroker& secure, const MqttOptions& options, int verdict) {
    const test::Certificate own = secure.authority.issue();
    const test::PeerServer server(
        [&](test::Peer& peer) { EXPECT_FALSE(peer.tls_as_server(own, TLS1_2_VERSION, verdict)); });
    MqttOptions asking = options;
    asking.url = "mqtts://127.0.0.1:" + std::to_string(server.port());
    return first_word(asking);
}

// In TLS 1.2 the broker's word comes within the handshake.
TEST(MqttTls, SaysWhyTheBrokerDoesNotTakeItsCertificate) {
    SecureBroker secure;
    const MqttOptions own = secure.options(secure.authority.issue(SecureBroker::of_a_board()));
    const auto says = [&](const MqttOptions& options, int verdict, const char* words) {
        const Error error = refusal(secure, options, verdict);
        EXPECT_EQ(error.code, Errc::denied) << error.what;
        EXPECT_NE(error.what.find(words), std::string::npos) << error.what;
    };
    says(secure.options(), X509_V_OK, "wants a certificate");
    says(own, X509_V_ERR_CERT_HAS_EXPIRED, "has expired");
    says(own, X509_V_ERR_CERT_REVOKED, "was revoked");
    says(own, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "does not know the authority");
    says(own, X509_V_ERR_INVALID_PURPOSE, "does not take the certificate");
}

// In TLS 1.3 it comes later, and the end of the connection may overtake it.
TEST(MqttTls, SuspectsItsCertificateWhenTheBrokerGoesBeforeItsWordIsHeard) {
    SecureBroker secure("IP:127.0.0.1", "require_certificate true\n");
    const auto of_somebody = test::Authority("somebody").issue(SecureBroker::of_a_board());
    const MqttOptions options = secure.options(of_somebody);
    const Error error = first_word(options);
    const bool heard = error.code == Errc::denied;
    EXPECT_NE(error.what.find(heard ? "does not know the authority" : "does it take the"),
              std::string::npos)
        << error.what;
    EXPECT_NE(error.what.find(options.certificate_file), std::string::npos) << error.what;
}

TEST(MqttTls, FindsOutThatItsCertificateFileBecameUnusableInsteadOfAskingATerminal) {
    SecureBroker secure("IP:127.0.0.1", "require_certificate true\n");
    const auto own = secure.authority.issue(SecureBroker::of_a_board());
    const auto loop = make_loop();
    const MqttOptions options = secure.options(own);
    Peer board(*loop, options);
    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 1; }));
    secure.file("key.pem", test::encrypted_key(own.key, "later") + own.pem);
    secure.broker.kill();
    secure.broker.start();
    ASSERT_TRUE(run_until(*loop, [&] {
        return !board.errors.empty() &&
               board.errors.back().what.find("passphrase") != std::string::npos;
    }));
    secure.file("key.pem", own.key + own.pem);
    EXPECT_TRUE(run_until(*loop, [&] { return board.connects == 2; }));
}

}  // namespace
}  // namespace tributary
