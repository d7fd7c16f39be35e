// A board and the hub's end of its link, both real, over a wire that loses, repeats, reorders and
// damages; the board loses power, also in the middle of any step; the hub checks records and seals
// beside its loop, makes entries durable in groups, loses power, and is stopped in good order,
// which a full disk or a loss of power may cut short at any step; either's wall clock is set wrong,
// by years too. Then the faults stop. Whatever came when: nothing receipted is lost, nothing is
// invented, time grows with each entry, and all is receipted in the end.
#include "tests/sim/hub/linked_board.h"
#include "tests/sim/kept_seeds.h"
#include "tests/sim/store/sim_vfs.h"
#include "tests/support/decisions.h"
#include "tests/support/full_counts.h"
#include "tests/support/trace.h"

namespace tributary::hub {
namespace {

using test::asked;
using test::Decisions;
using test::HubHome;
using test::KeptSeed;
using test::LinkedBoard;
using test::Random;

// What happened, in all worlds together.
struct Happened {
    test::WireEvents wire;
    test::ClockEvents clocks;
    std::uint64_t cuts = 0, crashes = 0, beside = 0, groups = 0, turns = 0;
    std::uint64_t board_crashes = 0, board_crashes_in_a_step = 0;
    std::uint64_t crashes_in_the_middle = 0;  // of work beside the loop, or of a later turn
    std::uint64_t stops = 0, stops_cut = 0, stops_on_a_full_disk = 0;
    std::uint64_t gone_on = 0;  // with a record whose beginning an earlier life of the hub kept
};

class DeviceLinkWorld {
public:
    DeviceLinkWorld(std::uint64_t world_seed, Happened& told) : seed(world_seed), happened(told) {
        home.memo_path = "hub/sent.sqlite";
        home.reopen();
    }
    ~DeviceLinkWorld() {
        linked.stop();
        group.reset();
        home.ledger.reset();  // before its disk
    }
    void run();

    // Of the kind and length of each message: the hub's signatures are never the same.
    test::Trace said;
    // Of which step came when.
    test::Trace weather;

private:
    void start() {
        linked.stop();
        group.emplace(*home.ledger, [] {});
        linked.start(home, *group, random.next(), [this](test::AgentEnd& end) {
            end.link().on_connected(end.now());
            end.listen = [this](const Bytes& payload) {
                const sync::Body body = sync::parse_message(payload).value().body;
                said.add(as_bytes(sync::name_of(body))).add(payload.size());
            };
            end.listen_to_hub = [this, first = true](const Bytes& payload) mutable {
                const sync::Body body = sync::parse_message(payload).value().body;
                said.add(as_bytes(sync::name_of(body))).add(payload.size());
                const auto* want = std::get_if<sync::Want>(&body);
                if (want && std::exchange(first, false) && want->resume_offset != 0)
                    ++happened.gone_on;
            };
        });
    }

    // The power of the hub's machine; the board goes on from what is durable here.
    void lose_power() {
        if (linked.in_the_middle()) ++happened.crashes_in_the_middle;
        home.files.crash(random.next());
        start_anew();
        ++crashes;
        ++happened.crashes;
    }
    void start_anew() {
        linked.stop();
        group.reset();
        home.ledger.reset();
        home.files.set_hook({});
        home.files.restart();
        home.files.set_capacity(UINT64_MAX);
        home.reopen();
        mend_board();
        linked.check_receipts(*home.ledger);
        start();
    }

    // The power of the board: now, or before one of its next effects, whatever it does then.
    void cut_board() {
        test::SimFiles& files = linked.board.files();
        board_is_cut_in_a_step = !random.one_in(3);
        if (board_is_cut_in_a_step)
            files.crash_before_effect(files.effects() + random.below(12u), random.next());
        else
            files.crash(random.next());
        mend_board();
    }
    void mend_board() {
        if (linked.board.files().stat("store")) return;
        linked.restart_board(*home.ledger, random.next());
        ++happened.board_crashes;
        if (board_is_cut_in_a_step) ++happened.board_crashes_in_a_step;
    }

    void settle(int rounds_max) {
        for (int rounds = 0; rounds < rounds_max && !linked.all_receipted(); ++rounds) {
            mend_board();
            linked.do_all();
            group->flush(linked.end->now());
            linked.end->pass(5'000);
        }
    }
    // In the middle of a large record, perhaps: after so many messages.
    void break_off() {
        settle(20);
        record(700'000);
        const auto disturbed =
            std::exchange(linked.end->disturb,
                          [messages = 6 + random.below(24u)](std::deque<Bytes>& way) mutable {
                              if (messages == 0)
                                  way.clear();
                              else
                                  --messages;
                          });
        linked.end->wake();
        for (int rounds = 0; rounds < 4; ++rounds) {
            linked.do_all();
            linked.end->pass(0);
        }
        linked.end->disturb = disturbed;
    }

    // As Hub::leave() does it.
    void stop_hub() {
        test::AgentEnd& end = *linked.end;
        test::SimFiles& files = home.files;
        if (random.one_in(2)) break_off();
        group->flush(end.now());
        end.link().on_leaving(end.now());
        if (random.one_in(2)) end.pass(random.below(800u));  // what is on its way
        if (random.one_in(3)) {
            const std::uint64_t used = UINT64_MAX - files.free_bytes("hub").value();
            files.set_capacity(used + random.below(100'000u));
            ++happened.stops_on_a_full_disk;
        }
        if (random.one_in(3))
            files.crash_before_effect(files.effects() + random.below(15u), random.next());
        (void)home.ledger->keep_staged();
        end.link().keep_what_came();
        if (random.one_in(3)) files.crash(random.next());  // before it has ended
        ++(files.stat("hub") ? happened.stops : happened.stops_cut);
        start_anew();
    }

    void record() {
        const std::size_t sizes[] = {10, 3'000, 40'000, 200'000};
        record(sizes[random.below(4u)]);
    }
    void record(std::size_t bytes) {
        const Bytes content = random.bytes(bytes);
        const auto recorded =
            linked.board.try_commit("fleet/data", {{"x", std::string(as_text(content))}},
                                    head ? std::vector{*head} : std::vector<VersionId>{});
        if (!recorded) return mend_board();
        head = *recorded;
        linked.note_recorded();
    }

    void set_a_clock_wrong() {
        Random draw = decisions.next("clock");
        if (!draw.one_in(12)) return;
        weather.add(as_bytes("clock"));
        set_wrong(draw.one_in(2) ? home.clock : linked.board.clock(), draw, happened.clocks);
    }

    void step() {
        random = decisions.next("step");
        const std::uint32_t what = random.below(14u);
        weather.add(what);
        mend_board();
        set_a_clock_wrong();
        test::AgentEnd& end = *linked.end;
        switch (what) {
            case 0:
                for (std::uint32_t more = random.below(4u) + 1; more != 0; --more) record();
                linked.end->wake();
                break;
            case 1:
                end.disconnect();
                end.connect();
                ++happened.cuts;
                break;
            case 2:
                if (random.one_in(4))
                    lose_power();
                else if (random.one_in(3))
                    stop_hub();
                break;
            case 3:
            case 4:
            case 5:
                if (!end.beside.empty()) ++happened.beside;
                end.work_once_beside();
                break;
            case 6:
            case 7:
                group->flush(end.now());
                ++happened.groups;
                break;
            case 8:
            case 9:
                for (; !end.turns.empty(); ++happened.turns) end.turn();
                break;
            case 10:
                if (random.one_in(3)) cut_board();
                [[fallthrough]];
            default: end.pass(random.below(20'000u));
        }
    }

    const std::uint64_t seed;
    Happened& happened;
    Decisions decisions{seed};
    Random random{decisions.next("start")};  // of the step at hand
    Random wire{decisions.next("wire")};
    HubHome home{seed};
    test::SimVfs vfs{home.files};
    std::optional<CommitGroup> group;
    LinkedBoard linked{"board", seed + 1'000'000, wire, happened.wire};
    std::optional<VersionId> head;
    std::size_t crashes = 0;
    bool board_is_cut_in_a_step = false;
};

void DeviceLinkWorld::run() {
    linked.trouble = random.below(200u);
    weather.add(linked.trouble);
    linked.board.bind_at(*home.ledger);
    ASSERT_TRUE(home.ledger->store().commit());
    start();
    record();
    linked.end->wake();
    for (int steps = 0; steps < 150 && !testing::Test::HasFailure(); ++steps) step();

    linked.trouble = 0;
    linked.board.files().set_hook({});
    mend_board();
    settle(300);
    ASSERT_TRUE(linked.all_receipted())
        << "of " << linked.board.store().head().sequence << " entries " << linked.receipted()
        << " are receipted, after " << crashes << " losses of power";
    linked.check_receipts(*home.ledger);
    linked.check_version(*home.ledger, *head);
    linked.check_journal(*home.ledger);
    test::expect_time_grows(home.ledger->store());
}

TEST(DeviceLinkWorlds, LoseNothingAndInventNothing) {
    Happened happened;
    const std::uint64_t from = asked("TRIBUTARY_LINK_FROM", 0);
    const std::uint64_t count = asked("TRIBUTARY_LINK_SEEDS", 40);
    for (std::uint64_t seed = from; seed < from + count && !HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        DeviceLinkWorld(seed, happened).run();
    }
    if (count < 40 || HasFailure()) return;  // too few for everything to happen
    const std::pair<const char*, std::uint64_t> all[] = {
        {"lost", happened.wire.lost},
        {"repeated", happened.wire.repeated},
        {"swapped", happened.wire.swapped},
        {"damaged", happened.wire.damaged},
        {"cuts", happened.cuts},
        {"crashes", happened.crashes},
        {"in the middle", happened.crashes_in_the_middle},
        {"crashes of the board", happened.board_crashes},
        {"in a step of it", happened.board_crashes_in_a_step},
        {"beside", happened.beside},
        {"groups", happened.groups},
        {"turns", happened.turns},
        {"ended plans", happened.wire.ended_plans},
        {"clocks set forth", happened.clocks.forth},
        {"clocks set back", happened.clocks.back},
        {"clocks set to 1970", happened.clocks.to_1970},
        {"stops", happened.stops},
        {"stops cut short", happened.stops_cut},
        {"stops on a full disk", happened.stops_on_a_full_disk},
    };
    for (const auto& [what, times] : all)
        EXPECT_GE(times, count / 2) << what << ": these worlds are tame";
    EXPECT_GE(happened.gone_on, count / 5) << "these worlds are tame";
}

TEST(DeviceLinkWorlds, LoseNothingInTheSeedsThatFailedOnce) {
    constexpr KeptSeed kKept[] = {
        {11, 1316189780},  // a board's receipt was not committed
    };
    Happened happened;
    for (const KeptSeed& kept : kKept) {
        SCOPED_TRACE("seed " + std::to_string(kept.seed));
        DeviceLinkWorld world(kept.seed, happened);
        world.run();
        EXPECT_EQ(world.weather.sum(), kept.weather);
    }
}

TEST(DeviceLinkWorlds, OfOneSeedAreTheSameAgain) {
    Happened happened;
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
        const auto said = [&] {
            DeviceLinkWorld world(seed, happened);
            world.run();
            return world.said.sum();
        };
        EXPECT_EQ(said(), said());
    }
}

}  // namespace
}  // namespace tributary::hub
