// One device floods the hub with all that it can think of; another one's work goes on beside it.
#include <atomic>
#include <chrono>
#include <thread>

#include "common/net/mqtt.h"
#include "common/record/message.h"
#include "common/sync/topics.h"
#include "tests/integration/daemon/daemon_fixture.h"
#include "tests/integration/net/loop_runner.h"

namespace tributary::agent {
namespace {

// Publishes as fast as the broker takes it, on the topic of a device, from a thread of its own.
class Flood {
public:
    using Next = std::function<Bytes(std::uint64_t number)>;

    Flood(const test::Mosquitto& broker, const std::string& device, Next next)
        : topic_(sync::topic_of(device, sync::Direction::up)), next_(std::move(next)) {
        MqttOptions options;
        options.url = broker.url();
        options.client_id = device;
        transport_ = make_mqtt(*loop_, system_entropy(), std::move(options)).value();
        Transport::Events events;
        events.connected = [this] { pour(); };
        events.sent = [this](std::uint64_t) {
            ++taken_;
            pour();
        };
        transport_->start(std::move(events));
        thread_ = std::thread([this] { loop_->run(); });
    }
    ~Flood() {
        loop_->stop();
        thread_.join();
    }
    std::uint64_t taken() const { return taken_; }  // by the broker

private:
    void pour() {
        while (transport_->publish(topic_, next_(number_), 0)) ++number_;
    }

    const std::string topic_;
    const Next next_;
    std::uint64_t number_ = 0;
    std::atomic<std::uint64_t> taken_{0};
    std::unique_ptr<NetLoop> loop_ = make_loop();
    std::unique_ptr<Transport> transport_;
    std::thread thread_;
};

class FloodTest : public DaemonTest {
protected:
    static constexpr int kVersions = 12;

    // A second device that the hub knows; it is not heard of again.
    void meet_the_other() {
        write_file_at(dir / "other.toml", "state_dir = \"" + dir / "other" +
                                              "\"\n[hub]\nurl = \"http://" + hub_address() +
                                              "\"\nname = \"other\"\n[broker]\nurl = \"" +
                                              broker.url() + "\"\n");
        const test::Process other(
            {test::program("tributary-agent"), "--config", dir / "other.toml", "run"});
        ASSERT_TRUE(test::eventually([&] { return device("other").size() > 0; }, kSoon));
    }
    std::string device(const std::string& name) const {
        const test::Finished shown = test::run({test::program("tributary"), "--hub",
                                                "http://" + hub_address(), "device", "show", name});
        return shown.ending.exit_code == 0 ? shown.out : std::string();
    }
    // Seconds until so many versions, each recorded when the one before was receipted, are.
    double seconds_for_versions() {
        const auto began = std::chrono::steady_clock::now();
        for (int i = 0; i < kVersions; ++i) {
            write_file_at(dir / "w.bin", random_text(++seed, 100'000));
            answer({"commit", "--repo", "lab/model", dir / "w.bin"});
            EXPECT_TRUE(test::eventually([&] { return nothing_pending(); }, 3 * kSoon));
        }
        rounds += 1;
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    }
    // Beside a flood of the other.
    double seconds_beside(const Flood::Next& next) {
        const Flood flood(broker, "other", next);
        EXPECT_TRUE(test::eventually([&] { return flood.taken() > 100; }, kSoon));
        const std::uint64_t before = flood.taken();
        const double seconds = seconds_for_versions();
        EXPECT_GT(flood.taken(), before + 100);
        return seconds;
    }

    std::uint64_t seed = 0;
    std::uint64_t rounds = 0;
};

TEST_F(FloodTest, OfOneDeviceLeavesAnotherItsThroughputAndItsReceipts) {
    start_hub();
    start_daemon();
    wait_for_daemon();
    meet_the_other();
    ASSERT_TRUE(test::eventually([&] { return nothing_pending(); }, kSoon));
    double quiet = seconds_for_versions();

    sync::Hello hello;
    hello.protocol_min = hello.protocol_max = 1;
    const Bytes junk(60'000, 0xEE);
    const auto question = [&](std::uint64_t number) {
        return sync::encode_message({number + 1, {}, hello}).value();
    };
    const auto of_no_session = [](std::uint64_t number) {
        sync::Data data;
        data.plan = number + 1;
        data.bytes = Bytes(1'000);
        return sync::encode_message({77, sync::Channel::uplink, data}).value();
    };
    // Questions come first: they count for little, so the device is heard for a while. In the end
    // its topic is set aside, and it goes on all the same.
    const std::vector<std::pair<const char*, Flood::Next>> floods{
        {"questions", question},
        {"messages of no session", of_no_session},
        {"junk", [&](std::uint64_t) { return junk; }}};
    for (const auto& [what, next] : floods) {
        SCOPED_TRACE(what);
        const double beside = seconds_beside(next);
        // Perhaps the machine has become slow: what does it do without the flood now?
        if (beside >= 5 * quiet + 5) quiet = std::max(quiet, seconds_for_versions());
        EXPECT_LT(beside, 5 * quiet + 5) << "without it " << quiet;
    }
    EXPECT_NE(device("other").find("set aside"), std::string::npos) << device("other");
    EXPECT_EQ(device("board").find("set aside"), std::string::npos) << device("board");
    EXPECT_EQ(versions(), kVersions * rounds);
}

}  // namespace
}  // namespace tributary::agent
