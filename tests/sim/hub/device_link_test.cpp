// A board and the hub's end of its link, both real, over a wire that loses, repeats, reorders and
// damages; the hub checks records and seals beside its loop, makes entries durable in groups, and
// loses power. Then the faults stop. Whatever came when: nothing receipted is lost, nothing is
// invented, and all is receipted in the end.
#include "tests/sim/hub/linked_board.h"
#include "tests/support/full_counts.h"

namespace tributary::hub {
namespace {

using test::asked;
using test::HubHome;
using test::LinkedBoard;

// What happened, in all worlds together.
struct Happened {
    test::WireEvents wire;
    std::uint64_t cuts = 0, crashes = 0, beside = 0, groups = 0, turns = 0;
    std::uint64_t crashes_in_the_middle = 0;  // of work beside the loop, or of a later turn
};

class DeviceLinkWorld {
public:
    DeviceLinkWorld(std::uint64_t world_seed, Happened& told) : seed(world_seed), happened(told) {}
    void run();

private:
    void start() {
        linked.stop();
        group.emplace(*home.ledger, [] {});
        linked.start(home, *group, random.next());
    }

    // The power of the hub's machine; the board goes on from what is durable here.
    void lose_power() {
        if (linked.in_the_middle()) ++happened.crashes_in_the_middle;
        linked.stop();
        group.reset();
        home.files.crash(random.next());
        home.files.restart();
        home.reopen();
        linked.check_receipts(*home.ledger);
        start();
        ++crashes;
        ++happened.crashes;
    }

    void record() {
        const std::size_t sizes[] = {10, 3'000, 40'000, 200'000};
        const Bytes content = random.bytes(sizes[random.below(4u)]);
        head = linked.board.commit("fleet/data", {{"x", std::string(as_text(content))}},
                                   head ? std::vector{*head} : std::vector<VersionId>{});
    }

    void step() {
        test::AgentEnd& end = *linked.end;
        switch (random.below(14u)) {
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
                if (random.one_in(4)) lose_power();
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
            default: end.pass(random.below(20'000u));
        }
    }

    const std::uint64_t seed;
    Happened& happened;
    test::Random random{seed};
    HubHome home{seed};
    std::optional<CommitGroup> group;
    LinkedBoard linked{"board", seed + 1'000'000, random, happened.wire};
    std::optional<VersionId> head;
    std::size_t crashes = 0;
};

void DeviceLinkWorld::run() {
    linked.trouble = random.below(200u);
    linked.board.bind_at(*home.ledger);
    ASSERT_TRUE(home.ledger->store().commit());
    start();
    record();
    linked.end->wake();
    for (int steps = 0; steps < 150 && !testing::Test::HasFailure(); ++steps) step();

    linked.trouble = 0;
    for (int rounds = 0; rounds < 300 && !linked.all_receipted(); ++rounds) {
        linked.do_all();
        group->flush(linked.end->now());
        linked.end->pass(5'000);
    }

    ASSERT_TRUE(linked.all_receipted())
        << "of " << linked.board.store().head().sequence << " entries " << linked.receipted()
        << " are receipted, after " << crashes << " losses of power";
    linked.check_receipts(*home.ledger);
    linked.check_version(*home.ledger, *head);
    linked.check_journal(*home.ledger);
}

TEST(DeviceLinkWorlds, LoseNothingAndInventNothing) {
    Happened happened;
    const std::uint64_t from = asked("TRIBUTARY_LINK_FROM", 0);
    const std::uint64_t count = asked("TRIBUTARY_LINK_SEEDS", 40);
    for (std::uint64_t seed = from; seed < from + count && !HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        DeviceLinkWorld(seed, happened).run();
    }
    if (count < 40) return;  // too few for everything to happen
    for (const std::uint64_t times :
         {happened.wire.lost, happened.wire.repeated, happened.wire.swapped, happened.wire.damaged,
          happened.cuts, happened.crashes, happened.crashes_in_the_middle, happened.beside,
          happened.groups, happened.turns, happened.wire.ended_plans})
        EXPECT_GE(times, count / 2) << "these worlds are tame";
}

}  // namespace
}  // namespace tributary::hub
