// A board and the hub's end of its link, both real, over a wire that loses, repeats, reorders and
// damages; the hub checks records and seals beside its loop, makes entries durable in groups, and
// loses power. Then the faults stop. Whatever came when: nothing receipted is lost, nothing is
// invented, and all is receipted in the end.
#include <cstdlib>
#include <optional>
#include <utility>

#include "tests/support/random.h"
#include "tests/unit/hub/agent_end.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;

// What happened, in all worlds together.
struct Happened {
    std::uint64_t lost = 0, repeated = 0, swapped = 0, damaged = 0;  // messages
    std::uint64_t cuts = 0, crashes = 0, beside = 0, groups = 0, turns = 0;
    std::uint64_t crashes_in_the_middle = 0;  // of work beside the loop, or of a later turn
};

class DeviceLinkWorld {
public:
    DeviceLinkWorld(std::uint64_t world_seed, Happened& told) : seed(world_seed), happened(told) {}
    ~DeviceLinkWorld() { end.reset(); }
    void run();

private:
    void start() {
        end.reset();
        group.emplace(*home.ledger, [] {});
        end.emplace(board, board.device(), *home.ledger, home.clock, random.next(), 0, &*group);
        end->holds_beside = end->holds_turns = true;
        end->disturb = [this](std::deque<Bytes>& way) { disturb(way); };
        end->connect();
    }

    void disturb(std::deque<Bytes>& way) {
        if (way.empty() || !random.chance(trouble)) return;
        switch (random.below(4u)) {
            case 0:
                way.pop_front();
                ++happened.lost;
                break;
            case 1:
                way.push_back(way.front());
                ++happened.repeated;
                break;
            case 2:
                if (way.size() > 1) ++happened.swapped;
                std::swap(way.front(), way.back());
                break;
            default: way.front().back() ^= 1; ++happened.damaged;
        }
    }

    // The power of the hub's machine; the board goes on from what is durable here.
    void lose_power() {
        keep_receipts();
        if (!end->beside.empty() || !end->turns.empty()) ++happened.crashes_in_the_middle;
        end.reset();
        group.reset();
        home.files.crash(random.next());
        home.files.restart();
        home.reopen();
        check_receipts();
        start();
        ++crashes;
        ++happened.crashes;
    }

    void record() {
        const std::size_t sizes[] = {10, 3'000, 40'000, 200'000};
        const Bytes content = random.bytes(sizes[random.below(4u)]);
        head = board.commit("fleet/data", {{"x", std::string(as_text(content))}},
                            head ? std::vector{*head} : std::vector<VersionId>{});
        end->wake();
    }

    void step() {
        switch (random.below(14u)) {
            case 0: record(); break;
            case 1:
                end->disconnect();
                end->connect();
                ++happened.cuts;
                break;
            case 2:
                if (random.one_in(4)) lose_power();
                break;
            case 3:
            case 4:
            case 5:
                if (!end->beside.empty()) ++happened.beside;
                end->work_once_beside();
                break;
            case 6:
            case 7:
                group->flush(end->now());
                ++happened.groups;
                break;
            case 8:
            case 9:
                for (; !end->turns.empty(); ++happened.turns) end->turn();
                break;
            default: end->pass(random.below(20'000u));
        }
    }

    void keep_receipts() {
        for (const Receipt& receipt : end->receipts) receipts.push_back(receipt);
        end->receipts.clear();
    }
    // What any receipt speaks of is durable, as the board wrote it.
    void check_receipts() {
        for (const Receipt& receipt : receipts) {
            const JournalHead held = home.ledger->held(receipt.incarnation);
            ASSERT_GE(held.sequence, receipt.sequence);
            for (const VersionId& version : receipt.whole) check_version(version);
        }
    }
    void check_version(const VersionId& version) {
        ASSERT_TRUE(closure_of(board.store(), version, {}, [&](const RecordKey& key) -> Status {
            TRIBUTARY_ASSIGN(const Bytes recorded, board.store().read_plain(key));
            TRIBUTARY_ASSIGN(const Bytes held, home.ledger->store().read_plain(key));
            EXPECT_EQ(recorded, held) << key.name.text();
            return {};
        }));
    }
    bool all_receipted() {
        keep_receipts();
        return !receipts.empty() && receipts.back().sequence == board.store().head().sequence;
    }

    const std::uint64_t seed;
    Happened& happened;
    test::Random random{seed};
    HubHome home{seed};
    Board board{"board", seed + 1'000'000};
    std::optional<CommitGroup> group;
    std::optional<AgentEnd> end;
    std::optional<VersionId> head;
    std::vector<Receipt> receipts;
    std::uint32_t trouble = random.below(200u);  // per thousand messages
    std::size_t crashes = 0;
};

void DeviceLinkWorld::run() {
    board.bind_at(*home.ledger);
    ASSERT_TRUE(home.ledger->store().commit());
    start();
    record();
    for (int steps = 0; steps < 150 && !testing::Test::HasFailure(); ++steps) step();

    trouble = 0;
    for (int rounds = 0; rounds < 300 && !all_receipted(); ++rounds) {
        while (!end->beside.empty()) end->work_once_beside();
        while (!end->turns.empty()) end->turn();
        group->flush(end->now());
        end->pass(5'000);
    }

    ASSERT_TRUE(all_receipted()) << "of " << board.store().head().sequence << " entries "
                                 << (receipts.empty() ? 0 : receipts.back().sequence)
                                 << " are receipted, after " << crashes << " losses of power";
    check_receipts();
    check_version(*head);
    std::vector<Bytes> held;
    ASSERT_TRUE(
        home.ledger->store().read_entries(board.store().head().incarnation, 1, [&](ByteView entry) {
            held.emplace_back(entry.begin(), entry.end());
            return true;
        }));
    EXPECT_EQ(held, board.entries());
}

std::uint64_t asked(const char* name, std::uint64_t otherwise) {
    const char* const said = std::getenv(name);
    return said == nullptr ? otherwise : std::strtoull(said, nullptr, 10);
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
         {happened.lost, happened.repeated, happened.swapped, happened.damaged, happened.cuts,
          happened.crashes, happened.crashes_in_the_middle, happened.beside, happened.groups,
          happened.turns})
        EXPECT_GE(times, count / 2) << "these worlds are tame";
}

}  // namespace
}  // namespace tributary::hub
