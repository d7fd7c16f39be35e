#include "common/net/outbox.h"

#include <gmock/gmock.h>

namespace tributary {
namespace {

using testing::ElementsAre;

// Takes so many messages and then is full.
class FullTransport final : public Transport {
public:
    void start(Events) override {}
    Status publish(const std::string& topic, ByteView payload, std::uint64_t) override {
        if (room == 0) return fail(Errc::unavailable, "full");
        --room;
        taken.push_back(topic);
        sizes.push_back(payload.size());
        return {};
    }
    void subscribe(const std::string&) override {}
    void unsubscribe(const std::string&) override {}
    void stop() override {}

    int room = 0;
    std::vector<std::string> taken;
    std::vector<std::size_t> sizes;
};

class OutboxTest : public testing::Test {
protected:
    void SetUp() override { outbox.on_connected(); }
    void room_for(int messages) {
        transport.room = messages;
        for (int i = 0; i < messages; ++i) outbox.on_sent(token++);
    }

    FullTransport transport;
    std::uint64_t token = 0;
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

TEST_F(OutboxTest, TopicsTakeTurnsAndEachKeepsItsOrder) {
    for (int i = 0; i < 4; ++i) outbox.publish("greedy", Bytes(10), Priority::model);
    outbox.publish("b", Bytes(1), Priority::model);
    outbox.publish("z", Bytes(2), Priority::model);
    outbox.publish("b", Bytes(3), Priority::model);
    room_for(7);
    EXPECT_THAT(transport.taken,
                ElementsAre("b", "greedy", "z", "b", "greedy", "greedy", "greedy"));
    EXPECT_THAT(transport.sizes, ElementsAre(1, 10, 2, 3, 10, 10, 10));
}

TEST_F(OutboxTest, WhoHasTheMostGivesWayWhenItIsFull) {
    for (int i = 0; i < 10; ++i) outbox.publish("greedy", Bytes(10), Priority::model);
    EXPECT_EQ(outbox.dropped(), 0u);
    outbox.publish("modest", Bytes(15), Priority::model);
    EXPECT_EQ(outbox.dropped(), 2u) << "the last two of the other's";
    outbox.publish("greedy", Bytes(10), Priority::model);
    EXPECT_EQ(outbox.dropped(), 3u) << "there is no room for it";
    for (int i = 0; i < 3; ++i) outbox.publish("modest", Bytes(15), Priority::model);
    EXPECT_EQ(outbox.queued_bytes(Priority::model), 95u);
    EXPECT_EQ(outbox.dropped(), 7u) << "three more of the other's; the last would have the most";
}

TEST_F(OutboxTest, TellsWhoseMessageWasTaken) {
    transport.room = 2;
    outbox.publish("a", Bytes(1));
    outbox.publish("b", Bytes(1));
    EXPECT_EQ(outbox.on_sent(2), "b");
    EXPECT_EQ(outbox.on_sent(1), "a");
    EXPECT_EQ(outbox.on_sent(1), "");
    EXPECT_TRUE(outbox.idle());
}

TEST_F(OutboxTest, DropsWhatWaitsForATopicAndNothingElse) {
    for (const Priority priority : {Priority::control, Priority::data})
        for (const char* topic : {"a", "b"}) outbox.publish(topic, Bytes(10), priority);
    outbox.drop("a");
    EXPECT_EQ(outbox.dropped(), 2u);
    EXPECT_EQ(outbox.queued_bytes(Priority::data), 10u);
    room_for(4);
    EXPECT_THAT(transport.taken, ElementsAre("b", "b"));
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
