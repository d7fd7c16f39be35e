// What many boards are pushed is prepared once for those that need the same.
#include "hub/intake/pushes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "common/sync/conversation.h"
#include "tests/unit/hub/agent_end.h"
#include "tests/unit/hub/roll_out.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;
using testing::IsEmpty;
using testing::Not;

class PushesOfAFleet : public testing::Test {
protected:
    static constexpr std::size_t kBoards = 50;
    static constexpr int kFiles = 640;

    PushesOfAFleet() {
        before = trainer.commit("fleet/model", files("weights "));
        version = trainer.commit("fleet/model", files("better weights "), {before});
        trainer.bring_to(*home.ledger);
        std::vector<std::string> names;
        for (std::size_t i = 0; i < kBoards; ++i) {
            names.push_back("board-" + std::to_string(i));
            boards.push_back(std::make_unique<Board>(names[i], 10 + i));
            boards[i]->bind_at(*home.ledger);
            ends.push_back(std::make_unique<AgentEnd>(*boards[i], names[i], *home.ledger,
                                                      home.clock, 100 + i, 0, nullptr, nullptr,
                                                      nullptr, &pushes));
            ends[i]->with_content = false;
        }
        test::roll_out(*home.ledger, home.clock, version, names);
    }
    static std::map<std::string, std::string> files(const std::string& what) {
        std::map<std::string, std::string> files;
        for (int i = 0; i < kFiles; ++i) files[std::to_string(i)] = what + std::to_string(i);
        return files;
    }
    void connect(std::size_t from, std::size_t until) {
        for (std::size_t i = from; i < until; ++i) ends[i]->connect();
    }
    void roll_out(const VersionId& id, std::size_t board) {
        test::roll_out(*home.ledger, home.clock, id, {boards[board]->device()});
        ends[board]->link().on_assigned(ends[board]->now());
        ends[board]->pass(0);
    }
    // The board is brought it, and says that it runs.
    void run(const VersionId& id, std::size_t board) {
        roll_out(id, board);
        ends[board]->connect();
        turns_until_all_is_prepared();
        ends[board]->pass(0);
        ASSERT_EQ(first_missing(boards[board]->store(), id, {}).value(), std::nullopt);
        const Device* device = home.ledger->catalog().device(boards[board]->device());
        const std::uint64_t number = device->models.at("model").number;
        boards[board]->say(InstallBody{number, "model", id, "committed", id, {}, {}});
        ends[board]->wake();
    }
    std::vector<Walks::Place> all_places() {
        std::vector<Walks::Place> places;
        for (std::size_t i = 0; i < Walks::kAtOnceMax; ++i) places.push_back(walks.enter());
        return places;
    }
    void turn() {
        ASSERT_THAT(turns, Not(IsEmpty()));
        const auto then = std::move(turns.front());
        turns.erase(turns.begin());
        then(MonoTime{});
    }
    int turns_until_all_is_prepared() {
        int count = 0;
        for (; !turns.empty() && count < 10'000; ++count) turn();
        return count;
    }
    void expect_pushed(std::size_t from, std::size_t until) {
        for (std::size_t i = from; i < until; ++i) ends[i]->pass(0);
        for (std::size_t i = from; i < until; ++i)
            EXPECT_EQ(first_missing(boards[i]->store(), version, {}).value(), std::nullopt) << i;
    }

    HubHome home{2};
    Board trainer{"trainer", 4};
    VersionId before, version;
    Walks walks;
    std::vector<std::function<void(MonoTime)>> turns;  // of what is prepared
    Pushes pushes{*home.ledger, &walks,
                  [this](std::function<void(MonoTime)> then) { turns.push_back(std::move(then)); }};
    std::vector<std::unique_ptr<Board>> boards;
    std::vector<std::unique_ptr<AgentEnd>> ends;
};

TEST_F(PushesOfAFleet, ArePreparedOnceForAllThatNeedTheSame) {
    connect(0, kBoards - 1);
    EXPECT_EQ(pushes.held(), 1u);
    EXPECT_EQ(walks.going(), 1u);
    EXPECT_EQ(walks.waiting(), 0u);
    EXPECT_LE(turns_until_all_is_prepared(), 2 * kFiles / 64);

    EXPECT_EQ(pushes.held(), 1u);
    EXPECT_EQ(walks.going(), 0u);
    ends.back()->connect();  // it is there
    EXPECT_THAT(turns, IsEmpty());

    expect_pushed(0, kBoards);
    EXPECT_EQ(pushes.held(), 0u);
}

TEST_F(PushesOfAFleet, AreOfferedFromOneListInMemory) {
    const auto push = pushes.of("a", {{}, version, 65'536}, [] {});
    turns_until_all_is_prepared();
    const sync::SharedPage offered = push->page(0).value();
    EXPECT_EQ(&*offered, &*push->page(0).value());
    EXPECT_EQ(offered->objects.size(), std::size_t{kFiles + 2});  // with the tree and the version
}

TEST_F(PushesOfAFleet, GoOnWithoutTheBoardForWhichTheyBegan) {
    connect(0, 3);
    turn();

    ends[0]->say(sync::device_gone());

    EXPECT_EQ(pushes.held(), 1u);
    turns_until_all_is_prepared();
    expect_pushed(1, 3);
    ends[0]->connect();
    turns_until_all_is_prepared();
    expect_pushed(0, 1);
}

TEST_F(PushesOfAFleet, AreGivenUpWithTheLastBoardThatNeedsThem) {
    connect(0, 2);
    turn();
    ends[0]->say(sync::device_gone());
    ends[1]->say(sync::device_gone());
    EXPECT_EQ(pushes.held(), 0u);
    EXPECT_EQ(walks.going(), 0u);
    turns_until_all_is_prepared();

    connect(0, 2);
    turns_until_all_is_prepared();
    expect_pushed(0, 2);
}

TEST_F(PushesOfAFleet, WaitInLineOnceForAll) {
    std::vector<Walks::Place> places = all_places();
    connect(0, 3);
    EXPECT_EQ(walks.waiting(), 1u);
    EXPECT_THAT(turns, IsEmpty());
    for (std::size_t i = 0; i < 3; ++i) ends[i]->say(sync::device_gone());
    EXPECT_EQ(walks.waiting(), 0u);

    connect(0, 3);
    EXPECT_EQ(walks.waiting(), 1u);
    places.clear();
    turns_until_all_is_prepared();
    expect_pushed(0, 3);
}

TEST_F(PushesOfAFleet, AreOthersForLinksThatTakeSmallerPages) {
    ends[0]->connect();
    ends[1]->connect(4096);
    EXPECT_EQ(pushes.held(), 2u);
    turns_until_all_is_prepared();
    expect_pushed(0, 2);
}

// An assignment takes the place of another one, whose push waits in line.
TEST_F(PushesOfAFleet, AreLetGoWhenSomethingElseIsWanted) {
    std::vector<Walks::Place> places = all_places();
    ends[0]->connect();
    roll_out(before, 0);
    EXPECT_EQ(pushes.held(), 1u);
    EXPECT_EQ(walks.waiting(), 1u);

    places.clear();
    turns_until_all_is_prepared();
    ends[0]->pass(0);
    EXPECT_EQ(first_missing(boards[0]->store(), before, {}).value(), std::nullopt);
    EXPECT_NE(first_missing(boards[0]->store(), version, {}).value(), std::nullopt);
}

TEST_F(PushesOfAFleet, AreLetGoByABoardThatNeedsSomethingElseThanTheOthers) {
    connect(0, 2);
    turn();
    roll_out(before, 0);
    EXPECT_EQ(pushes.held(), 2u);
    turns_until_all_is_prepared();
    ends[0]->pass(0);
    EXPECT_EQ(first_missing(boards[0]->store(), before, {}).value(), std::nullopt);
    expect_pushed(1, 2);
}

TEST_F(PushesOfAFleet, AreLetGoWhileABroadcastBringsTheSame) {
    ends[0]->connect();
    turn();
    ends[0]->cast_is_prepared_for = [](std::uint64_t) { return true; };
    ends[0]->link().on_assigned(ends[0]->now());
    EXPECT_EQ(pushes.held(), 0u);

    ends[0]->cast_is_prepared_for = nullptr;
    ends[0]->link().on_cast_finished(ends[0]->now(), 1, false);
    EXPECT_EQ(pushes.held(), 1u);
    ends[0]->link().on_cast_finished(ends[0]->now(), 1, true);
    EXPECT_EQ(pushes.held(), 0u);
}

TEST_F(PushesOfAFleet, AreLetGoWhileTheBoardRests) {
    for (const bool is_ready : {false, true}) {
        SCOPED_TRACE(is_ready);
        ends[0]->connect();
        ASSERT_EQ(pushes.held(), 1u);
        if (is_ready) turns_until_all_is_prepared();
        ends[0]->twist_hello = [](sync::Hello& hello) { hello.rest_ms = 60'000; };
        ends[0]->connect();
        EXPECT_EQ(pushes.held(), 0u);
        turns_until_all_is_prepared();
        ends[0]->pass(0);
        EXPECT_EQ(pushes.held(), 0u);

        ends[0]->twist_hello = nullptr;
        ends[0]->connect();
    }
    turns_until_all_is_prepared();
    expect_pushed(0, 1);
}

// One codes the pieces on what runs there, the other cannot.
TEST_F(PushesOfAFleet, AreOthersForBoardsThatRunSomethingElse) {
    run(before, 0);
    roll_out(version, 0);
    ends[1]->connect();
    EXPECT_EQ(pushes.held(), 2u);
    turns_until_all_is_prepared();
    expect_pushed(0, 2);
}

TEST_F(PushesOfAFleet, AreWhatABoardWaitsForWhileTheyArePrepared) {
    const hub::DeviceLink& link = ends[0]->link();
    ends[0]->connect();
    EXPECT_EQ(link.push_waits_for(ends[0]->now()), "the hub, which prepares it");
    turns_until_all_is_prepared();
    ends[0]->pass(0);
    EXPECT_EQ(link.push_waits_for(ends[0]->now()), "");
}

// In the one it stands beside an older piece, which its frame could be coded on; in the other not.
TEST_F(PushesOfAFleet, BringAPieceOfTwoFilesAsItWasOffered) {
    std::string config;
    for (int i = 0; i < 1'000; ++i) config += std::to_string(i * i * i);
    const VersionId runs = trainer.commit("fleet/model", {{"b", config}});
    const VersionId wanted =
        trainer.commit("fleet/model", {{"a", config + "."}, {"b", config + "."}}, {runs});
    trainer.bring_to(*home.ledger);
    run(runs, 0);

    roll_out(wanted, 0);
    const Catalog& catalog = home.ledger->catalog();
    const std::string device = boards[0]->device();
    ASSERT_EQ(catalog.base_of(device, catalog.device(device)->models.at("model")), runs);
    turns_until_all_is_prepared();
    ends[0]->pass(0);

    EXPECT_EQ(first_missing(boards[0]->store(), wanted, {}).value(), std::nullopt);
}

// Of two files one changed.
class PushesOfAChange : public PushesOfAFleet {
protected:
    PushesOfAChange() {
        runs = trainer.commit("fleet/model", {{"a", kept}, {"b", text}});
        wanted = trainer.commit("fleet/model", {{"a", kept}, {"b", text + "."}}, {runs});
        trainer.bring_to(*home.ledger);
        for (std::size_t board : {0u, 1u}) {
            run(runs, board);
            ends[board]->overhear = [this, board](const sync::Body& body) {
                const auto* offer = std::get_if<sync::Offer>(&body);
                if (!offer) return;
                offered[board].push_back(offer->objects);
                plans.insert(offer->plan);
            };
        }
    }
    static RecordKey piece(const std::string& content) {
        return {RecordKind::piece, sha256(as_bytes(content))};
    }
    // Of the n-th Offer to that board; none: it is not listed.
    std::optional<sync::OfferedObject> listed(std::size_t board, std::size_t offer,
                                              const std::string& content) {
        for (const sync::OfferedObject& object : offered[board].at(offer))
            if (object.key == piece(content)) return object;
        return std::nullopt;
    }
    // Its disk does, and it notices.
    static void lose(Board& board, const std::string& content) {
        test::damage(board.files(), "store", board.store(), piece(content));
        EXPECT_FALSE(board.store().read_record(piece(content)));
    }
    void push_to(std::size_t board) {
        roll_out(wanted, board);
        for (int i = 0; i < 3; ++i) {
            turns_until_all_is_prepared();
            ends[board]->pass(0);
        }
    }
    bool lacks(std::size_t board) {
        return first_missing(boards[board]->store(), wanted, {}).value().has_value();
    }

    const std::string kept = std::string(1'000, 'k');
    const std::string text = std::string(1'000, 't');
    VersionId runs, wanted;
    std::map<std::size_t, std::vector<std::vector<sync::OfferedObject>>> offered;  // by board
    std::set<std::uint64_t> plans;
};

TEST_F(PushesOfAChange, ListAllOfItForABoardThatLostSomeOfWhatItRuns) {
    bool is_lost = false;
    ends[0]->before_commit = [&] {
        if (!std::exchange(is_lost, true)) lose(*boards[0], kept);
    };
    push_to(0);
    push_to(1);

    EXPECT_FALSE(lacks(0));
    ASSERT_EQ(offered[0].size(), 3u);
    EXPECT_FALSE(listed(0, 0, kept));
    EXPECT_FALSE(listed(0, 1, kept));
    EXPECT_TRUE(listed(0, 2, kept));
    EXPECT_EQ(listed(0, 2, text + ".")->bases, std::vector{piece(text).name});
    EXPECT_EQ(ends[0]->link().bytes_left(), 0u);
    EXPECT_FALSE(lacks(1));
    ASSERT_EQ(offered[1].size(), 1u);
    EXPECT_FALSE(listed(1, 0, kept)) << "the others get what changed";
    EXPECT_EQ(pushes.held(), 0u);
}

// A recording that fails gives up all that is staged.
TEST_F(PushesOfAChange, AreOfferedOnceMoreToABoardThatGaveUpWhatItHadGot) {
    bool gave_up = false;
    ends[0]->before_commit = [&] {
        if (!std::exchange(gave_up, true)) boards[0]->store().abandon();
    };
    push_to(0);

    EXPECT_FALSE(lacks(0));
    ASSERT_EQ(offered[0].size(), 2u);
    EXPECT_FALSE(listed(0, 1, kept));
}

TEST_F(PushesOfAChange, ArriveWithoutAllOfItWhenTheHubLacksSomeOfThatToo) {
    test::damage(home.files, "hub/store", home.ledger->store(), piece(kept));
    EXPECT_FALSE(home.ledger->store().read_record(piece(kept)));
    int times = 0;
    ends[0]->before_commit = [&] {
        if (++times <= 2) boards[0]->store().abandon();
    };
    push_to(0);

    EXPECT_FALSE(lacks(0));
    EXPECT_EQ(times, 3);
    EXPECT_EQ(plans.size(), 2u) << "all of it was tried";
    for (const auto& objects : offered[0]) EXPECT_EQ(objects.size(), offered[0][0].size());
}

TEST_F(PushesOfAChange, ThatCannotBePreparedAreWaitedForWithAReason) {
    test::damage(home.files, "hub/store", home.ledger->store(), piece(text + "."));
    EXPECT_FALSE(home.ledger->store().read_record(piece(text + ".")));
    push_to(0);
    EXPECT_EQ(ends[0]->link().push_waits_for(ends[0]->now()),
              "the hub, which cannot prepare it; its log says why");
}

// Whatever it says, it is prepared once more in a session.
TEST_F(PushesOfAChange, AreOfferedAsAllOfItToABoardThatNeverCommits) {
    ends[0]->before_commit = [&] { boards[0]->store().abandon(); };
    push_to(0);

    constexpr std::size_t kTries = 4;  // of each plan that it is offered
    const std::size_t refused = 2 + kTries;
    EXPECT_EQ(offered[0].size(), refused);
    EXPECT_TRUE(ends[0]->link().push_waits_for(ends[0]->now()).starts_with("the next try in "));
    EXPECT_EQ(pushes.held(), 1u);

    ends[0]->before_commit = nullptr;
    ends[0]->wait(61'000);
    EXPECT_FALSE(lacks(0));
    EXPECT_EQ(offered[0].size(), refused + 1);
    EXPECT_TRUE(listed(0, refused, kept)) << "what it needed once in the session";
}

TEST_F(PushesOfAChange, LeaveOutWhatABoardRunsInItsNextSession) {
    ends[0]->before_commit = [&] { boards[0]->store().abandon(); };
    push_to(0);
    ends[0]->before_commit = nullptr;
    offered.clear();

    ends[0]->disconnect();
    ends[0]->connect();
    turns_until_all_is_prepared();
    ends[0]->pass(0);

    EXPECT_FALSE(lacks(0));
    EXPECT_FALSE(listed(0, 0, kept));
}

TEST_F(PushesOfAFleet, ThatCannotBePreparedAreNone) {
    int said = 0;
    const PushNeed need{{}, VersionId{sha256(as_bytes("nobody has it"))}, 65'536};
    EXPECT_EQ(pushes.of("a", need, [&] { ++said; }), nullptr);

    std::vector<Walks::Place> places = all_places();
    const auto waits = pushes.of("a", need, [&] { ++said; });
    ASSERT_NE(waits, nullptr);
    places.clear();
    turns_until_all_is_prepared();
    EXPECT_EQ(said, 1);
    EXPECT_FALSE(waits->is_ready());
    EXPECT_EQ(pushes.of("a", need, [&] { ++said; }), nullptr);
    EXPECT_EQ(walks.going(), 0u);
}

}  // namespace
}  // namespace tributary::hub
