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

TEST(HubIntake, DropsAndCountsAMessageFromAnUnknownDevice) {
    const test::TempDir directory;
    test::Mosquitto broker;
    const auto loop = make_loop();
    HubConfig config;
    config.state_dir = directory / "hub";
    config.broker_url = broker.url();
    const auto hub =
        Hub::start({*loop, system_files(), system_clock(), system_entropy()}, config).value();
    ASSERT_TRUE(test::run_until(
        *loop, [&] { return hub->broker_connected(); }, 15'000));
    MqttOptions options;
    options.url = broker.url();
    options.client_id = "stranger";
    const auto stranger = make_mqtt(*loop, system_entropy(), options).value();
    const std::string topic = sync::topic_of("stranger", sync::Direction::up);

    stranger->start(
        {[&] { EXPECT_TRUE(stranger->publish(topic, as_bytes("junk"), 1)); }, {}, {}, {}});

    EXPECT_TRUE(test::run_until(
        *loop, [&] { return hub->unknown_messages() == 1; }, 15'000));
    EXPECT_TRUE(hub->ledger().catalog().devices().empty());
    EXPECT_EQ(hub->link("stranger"), nullptr);
}

}  // namespace
}  // namespace tributary::hub
