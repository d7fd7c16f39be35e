// Two boards that have much in common: they record the same files, change them alike, and are told
// to run what the other made, on which they go on. Both links are real, over wires that lose,
// repeat, reorder and damage, to one hub that stops and loses power, as the boards do. Wall clocks
// are set wrong, by years too.
//
// Whatever came when: nothing receipted is lost, nothing is stored twice, and a board is told that
// the hub holds something only when the board sent it or was given it (decision 0021). More than
// that: all that the hub says to a board is the same in a world where the other board has other
// bytes of the same lengths.
#include <array>
#include <map>
#include <set>

#include "common/record/recipe.h"
#include "tests/sim/hub/linked_board.h"
#include "tests/sim/kept_seeds.h"
#include "tests/support/decisions.h"
#include "tests/support/full_counts.h"
#include "tests/support/trace.h"
#include "tests/unit/hub/roll_out.h"

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
    std::uint64_t board_crashes = 0, board_crashes_in_a_push = 0;
    std::uint64_t cuts = 0, stops = 0, stops_in_the_middle = 0, given = 0;
    std::uint64_t asked_again = 0;   // of a board, for what another one had sent
    std::uint64_t not_its_base = 0;  // a base that is here, for another board
    std::uint64_t given_held = 0;    // what was given was not asked for,
    std::uint64_t given_base = 0;    // and was a base
};

// A file that boards know: a line of its own (the first kFiles), or one that began as what a board
// was given. Each has states; from one to the next a piece of it changes.
struct Known {
    std::size_t file = 0;
    std::uint64_t state = 0;
};

class TwoBoards {
public:
    enum class Other : std::uint8_t { has_the_same, has_its_own };
    // A hub that `loses_power` keeps no more than what was durable; else it is stopped in order, so
    // that what it keeps does not depend on the other board.
    TwoBoards(std::uint64_t world_seed, Other other, bool loses_power, Happened& told)
        : seed(world_seed), other_(other), loses_power_(loses_power), happened(told) {}
    void run();

    // What the hub said to the first board.
    std::vector<std::string> said;
    // Of which step came when.
    test::Trace weather;

private:
    static constexpr std::size_t kFiles = 4;
    static constexpr std::size_t kGifts = 100;

    // ---- content ----

    std::size_t pieces_of(std::size_t file) const {
        return static_cast<std::size_t>(1 + (seed + file) % 3);
    }
    // The same on both boards, unless the other has its own; what was given is the same until
    // somebody goes on from it.
    Bytes piece_of(std::size_t b, std::size_t file, std::uint64_t state, std::size_t piece) const {
        static constexpr std::array<std::size_t, 4> kBytes{60, 900, 9'000, 40'000};
        const std::uint64_t own = b == 1 && other_ == Other::has_its_own ? 1 : 0;
        const std::uint64_t place = (seed * 1000 + file) * 8 + piece;
        const bool is_gift = file >= kFiles;
        Random first(place * 2 + (is_gift ? 0 : own));
        Bytes bytes = first.bytes(kBytes[first.below(kBytes.size())]);
        for (std::uint64_t s = 1; s <= state; ++s) {
            if (s % pieces_of(file) != piece) continue;
            Random change((place * 1000 + s) * 2 + own);
            const std::size_t at = change.below(bytes.size() - 16);
            Random(place * 1000 + s + (own << 60)).fill(ByteSpan(bytes).subspan(at, 16));
        }
        return bytes;
    }

    // As a board records it: coded on the state before where that is at hand. It may be without
    // having been recorded: then another board may have brought it, and this one never does.
    TreeItem stage_file(std::size_t b, const Known& file, bool knows_before) {
        Store& store = boards[b]->board.store();
        Recipe recipe;
        Bytes whole;
        for (std::size_t i = 0; i < pieces_of(file.file); ++i) {
            const Bytes plain = piece_of(b, file.file, file.state, i);
            std::optional<Store::PieceBase> base;
            if (file.state > 0) {
                const Bytes before = piece_of(b, file.file, file.state - 1, i);
                const PieceId id{sha256(before)};
                if (knows_before && before != plain) {
                    EXPECT_TRUE(store.stage_piece({before}, {}, codec::Level::fast));
                }
                if (before != plain && store.has({RecordKind::piece, id.digest}))
                    base = Store::PieceBase{id, {}};
            }
            const auto id = store.stage_piece({plain}, base, codec::Level::fast);
            recipe.pieces.push_back({id.value(), static_cast<std::uint32_t>(plain.size())});
            recipe.blob_bytes += plain.size();
            whole.insert(whole.end(), plain.begin(), plain.end());
        }
        const Digest blob = sha256(whole);
        if (recipe.pieces.size() > 1) {
            EXPECT_TRUE(store.stage_recipe(BlobId{blob}, encode_recipe(recipe).value()));
        }
        return {TreeItem::Type::file, "file" + std::to_string(file.file), blob, whole.size()};
    }

    // A directory that is one record on both boards when its files are.
    VersionId commit(std::size_t b, const std::vector<TreeItem>& files,
                     std::vector<VersionId> parents) {
        Store& store = boards[b]->board.store();
        const EncodedTree directory = encode_tree(files).value();
        for (const EncodedTreeNode& node : directory.nodes)
            EXPECT_TRUE(store.stage_object(RecordKind::tree, node.bytes));
        TreeItem item{TreeItem::Type::tree, "data", directory.id.digest, 0};
        for (const TreeItem& file : files) item.size += file.size;
        return boards[b]->board.commit_tree("fleet/data", encode_tree({item}).value(),
                                            std::move(parents));
    }

    void record(std::size_t b) {
        std::vector<TreeItem> files;
        const std::size_t first = random.below(known[b].size());
        const std::size_t count = 1 + random.below(std::size_t{3});
        for (std::size_t i = 0; i < std::min(count, known[b].size()); ++i) {
            Known& file = known[b][(first + i) % known[b].size()];
            file.state += random.below(3u);
            files.push_back(stage_file(b, file, random.one_in(2)));
        }
        std::ranges::sort(files, {}, &TreeItem::name);
        std::vector<VersionId> parents;
        if (head[b] && !random.one_in(8)) parents.push_back(*head[b]);
        head[b] = commit(b, files, std::move(parents));
        boards[b]->note_recorded();
        boards[b]->end->wake();
    }

    // ---- what one made is given to the other ----

    void give(std::size_t from) {
        const std::size_t to = 1 - from;
        const Known gift{gifts++, 0};
        const VersionId version = commit(from, {stage_file(from, gift, false)}, {});
        boards[from]->end->wake();
        settle();
        ASSERT_TRUE(boards[from]->all_receipted());
        test::roll_out(*home.ledger, home.clock, version, {boards[to]->board.device()});
        ASSERT_TRUE(closure_of(boards[from]->board.store(), version, {},
                               [&](const RecordKey& key) -> Status {
                                   may_read[to].insert(key);
                                   given[to].insert(key);
                                   return {};
                               }));
        boards[to]->end->link().on_assigned(boards[to]->end->now());
        if (loses_power_ && !random.one_in(4)) cut_board_in_a_push(to);
        settle();
        ASSERT_TRUE(boards[to]->board.store().has({RecordKind::version, version.digest}));
        known[from].push_back(gift);
        known[to].push_back(gift);
        ++happened.given;
    }
    // ---- the hub ----

    void start() {
        for (const auto& linked : boards) linked->stop();
        group.emplace(*home.ledger, [] {});
        for (std::size_t b = 0; b < boards.size(); ++b)
            boards[b]->start(home, *group, random.next(),
                             [this, b](test::AgentEnd& end) { watch(b, end); });
    }
    void cut_board(std::size_t b) {
        boards[b]->board.files().crash(random.next());
        boards[b]->restart_board(*home.ledger, random.next());
        ++happened.board_crashes;
    }
    // Before one of the next things that the board writes.
    void cut_board_in_a_push(std::size_t b) {
        test::SimFiles& files = boards[b]->board.files();
        files.crash_before_effect(files.effects() + random.below(4u), random.next());
        settle();
        if (!files.stat("store")) ++happened.board_crashes_in_a_push;
        boards[b]->restart_board(*home.ledger, random.next());
    }
    void stop() {
        for (const auto& linked : boards)
            if (linked->in_the_middle()) ++happened.stops_in_the_middle;
        if (!loses_power_) {
            group->flush(now());
            ASSERT_TRUE(home.ledger->store().commit());
        }
        for (const auto& linked : boards) linked->stop();
        group.reset();
        if (loses_power_) {
            home.files.crash(random.next());
            home.files.restart();
        }
        home.reopen();
        for (const auto& linked : boards) linked->check_receipts(*home.ledger);
        start();
        ++happened.stops;
    }

    // ---- what passes between them ----

    void watch(std::size_t b, test::AgentEnd& end) {
        offered[b].clear();
        end.listen = [this, b](const Bytes& payload) {
            const sync::Envelope envelope = sync::parse_message(payload).value();
            if (const auto* offer = std::get_if<sync::Offer>(&envelope.body))
                offered[b][{envelope.session, offer->plan, offer->page}] = offer->objects;
        };
        end.twist_record = [this, b](Bytes& frame) {
            may_read[b].insert(parse_record_header(frame).value().key());
        };
        end.listen_to_hub = [this, b](const Bytes& payload) {
            const sync::Envelope envelope = sync::parse_message(payload).value();
            if (const auto* want = std::get_if<sync::Want>(&envelope.body))
                judge(b, envelope.session, *want);
            if (b == 0) said.push_back(told_by(envelope));
        };
    }
    // A board is told that something is here only when it sent or was given that.
    void judge(std::size_t b, std::uint64_t session, const sync::Want& want) {
        const auto page = offered[b].find({session, want.plan, want.page});
        if (page == offered[b].end() || page->second.size() != want.missing.size()) return;
        std::set<RecordKey> before;
        for (std::size_t i = 0; i < want.missing.size(); ++i) {
            const sync::OfferedObject& object = page->second[i];
            if (!want.missing[i]) {
                EXPECT_TRUE(may_read[b].contains(object.key)) << "it learns of " << name(object);
                if (given[b].contains(object.key)) ++happened.given_held;
            } else if (home.ledger->store().has(object.key) && !may_read[b].contains(object.key)) {
                ++happened.asked_again;
            }
            for (const Digest& digest : object.bases) {
                const RecordKey base{object.key.kind, digest};
                if (want.base_held[i]) {
                    EXPECT_TRUE(may_read[b].contains(base) || before.contains(base))
                        << "it learns of a base of " << name(object);
                    if (given[b].contains(base)) ++happened.given_base;
                } else if (home.ledger->store().has(base)) {
                    ++happened.not_its_base;
                }
            }
            before.insert(object.key);
        }
    }
    static std::string name(const sync::OfferedObject& object) {
        return std::string(name_of(object.key.kind)) + " " + object.key.name.text();
    }
    // Without what is of no meaning for what the hub holds: signatures, and how far the hub's own
    // journal goes.
    static std::string told_by(const sync::Envelope& envelope) {
        std::string text(sync::name_of(envelope.body));
        if (const auto* want = std::get_if<sync::Want>(&envelope.body)) {
            text += " " + std::to_string(want->page) + " from " +
                    std::to_string(want->resume_offset) + " ";
            for (const bool missing : want->missing) text += missing ? '1' : '0';
            text += ' ';
            for (const bool held : want->base_held) text += held ? '1' : '0';
        } else if (const auto* done = std::get_if<sync::Done>(&envelope.body)) {
            const Receipt receipt =
                parse_receipt(parse_signed_document(done->receipt).value().payload).value();
            text += " " + std::to_string(receipt.sequence);
            for (const VersionId& version : receipt.whole) text += " " + version.text();
            for (const Receipt::Refused& item : receipt.refused) text += " not " + item.reason;
        } else if (const auto* refuse = std::get_if<sync::Refuse>(&envelope.body)) {
            text += " " + refuse->text;
        }
        return text;
    }

    // ---- time ----

    MonoTime now() const { return boards[0]->end->now(); }
    void pass(std::uint64_t ms) {
        for (const auto& linked : boards) linked->end->pass(ms);
    }
    // Without faults both have enough time for all they have to say.
    void settle() {
        const std::array<std::uint32_t, 2> trouble{boards[0]->trouble, boards[1]->trouble};
        for (const auto& linked : boards) linked->trouble = 0;
        for (int rounds = 0; rounds < 100; ++rounds) {
            for (const auto& linked : boards) linked->do_all();
            group->flush(now());
            pass(5'000);
        }
        for (std::size_t b = 0; b < boards.size(); ++b) boards[b]->trouble = trouble[b];
    }
    void set_a_clock_wrong() {
        Random draw = decisions.next("clock");
        if (!draw.one_in(12)) return;
        weather.add(as_bytes("clock"));
        const std::size_t whose = draw.below(boards.size() + 1);
        set_wrong(whose == boards.size() ? home.clock : boards[whose]->board.clock(), draw,
                  happened.clocks);
    }
    void step() {
        random = decisions.next("step");
        set_a_clock_wrong();
        const std::size_t b = random.below(boards.size());
        const std::uint32_t what = random.below(16u);
        weather.add(b).add(what);
        test::AgentEnd& end = *boards[b]->end;
        switch (what) {
            case 0:
            case 1: record(b); break;
            case 2:
                end.disconnect();
                end.connect();
                ++happened.cuts;
                break;
            case 3:
                if (random.one_in(4)) stop();
                if (loses_power_ && random.one_in(4)) cut_board(b);
                break;
            case 4:
                if (random.one_in(5)) give(b);
                break;
            case 5:
            case 6:
            case 7: end.work_once_beside(); break;
            case 8:
            case 9: group->flush(now()); break;
            case 10:
            case 11:
                while (!end.turns.empty()) end.turn();
                break;
            default: pass(random.below(20'000u));
        }
    }

    void check_nothing_is_twice() {
        for (const RecordKind kind :
             {RecordKind::piece, RecordKind::recipe, RecordKind::tree, RecordKind::version}) {
            std::set<Digest> names;
            ASSERT_TRUE(
                home.ledger->store().for_each_name(kind, [&](const Digest& digest) -> Status {
                    EXPECT_TRUE(names.insert(digest).second) << digest.text() << " is here twice";
                    return {};
                }));
        }
    }

    const std::uint64_t seed;
    const Other other_;
    const bool loses_power_;
    Happened& happened;
    Decisions decisions{seed};
    Random random{decisions.next("start")};  // of the step at hand
    HubHome home{seed};
    std::optional<CommitGroup> group;
    std::array<Random, 2> wires{Random(seed + 1), Random(seed + 2)};
    std::array<std::unique_ptr<LinkedBoard>, 2> boards{
        std::make_unique<LinkedBoard>("a", seed + 1'000'000, wires[0], happened.wire),
        std::make_unique<LinkedBoard>("b", seed + 2'000'000, wires[1], happened.wire)};
    std::array<std::vector<Known>, 2> known;
    std::array<std::optional<VersionId>, 2> head;
    std::size_t gifts = kFiles;
    std::array<std::set<RecordKey>, 2> may_read;  // what it began to send, and what it was given
    std::array<std::set<RecordKey>, 2> given;
    using PageOf = std::tuple<std::uint64_t, std::uint64_t, std::uint32_t>;  // session, plan, page
    std::array<std::map<PageOf, std::vector<sync::OfferedObject>>, 2> offered;
};

void TwoBoards::run() {
    for (std::size_t b = 0; b < boards.size(); ++b) {
        boards[b]->trouble = random.below(200u);
        weather.add(boards[b]->trouble);
        boards[b]->board.bind_at(*home.ledger);
        for (std::size_t file = 0; file < kFiles; ++file) known[b].push_back({file, 0});
    }
    start();
    for (int steps = 0; steps < 150 && !testing::Test::HasFailure(); ++steps) step();

    settle();
    settle();
    for (const auto& linked : boards) {
        ASSERT_TRUE(linked->all_receipted())
            << "of " << linked->board.store().head().sequence << " entries of "
            << linked->board.device() << " " << linked->receipted() << " are receipted";
        linked->check_receipts(*home.ledger);
        linked->check_journal(*home.ledger);
    }
    test::expect_time_grows(home.ledger->store());
    check_nothing_is_twice();
}

void expect_nothing_is_lost(std::uint64_t seed, Happened& happened) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TwoBoards(seed, TwoBoards::Other::has_the_same, true, happened).run();
}

// Answers the weather.
std::uint32_t expect_the_other_changes_nothing(std::uint64_t seed, Happened& happened) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TwoBoards shared(seed, TwoBoards::Other::has_the_same, false, happened);
    TwoBoards alone(seed, TwoBoards::Other::has_its_own, false, happened);
    shared.run();
    alone.run();
    const auto [here, there] = std::ranges::mismatch(shared.said, alone.said);
    if (here != shared.said.end() && there != alone.said.end()) {
        EXPECT_EQ(*here, *there);
    }
    EXPECT_EQ(shared.said.size(), alone.said.size());
    return shared.weather.sum();
}

class SharedContent : public testing::Test {
protected:
    const std::uint64_t from = asked("TRIBUTARY_LINK_FROM", 0);
    const std::uint64_t count = asked("TRIBUTARY_LINK_SEEDS", 5);
    void check_not_tame(std::initializer_list<std::uint64_t> times) const {
        if (count < 5 || HasFailure()) return;  // too few for everything to happen
        for (const std::uint64_t happened : times)
            EXPECT_GE(happened, count / 2) << "these worlds are tame";
    }
};

TEST_F(SharedContent, IsNotLostNorStoredTwiceNorToldOfToAnotherBoard) {
    Happened happened;
    for (std::uint64_t seed = from; seed < from + count && !HasFailure(); ++seed)
        expect_nothing_is_lost(seed, happened);
    const test::WireEvents& wire = happened.wire;
    check_not_tame({wire.lost, wire.repeated, wire.swapped, wire.damaged, happened.clocks.forth,
                    happened.clocks.back, happened.clocks.to_1970, happened.cuts, happened.stops,
                    happened.stops_in_the_middle, happened.board_crashes,
                    happened.board_crashes_in_a_push, happened.given, happened.asked_again,
                    happened.not_its_base, happened.given_held, happened.given_base});
}

TEST_F(SharedContent, ChangesNothingInWhatTheHubSaysToABoard) {
    Happened happened;
    for (std::uint64_t seed = from; seed < from + count && !HasFailure(); ++seed)
        (void)expect_the_other_changes_nothing(seed, happened);
    check_not_tame({happened.stops, happened.given, happened.asked_again, happened.not_its_base,
                    happened.given_held, happened.given_base});
}

TEST_F(SharedContent, IsAsItShouldBeInTheSeedsThatFailedOnce) {
    constexpr KeptSeed kKept[] = {
        {1, 3204872105},  // an answer came sooner when no board had what was offered
    };
    Happened happened;
    for (const KeptSeed& kept : kKept) {
        expect_nothing_is_lost(kept.seed, happened);
        EXPECT_EQ(expect_the_other_changes_nothing(kept.seed, happened), kept.weather);
    }
}

}  // namespace
}  // namespace tributary::hub
