// What a device is to run is sent to it, and nothing else is.
#include <gtest/gtest.h>

#include "common/hash/hash.h"
#include "tests/unit/hub/agent_end.h"
#include "tests/unit/hub/roll_out.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;

class DeviceLinkWithAnAssignment : public testing::Test {
protected:
    DeviceLinkWithAnAssignment() {
        board.bind_at(*home.ledger);
        Board trainer("trainer", 4);
        version = trainer.commit("fleet/model", {{"m", "weights"}});
        trainer.bring_to(*home.ledger);
        test::roll_out(*home.ledger, home.clock, version, {"a"});
    }

    AgentEnd agent(Board& of) {
        return AgentEnd(of, of.device(), *home.ledger, home.clock, ++seed);
    }

    Board board{"a", 1};
    HubHome home{2};
    std::uint64_t seed = 100;
    VersionId version;
};

TEST_F(DeviceLinkWithAnAssignment, SendsAssignmentAndVersion) {
    AgentEnd end = agent(board);

    end.connect();

    EXPECT_EQ(end.assigns.size(), 1u);
    EXPECT_EQ(first_missing(board.store(), version, {}).value(), std::nullopt);
}

TEST_F(DeviceLinkWithAnAssignment, TrustSendsNoneThatAKeySignedThatTheHubHasNoMore) {
    home.change_key();
    AgentEnd end = agent(board);

    end.connect();

    EXPECT_TRUE(end.assigns.empty());
    EXPECT_TRUE(first_missing(board.store(), version, {}).value()) << "nor what it asks for";
}

TEST_F(DeviceLinkWithAnAssignment, RepeatsTheAssignmentAtEachHelloUntilTheJournalAnswersIt) {
    AgentEnd end = agent(board);
    end.connect();
    const std::size_t at_first = end.assigns.size();

    end.wait(61'000);
    const std::size_t later = end.assigns.size();
    board.say(InstallBody{1, "model", version, "committed", version, {}, ""});
    end.connect();
    const std::size_t answered = end.assigns.size();
    end.wait(61'000);

    EXPECT_GT(later, at_first);
    EXPECT_EQ(end.assigns.size(), answered);
}

// A board passes over an assignment that comes after a later one.
TEST_F(DeviceLinkWithAnAssignment, SendsItWithThoseBehindItWhenABroadcastIsPrepared) {
    test::roll_out(*home.ledger, home.clock, version, {"a"}, "another");
    AgentEnd end = agent(board);
    bool is_prepared = false;
    end.cast_is_prepared_for = [&](std::uint64_t number) { return number == 1 && !is_prepared; };

    end.connect();
    EXPECT_TRUE(end.assigns.empty());
    EXPECT_NE(first_missing(board.store(), version, {}).value(), std::nullopt);

    is_prepared = true;
    end.link().on_assigned(end.now());
    end.pass(0);
    EXPECT_EQ(end.assigns.size(), 2u);
    EXPECT_EQ(first_missing(board.store(), version, {}).value(), std::nullopt);
}

class DeviceLinkWithANewAssignment : public DeviceLinkWithAnAssignment {
protected:
    DeviceLinkWithANewAssignment() {
        Board trainer("another-trainer", 5);
        next = trainer.commit("fleet/model", {{"m", "weights of another"}});
        trainer.bring_to(*home.ledger);
    }
    void assign_the_next() {
        test::roll_out(*home.ledger, home.clock, next, {"a"});
        end.link().on_assigned(end.now());
    }
    bool lacks(const VersionId& id) {
        return first_missing(board.store(), id, {}).value().has_value();
    }

    VersionId next;
    AgentEnd end = agent(board);
};

TEST_F(DeviceLinkWithANewAssignment, GivesUpThePushOfTheOneThatItReplaces) {
    bool is_assigned = false;
    end.overhear = [&](const sync::Body& body) {
        if (std::holds_alternative<sync::Offer>(body) && !std::exchange(is_assigned, true))
            assign_the_next();
    };
    end.connect();
    EXPECT_TRUE(lacks(version));
    EXPECT_FALSE(lacks(next));
}

TEST_F(DeviceLinkWithANewAssignment, IsPushedAtOnceAlsoWhenTheOneBeforeWasRefused) {
    end.declines = version;
    end.connect();
    assign_the_next();
    end.pass(0);
    EXPECT_FALSE(lacks(next));
}

TEST_F(DeviceLinkWithANewAssignment, HasNothingLeftOfAPushThatNobodyWants) {
    end.declines = version;
    end.connect();
    ASSERT_GT(end.link().bytes_left(), 0u);
    board.say(InstallBody{1, "model", version, "rejected", {}, {}, "policy"});
    end.wake();
    end.wait(61'000);
    EXPECT_EQ(end.link().bytes_left(), 0u);
}

TEST_F(DeviceLinkWithANewAssignment, TellsWhatAPushWaitsFor) {
    end.declines = version;
    end.connect();
    const std::string refused = end.link().push_waits_for(end.now());
    EXPECT_TRUE(refused.starts_with("the next try in ")) << refused;
    EXPECT_TRUE(refused.ends_with(" s, because the device refused (denied): not that one"))
        << refused;
    end.twist_hello = [](sync::Hello& hello) { hello.rest_ms = 3'600'000; };
    end.disconnect();
    end.connect();
    EXPECT_EQ(end.link().push_waits_for(end.now()), "") << "it says by itself until when it rests";
    end.twist_hello = nullptr;
    end.disconnect();
    end.connect();

    // It comes, and what is offered is not heard.
    bool is_deaf = false;
    end.overhear = [&](const sync::Body& body) {
        is_deaf = is_deaf || std::holds_alternative<sync::Offer>(body);
    };
    end.disturb = [&](std::deque<Bytes>& way) {
        if (is_deaf) way.clear();
    };
    assign_the_next();
    end.pass(0);
    EXPECT_EQ(end.link().push_waits_for(end.now()), "");
    end.pass(4'000);
    EXPECT_EQ(end.link().push_waits_for(end.now()), "an answer of the board");
    is_deaf = false;
    end.overhear = nullptr;
    end.say(sync::device_gone());
    EXPECT_EQ(end.link().push_waits_for(end.now()), "") << "it is away";
    end.disconnect();
    end.connect();
    end.wait(61'000);
    EXPECT_FALSE(lacks(next));
    EXPECT_EQ(end.link().push_waits_for(end.now()), "");
}

// Two thousand files, that make more than a page.
class DeviceLinkOverASmallerBroker : public DeviceLinkWithAnAssignment {
protected:
    static constexpr std::size_t kTaken = 65'280;

    DeviceLinkOverASmallerBroker() {
        std::map<std::string, std::string> files;
        for (int i = 0; i < 2'000; ++i) files[std::to_string(i)] = "weights " + std::to_string(i);
        Board trainer("another-trainer", 5);
        large = trainer.commit("fleet/model", files);
        trainer.bring_to(*home.ledger);
        test::roll_out(*home.ledger, home.clock, large, {"a"});
        end.listen_to_hub = [this](const Bytes& payload) {
            longest = std::max(longest, payload.size());
        };
        end.overhear = [this](const sync::Body& body) {
            is_offered = is_offered || std::holds_alternative<sync::Offer>(body);
        };
        end.disturb = [this](std::deque<Bytes>& way) {
            if (is_offered) way.clear();
        };
        end.connect();
        EXPECT_GT(std::exchange(longest, 0), kTaken);
        end.disturb = nullptr;
    }
    bool has_all() { return !first_missing(board.store(), large, {}).value(); }

    VersionId large;
    AgentEnd end = agent(board);
    std::size_t longest = 0;
    bool is_offered = false;
};

TEST_F(DeviceLinkOverASmallerBroker, OffersPagesThatFitWhenTheDeviceSaysSoInANewSession) {
    end.disconnect();
    end.connect(sync::data_bytes_for(kTaken));
    EXPECT_TRUE(has_all());
    EXPECT_LE(longest, kTaken);
}

TEST_F(DeviceLinkOverASmallerBroker, OffersPagesThatFitWhenTheHubIsTold) {
    end.link().on_connected(end.now(), 0, kTaken);
    end.wait(10 * 60'000);
    EXPECT_TRUE(has_all());
    EXPECT_LE(longest, kTaken);
}

TEST_F(DeviceLinkWithANewAssignment, GoesOnWithThePushOfTheSameVersion) {
    int offers = 0;
    end.overhear = [&](const sync::Body& body) {
        if (!std::holds_alternative<sync::Offer>(body) || ++offers > 1) return;
        test::roll_out(*home.ledger, home.clock, version, {"a"});
        end.link().on_assigned(end.now());
    };
    std::set<std::uint64_t> plans;
    end.listen = [&](const Bytes& payload) {
        const sync::Envelope said = sync::parse_message(payload).value();
        if (const auto* want = std::get_if<sync::Want>(&said.body)) plans.insert(want->plan);
    };
    end.connect();
    EXPECT_FALSE(lacks(version));
    EXPECT_EQ(plans.size(), 1u);
}

TEST_F(DeviceLinkWithAnAssignment, PreparesALargeVersionInSeveralTurnsOfTheLoop) {
    std::map<std::string, std::string> files;
    for (int i = 0; i < 640; ++i) files[std::to_string(i)] = "weights " + std::to_string(i);
    Board trainer("another-trainer", 5);
    const VersionId large = trainer.commit("fleet/model", files);
    trainer.bring_to(*home.ledger);
    test::roll_out(*home.ledger, home.clock, large, {"a"});
    AgentEnd end = agent(board);
    end.holds_turns = true;
    const auto is_here = [&] { return !first_missing(board.store(), large, {}).value(); };

    end.connect();
    EXPECT_GE(end.turns_until(is_here), 640 / 64);
}

TEST_F(DeviceLinkWithAnAssignment, TellsAllThatIsLeftOfAPush) {
    std::map<std::string, std::string> files;
    for (int i = 0; i < 6'000; ++i) files[std::to_string(i)] = "weights " + std::to_string(i);
    Board trainer("another-trainer", 5);
    const VersionId large = trainer.commit("fleet/model", files);
    trainer.bring_to(*home.ledger);
    AgentEnd end = agent(board);
    end.connect();
    end.pass(0);
    EXPECT_EQ(end.link().bytes_left(), 0u);
    std::uint64_t stored = 0;
    ASSERT_TRUE(closure_of(home.ledger->store(), large, {}, [&](const RecordKey& key) -> Status {
        stored += home.ledger->store().read_header(key).value().stored_length;
        return {};
    }));

    std::vector<std::uint64_t> left;
    std::size_t pages = 0;
    end.overhear = [&](const sync::Body& body) {
        if (std::holds_alternative<sync::Offer>(body)) ++pages;
        left.push_back(end.link().bytes_left());
    };
    test::roll_out(*home.ledger, home.clock, large, {"a"});
    end.link().on_assigned(end.now());
    end.pass(0);

    EXPECT_GE(pages, 3u);
    EXPECT_EQ(left.size() > 2 ? *std::ranges::max_element(left) : 0, stored);
    const auto first = std::ranges::max_element(left);
    EXPECT_TRUE(std::is_sorted(first, left.end(), std::greater<>()));
    EXPECT_EQ(end.link().bytes_left(), 0u);
    EXPECT_EQ(first_missing(board.store(), large, {}).value(), std::nullopt);
}

TEST_F(DeviceLinkWithAnAssignment, OffersAChangedFileAgainstWhatRunsThere) {
    const VersionId running = board.commit("fleet/model", {{"m", "weights before"}});
    AgentEnd end = agent(board);
    std::vector<Digest> bases;
    end.overhear = [&](const sync::Body& body) {
        if (const auto* offer = std::get_if<sync::Offer>(&body))
            for (const sync::OfferedObject& object : offer->objects)
                if (object.key.kind == RecordKind::piece)
                    bases.insert(bases.end(), object.bases.begin(), object.bases.end());
    };

    board.say(InstallBody{1, "model", version, "rolled_back", running, {}, ""});
    end.connect();
    end.wait(70'000);
    bases.clear();
    test::roll_out(*home.ledger, home.clock, version, {"a"});

    end.link().on_assigned(end.now());
    end.pass(0);

    EXPECT_EQ(bases, std::vector{sha256(as_bytes("weights before"))});
    EXPECT_EQ(first_missing(board.store(), version, {}).value(), std::nullopt);
}

// What is coded on a version tells what is in it.
TEST_F(DeviceLinkWithAnAssignment, TrustCodesNothingOnWhatItsBoardSaysItRunsAndMayNotRead) {
    Board other("c", 5);
    const VersionId theirs = other.commit("fleet/model", {{"m", "weights of others"}});
    other.bring_to(*home.ledger);
    ASSERT_NE(home.ledger->catalog().version(theirs), nullptr);
    AgentEnd end = agent(board);
    std::size_t bases = 0, offers = 0;
    end.overhear = [&](const sync::Body& body) {
        const auto* offer = std::get_if<sync::Offer>(&body);
        if (!offer) return;
        ++offers;
        for (const sync::OfferedObject& object : offer->objects) bases += object.bases.size();
    };

    board.say(InstallBody{1, "model", version, "rolled_back", theirs, {}, ""});
    end.connect();
    test::roll_out(*home.ledger, home.clock, version, {"a"});
    end.link().on_assigned(end.now());
    end.pass(0);

    EXPECT_GT(offers, 0u);
    EXPECT_EQ(bases, 0u);
    EXPECT_EQ(home.ledger->catalog().device("a")->models.at("model").running, theirs)
        << "people see what it says";
}

TEST_F(DeviceLinkWithAnAssignment, TrustSendsNoneThatItsBoardAssignsToItself) {
    Board other("c", 5);
    const VersionId theirs = other.commit("fleet/model", {{"m", "weights of others"}});
    other.bring_to(*home.ledger);
    board.say(InstallBody{1, "model", version, "committed", version, {}, ""});
    board.say(InstallBody{9, "model", theirs, "assigned", version, {}, ""});
    AgentEnd end = agent(board);

    end.connect();
    end.wait(70'000);

    EXPECT_TRUE(first_missing(board.store(), theirs, {}).value());
    EXPECT_EQ(home.ledger->catalog().device("a")->models.at("model").wanted, version);
}

TEST_F(DeviceLinkWithAnAssignment, PushesASecondModelBeforeTheFirstIsAnswered) {
    AgentEnd end = agent(board);
    end.connect();
    test::roll_out(*home.ledger, home.clock, version, {"a"}, "other");
    const std::size_t before = end.assigns.size();
    int offers = 0;
    end.overhear = [&](const sync::Body& body) {
        offers += std::holds_alternative<sync::Offer>(body) ? 1 : 0;
    };

    end.link().on_assigned(end.now());
    end.pass(0);

    EXPECT_GT(end.assigns.size(), before);
    EXPECT_GT(offers, 0);
}

}  // namespace
}  // namespace tributary::hub
