// The same boards at several hubs, each told in another order: which board speaks when, how much it
// says in a plan, the pieces of a page shuffled, on wires that lose, repeat, reorder and damage,
// so that plans and receipts come again, and to hubs that lose power and whose wall clocks are set
// wrong, each in its own way, as those of the boards were. What each hub says in the end
// is the same, to the byte: of devices, versions, refs, what was refused and what is held; so is
// what it merges from that, and what its next life reads from its disk.
#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "hub/lineage/merger.h"
#include "tests/sim/hub/hub_state.h"
#include "tests/sim/hub/linked_board.h"
#include "tests/sim/kept_seeds.h"
#include "tests/sim/store/sim_vfs.h"
#include "tests/support/decisions.h"
#include "tests/support/full_counts.h"
#include "tests/support/trace.h"
#include "tests/unit/hub/roll_out.h"

namespace tributary::hub {
namespace {

using test::asked;
using test::Board;
using test::Decisions;
using test::HubHome;
using test::KeptSeed;
using test::LinkedBoard;
using test::Random;

constexpr std::size_t kBoards = 3;
constexpr std::uint64_t kOrders = 3;

// What happened, in all worlds together.
struct Happened {
    test::WireEvents wire;
    test::ClockEvents clocks;
    std::uint64_t crashes = 0, crashes_in_the_middle = 0, shuffled = 0, said_again = 0;
    std::uint64_t of_another = 0;  // entries of a board about what another one recorded
};

// What three boards have to say: of themselves, and of each other.
class Story {
public:
    Story(std::uint64_t seed, std::span<Board* const> boards, Happened& told, test::Trace& weather)
        : boards_(boards), random_(seed), decisions_(seed), happened_(told), weather_(weather) {}

    // Of the first board; the second one is told to run it.
    VersionId begin() { return given_ = commit(0, {}); }
    void tell() {
        bring_records(0, 1, given_);
        boards_[1]->say(InstallBody{1, "model", given_, "committed", given_, {}, ""});
        for (int entries = 0; entries < 18; ++entries) say_something();
    }

private:
    std::string content() {
        const std::size_t sizes[] = {20, 900, 20'000};
        const std::uint64_t which = random_.below(8u);
        const Bytes bytes = Random(which).bytes(sizes[which % 3]);
        return std::string(as_text(bytes));
    }
    VersionId commit(std::size_t b, std::vector<VersionId> parents,
                     std::vector<Input> inputs = {}) {
        std::map<std::string, std::string> files{{"own" + std::to_string(b), content()}};
        if (random_.one_in(2)) files["shared"] = content();
        const char* const repos[] = {"fleet/data", "fleet/other"};
        const VersionId id = boards_[b]->commit(repos[random_.below(2u)], files, std::move(parents),
                                                std::move(inputs));
        versions_.push_back({b, id});
        return id;
    }
    void say_something() {
        const std::size_t b = random_.below(boards_.size());
        Board& board = *boards_[b];
        Random clock = decisions_.next("clock");
        const bool is_set_wrong = clock.one_in(4);
        if (is_set_wrong) set_wrong(board.clock(), clock, happened_.clocks);
        const auto [author, version] = versions_[random_.below(versions_.size())];
        const std::uint32_t what = random_.below(8u);
        weather_.add(b).add(is_set_wrong ? 1 : 0).add(what);
        switch (what) {
            case 0:  // names it too, and has it
                bring_records(author, b, version);
                board.say(CommitBody{"fleet/data", random_.one_in(2) ? "main" : "side", version});
                if (author != b) ++happened_.of_another;
                break;
            case 1:
            case 2:  // goes on from it; of another's, it may know the name alone
                if (random_.one_in(2)) bring_records(author, b, version);
                commit(b, {version});
                if (author != b) ++happened_.of_another;
                break;
            case 3: commit(b, {}, {{version.digest, "train_data", ""}}); break;
            case 4:
                board.say(InstallBody{random_.below(std::uint64_t{3}),
                                      "model",
                                      version,
                                      "failed",
                                      version,
                                      {},
                                      "health"});
                break;
            case 5: board.say(SecurityEventBody{"push_refused", {}, 1 + random_.below(5u)}); break;
            case 6:  // drops it before it was sent: both are said in one plan
                board.say(ThinnedBody{commit(b, {})});
                break;
            default: commit(b, {}); break;
        }
    }
    void bring_records(std::size_t from, std::size_t to, const VersionId& version) {
        Store& there = boards_[to]->store();
        ASSERT_TRUE(closure_of(boards_[from]->store(), version, {}, [&](const RecordKey& key) {
            return there.stage_record(boards_[from]->store().read_record(key).value());
        }));
        ASSERT_TRUE(there.commit());
    }

    std::span<Board* const> boards_;
    Random random_;
    Decisions decisions_;
    Happened& happened_;
    test::Trace& weather_;
    VersionId given_;
    std::vector<std::pair<std::size_t, VersionId>> versions_;  // and whose
};

// Names the first line that is another one, of very many.
void expect_same(const std::vector<std::string>& said, const std::vector<std::string>& before,
                 const std::string& who) {
    EXPECT_EQ(said.size(), before.size());
    const auto [one, other] = std::ranges::mismatch(said, before);
    const bool differ = one != said.end() && other != before.end();
    EXPECT_FALSE(differ) << who << " says " << *one << "\n instead of " << *other;
}

class Arrival {
public:
    Arrival(std::uint64_t world, std::uint64_t order, Happened& told)
        : seed(world), decisions(world * 100 + order), happened(told) {
        home.memo_path = "hub/sent.sqlite";
        home.reopen();
        for (std::size_t b = 0; b < kBoards; ++b)
            linked[b] = std::make_unique<LinkedBoard>(std::string(1, static_cast<char>('a' + b)),
                                                      seed * kBoards + b + 1'000'000, wires[b],
                                                      happened.wire);
    }
    ~Arrival() {
        for (const auto& board : linked) board->stop();
        group.reset();
        home.ledger.reset();  // before its disk
    }
    void run();

    std::vector<std::string> said;  // by the hub, in the end
    std::vector<VersionId> merged;
    // Of which step came when.
    test::Trace weather;

private:
    void start() {
        group.emplace(*home.ledger, [] {});
        for (std::size_t b = 0; b < kBoards; ++b)
            if (here[b]) start(b);
    }
    void start(std::size_t b) {
        linked[b]->start(home, *group, random.next(), [this, b](test::AgentEnd& end) {
            end.twist_page = [this, look = end.twist_page](sync::Page& page) {
                if (look) look(page);
                shuffle(page);
            };
            end.listen = [this, b](const Bytes& payload) { note(b, payload); };
        });
        here[b] = true;
    }
    // A record comes after what it needs, and pieces need none: one whose base is still to come is
    // sent without it.
    void shuffle(sync::Page& page) {
        const auto others = std::ranges::stable_partition(
            page.objects,
            [](const sync::OfferedObject& object) { return object.key.kind == RecordKind::piece; });
        const auto pieces = static_cast<std::size_t>(others.begin() - page.objects.begin());
        if (pieces < 2) return;
        for (std::size_t i = pieces - 1; i > 0; --i)
            std::swap(page.objects[i], page.objects[random.below(i + 1)]);
        ++happened.shuffled;
    }
    void note(std::size_t b, const Bytes& payload) {
        const sync::Body body = sync::parse_message(payload).value().body;
        const auto* offer = std::get_if<sync::Offer>(&body);
        if (!offer || offer->entries.empty()) return;
        if (!offered[b].insert(offer->entries.front()).second) ++happened.said_again;
    }

    void lose_power() {
        if (std::ranges::any_of(
                linked, [](const auto& board) { return board->end && board->in_the_middle(); }))
            ++happened.crashes_in_the_middle;
        ++happened.crashes;
        home.files.crash(random.next());
        for (const auto& board : linked) board->stop();
        group.reset();
        home.ledger.reset();
        home.files.restart();
        home.reopen();
        for (const auto& board : linked) board->check_receipts(*home.ledger);
        start();
    }

    void set_clock_wrong() {
        Random draw = decisions.next("clock");
        if (!draw.one_in(12)) return;
        weather.add(as_bytes("clock"));
        set_wrong(home.clock, draw, happened.clocks);
    }
    void step() {
        random = decisions.next("step");
        set_clock_wrong();
        const std::size_t b = random.below(kBoards);
        const std::uint32_t what = random.below(14u);
        weather.add(b).add(what);
        if (!here[b]) {
            if (random.one_in(5)) start(b);
            return;
        }
        test::AgentEnd& end = *linked[b]->end;
        switch (what) {
            case 0:
                end.disconnect();
                end.connect();
                break;
            case 1:
                if (random.one_in(2)) lose_power();
                break;
            case 2:
            case 3:
            case 4:
            case 5: end.work_once_beside(); break;
            case 6:
            case 7: group->flush(end.now()); break;
            case 8:
            case 9:
            case 10:
                while (!end.turns.empty()) end.turn();
                break;
            default: end.pass(random.below(20'000u));
        }
    }
    void settle() {
        for (int rounds = 0; rounds < 300; ++rounds) {
            bool all = true;
            for (const auto& board : linked) {
                if (!board->end) continue;
                board->do_all();
                group->flush(board->end->now());
                board->end->pass(5'000);
                all = all && board->all_receipted();
            }
            if (all) return;
        }
    }
    // The first version, which is the same everywhere, and the hub's own word about it.
    void begin(Story& story);

    const std::uint64_t seed;
    Decisions decisions;
    Random random{decisions.next("start")};  // of the step at hand
    Happened& happened;
    HubHome home{seed};
    test::SimVfs vfs{home.files};
    std::optional<CommitGroup> group;
    std::array<Random, kBoards> wires{Random(random.next()), Random(random.next()),
                                      Random(random.next())};
    std::array<std::unique_ptr<LinkedBoard>, kBoards> linked;
    std::array<bool, kBoards> here{};
    std::array<std::set<Bytes>, kBoards> offered;
};

void Arrival::begin(Story& story) {
    for (const auto& board : linked) board->board.bind_at(*home.ledger);
    const VersionId given = story.begin();
    group.emplace(*home.ledger, [] {});
    start(0);
    settle();
    ASSERT_TRUE(linked[0]->all_receipted());
    test::roll_out(*home.ledger, home.clock, given, {linked[1]->board.device()});
    linked[0]->stop();
    here = {};
}

void Arrival::run() {
    std::array<Board*, kBoards> boards;
    for (std::size_t b = 0; b < kBoards; ++b) boards[b] = &linked[b]->board;
    Story story(seed, boards, happened, weather);
    ASSERT_NO_FATAL_FAILURE(begin(story));
    ASSERT_NO_FATAL_FAILURE(story.tell());

    for (const auto& board : linked) {
        board->trouble = random.below(200u);
        weather.add(board->trouble);
    }
    for (int steps = 0; steps < 200 && !testing::Test::HasFailure(); ++steps) step();
    for (const auto& board : linked) board->trouble = 0;
    for (std::size_t b = 0; b < kBoards; ++b)
        if (!here[b]) start(b);
    settle();
    for (const auto& board : linked) {
        ASSERT_TRUE(board->all_receipted())
            << "of " << board->board.store().head().sequence << " entries of "
            << board->board.device() << " " << board->receipted() << " are receipted";
        board->check_journal(*home.ledger);
        board->stop();
    }

    said = test::state_of(*home.ledger);
    home.reopen();
    expect_same(test::state_of(*home.ledger), said, "its next life");
    HubConfig config;
    config.repositories = {{"*/*", "main", "union", {}}};
    for (const std::string& repo : home.ledger->catalog().repositories())
        if (const auto folded = Merger(*home.ledger, config).fold(repo).value())
            merged.push_back(folded->version);
}

// Answers the weather of all orders.
std::uint32_t expect_order_changes_nothing(std::uint64_t seed, Happened& happened) {
    std::vector<std::string> said;
    std::vector<VersionId> merged;
    test::Trace weather;
    for (std::uint64_t order = 0; order < kOrders && !testing::Test::HasFailure(); ++order) {
        SCOPED_TRACE("seed " + std::to_string(seed) + ", order " + std::to_string(order));
        Arrival arrival(seed, order, happened);
        arrival.run();
        weather.add(arrival.weather.sum());
        if (order == 0) {
            said = arrival.said;
            merged = arrival.merged;
        }
        expect_same(arrival.said, said, "this hub");
        EXPECT_EQ(arrival.merged, merged);
    }
    return weather.sum();
}

TEST(ArrivalOrder, ChangesNothingInWhatTheHubSaysInTheEnd) {
    Happened happened;
    const std::uint64_t from = asked("TRIBUTARY_LINK_FROM", 0);
    const std::uint64_t count = asked("TRIBUTARY_LINK_SEEDS", 5);
    for (std::uint64_t seed = from; seed < from + count && !HasFailure(); ++seed)
        (void)expect_order_changes_nothing(seed, happened);
    if (count < 5 || HasFailure()) return;  // too few for everything to happen
    const std::pair<const char*, std::uint64_t> all[] = {
        {"lost", happened.wire.lost},
        {"repeated", happened.wire.repeated},
        {"swapped", happened.wire.swapped},
        {"damaged", happened.wire.damaged},
        {"ended plans", happened.wire.ended_plans},
        {"clocks set forth", happened.clocks.forth},
        {"clocks set back", happened.clocks.back},
        {"clocks set to 1970", happened.clocks.to_1970},
        {"crashes", happened.crashes},
        {"in the middle", happened.crashes_in_the_middle},
        {"shuffled", happened.shuffled},
        {"said again", happened.said_again},
        {"of another", happened.of_another},
    };
    for (const auto& [what, times] : all) EXPECT_GE(times, count) << what << ": tame worlds";
}

TEST(ArrivalOrder, ChangesNothingInTheSeedsThatFailedOnce) {
    constexpr KeptSeed kKept[] = {
        {0, 3977012888},  // an entry's time was what the clock showed
    };
    Happened happened;
    for (const KeptSeed& kept : kKept)
        EXPECT_EQ(expect_order_changes_nothing(kept.seed, happened), kept.weather) << kept.seed;
}

}  // namespace
}  // namespace tributary::hub
