// A board and the hub's end of its link, both real, over a wire that loses, repeats, reorders and
// damages; and the judge's book of what was receipted.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/hub/wrong_clock.h"
#include "tests/support/random.h"
#include "tests/unit/hub/agent_end.h"

namespace tributary::test {

// What happened to messages.
struct WireEvents {
    std::uint64_t lost = 0, repeated = 0, swapped = 0, damaged = 0;
    std::uint64_t ended_plans = 0;  // that brought less than there was
};

class LinkedBoard {
public:
    // `wire`: what chance says of messages; with `happened` it outlives this.
    LinkedBoard(const std::string& device, std::uint64_t seed, Random& wire, WireEvents& happened)
        : board(device, seed),
          plan_bytes(std::array{std::uint64_t{1}, std::uint64_t{50'000},
                                agent::kPlanOfAnyBytes}[wire.below(3u)]),
          wire_(wire),
          happened_(happened) {}
    ~LinkedBoard() { end.reset(); }

    // A new process on either side; `arrange` before either says a word.
    void start(HubHome& home, hub::CommitGroup& group, std::uint64_t seed,
               const std::function<void(AgentEnd&)>& arrange = {}) {
        stop();
        end.emplace(board, board.device(), *home.ledger, home.clock, seed, 0, &group);
        end->holds_beside = end->holds_turns = true;
        end->disturb = [this](std::deque<Bytes>& way) { disturb(way); };
        end->twist_page = [this](const sync::Page& page) { look_at(page); };
        end->plan_bytes = plan_bytes;
        recall();
        if (arrange) arrange(*end);
        end->connect();
    }
    void stop() {
        keep_receipts();
        end.reset();
    }
    // After the board lost its power, now or at some step before. What was acknowledged is there
    // again, and the hub holds nothing else of it. The hub's end goes on.
    void restart_board(hub::Ledger& ledger, std::uint64_t seed) {
        keep_receipts();
        board.restart();
        check_kept(ledger);
        if (!end) return;
        end->begin_agent(seed);
        recall();
        end->connect();
    }
    // The board was told that what it recorded is durable.
    void note_recorded() { recorded_ = board.store().head(); }
    bool in_the_middle() const { return !end->beside.empty() || !end->turns.empty(); }
    void do_all() {
        while (!end->beside.empty()) end->work_once_beside();
        while (!end->turns.empty()) end->turn();
    }

    // What any receipt speaks of is durable, as the board wrote it.
    void check_receipts(hub::Ledger& ledger) {
        keep_receipts();
        for (const Receipt& receipt : receipts_) {
            const JournalHead held = ledger.held(receipt.incarnation);
            ASSERT_GE(held.sequence, receipt.sequence);
            if (held.sequence == receipt.sequence) {
                EXPECT_EQ(held.hash, receipt.head);
            }
            for (const VersionId& version : receipt.whole) check_version(ledger, version);
        }
    }
    void check_version(hub::Ledger& ledger, const VersionId& version) {
        ASSERT_TRUE(closure_of(board.store(), version, {}, [&](const RecordKey& key) -> Status {
            TRIBUTARY_ASSIGN(const Bytes recorded, board.store().read_plain(key));
            TRIBUTARY_ASSIGN(const Bytes held, ledger.store().read_plain(key));
            EXPECT_EQ(recorded, held) << key.name.text();
            return {};
        }));
    }
    std::uint64_t receipted() {
        keep_receipts();
        return receipts_.empty() ? 0 : receipts_.back().sequence;
    }
    bool all_receipted() { return receipted() == board.store().head().sequence; }
    // Nothing else than it recorded, and all of it, in the order of time.
    void check_journal(hub::Ledger& ledger) {
        expect_time_grows(board.store());
        std::vector<Bytes> held;
        ASSERT_TRUE(
            ledger.store().read_entries(board.store().head().incarnation, 1, [&](ByteView entry) {
                held.emplace_back(entry.begin(), entry.end());
                return true;
            }));
        EXPECT_EQ(held, board.entries());
    }

    Board board;
    std::optional<AgentEnd> end;     // none: stopped
    std::uint32_t trouble = 0;       // per thousand messages
    const std::uint64_t plan_bytes;  // by chance one version to a plan, a few, or all there are

private:
    void check_kept(hub::Ledger& ledger) {
        const std::vector<Bytes> entries = board.entries();
        ASSERT_GE(entries.size(), recorded_.sequence) << "the board lost what it recorded";
        if (recorded_.sequence != 0) {
            const Bytes& last = entries[static_cast<std::size_t>(recorded_.sequence - 1)];
            EXPECT_EQ(parse_entry(last)->hash, recorded_.hash);
        }
        note_recorded();
        const Incarnation journal = board.store().head().incarnation;
        const auto kept = agent::last_receipt(board.store(), journal);
        ASSERT_TRUE(kept);
        EXPECT_GE(*kept ? (*kept)->sequence : 0, logged_) << "the board lost a receipt";
        EXPECT_LE(ledger.held(journal).sequence, entries.size()) << "the hub has what was no fact";
        EXPECT_EQ(board.store().check(false).value(), std::vector<std::string>());
    }
    void recall() {
        ASSERT_TRUE(end->uplink().load());
        end->uplink().set_refused(refused_);
    }
    void disturb(std::deque<Bytes>& way) {
        if (way.empty() || !wire_.chance(trouble)) return;
        switch (wire_.below(4u)) {
            case 0:
                way.pop_front();
                ++happened_.lost;
                break;
            case 1:
                way.push_back(way.front());
                ++happened_.repeated;
                break;
            case 2:
                if (way.size() > 1) ++happened_.swapped;
                std::swap(way.front(), way.back());
                break;
            default: way.front().back() ^= 1; ++happened_.damaged;
        }
    }
    void look_at(const sync::Page& page) {
        if (plan_bytes == agent::kPlanOfAnyBytes || page.entries.empty()) return;
        const EntryView last = parse_entry(page.entries.back()).value();
        if (last.header.sequence < board.store().head().sequence) ++happened_.ended_plans;
    }
    void keep_receipts() {
        if (!end) return;
        const agent::Uplink& uplink = end->uplink();
        if (uplink.receipt()) logged_ = std::max(logged_, uplink.receipt()->sequence);
        refused_ = {uplink.refused().begin(), uplink.refused().end()};
        for (const Receipt& receipt : std::exchange(end->receipts, {}))
            receipts_.push_back(receipt);
    }

    Random& wire_;
    WireEvents& happened_;
    std::vector<Receipt> receipts_;
    // What outlives the board's processes.
    JournalHead recorded_;
    std::uint64_t logged_ = 0;  // receipts, up to this entry
    std::vector<VersionId> refused_;
};

}  // namespace tributary::test
