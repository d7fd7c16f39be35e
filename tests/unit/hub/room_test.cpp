// A hub whose disk is full asks for no content, and boards go on by themselves when it has room.
#include "hub/intake/room.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/text/log.h"
#include "tests/support/random.h"
#include "tests/unit/hub/agent_end.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::string noise(std::uint64_t seed, std::size_t bytes) {
    const Bytes content = test::Random(seed).bytes(bytes);
    return std::string(as_text(content));
}

class FullDisk : public testing::Test {
protected:
    FullDisk() { board.bind_at(*home.ledger); }

    // Nothing else is written meanwhile.
    void leave_free(std::uint64_t bytes) {
        home.files.set_capacity(UINT64_MAX);
        const std::uint64_t used = UINT64_MAX - home.files.free_bytes("hub").value();
        home.files.set_capacity(used + bytes);
    }
    void meet(AgentEnd& end) {
        end.admits = [this](std::uint64_t bytes) { return room.admits("a", bytes); };
        end.needs_no_room = [this] { room.forget("a"); };
        end.listen = [this](const Bytes& payload) {
            const auto message = sync::parse_message(payload);
            const auto* data = message ? std::get_if<sync::Data>(&message->body) : nullptr;
            if (data) content_bytes += data->bytes.size();
        };
    }
    std::vector<std::string> call() {
        return room.call([this](const std::string& device) { return device != not_heard; });
    }
    void expect_all_received(AgentEnd& end, const VersionId& version) {
        ASSERT_FALSE(end.receipts.empty());
        EXPECT_THAT(end.receipts.back().whole, ElementsAre(version));
        EXPECT_NE(home.ledger->catalog().version(version), nullptr);
    }

    HubHome home{2};
    Board board{"a", 1};
    int told = 0;
    Room room{home.ledger->store(), [this] { ++told; }};
    std::string not_heard;
    std::uint64_t content_bytes = 0;  // that crossed the link
};

TEST_F(FullDisk, NoByteOfContentCrossesTheLinkUntilThereIsRoomAndThenAllOfIt) {
    const VersionId version = board.commit("fleet/data", {{"f", noise(1, 900'000)}});
    AgentEnd end(board, "a", *home.ledger, home.clock, 100);
    meet(end);
    leave_free(Room::kReserveBytes + 800'000);

    end.connect();
    end.wait(6 * 3'600'000);

    EXPECT_EQ(content_bytes, 0u);
    EXPECT_TRUE(end.receipts.empty());
    ASSERT_FALSE(end.troubles.empty());
    EXPECT_EQ(end.troubles.back().code, Errc::unavailable);
    EXPECT_THAT(end.troubles.back().what, StartsWith("the hub refused (busy): "));
    EXPECT_THAT(end.troubles.back().what, HasSubstr("nothing is lost"));
    EXPECT_LT(end.troubles.size(), 40u) << "it need not ask often: it is called";
    EXPECT_THAT(end.link().status().last_trouble, HasSubstr("no room"));
    EXPECT_EQ(told, 1);
    EXPECT_THAT(call(), IsEmpty());

    leave_free(Room::kReserveBytes + 8'000'000);
    EXPECT_THAT(call(), ElementsAre("a"));
    end.call();
    end.wait(10'000);

    expect_all_received(end, version);
    EXPECT_GE(content_bytes, 900'000u);
    EXPECT_LT(content_bytes, 1'000'000u) << "once";
    EXPECT_THAT(room.waiting(), IsEmpty());
    EXPECT_EQ(end.link().status().last_trouble, "");
}

TEST_F(FullDisk, WhatABoardSaysWithoutContentIsStillReceipted) {
    board.say(SecurityEventBody{"hub_unproven"});
    AgentEnd end(board, "a", *home.ledger, home.clock, 100);
    meet(end);
    leave_free(4'000'000);

    end.connect();

    ASSERT_EQ(end.receipts.size(), 1u);
    EXPECT_THAT(room.waiting(), IsEmpty());
}

// By something else on that disk, after content was asked for.
TEST_F(FullDisk, ThatIsFilledWhileContentComesIsToldLikeOneThatWasFullBefore) {
    const VersionId version =
        board.commit("fleet/data",
                     {{"1", noise(1, 900'000)}, {"2", noise(2, 900'000)}, {"3", noise(3, 90'000)}});
    AgentEnd end(board, "a", *home.ledger, home.clock, 100);
    meet(end);
    bool full = false;
    end.twist_record = [&](Bytes&) {
        if (!std::exchange(full, true)) leave_free(1'000);
    };

    end.connect();
    const std::uint64_t before = content_bytes;
    end.wait(3'600'000);

    EXPECT_EQ(content_bytes, before) << "nothing more is sent";
    EXPECT_TRUE(end.receipts.empty());
    EXPECT_THAT(end.troubles.back().what, StartsWith("the hub refused (busy): "));
    EXPECT_THAT(end.troubles.back().what, HasSubstr("nothing is lost"));
    EXPECT_EQ(room.waiting().size(), 1u);

    leave_free(Room::kReserveBytes + 8'000'000);
    EXPECT_THAT(call(), ElementsAre("a"));
    end.call();
    end.wait(10'000);
    expect_all_received(end, version);
}

// Of what was asked for while there was room.
TEST_F(FullDisk, IsFilledUpToHalfOfTheReserveAndNoFurther) {
    for (const bool fits : {true, false}) {
        Board of(fits ? "b" : "c", fits ? 5 : 6);
        of.bind_at(*home.ledger);
        leave_free(2 * Room::kReserveBytes);
        of.commit("fleet/data", {{"f", noise(fits ? 1 : 2, 900'000)}});
        AgentEnd end(of, of.device(), *home.ledger, home.clock, 100);
        meet(end);
        bool came = false;
        end.twist_record = [&](Bytes& frame) {
            if (std::exchange(came, true)) return;
            leave_free(Room::kReserveBytes / 2 + (fits ? 2 * frame.size() : frame.size() / 2));
        };
        end.connect();
        EXPECT_TRUE(came);
        EXPECT_EQ(end.receipts.size(), fits ? 1u : 0u);
    }
}

TEST_F(FullDisk, IsNotWaitedForByBoardsThatAreNotHeardOrNeedNoneOfIt) {
    board.commit("fleet/data", {{"f", "content"}});
    AgentEnd end(board, "a", *home.ledger, home.clock, 100);
    meet(end);
    end.twist_page = [](sync::Page& page) {
        page.last = false;  // it brings all, and says nothing of it yet
        page.entries.clear();
        page.seal.clear();
    };
    end.connect();
    leave_free(Room::kReserveBytes);
    EXPECT_FALSE(room.admits("a", 3'000'000));
    EXPECT_FALSE(room.admits("b", 5'000'000));
    not_heard = "b";
    EXPECT_THAT(call(), IsEmpty());
    ASSERT_EQ(room.waiting().size(), 1u);
    EXPECT_EQ(room.waiting()[0].device, "a");

    end.twist_page = nullptr;
    end.connect();
    EXPECT_EQ(end.receipts.size(), 1u);
    EXPECT_THAT(room.waiting(), IsEmpty());
}

TEST_F(FullDisk, IsSaidOnceOfEachBoardUntilThereIsRoom) {
    std::vector<std::string> lines;
    capture_log([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
    const auto count = [&](std::string_view text) {
        return std::ranges::count_if(
            lines, [&](const std::string& line) { return line.find(text) != line.npos; });
    };
    const VersionId version = board.commit("fleet/data", {{"f", noise(1, 900'000)}});
    AgentEnd end(board, "a", *home.ledger, home.clock, 100);
    meet(end);
    leave_free(Room::kReserveBytes);

    end.connect();
    end.wait(2 * 3'600'000);
    EXPECT_EQ(count("no room for it"), 1);

    leave_free(Room::kReserveBytes + 8'000'000);
    end.wait(2 * 3'600'000);
    capture_log({});
    EXPECT_EQ(count("there is room for what a board brings"), 1);
    EXPECT_EQ(count("no room for it"), 1);
    expect_all_received(end, version);
}

TEST_F(FullDisk, CallsAsManyBoardsAsThereIsRoomFor) {
    leave_free(Room::kReserveBytes);
    EXPECT_FALSE(room.admits("a", 3'000'000));
    EXPECT_FALSE(room.admits("b", 5'000'000));
    EXPECT_FALSE(room.admits("c", 1'000'000));
    EXPECT_FALSE(room.admits("b", 6'000'000)) << "it comes again and keeps its place";
    EXPECT_EQ(told, 1);

    leave_free(Room::kReserveBytes + 5'000'000);
    EXPECT_THAT(call(), ElementsAre("a", "c"));
    EXPECT_THAT(call(), IsEmpty());
    ASSERT_EQ(room.waiting().size(), 1u);
    EXPECT_EQ(room.waiting()[0].bytes, 6'000'000u);

    leave_free(Room::kReserveBytes + 8'000'000);
    EXPECT_TRUE(room.admits("b", 6'000'000)) << "it came by itself";
    EXPECT_THAT(room.waiting(), IsEmpty());
    leave_free(Room::kReserveBytes);
    EXPECT_FALSE(room.admits("a", 3'000'000));
    EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace tributary::hub
