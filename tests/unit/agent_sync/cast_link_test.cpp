// The board's end of a broadcast, over a real store.
#include "agent/sync/cast_link.h"

#include "common/sync/topics.h"
#include "common/trust/fragment.h"
#include "tests/unit/agent_sync/bench.h"

namespace tributary::agent {
namespace {

using test::ManualLoop;
using test::must;
using test::Random;

class CastLinkTest : public testing::Test {
protected:
    CastLinkTest() {
        must(hub->start_journal(test::start_body()));
        must(store->start_journal(test::start_body()));
        must(store->commit());
        const auto item = must(test::stage_file(*hub, "w.bin", plain));
        version = must(test::commit_version(*hub, "lab/model", "main", {item}));
        must(closure_of(*hub, version, {}, [&](const RecordKey& key) -> Status {
            const Bytes frame = must(hub->read_record(key));
            bytes.insert(bytes.end(), frame.begin(), frame.end());
            return {};
        }));
        invitation = {9, Random(5).bytes(sync::kCastKeyBytes), version, {}};
        CastLink::Events events;
        events.report = [this](sync::CastReport report) { reports.push_back(report); };
        events.subscribe = [this](const std::string& topic) { subscribed.push_back(topic); };
        events.unsubscribe = [this](const std::string& topic) { unsubscribed.push_back(topic); };
        events.deciding = [this] { return deciding; };
        events.admits = [this](const VersionId& id) { return admitted && id == version; };
        events.version_whole = [this](const VersionId& id) { whole.push_back(id); };
        link = std::make_unique<CastLink>(loop, queue, 3, std::move(events));
        link->on_connected();
    }

    void run() {
        loop.run_until([&] { return loop.idle(); });
    }
    void invite() {
        link->on_assign({{}, {}, invitation});
        run();
    }
    void join() {
        invite();
        link->on_subscribed(sync::cast_topic(9));
        run();
    }
    // The fragments of the only generation; `forge` may change what one says.
    void send(std::uint32_t from, std::uint32_t to, bool forged = false) {
        const auto size = static_cast<std::uint32_t>(bytes.size());
        const sync::GenerationShape shape = sync::shape_of(size);
        Bytes data = bytes;
        data.resize(std::size_t{shape.fragments} * shape.fragment_bytes);
        for (std::uint32_t i = from; i < to; ++i) {
            sync::Fragment fragment{9, 0, size, true, i, ++serial, to - 1 - i, {}};
            Bytes part = codec::erasure_fragment(data, shape.fragments, i);
            if (forged) part[part.size() / 2] ^= 1;
            fragment.sealed = trust::seal_fragment(invitation.key, fragment, part);
            link->on_payload(must(sync::encode_message({0, sync::Channel::push, fragment})));
            run();
        }
    }
    std::uint32_t fragments() const {
        return sync::shape_of(static_cast<std::uint32_t>(bytes.size())).fragments;
    }

    const Bytes plain = Random(3).bytes(300'000);
    test::StoreMachine hub_machine{1}, machine{2};
    std::unique_ptr<Store> hub = must(hub_machine.open());
    std::unique_ptr<Store> store = must(machine.open());
    ManualLoop loop;
    LoopStoreQueue queue{loop, *store};
    VersionId version;
    Bytes bytes;
    sync::CastInvitation invitation;
    bool deciding = false;
    bool admitted = true;
    std::uint32_t serial = 0;
    std::vector<sync::CastReport> reports;
    std::vector<std::string> subscribed, unsubscribed;
    std::vector<VersionId> whole;
    std::unique_ptr<CastLink> link;
};

TEST_F(CastLinkTest, SaysThatItJoinedOnlyWhenItCanHear) {
    invite();
    EXPECT_THAT(subscribed, testing::ElementsAre(sync::cast_topic(9)));
    EXPECT_TRUE(reports.empty());
    link->on_subscribed(sync::cast_topic(9));
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].state, sync::CastState::taking_part);
}

TEST_F(CastLinkTest, ABroadcastWithLossesBringsTheVersionWhole) {
    join();
    send(2, fragments());  // two are lost
    EXPECT_EQ(reports.back().lacks, (std::vector<sync::CastReport::Lack>{{0, 2}}));
    send(fragments(), fragments() + 2);  // and two new ones come
    EXPECT_THAT(whole, testing::ElementsAre(version));
    EXPECT_EQ(must(test::read_files(*store, version)), plain);
    EXPECT_EQ(reports.back().state, sync::CastState::whole);
    EXPECT_EQ(unsubscribed.size(), 1u);
    EXPECT_FALSE(link->progress());
}

TEST_F(CastLinkTest, ForgedBytesAreThrownAwayAndHadAgain) {
    join();
    send(0, fragments(), true);
    EXPECT_TRUE(whole.empty());
    EXPECT_EQ(reports.back().held, std::vector<bool>{});
    send(0, fragments());
    EXPECT_THAT(whole, testing::ElementsAre(version));
}

TEST_F(CastLinkTest, WhatIsNotSealedUnderTheKeyCountsAsLost) {
    join();
    const Bytes key = std::exchange(invitation.key, Bytes(sync::kCastKeyBytes, 1));
    send(0, fragments());
    EXPECT_EQ(link->progress()->received_bytes, 0u);
    invitation.key = key;
    send(0, fragments());
    EXPECT_THAT(whole, testing::ElementsAre(version));
}

TEST_F(CastLinkTest, WaitsUntilTheInstallerHasDecided) {
    deciding = true;
    invite();
    EXPECT_TRUE(subscribed.empty());
    deciding = false;
    link->on_decided();
    run();
    EXPECT_EQ(subscribed.size(), 1u);
}

TEST_F(CastLinkTest, DeclinesWhatIsNotAdmittedOrCodedOnWhatIsNotHere) {
    admitted = false;
    invite();
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].state, sync::CastState::leaving);
    admitted = true;
    invitation.base = version;  // which this board has not
    invite();
    ASSERT_EQ(reports.size(), 2u);
    EXPECT_EQ(reports[1].state, sync::CastState::leaving);
    EXPECT_TRUE(subscribed.empty());
}

TEST_F(CastLinkTest, LeavesWhenTheBrokerDoesNotLetItHear) {
    invite();
    link->on_refused("another topic");
    EXPECT_TRUE(reports.empty());
    link->on_refused(sync::cast_topic(9));
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].state, sync::CastState::leaving);
    EXPECT_FALSE(link->progress());
}

TEST_F(CastLinkTest, LeavesWhenTheAssignmentIsNotAdmittedAnyMore) {
    join();
    admitted = false;
    send(0, fragments());
    EXPECT_TRUE(whole.empty());
    EXPECT_EQ(reports.back().state, sync::CastState::leaving);
    EXPECT_EQ(unsubscribed.size(), 1u);
}

TEST_F(CastLinkTest, LeavesAsSoonAsItsVersionIsWantedNoMore) {
    join();
    admitted = false;
    link->on_decided();
    run();
    EXPECT_FALSE(link->progress());
    EXPECT_EQ(reports.back().state, sync::CastState::leaving);
    EXPECT_EQ(unsubscribed.size(), 1u);
}

TEST_F(CastLinkTest, SubscribesAgainAfterTheLinkWasLost) {
    join();
    send(0, 3);
    link->on_disconnected();
    link->on_connected();
    EXPECT_EQ(subscribed.size(), 2u);
    link->on_subscribed(sync::cast_topic(9));
    EXPECT_EQ(reports.back().lacks, (std::vector<sync::CastReport::Lack>{{0, fragments() - 3}}));
}

}  // namespace
}  // namespace tributary::agent
