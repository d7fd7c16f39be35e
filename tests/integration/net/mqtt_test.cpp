#include "common/net/mqtt.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

#include "tests/integration/net/mqtt_peer.h"
#include "tests/support/temp_dir.h"

// A name of two addresses, whatever this machine's hosts file says: in front of the C library's
// resolver, for this program alone.
constexpr const char* kTwoAddresses = "two-addresses.example";
constexpr const char* kFirstAddress = "127.0.0.2";
constexpr const char* kSecondAddress = "127.0.0.1";

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** found) {
    static const auto next =
        reinterpret_cast<decltype(&::getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    if (node == nullptr || std::string_view(node) != kTwoAddresses)
        return next(node, service, hints, found);
    if (const int failed = next(kFirstAddress, service, hints, found); failed != 0) return failed;
    addrinfo* last = *found;
    while (last->ai_next != nullptr) last = last->ai_next;
    return next(kSecondAddress, service, hints, &last->ai_next);
}

namespace tributary {
namespace {

using test::kLetIn;
using test::Mosquitto;
using test::options_for;
using test::run_for;
using test::run_until;
using Peer = test::MqttPeer;

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

TEST(Mqtt, ThoseThatLoseTheirBrokerTogetherDoNotComeBackTogether) {
    auto broker = std::make_unique<Mosquitto>();
    const auto loop = make_loop();
    std::vector<std::unique_ptr<Peer>> boards;
    for (int i = 0; i < 40; ++i) {
        MqttOptions options = options_for(*broker, "board" + std::to_string(i));
        options.backoff_base_ms = options.backoff_max_ms = 60'000;
        boards.push_back(std::make_unique<Peer>(*loop, options));
    }
    const auto all = [&](auto is_so) { return std::ranges::all_of(boards, is_so); };
    ASSERT_TRUE(
        run_until(*loop, [&] { return all([](auto& board) { return board->connects == 1; }); }));
    const MonoTime lost = loop->now();
    broker.reset();
    ASSERT_TRUE(
        run_until(*loop, [&] { return all([](auto& board) { return !board->errors.empty(); }); }));
    std::vector<std::uint64_t> after_ms;
    for (const auto& board : boards)
        after_ms.push_back(board->transport->next_attempt().value_or(lost).ms - lost.ms);
    EXPECT_LT(std::ranges::min(after_ms), 20'000u);
    EXPECT_GT(std::ranges::max(after_ms), 40'000u);
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

// Each message that the broker takes would make the connection a good one.
TEST(Mqtt, TwoWithOneIdDoNotThrowEachOtherOutAgainAtOnce) {
    const Mosquitto broker;
    const auto loop = make_loop();
    MqttOptions options = options_for(broker, "board");
    options.backoff_base_ms = 200;
    options.backoff_max_ms = 60'000;
    Peer first(*loop, options), second(*loop, options);
    const auto connects = [&] { return first.connects + second.connects; };
    int talked = 0;
    run_until(
        *loop,
        [&] {
            for (Peer* peer : {&first, &second})
                while (peer->transport->publish("t", as_bytes("x"), 1)) ++talked;
            return connects() == 40;
        },
        6'000);
    EXPECT_GT(talked, 10);
    EXPECT_GT(connects(), 4);
    EXPECT_LT(connects(), 40);
}

TEST(Mqtt, TellsOnceWhichSubscriptionTheBrokerRefusesAndGoesOn) {
    const test::TempDir files;
    const Mosquitto broker(test::subscriptions_to_nothing_but({"t/own"}, files / "rights.json"));
    const auto loop = make_loop();
    Peer board(*loop, options_for(broker, "board", "t/own"));
    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 1; }));

    board.transport->subscribe("t/other");
    ASSERT_TRUE(run_until(*loop, [&] { return !board.refused.empty(); }));
    ASSERT_TRUE(board.transport->publish("t/own", as_bytes("x"), 1));
    ASSERT_TRUE(run_until(*loop, [&] { return board.received.size() == 1; }));

    ASSERT_EQ(board.refused.size(), 1u);
    EXPECT_EQ(board.refused[0].first, "t/other");
    EXPECT_EQ(board.refused[0].second.code, Errc::denied);
    EXPECT_NE(board.refused[0].second.what.find("refuses the subscription to 't/other' of 'board'"),
              std::string::npos)
        << board.refused[0].second.what;
    EXPECT_TRUE(board.errors.empty());
}

TEST(Mqtt, NamesTheTopicOfAMessageThatIsRefusedAndGoesOnIfItMay) {
    const test::TempDir files;
    const Mosquitto broker(
        test::with_acl("topic readwrite t/#\ntopic deny t/other\n", files / "acl"));
    const auto loop = make_loop();
    MqttOptions options = options_for(broker, "hub", "t/#");
    options.outlives_refusals = true;
    Peer hub(*loop, options);
    Peer board(*loop, options_for(broker, "board"));
    ASSERT_TRUE(run_until(*loop, [&] { return hub.connects == 1 && board.connects == 1; }));
    const std::string_view refused = "refuses a message to 't/other' of '";

    ASSERT_TRUE(hub.transport->publish("t/other", as_bytes("x"), 1));
    ASSERT_TRUE(hub.transport->publish("t/1", as_bytes("y"), 2));
    ASSERT_TRUE(run_until(*loop, [&] { return hub.received.size() == 1 && hub.sent.size() == 2; }));
    ASSERT_EQ(hub.refused.size(), 1u);
    EXPECT_EQ(hub.refused[0].first, "t/other");
    EXPECT_EQ(hub.refused[0].second.code, Errc::denied);
    EXPECT_NE(hub.refused[0].second.what.find(refused), std::string::npos);
    EXPECT_TRUE(hub.errors.empty());

    ASSERT_TRUE(board.transport->publish("t/other", as_bytes("z"), 1));
    ASSERT_TRUE(run_until(*loop, [&] { return board.errors.size() == 1; }));
    EXPECT_EQ(board.errors[0].code, Errc::denied);
    EXPECT_NE(board.errors[0].what.find(refused), std::string::npos) << board.errors[0].what;
}

TEST(Mqtt, GoesOnWhenAMessageIsTooLargeForTheBrokerIfItMay) {
    const Mosquitto broker("allow_anonymous true\nmessage_size_limit 20000\n");
    const auto loop = make_loop();
    MqttOptions options = options_for(broker, "hub");
    options.outlives_refusals = true;
    Peer hub(*loop, options);
    ASSERT_TRUE(run_until(*loop, [&] { return hub.connects == 1; }));
    ASSERT_TRUE(hub.transport->publish("t", Bytes(30'000), 1));
    ASSERT_TRUE(run_until(*loop, [&] { return hub.sent.size() == 1; }));
    ASSERT_EQ(hub.refused.size(), 1u);
    EXPECT_NE(hub.refused[0].second.what.find("message_size_limit is below that; raise it"),
              std::string::npos);
    EXPECT_TRUE(hub.errors.empty());
}

TEST(Mqtt, SaysAtOnceThatTheBrokersPacketsAreTooSmall) {
    const Mosquitto broker("allow_anonymous true\nmax_packet_size 65535\n");
    const auto loop = make_loop();
    Peer board(*loop, options_for(broker, "board"));
    ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
    EXPECT_EQ(board.errors[0].code, Errc::denied);
    EXPECT_NE(board.errors[0].what.find("takes no messages of 64 KiB, as sync needs them: its "
                                        "max_packet_size is below that; raise it"),
              std::string::npos)
        << board.errors[0].what;
    EXPECT_EQ(board.connects, 0);
}

TEST(Mqtt, TellsHowMuchTheBrokerTakesAndSendsItNoMore) {
    const Mosquitto broker("allow_anonymous true\nmax_packet_size 65536\n");
    const auto loop = make_loop();
    MqttOptions options = options_for(broker, "hub");
    options.outlives_refusals = true;
    Peer hub(*loop, options);
    Peer board(*loop, options_for(broker, "board"));
    ASSERT_TRUE(run_until(*loop, [&] { return hub.connects == 1 && board.connects == 1; }));
    const std::size_t most = hub.transport->payload_bytes_max();
    EXPECT_EQ(most, 65536u - 256u);
    EXPECT_EQ(board.transport->payload_bytes_max(), most);

    ASSERT_TRUE(hub.transport->publish(std::string(200, 't'), Bytes(most), 1));
    ASSERT_TRUE(hub.transport->publish("t", Bytes(most + 1), 2));
    ASSERT_TRUE(hub.transport->publish("t", Bytes(most), 3));
    ASSERT_TRUE(run_until(*loop, [&] { return hub.sent.size() == 3; }));
    ASSERT_EQ(hub.refused.size(), 1u);
    EXPECT_NE(hub.refused[0].second.what.find("its max_packet_size is below that; raise it"),
              std::string::npos)
        << hub.refused[0].second.what;
    EXPECT_TRUE(hub.errors.empty());

    ASSERT_TRUE(board.transport->publish("t", Bytes(most + 1), 1));
    ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
    EXPECT_EQ(board.errors[0].code, Errc::denied);
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

// However well each connection begins: what is sent until then is paid for in vain.
TEST(Mqtt, TriesLessAndLessOftenWhatIsTooLargeForTheBroker) {
    const Mosquitto broker("allow_anonymous true\nmessage_size_limit 20000\n");
    const auto loop = make_loop();
    MqttOptions options = options_for(broker, "board");
    options.refused_retry_ms = 40;
    Peer board(*loop, options);
    for (const std::uint64_t pause_ms : {40u, 80u, 160u, 320u}) {
        const auto connects = board.connects;
        ASSERT_TRUE(run_until(*loop, [&] { return board.connects > connects; }));
        for (int i = 0; i < 4; ++i) ASSERT_TRUE(board.transport->publish("t", as_bytes("x"), 1));
        const std::size_t sent = board.sent.size();
        ASSERT_TRUE(run_until(*loop, [&] { return board.sent.size() == sent + 4; }));
        const std::size_t ends = board.errors.size();
        ASSERT_TRUE(board.transport->publish("t", Bytes(30'000), 1));
        ASSERT_TRUE(run_until(*loop, [&] { return board.errors.size() > ends; }));
        const std::uint64_t pause = board.transport->next_attempt()->ms - loop->now().ms;
        EXPECT_GE(pause + 10, pause_ms / 2);
        EXPECT_LE(pause, pause_ms);
        EXPECT_EQ(board.errors.back().what.find("again and again"), std::string::npos)
            << board.errors.back().what;
    }
}

class NotAuthorised : public testing::Test {
protected:
    // How long it waits after the next refusal.
    std::uint64_t next_pause(Peer& board) {
        const auto denied = [&] {
            return static_cast<std::size_t>(
                std::ranges::count(board.errors, Errc::denied, &Error::code));
        };
        const std::size_t before = denied();
        EXPECT_TRUE(run_until(*loop, [&] { return denied() > before; }));
        return board.transport->next_attempt()->ms - loop->now().ms;
    }

    Mosquitto broker{"allow_anonymous false\n"};
    std::unique_ptr<NetLoop> loop = make_loop();
};

TEST_F(NotAuthorised, IsTriedAgainSoon) {
    Peer board(*loop, options_for(broker, "board"));
    const std::uint64_t pause = next_pause(board);
    EXPECT_GE(pause, 4'900u);
    EXPECT_LE(pause, 10'000u);
}

TEST_F(NotAuthorised, IsTriedLessAndLessOftenUntilItWasGood) {
    MqttOptions options = options_for(broker, "board");
    options.refused_retry_ms = 40;
    options.refused_retry_ms_max = 320;
    Peer board(*loop, options);
    for (const std::uint64_t pause_ms : {40u, 80u, 160u, 320u, 320u}) {
        const std::uint64_t pause = next_pause(board);
        EXPECT_GE(pause + 10, pause_ms / 2);  // the loop's clock stood while it was busy
        EXPECT_LE(pause, pause_ms);
    }
    broker.start_with("allow_anonymous true\n");
    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 1; }));
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(board.transport->publish("t", as_bytes("x"), 1));
    ASSERT_TRUE(run_until(*loop, [&] { return board.sent.size() == 3; }));
    broker.start_with("allow_anonymous false\n");
    EXPECT_LE(next_pause(board), 40u);
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

// As many packets are read at once as we wait for acknowledgements.
TEST(Mqtt, ReadsPastMessagesThatAreTooLong) {
    const std::string long_one =
        std::string("\x30\x84\x80\x40\x00\x01t\x00", 8) + std::string(1024 * 1024, 'x');
    const test::PeerServer server([&](test::Peer& peer) {
        peer.hear();
        peer.say(kLetIn);
        peer.hear();
        for (int i = 0; i < 40 && peer.say(long_one); ++i) {
        }
        peer.say(
            std::string_view("\x30\x07\x00\x01t\x00"
                             "abc",
                             9));
        peer.hear_all();
    });
    const auto loop = make_loop();
    const Peer board(*loop, options_for(server));
    ASSERT_TRUE(run_until(*loop, [&] { return board.connects == 1; }));
    while (board.transport->publish("t", as_bytes("x"), 1)) {
    }

    run_until(*loop, [&] { return board.received.size() == 41 || !board.errors.empty(); });

    ASSERT_EQ(board.received.size(), 41u);
    EXPECT_TRUE(board.received[0].payload.empty());
    EXPECT_EQ(as_text(board.received[40].payload), "abc");
    board.transport->stop();
}

// A server at the first address of kTwoAddresses that says something and goes, or stays and says
// nothing more.
class OtherServerFirst {
public:
    OtherServerFirst(std::uint16_t port, std::string_view says, bool stays = false) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = inet_addr(kFirstAddress);
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const bool listens =
            ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
            ::listen(fd_, 4) == 0;
        EXPECT_TRUE(listens) << "at " << kFirstAddress;
        if (!listens) return;
        thread_ = std::thread([this, says = std::string(says), stays] {
            for (int guest = 0; (guest = ::accept(fd_, nullptr, nullptr)) >= 0; ++guests_) {
                test::Peer peer(guest);
                peer.hear();
                peer.say(says);
                if (stays) peer.hear_all();
            }
        });
    }
    ~OtherServerFirst() {
        if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
        if (thread_.joinable()) thread_.join();
        if (fd_ >= 0) ::close(fd_);
    }
    int guests() const { return guests_; }

private:
    int fd_ = -1;
    std::atomic<int> guests_{0};
    std::thread thread_;
};

TEST(Mqtt, TriesTheNextAddressWhenItIsNotLetInAtTheFirst) {
    constexpr std::string_view kNotAuthorised("\x20\x03\x00\x87\x00", 5);  // CONNACK
    for (const std::string_view says : {std::string_view(), kNotAuthorised}) {
        const Mosquitto broker;  // of 127.0.0.1
        const OtherServerFirst other(broker.port(), says);
        const auto loop = make_loop();
        MqttOptions options = options_for(broker, "board");
        options.url = "mqtt://" + std::string(kTwoAddresses) + ":" + std::to_string(broker.port());
        const Peer board(*loop, options);
        EXPECT_TRUE(run_until(*loop, [&] { return board.connects == 1 || !board.errors.empty(); }));
        EXPECT_EQ(board.connects, 1) << board.errors.at(0).what;
        EXPECT_EQ(other.guests(), 1);
    }
}

TEST(Mqtt, TriesTheNextAddressWhenTheFirstFallsSilent) {
    const Mosquitto broker;  // of 127.0.0.1
    const OtherServerFirst other(broker.port(), kLetIn.substr(0, 1), true);
    const auto loop = make_loop();
    MqttOptions options = options_for(broker, "board");
    options.url = "mqtt://" + std::string(kTwoAddresses) + ":" + std::to_string(broker.port());
    options.connect_timeout_s = 4;
    const Peer board(*loop, options);
    EXPECT_TRUE(run_until(*loop, [&] { return board.connects == 1 || !board.errors.empty(); }));
    EXPECT_TRUE(board.errors.empty()) << board.errors[0].what;
}

TEST(Mqtt, SaysWhatAPersonCanMendWhenNoAddressLetsItIn) {
    constexpr std::string_view kNotAuthorised("\x20\x03\x00\x87\x00", 5);  // CONNACK
    const Mosquitto broker("allow_anonymous true\n", false);
    const OtherServerFirst other(broker.port(), kNotAuthorised);
    MqttOptions options = options_for(broker, "board");
    options.url = "mqtt://" + std::string(kTwoAddresses) + ":" + std::to_string(broker.port());
    const auto loop = make_loop();
    const Peer board(*loop, options);
    ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
    EXPECT_EQ(board.errors[0].code, Errc::denied) << board.errors[0].what;
}

TEST(Mqtt, TellsWhyTheBrokerEndedTheConnection) {
    const test::PeerServer server([](test::Peer& peer) {
        peer.hear();
        peer.say(kLetIn);
        peer.say(std::string_view("\xe0\x02\x97\x00", 4));  // DISCONNECT
        peer.hear_all();
    });
    const auto loop = make_loop();
    const Peer board(*loop, options_for(server));
    ASSERT_TRUE(run_until(*loop, [&] { return !board.errors.empty(); }));
    EXPECT_NE(board.errors[0].what.find("ended the connection: Quota exceeded"), std::string::npos)
        << board.errors[0].what;
    EXPECT_EQ(board.errors[0].code, Errc::unavailable);
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

}  // namespace
}  // namespace tributary
