// A room over a real ledger, boards with real stores that listen to it, and a topic between them
// that loses nothing but what a test takes from it. In virtual time.
#include "hub/cast/cast_room.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "common/codec/erasure.h"
#include "common/record/document.h"
#include "common/sync/catcher.h"
#include "common/trust/fragment.h"
#include "tests/unit/hub/board.h"
#include "tests/unit/hub/roll_out.h"

namespace tributary::hub {
namespace {

using test::Board;
using test::HubHome;

const std::string kModel = "model";
const std::string kRepo = "lab/model";
constexpr std::size_t kGenerations = 4;  // each of one piece of 1 MiB
constexpr std::size_t kStreamBytes = kGenerations * limits::MiB;
constexpr std::size_t kRoomBytes = 512 * limits::KiB;

struct Listener {
    Listener(std::string name, std::uint64_t seed) : board(std::move(name), seed) {}

    Board board;
    std::optional<sync::CastInvitation> invitation;
    std::unique_ptr<sync::Catcher> catcher;
    std::map<std::uint32_t, codec::ErasureAssembly> parts;
    bool away = false;  // neither hears nor speaks
    std::function<void(sync::CastReport&)> lies;
    bool whole = false;
};

class CastRoomTest : public testing::Test {
protected:
    CastRoomTest() {
        before = source.commit(kRepo, {{"config", "before"}});
        after = source.commit(kRepo, weights(1), {before});
        source.bring_to(*home.ledger);
        make_room();
    }

    static std::map<std::string, std::string> weights(std::uint64_t seed) {
        std::map<std::string, std::string> files{{"config", "after"}};
        test::Random random(seed);
        for (std::size_t i = 0; i < kGenerations; ++i)
            files["w" + std::to_string(i)] = std::string(as_text(random.bytes(limits::MiB - 8)));
        return files;
    }

    // Of a hub that starts.
    void make_room(const CastRoomOptions& options = {}) {
        todo.clear();
        CastRoom::Events events;
        events.publish = [this](const std::string&, Bytes payload) {
            held_most = std::max(held_most, room->held_bytes());
            todo.emplace_back([this, payload = std::move(payload)] { deliver(payload); });
        };
        events.finished = [this](const std::string& device, std::uint64_t, bool whole) {
            finished[device] = whole;
        };
        events.prepared = [this](const std::string& device) {
            prepared.insert(device);
            if (!are_there) return;
            Listener& to = *std::ranges::find(listeners, device, [](const Listener& listener) {
                return listener.board.device();
            });
            accept(to, room->invite(device, state_of(to)));
        };
        events.walks = &walks;
        events.post = [this](std::function<void()> task) { todo.push_back(std::move(task)); };
        room = std::make_unique<CastRoom>(*home.ledger, home.clock, home.entropy, std::move(events),
                                          options);
        room->on_connected();
        room->on_room(kRoomBytes);
    }

    // A board that runs the version before.
    Listener& add(const std::string& name) {
        Listener& added = listeners.emplace_back(name, 100 + listeners.size());
        EXPECT_TRUE(closure_of(source.store(), before, {}, [&](const RecordKey& key) {
            return added.board.store().stage_record(source.store().read_record(key).value());
        }));
        InstallBody installed;
        installed.number = 1;
        installed.model = kModel;
        installed.version = installed.running = before;
        installed.state = "committed";
        added.board.say(installed);
        added.board.bring_to(*home.ledger);
        return added;
    }
    void assign(const VersionId& version, const std::vector<std::string>& devices) {
        test::roll_out(*home.ledger, home.clock, version, devices, kModel);
    }
    const InstallState& state_of(const Listener& listener) const {
        return home.ledger->catalog().device(listener.board.device())->models.at(kModel);
    }
    // As at each Hello. False when there is no broadcast for it.
    bool invite(Listener& to) {
        const std::string& device = to.board.device();
        const auto invitation = room->invite(device, state_of(to));
        if (invitation || !room->prepares_for(device, state_of(to).number))
            return accept(to, invitation);
        to.invitation.reset();
        prepared.clear();
        EXPECT_TRUE(settle([&] { return prepared.contains(device); }));
        return to.invitation.has_value();
    }
    bool accept(Listener& to, const std::optional<sync::CastInvitation>& invitation) {
        if (!invitation) return false;
        if (to.invitation && to.invitation->cast == invitation->cast) return true;
        to.invitation = invitation;
        to.parts.clear();
        to.catcher = std::make_unique<sync::Catcher>(invitation->cast, sync::CatcherOptions{},
                                                     home.clock.mono().ms);
        step(to, sync::Connected{});
        return true;
    }
    void invite_all() {
        for (Listener& listener : listeners) EXPECT_TRUE(invite(listener));
    }

    // ---- time ----

    bool settle(const std::function<bool()>& enough) {
        do {
            while (!todo.empty()) {
                const auto task = std::move(todo.front());
                todo.pop_front();
                task();
                if (enough()) return true;
            }
            if (broker_up) room->on_room(kRoomBytes);
        } while (!todo.empty());
        return enough();
    }
    // Whether it came to that, within so much time.
    bool run_until(const std::function<bool()>& enough, std::uint64_t ms = 1'200'000) {
        const MonoTime end = home.clock.mono() + ms;
        while (!settle(enough)) {
            auto next = room->next_deadline();
            for (const Listener& listener : listeners)
                if (listener.catcher && listener.catcher->next_deadline())
                    next = std::min(next.value_or(end), *listener.catcher->next_deadline());
            if (!next || *next > end) return false;
            const MonoTime now = home.clock.mono();
            home.clock.advance(std::max<std::uint64_t>(1, next->ms - std::min(next->ms, now.ms)));
            room->on_tick();
            for (Listener& listener : listeners)
                if (listener.catcher && listener.catcher->next_deadline() <= home.clock.mono())
                    step(listener, sync::Tick{});
        }
        return true;
    }
    bool run_to_the_end() {
        return run_until([&] { return room->running() == 0; });
    }
    // Until it has stored so many generations of its broadcast.
    bool run_until_held(const Listener& listener, std::uint32_t generations) {
        return run_until([&] { return listener.catcher->generations_held() >= generations; });
    }

    // ---- boards ----

    void deliver(const Bytes& payload) {
        if (!broker_up) return;
        const auto message = sync::parse_message(payload);
        const auto& fragment = std::get<sync::Fragment>(message.value().body);
        for (Listener& to : listeners) {
            if (to.away || !to.catcher || !to.catcher->wants(fragment)) continue;
            const auto opened = trust::open_fragment(to.invitation->key, fragment);
            ASSERT_TRUE(opened);
            step(
                to,
                sync::FragmentArrived{fragment.generation, fragment.generation_bytes, fragment.last,
                                      fragment.index, fragment.serial, fragment.left},
                *opened);
        }
    }

    void step(Listener& who, sync::CatcherEvent event, ByteView opened = {}) {
        for (sync::CatcherAction& action : who.catcher->step(home.clock.mono(), std::move(event))) {
            if (const auto* keep = std::get_if<sync::KeepFragment>(&action)) {
                who.parts
                    .try_emplace(keep->generation, keep->shape.fragments,
                                 keep->shape.fragment_bytes)
                    .first->second.add(keep->index, opened);
            } else if (const auto* forget = std::get_if<sync::ForgetGeneration>(&action)) {
                who.parts.erase(forget->generation);
            } else if (const auto* store = std::get_if<sync::StoreGeneration>(&action)) {
                rebuild(who, *store);
            } else if (std::holds_alternative<sync::CommitVersion>(action)) {
                who.whole = first_missing(who.board.store(), who.invitation->version, {}).value() ==
                            std::nullopt;
                EXPECT_TRUE(who.whole && who.board.store().commit());
                later(who, sync::VersionCommitted{});
            } else if (auto* send = std::get_if<sync::SendCastReport>(&action)) {
                if (who.lies) who.lies(send->report);
                if (!who.away)
                    todo.emplace_back([this, name = who.board.device(), report = send->report] {
                        if (broker_up) room->on_report(name, report);
                    });
            }
        }
    }
    void later(Listener& who, sync::CatcherEvent event) {
        todo.emplace_back([this, &who, event] { step(who, event); });
    }
    // Each record is decoded and checked by the store.
    void rebuild(Listener& who, const sync::StoreGeneration& what) {
        const auto part = who.parts.find(what.generation);
        Bytes bytes = std::move(part->second).take();
        who.parts.erase(part);
        Status stored;
        for (ByteView rest = ByteView(bytes).first(what.bytes); !rest.empty() && stored;) {
            const RecordHeader header = parse_record_header(rest).value();
            stored = who.board.store().stage_record(rest.first(header.record_bytes()));
            rest = rest.subspan(header.record_bytes());
        }
        EXPECT_TRUE(stored);
        later(who, sync::GenerationStored{what.generation, stored});
    }

    HubHome home{1};
    Board source{"source", 2};
    VersionId before, after;
    std::unique_ptr<CastRoom> room;
    std::deque<Listener> listeners;
    std::deque<std::function<void()>> todo;
    std::set<std::string> prepared;
    bool are_there = true;  // boards, when it is
    Walks walks;
    std::map<std::string, bool> finished;  // by device: whole
    std::size_t held_most = 0;
    bool broker_up = true;
};

TEST_F(CastRoomTest, PublishesOnceWhatAllNeed) {
    add("a"), add("b"), add("c");
    assign(after, {"a", "b", "c"});
    invite_all();
    ASSERT_TRUE(run_to_the_end());
    for (const Listener& listener : listeners) EXPECT_TRUE(listener.whole);
    EXPECT_EQ(finished, (std::map<std::string, bool>{{"a", true}, {"b", true}, {"c", true}}));
    EXPECT_EQ(room->counters().repair_bytes, 0u);
    EXPECT_LT(room->counters().sent_bytes, kStreamBytes * 11 / 10);
}

// ---- preparing one ----

TEST_F(CastRoomTest, IsPreparedInTurnsWhileItsBoardsWait) {
    std::map<std::string, std::string> files = weights(2);
    for (int i = 0; i < 640; ++i) files[std::to_string(i)] = std::to_string(i);
    after = source.commit(kRepo, files, {before});
    source.bring_to(*home.ledger);
    add("a"), add("b");
    assign(after, {"a", "b"});
    const auto number = [&] { return state_of(listeners[0]).number; };

    EXPECT_FALSE(room->invite("a", state_of(listeners[0])));

    int turns = 0;
    EXPECT_TRUE(settle([&] {
        EXPECT_NE(room->prepares_for("a", number()), prepared.contains("a"));
        ++turns;
        return prepared.contains("a");
    }));
    EXPECT_GE(turns, 640 / 64);
    EXPECT_EQ(walks.going(), 0u);
    EXPECT_TRUE(listeners[0].invitation);
}

TEST_F(CastRoomTest, TellsABoardWhenThereIsNoneForItAfterAll) {
    const VersionId small = source.commit(kRepo, {{"config", "another"}}, {before});
    source.bring_to(*home.ledger);
    add("a"), add("b");
    assign(small, {"a", "b"});

    EXPECT_FALSE(invite(listeners[0]));

    EXPECT_TRUE(prepared.contains("a"));
    EXPECT_FALSE(room->serves("a", state_of(listeners[0]).number)) << "it gets a push";
    EXPECT_EQ(room->running(), 0u);
}

TEST_F(CastRoomTest, WaitsForItsPlaceAmongTheWalks) {
    add("a"), add("b");
    assign(after, {"a", "b"});
    std::vector<Walks::Place> places;
    for (std::size_t i = 0; i < Walks::kAtOnceMax; ++i) places.push_back(walks.enter());

    EXPECT_FALSE(room->invite("a", state_of(listeners[0])));
    EXPECT_FALSE(settle([&] { return prepared.contains("a"); }));
    EXPECT_EQ(walks.waiting(), 1u);
    places.pop_back();

    EXPECT_TRUE(settle([&] { return prepared.contains("a"); }));
    EXPECT_TRUE(listeners[0].invitation);
}

TEST_F(CastRoomTest, IsOverWhenNobodyWantsItOnceItIsPrepared) {
    add("a"), add("b");
    assign(after, {"a", "b"});
    are_there = false;
    EXPECT_FALSE(room->invite("a", state_of(listeners[0])));
    EXPECT_FALSE(settle([] { return false; }));
    EXPECT_TRUE(prepared.contains("a"));
    EXPECT_EQ(room->running(), 0u);
}

TEST_F(CastRoomTest, LateJoinersShareARound) {
    Listener& first = add("a");
    add("b");
    Listener &late = add("late"), &later_still = add("later");
    assign(after, {"a", "b", "late", "later"});
    ASSERT_TRUE(invite(first) && invite(listeners[1]));
    ASSERT_TRUE(run_until_held(first, 2));
    ASSERT_TRUE(invite(late) && invite(later_still));
    EXPECT_EQ(late.invitation->cast, first.invitation->cast);
    ASSERT_TRUE(run_to_the_end());
    for (const Listener& listener : listeners) EXPECT_TRUE(listener.whole);
    EXPECT_EQ(room->counters().begun, 1u);
    // What went out before they joined is sent once more for both of them, not for each.
    EXPECT_GT(room->counters().repair_bytes, limits::MiB);
    EXPECT_LT(room->counters().repair_bytes, kStreamBytes * 11 / 10);
}

TEST_F(CastRoomTest, WhoSaysThatItLeavesGetsAPushAndHoldsNobodyUp) {
    add("a"), add("b");
    Listener& leaves = add("leaves");
    assign(after, {"a", "b", "leaves"});
    invite_all();
    ASSERT_TRUE(run_until_held(leaves, 1));
    leaves.lies = [](sync::CastReport& report) { report.state = sync::CastState::leaving; };
    ASSERT_TRUE(run_until([&] { return finished.contains("leaves"); }));
    EXPECT_FALSE(finished.at("leaves"));
    EXPECT_FALSE(room->serves("leaves", state_of(leaves).number)) << "so its push may begin";
    EXPECT_FALSE(invite(leaves)) << "once is enough";
    ASSERT_TRUE(run_to_the_end());
    EXPECT_TRUE(listeners[0].whole && listeners[1].whole);
    EXPECT_EQ(room->counters().repair_bytes, 0u);
}

TEST_F(CastRoomTest, WhoGoesWithoutAWordIsMissedAndThenGetsAPush) {
    add("a"), add("b");
    Listener& gone = add("gone");
    assign(after, {"a", "b", "gone"});
    invite_all();
    ASSERT_TRUE(run_until_held(gone, 1));
    const MonoTime since = home.clock.mono();
    gone.away = true;
    ASSERT_TRUE(run_until([&] { return listeners[0].whole && listeners[1].whole; }));
    EXPECT_LT(home.clock.mono().ms - since.ms, 90'000u);
    ASSERT_TRUE(run_to_the_end());
    EXPECT_EQ(finished, (std::map<std::string, bool>{{"a", true}, {"b", true}, {"gone", false}}));
}

TEST_F(CastRoomTest, WhoIsAssignedSomethingElseTakesPartNoMore) {
    add("a"), add("b");
    Listener& other = add("other");
    assign(after, {"a", "b", "other"});
    invite_all();
    ASSERT_TRUE(run_until_held(other, 1));
    assign(before, {"other"});
    room->review("other");
    ASSERT_TRUE(run_to_the_end());
    EXPECT_FALSE(finished.at("other"));
    EXPECT_TRUE(finished.at("a") && finished.at("b"));
}

// What a board says of itself decides what is sent again, so a liar could have it sent for ever.
TEST_F(CastRoomTest, WhoAlwaysLacksEverythingIsLeftToItsPush) {
    add("a"), add("b"), add("c");
    Listener& liar = add("liar");
    liar.lies = [](sync::CastReport& report) {
        report.state = sync::CastState::taking_part;
        std::fill(report.held.begin(), report.held.end(), false);
        report.lacks = {{0, 254}, {1, 254}};
    };
    assign(after, {"a", "b", "c", "liar"});
    invite_all();
    ASSERT_TRUE(run_to_the_end());
    for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(finished.at(name)) << name;
    EXPECT_FALSE(finished.at("liar"));
    EXPECT_LT(room->counters().sent_bytes, 4 * kStreamBytes);
}

TEST_F(CastRoomTest, WhoClaimsWhatCannotBeHarmsNobody) {
    add("a"), add("b");
    Listener &whole = add("whole"), &knows_all = add("knows-all"), &elsewhere = add("elsewhere");
    whole.lies = [](sync::CastReport& report) { report.state = sync::CastState::whole; };
    knows_all.lies = [](sync::CastReport& report) {
        report.held.assign(sync::kGenerationsMax, true);
        report.lacks.clear();
        report.seen = UINT32_MAX;
        report.number = UINT32_MAX;
    };
    elsewhere.lies = [](sync::CastReport& report) { ++report.cast; };
    assign(after, {"a", "b", "whole", "knows-all", "elsewhere"});
    invite_all();
    ASSERT_TRUE(run_to_the_end());
    EXPECT_TRUE(finished.at("a") && finished.at("b"));
    EXPECT_FALSE(finished.at("elsewhere"));
    EXPECT_EQ(room->counters().repair_bytes, 0u);
}

TEST_F(CastRoomTest, HoldsTwoGenerationsOfABroadcastHoweverSlowItsBoardsAre) {
    add("a"), add("b");
    Listener& slow = add("slow");
    slow.lies = [](sync::CastReport& report) { report.held.assign(report.held.size(), false); };
    assign(after, {"a", "b", "slow"});
    invite_all();
    ASSERT_TRUE(run_to_the_end());
    EXPECT_GT(held_most, limits::MiB);
    EXPECT_LE(held_most, sync::kOpenGenerationsMax * sync::kGenerationBytesMax);
    EXPECT_EQ(room->held_bytes(), 0u);
}

TEST_F(CastRoomTest, BeginsNoMoreBroadcastsThanItMayHold) {
    CastRoomOptions options;
    options.casts_max = 1;
    make_room(options);
    const VersionId other = source.commit(kRepo, weights(2), {before});
    source.bring_to(*home.ledger);
    add("a"), add("b"), add("c"), add("d");
    assign(after, {"a", "b"});
    assign(other, {"c", "d"});
    EXPECT_TRUE(invite(listeners[0]) && invite(listeners[1]));
    EXPECT_FALSE(invite(listeners[2])) << "it gets a push";
    ASSERT_TRUE(run_to_the_end());
    EXPECT_TRUE(invite(listeners[2])) << "there is room again";
}

TEST_F(CastRoomTest, AHubThatRestartsBeginsAnewAndAllEndWhole) {
    add("a"), add("b"), add("c");
    assign(after, {"a", "b", "c"});
    invite_all();
    ASSERT_TRUE(run_until_held(listeners[0], 2));
    const std::uint64_t cast = listeners[0].invitation->cast;
    const Bytes key = listeners[0].invitation->key;

    room.reset();
    home.reopen();
    make_room();
    invite_all();
    EXPECT_NE(listeners[0].invitation->cast, cast);
    EXPECT_NE(listeners[0].invitation->key, key) << "a key serves one broadcast";
    ASSERT_TRUE(run_to_the_end());
    for (const Listener& listener : listeners) EXPECT_TRUE(listener.whole);
    EXPECT_LT(room->counters().sent_bytes, kStreamBytes * 11 / 10);
}

TEST_F(CastRoomTest, NothingIsLostWhileTheBrokerIsAway) {
    add("a"), add("b");
    assign(after, {"a", "b"});
    invite_all();
    ASSERT_TRUE(run_until_held(listeners[0], 1));
    room->on_disconnected();
    broker_up = false;  // all that was on its way goes with it
    for (Listener& listener : listeners) step(listener, sync::Disconnected{});
    EXPECT_FALSE(run_until([&] { return room->running() == 0; }, 500'000)) << "it waits";
    broker_up = true;
    room->on_connected();
    for (Listener& listener : listeners) step(listener, sync::Connected{});
    ASSERT_TRUE(run_to_the_end());
    for (const Listener& listener : listeners) EXPECT_TRUE(listener.whole);
}

}  // namespace
}  // namespace tributary::hub
