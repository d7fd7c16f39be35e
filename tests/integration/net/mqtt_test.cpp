#include "common/net/mqtt.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>

#include "tests/integration/net/loop_runner.h"
#include "tests/support/mosquitto.h"
#include "tests/support/temp_dir.h"

namespace tributary {
namespace {

using test::Mosquitto;
using test::run_for;
using test::run_until;

// One client and what it has been told. Most tests need but one, which hears itself: Paho notices a
// second connection of the same process only after one or two seconds.
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
    ASSERT_TRUE(run_until(
        *loop, [&] { return first.connects == 1; }, 10'000));
    const Peer second(*loop, options);  // of the same id: the broker cuts the first one off
    EXPECT_TRUE(run_until(
        *loop, [&] { return hub.received.size() == 1; }, 10'000));
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
    const Peer steady(*loop, options_for(broker, "steady"));  // keeps Paho's threads between rounds
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

// TLS

// A CA and a certificate for 127.0.0.1, made with the openssl program.
std::string make_certificates(const std::string& directory, const std::string& address) {
    const std::string make =
        "cd " + directory +
        " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-keyout ca.key -out ca.pem -subj /CN=test-ca"
        " && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key "
        "-out server.csr -subj /CN=broker"
        " && printf 'subjectAltName=" +
        address +
        "' > san"
        " && openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
        "-out server.pem -extfile san";
    if (std::system("command -v openssl >/dev/null 2>&1") != 0)
        throw std::runtime_error("the program openssl is not installed; tools/deps.sh installs it");
    if (std::system(("(" + make + ") >/dev/null 2>&1").c_str()) != 0)
        throw std::runtime_error("the openssl program failed");
    return "allow_anonymous true\ncafile " + directory + "/ca.pem\ncertfile " + directory +
           "/server.pem\nkeyfile " + directory + "/server.key\n";
}

TEST(MqttTls, ConnectsToABrokerThatOurCaSigned) {
    const test::TempDir keys;
    const Mosquitto broker(make_certificates(keys.path(), "IP:127.0.0.1"));
    const auto loop = make_loop();
    MqttOptions options = options_for(broker, "board");
    options.url = broker.url("mqtts");
    options.ca_file = keys / "ca.pem";
    const Peer board(*loop, options);
    run_until(*loop, [&] { return board.connects == 1 || !board.errors.empty(); });
    EXPECT_EQ(board.connects, 1) << board.errors.at(0).what;
}

TEST(MqttTls, SaysWhichCaDoesNotTrustTheBroker) {
    const test::TempDir keys;
    const test::TempDir others;
    const Mosquitto broker(make_certificates(keys.path(), "IP:127.0.0.1"));
    make_certificates(others.path(), "IP:127.0.0.1");
    const auto loop = make_loop();
    MqttOptions options = options_for(broker, "board");
    options.url = broker.url("mqtts");
    options.ca_file = others / "ca.pem";
    const Peer board(*loop, options);
    ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
    EXPECT_NE(board.errors[0].what.find(options.ca_file), std::string::npos)
        << board.errors[0].what;
    EXPECT_EQ(board.connects, 0);
}

TEST(MqttTls, RefusesACertificateOfAnotherHost) {
    const test::TempDir keys;
    const Mosquitto broker(make_certificates(keys.path(), "DNS:elsewhere"));
    const auto loop = make_loop();
    MqttOptions options = options_for(broker, "board");
    options.url = broker.url("mqtts");
    options.ca_file = keys / "ca.pem";
    const Peer board(*loop, options);
    ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
    EXPECT_EQ(board.connects, 0);
    EXPECT_NE(board.errors[0].what.find("host name"), std::string::npos) << board.errors[0].what;
}

TEST(MqttTls, SaysThatAPlainPortDoesNotSpeakTls) {
    const Mosquitto broker;
    const auto loop = make_loop();
    MqttOptions options = options_for(broker, "board");
    options.url = broker.url("mqtts");
    options.connect_timeout_s = 2;
    const Peer board(*loop, options);
    ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
    EXPECT_NE(board.errors[0].what.find("TLS"), std::string::npos) << board.errors[0].what;
}

}  // namespace
}  // namespace tributary
