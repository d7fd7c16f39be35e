#include "hub/intake/credit_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "tests/support/random.h"
#include "tests/unit/hub/agent_end.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kMiB = limits::MiB;

class CreditPoolTest : public testing::Test {
protected:
    void ask(const std::string& device, std::uint64_t bytes) {
        pool.ask(device, bytes, [this, device](CreditPool::Share share) {
            given.push_back(device);
            shares[device] = std::move(share);
        });
    }
    void give_back(const std::string& device) { const auto gone = shares.extract(device); }

    std::vector<std::string> given;
    std::map<std::string, CreditPool::Share> shares;
    CreditPool pool{8 * kMiB};  // of which 7 for what is large; gone before the shares are
};

TEST_F(CreditPoolTest, GivesInTheOrderInWhichTheyCame) {
    ask("a", 4 * kMiB);
    ask("b", 3 * kMiB);
    ask("c", 2 * kMiB);
    ask("d", kMiB);
    EXPECT_EQ(given, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(pool.given_bytes(), 7 * kMiB);
    EXPECT_EQ(pool.waiting(), 2u);

    give_back("b");
    EXPECT_EQ(given, (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(CreditPoolTest, LetsNobodyPassWhoWouldFitBeforeTheFirstInLine) {
    ask("a", 4 * kMiB);
    ask("b", 4 * kMiB);
    ask("c", kMiB);
    EXPECT_EQ(given, (std::vector<std::string>{"a"}));
    pool.forget("b");
    EXPECT_EQ(given, (std::vector<std::string>{"a", "c"}));
}

TEST_F(CreditPoolTest, KeepsThePlaceOfADeviceThatIsAwayForAWhile) {
    ask("a", 7 * kMiB);
    ask("b", 7 * kMiB);
    ask("c", 7 * kMiB);
    ask("d", 7 * kMiB);
    pool.step_aside("b");
    EXPECT_EQ(pool.waiting(), 2u);
    give_back("a");
    EXPECT_EQ(given, (std::vector<std::string>{"a", "c"})) << "nobody waits for who is away";
    ask("b", 7 * kMiB);
    give_back("c");
    EXPECT_EQ(given, (std::vector<std::string>{"a", "c", "b"}));
    ask("c", 7 * kMiB);
    give_back("b");
    EXPECT_EQ(given.back(), "d") << "a place is for one time";
    ask("b", 7 * kMiB);
    give_back("d");
    EXPECT_EQ(given.back(), "c");
}

TEST_F(CreditPoolTest, LetsWhatIsSmallWaitForNothingThatIsLarge) {
    ask("a", 7 * kMiB);
    ask("b", 7 * kMiB);
    ask("c", 1000);
    EXPECT_EQ(given, (std::vector<std::string>{"a", "c"}));
}

TEST_F(CreditPoolTest, GivesAllThatThereIsToWhoAsksForMore) {
    ask("a", 100 * kMiB);
    ASSERT_EQ(given.size(), 1u);
    EXPECT_EQ(shares["a"].bytes(), 7 * kMiB);
}

TEST_F(CreditPoolTest, OutlivedByAShareHarmsNobody) {
    std::optional<CreditPool> gone(std::in_place, kMiB);
    CreditPool::Share kept;
    bool called = false;
    gone->ask("a", 900 * limits::KiB, [&](CreditPool::Share share) { kept = std::move(share); });
    gone->ask("b", 900 * limits::KiB, [&](CreditPool::Share) { called = true; });
    gone.reset();
    kept = {};
    EXPECT_FALSE(called);
}

// Sessions that end in any order, while they wait or have some.
TEST_F(CreditPoolTest, GivesNeverMoreThanItHasAndLosesNothing) {
    test::Random random(1);
    for (int step = 0; step < 20'000; ++step) {
        const std::string device = std::to_string(random.below(40u));
        if (shares.contains(device) && random.below(2u) == 0) {
            give_back(device);
        } else if (random.below(3u) == 0) {
            pool.forget(device);
            give_back(device);
        } else {
            pool.step_aside(device);
            give_back(device);
            ask(device, random.below(2u) == 0 ? random.below(50'000u) : random.below(3'000'000u));
        }
        std::uint64_t held = 0;
        for (const auto& [of, share] : shares) held += share.bytes();
        ASSERT_EQ(pool.given_bytes(), held);
        ASSERT_LE(held, 8 * kMiB);
    }
    while (!shares.empty()) give_back(shares.begin()->first);
    EXPECT_EQ(pool.given_bytes(), 0u);
    EXPECT_EQ(pool.waiting(), 0u);
}

TEST_F(CreditPoolTest, StarvesNobody) {
    test::Random random(2);
    std::size_t rounds = 0;
    for (int i = 0; i < 200; ++i) ask("first-" + std::to_string(i), random.below(2'000'000u) + 1);
    const auto last = [&] { return std::ranges::count(given, "last"); };
    ask("last", 2'000'000);
    for (; last() == 0 && rounds < 1'000; ++rounds) {
        ask("more-" + std::to_string(rounds), random.below(2'000'000u) + 1);
        if (!shares.empty()) give_back(shares.begin()->first);
    }
    EXPECT_EQ(last(), 1);
    EXPECT_LE(rounds, 200u);
}

// ---- boards that share one ----

class BoardsThatShare : public testing::Test {
protected:
    void add_board(std::size_t files = 1, std::size_t bytes = 900'000) {
        const std::size_t i = boards.size();
        std::map<std::string, std::string> version;
        for (std::size_t f = 0; f < files; ++f)
            version[std::to_string(f)] = as_text(test::Random(i * 1'000 + f).bytes(bytes));
        boards.push_back(std::make_unique<test::Board>("board-" + std::to_string(i), i + 1));
        boards.back()->bind_at(*home.ledger);
        versions.push_back(boards.back()->commit("fleet/data", version));
        ends.push_back(std::make_unique<test::AgentEnd>(*boards.back(), boards.back()->device(),
                                                        *home.ledger, home.clock, i * 10 + 1, 0,
                                                        nullptr, nullptr, &pool));
        ends.back()->holds_beside = true;  // its record is held, and with it its turn
    }
    void do_all_beside() {
        for (const auto& end : ends) {
            end->work_beside();
            end->pass(0);
        }
    }

    test::HubHome home{9};
    CreditPool pool{3 * kMiB};
    std::vector<std::unique_ptr<test::Board>> boards;
    std::vector<std::unique_ptr<test::AgentEnd>> ends;
    std::vector<VersionId> versions;
};

class BoardsThatShareCredit : public BoardsThatShare {
protected:
    static constexpr std::size_t kBoards = 8;

    BoardsThatShareCredit() {
        for (std::size_t i = 0; i < kBoards; ++i) add_board();
    }
};

TEST_F(BoardsThatShareCredit, AreAllReceiptedAlthoughItIsEnoughForTwo) {
    for (const auto& end : ends) end->connect();
    EXPECT_GT(pool.waiting(), 4u);
    std::uint64_t most = 0;
    for (int rounds = 0; rounds < 200; ++rounds) {
        do_all_beside();
        most = std::max(most, pool.given_bytes());
        for (const auto& end : ends)
            if (end->receipts.empty()) end->pass(200);
    }
    for (std::size_t i = 0; i < kBoards; ++i) {
        ASSERT_FALSE(ends[i]->receipts.empty()) << i;
        EXPECT_EQ(ends[i]->receipts.back().whole, std::vector{versions[i]});
    }
    EXPECT_LE(most, 3 * kMiB);
    EXPECT_EQ(pool.given_bytes(), 0u);
    EXPECT_EQ(pool.waiting(), 0u);
}

TEST_F(BoardsThatShareCredit, LeaveNothingTakenWhenTheyGo) {
    for (const auto& end : ends) end->connect();
    EXPECT_GT(pool.given_bytes(), kMiB);
    for (const auto& end : ends) end->link().on_leaving(end->now());
    EXPECT_EQ(pool.given_bytes(), 0u);
    EXPECT_EQ(pool.waiting(), 0u);
}

// The list of what they offer is not held while they wait: it is asked for again.
TEST_F(BoardsThatShare, WithLongPagesOfferThemOnceMoreInTheirTurn) {
    CreditPool::Share rest;
    pool.ask("other", 3 * kMiB, [&](CreditPool::Share share) { rest = std::move(share); });
    std::vector<int> offers(3);
    for (std::size_t i = 0; i < offers.size(); ++i) {
        add_board(400, 1'000);
        ends[i]->listen = [&count = offers[i]](const Bytes& payload) {
            const auto message = sync::parse_message(payload);
            if (message && std::holds_alternative<sync::Offer>(message->body)) ++count;
        };
        ends[i]->connect();
    }
    EXPECT_EQ(pool.waiting(), 3u);
    EXPECT_EQ(offers, std::vector<int>(3, 1));

    rest = {};
    for (int rounds = 0; rounds < 20; ++rounds) do_all_beside();

    EXPECT_EQ(offers, std::vector<int>(3, 2));
    for (std::size_t i = 0; i < ends.size(); ++i) {
        ASSERT_FALSE(ends[i]->receipts.empty()) << i;
        EXPECT_EQ(ends[i]->receipts.back().whole, std::vector{versions[i]});
    }
    EXPECT_EQ(pool.given_bytes(), 0u);
}

TEST_F(BoardsThatShare, WithMuchEachTakeTurns) {
    for (int i = 0; i < 2; ++i) add_board(25);
    CreditPool::Share rest;  // so that there is enough for one of them
    pool.ask("other", kMiB, [&](CreditPool::Share share) { rest = std::move(share); });
    for (const auto& end : ends) end->connect();
    std::vector<std::size_t> turns;
    for (int rounds = 0;
         rounds < 10'000 && (ends[0]->receipts.empty() || ends[1]->receipts.empty()); ++rounds) {
        for (std::size_t i = 0; i < ends.size(); ++i) {
            ends[i]->work_beside();
            ends[i]->pass(0);
            if (ends[i]->link().bytes_to_come() != 0 && (turns.empty() || turns.back() != i))
                turns.push_back(i);
        }
    }
    EXPECT_EQ(turns, (std::vector<std::size_t>{0, 1, 0, 1}));
    for (const auto& end : ends) EXPECT_EQ(end->receipts.size(), 1u);
}

TEST_F(BoardsThatShare, KeepTheirPlaceInTheLineWhenTheirLinksBreak) {
    for (int i = 0; i < 4; ++i) add_board();
    CreditPool::Share rest;
    pool.ask("other", kMiB, [&](CreditPool::Share share) { rest = std::move(share); });
    for (const auto& end : ends) end->connect();
    ASSERT_EQ(pool.waiting(), 3u);
    ends[1]->disconnect();
    ends[1]->connect();
    std::vector<std::size_t> receipted;
    for (int rounds = 0; rounds < 200; ++rounds) {
        do_all_beside();
        for (std::size_t i = 0; i < ends.size(); ++i)
            if (!ends[i]->receipts.empty() && std::ranges::count(receipted, i) == 0)
                receipted.push_back(i);
    }
    EXPECT_EQ(receipted, (std::vector<std::size_t>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace tributary::hub
