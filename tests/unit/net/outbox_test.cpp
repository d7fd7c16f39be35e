#include "common/net/outbox.h"

#include <gmock/gmock.h>

namespace tributary {
namespace {

using testing::ElementsAre;

// Takes so many messages and then is full.
class FullTransport final : public Transport {
public:
    void start(Events) override {}
    Status publish(const std::string& topic, ByteView, std::uint64_t) override {
        if (room == 0) return fail(Errc::unavailable, "full");
        --room;
        taken.push_back(topic);
        return {};
    }
    void subscribe(const std::string&) override {}
    void unsubscribe(const std::string&) override {}
    void stop() override {}

    int room = 0;
    std::vector<std::string> taken;
};

class OutboxTest : public testing::Test {
protected:
    void SetUp() override { outbox.on_connected(); }
    void room_for(int messages) {
        transport.room = messages;
        for (int i = 0; i < messages; ++i) outbox.on_sent();
    }

    FullTransport transport;
    Outbox outbox{transport, 100};
};

TEST_F(OutboxTest, WhatIsMoreUrgentGoesFirst) {
    outbox.publish("data", Bytes(10), Priority::data);
    outbox.publish("model", Bytes(10), Priority::model);
    outbox.publish("control", Bytes(10), Priority::control);
    outbox.publish("control 2", Bytes(10), Priority::control);
    room_for(4);
    EXPECT_THAT(transport.taken, ElementsAre("control", "control 2", "model", "data"));
    EXPECT_EQ(outbox.handed_over_bytes(), 40u);
}

TEST_F(OutboxTest, FullOfContentItStillTakesControl) {
    for (int i = 0; i < 20; ++i) outbox.publish("data", Bytes(10), Priority::data);
    EXPECT_EQ(outbox.dropped(), 10u);
    outbox.publish("control", Bytes(100), Priority::control);
    EXPECT_EQ(outbox.dropped(), 10u);
    room_for(1);
    EXPECT_THAT(transport.taken, ElementsAre("control"));
}

TEST_F(OutboxTest, ADisconnectLeavesNothing) {
    outbox.publish("data", Bytes(10), Priority::data);
    EXPECT_FALSE(outbox.idle());
    outbox.on_disconnected();
    EXPECT_TRUE(outbox.idle());
    EXPECT_EQ(outbox.dropped(), 1u);
    outbox.publish("data", Bytes(10), Priority::data);
    EXPECT_EQ(outbox.dropped(), 2u) << "nothing is kept for a later connection";
}

}  // namespace
}  // namespace tributary
