// A message from a device that the hub does not know, over a real broker.
#include <gtest/gtest.h>

#include "common/net/mqtt.h"
#include "common/sync/topics.h"
#include "hub/app/hub.h"
#include "tests/integration/net/loop_runner.h"
#include "tests/support/mosquitto.h"
#include "tests/support/temp_dir.h"

namespace tributary::hub {
namespace {

class HubIntake : public testing::Test {
protected:
    HubIntake() {
        HubConfig config;
        config.state_dir = directory / "hub";
        config.broker_url = broker.url();
        hub = Hub::start({*loop, system_files(), system_clock(), system_entropy()}, config).value();
    }
    // Publishes, and waits until the hub counted it.
    void say_from_nowhere(const std::string& topic) {
        ASSERT_TRUE(test::run_until(
            *loop, [&] { return hub->broker_connected(); }, 15'000));
        MqttOptions options;
        options.url = broker.url();
        options.client_id = "stranger";
        const auto stranger = make_mqtt(*loop, system_entropy(), options).value();
        stranger->start(
            {[&] { EXPECT_TRUE(stranger->publish(topic, as_bytes("junk"), 1)); }, {}, {}, {}});
        EXPECT_TRUE(test::run_until(
            *loop, [&] { return hub->unknown_messages() == 1; }, 15'000));
        EXPECT_EQ(hub->security().counted().at("unknown_device"), 1u);
    }

    const test::TempDir directory;
    test::Mosquitto broker;
    const std::unique_ptr<NetLoop> loop = make_loop();
    std::unique_ptr<Hub> hub;
};

TEST_F(HubIntake, DropsAndCountsAMessageFromAnUnknownDevice) {
    say_from_nowhere(sync::topic_of("stranger", sync::Direction::up));
    EXPECT_TRUE(hub->ledger().catalog().devices().empty());
    EXPECT_EQ(hub->link("stranger"), nullptr);
}

TEST_F(HubIntake, DropsAndCountsAMessageOfADeviceInAnotherPartition) {
    ASSERT_TRUE(hub->ledger().append({DeviceBoundBody{"board", Incarnation{{1}}, Bytes(91)}}));
    const std::string topic = sync::topic_of("board", sync::Direction::up);
    const bool is_in_7 = topic == "tributary/1/7/board/up";
    say_from_nowhere(is_in_7 ? "tributary/1/8/board/up" : "tributary/1/7/board/up");
    EXPECT_EQ(hub->link("board")->status().received_bytes, 0u);
}

}  // namespace
}  // namespace tributary::hub
