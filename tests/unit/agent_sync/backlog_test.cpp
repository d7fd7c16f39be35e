// What no receipt covers yet, in bytes.
#include "agent/sync/backlog.h"

#include <gtest/gtest.h>

#include "tests/support/must.h"
#include "tests/support/store_builder.h"

namespace tributary::test {
namespace {

constexpr std::size_t kAll = 1'000'000;

struct Recorded {
    Recorded() {
        store = must(machine.open());
        must(store->start_journal(start_body()));
        must(store->commit());
    }
    VersionId commit(std::uint64_t seed, std::size_t bytes, std::vector<VersionId> parents = {}) {
        const Bytes plain = Random(seed).bytes(bytes);
        const auto file = must(stage_file(*store, std::to_string(seed) + ".bin", plain, {}));
        return must(commit_version(*store, "lab/model", "main", {file}, std::move(parents), "x"));
    }
    std::uint64_t bytes(std::uint64_t receipted = 0) {
        return backlog.size(*store, receipted, kAll).bytes;
    }

    StoreMachine machine{1};
    std::unique_ptr<Store> store;
    agent::Backlog backlog;
};

TEST(Backlog, IsWhatTheStoreHoldsOfWhatHasNoReceipt) {
    Recorded board;
    EXPECT_EQ(board.bytes(), 0u);
    board.commit(1, 1'000'000);
    EXPECT_NEAR(static_cast<double>(board.bytes()), 1'000'000, 10'000);
    board.commit(2, 2'000'000);
    EXPECT_NEAR(static_cast<double>(board.bytes()), 3'000'000, 20'000);
}

TEST(Backlog, GoesWithTheReceiptOfEachVersion) {
    Recorded board;
    board.commit(1, 1'000'000);
    const std::uint64_t first = board.store->head().sequence;
    board.commit(2, 2'000'000);
    ASSERT_GT(board.bytes(), 2'500'000u);
    EXPECT_NEAR(static_cast<double>(board.bytes(first)), 2'000'000, 20'000);
    EXPECT_EQ(board.bytes(board.store->head().sequence), 0u);
}

// A hub that came back from a backup.
TEST(Backlog, IsAllAgainWhenReceiptsCountNoMore) {
    Recorded board;
    board.commit(1, 1'000'000);
    ASSERT_EQ(board.bytes(board.store->head().sequence), 0u);
    EXPECT_NEAR(static_cast<double>(board.bytes()), 1'000'000, 10'000);
}

TEST(Backlog, CountsWhatAVersionHasOfItsParentOnce) {
    Recorded board;
    const VersionId parent = board.commit(1, 1'000'000);
    board.commit(1, 1'000'000, {parent});
    EXPECT_NEAR(static_cast<double>(board.bytes()), 1'000'000, 10'000);
}

TEST(Backlog, IsLookedAtALittleAtATime) {
    Recorded board;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) board.commit(seed, 500'000);
    agent::Backlog little;
    agent::Backlog::Size size;
    std::uint64_t before = 0;
    int questions = 0;
    do {
        size = little.size(*board.store, 0, 5);
        EXPECT_GE(size.bytes, before);
        before = size.bytes;
        ASSERT_LT(++questions, 1'000);
    } while (!size.all);
    EXPECT_GT(questions, 5);
    EXPECT_EQ(size.bytes, board.bytes());
}

TEST(Backlog, OfManyVersionsIsRememberedInARunOfThem) {
    Recorded board;
    for (std::uint64_t seed = 1; seed <= 1'200; ++seed) board.commit(seed, 500);
    const std::uint64_t head = board.store->head().sequence;
    const auto whole = static_cast<double>(board.bytes());
    EXPECT_NEAR(static_cast<double>(board.bytes(head / 2)), whole / 2, whole / 50);
    EXPECT_EQ(board.bytes(head), 0u);
}

TEST(Backlog, BeginsAnewWithANewJournal) {
    Recorded board;
    board.commit(1, 1'000'000);
    ASSERT_GT(board.bytes(), 0u);
    must(board.store->start_journal(start_body()));
    must(board.store->commit());
    EXPECT_EQ(board.bytes(), 0u);
    board.commit(2, 500'000);
    EXPECT_NEAR(static_cast<double>(board.bytes()), 500'000, 10'000);
}

}  // namespace
}  // namespace tributary::test
