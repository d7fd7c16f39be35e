// A file that is coded against another, which may still lie where it was recorded from.
#include <gtest/gtest.h>

#include <functional>

#include "agent/record/recorder.h"
#include "tests/support/places.h"
#include "tests/support/store_builder.h"

namespace tributary::agent {
namespace {

Bytes model(int step) {
    const std::string path =
        test::in_source("tests/data/cnn-sgd/v0" + std::to_string(step) + ".safetensors");
    return read_file(system_files(), path, 2 * limits::MiB).value();
}

std::string path_of(int step) { return "/in/step-" + std::to_string(step); }

// A board on which training leaves one checkpoint after the other.
struct Board {
    explicit Board(codec::Level at_level = codec::Level::standard, std::uint32_t with_workers = 1)
        : level(at_level), workers(with_workers) {
        store = machine.open().value();
        EXPECT_TRUE(store->start_journal(test::start_body()));
        EXPECT_TRUE(machine.files.make_directories("/in"));
    }
    // The bytes that were read meanwhile.
    std::uint64_t record(int step) {
        EXPECT_TRUE(replace_file(machine.files, path_of(step), model(step)));
        CommitRequest request;
        request.repo = "models/cnn";
        request.paths = {path_of(step)};
        request.level = level;
        request.workers = workers;
        const std::uint64_t before = machine.files.counters().read_bytes;
        const auto outcome = Recorder(machine.files, machine.clock, *store).commit(request);
        EXPECT_TRUE(outcome) << outcome.error().what;
        head = outcome.value_or(CommitOutcome{});
        return machine.files.counters().read_bytes - before;
    }
    void remove(int step) { EXPECT_TRUE(machine.files.remove(path_of(step))); }
    void overwrite(int step, std::size_t bytes) {
        EXPECT_TRUE(replace_file(machine.files, path_of(step), Bytes(bytes, 7)));
    }
    Bytes segment() { return read_file(machine.files, kSegment, 16 * limits::MiB).value(); }
    Bytes head_file() {
        const auto items = read_tree(head.tree, tree_loader(*store)).value();
        Bytes plain;
        const auto read = read_blob(*store, {items[0].target}, items[0].size, [&](ByteView bytes) {
            plain.insert(plain.end(), bytes.begin(), bytes.end());
            return Status{};
        });
        EXPECT_TRUE(read) << read.error().what;
        return plain;
    }

    static constexpr const char* kSegment = "/data/store/segments/000001.seg";
    test::StoreMachine machine;
    std::unique_ptr<Store> store;
    codec::Level level;
    std::uint32_t workers;
    CommitOutcome head;
};

// What some checkpoints are stored as; `before_next` is done before each but the first.
Bytes stored(int steps, codec::Level level, std::uint32_t workers,
             const std::function<void(Board&, int step)>& before_next) {
    Board board(level, workers);
    for (int step = 1; step <= steps; ++step) {
        if (step > 1) before_next(board, step - 1);
        board.record(step);
    }
    EXPECT_TRUE(board.head_file() == model(steps));
    return board.segment();
}
void keep(Board&, int) {}
void remove(Board& board, int step) { board.remove(step); }

TEST(BaseFile, MakesNoDifferenceToWhatIsStored) {
    const auto change = [](Board& board, int step) { board.overwrite(step, model(step).size()); };
    const auto cut_short = [](Board& board, int step) { board.overwrite(step, 100); };
    constexpr auto kLevel = codec::Level::standard;
    const Bytes expected = stored(3, kLevel, 1, remove);
    EXPECT_LT(expected.size(), 3 * model(1).size() * 3 / 4);

    EXPECT_TRUE(stored(3, kLevel, 1, keep) == expected);
    EXPECT_TRUE(stored(3, kLevel, 3, keep) == expected);
    EXPECT_TRUE(stored(3, kLevel, 3, change) == expected);
    EXPECT_TRUE(stored(3, kLevel, 1, cut_short) == expected);
}

TEST(BaseFile, MakesNoDifferenceToWhatIsStoredAtLevelMax) {
    EXPECT_TRUE(stored(2, codec::Level::max, 3, keep) == stored(2, codec::Level::max, 1, remove));
}

TEST(BaseFile, IsReadWhereItStillLies) {
    Board board;
    board.record(1);
    const std::uint64_t with_file = board.record(2);

    Board other;
    other.record(1);
    other.remove(1);
    const std::uint64_t without = other.record(2);

    // The tables at the front are read there as well, instead of in the store.
    EXPECT_GT(with_file, without + model(1).size() * 9 / 10);
}

TEST(BaseFile, IsLeftAloneOnceItIsFoundChanged) {
    Board board;
    board.record(1);
    board.overwrite(1, model(1).size());
    const std::uint64_t changed = board.record(2);

    Board other;
    other.record(1);
    other.remove(1);
    const std::uint64_t without = other.record(2);

    EXPECT_LT(changed, without + model(1).size() / 3);
}

TEST(BaseFile, IsNotReadForPiecesThatAreHeld) {
    Board board;
    board.record(1);
    EXPECT_TRUE(replace_file(board.machine.files, path_of(2), model(1)));
    CommitRequest request;
    request.repo = "models/cnn";
    request.paths = {path_of(2)};
    const std::uint64_t before = board.machine.files.counters().read_bytes;

    ASSERT_TRUE(Recorder(board.machine.files, board.machine.clock, *board.store).commit(request));

    // Its bytes, and once more, as it was written a moment ago.
    const std::uint64_t read = board.machine.files.counters().read_bytes - before;
    EXPECT_LT(read, model(1).size() * 5 / 2);
}

// Its bytes would do, but nobody could read back what was coded against them.
TEST(BaseFile, DoesNotHideThatItsRecordIsDamaged) {
    Board board;
    board.record(1);
    const std::uint64_t middle = board.segment().size() / 2;
    board.machine.files.flip_bit(Board::kSegment, 8 * middle);

    board.record(2);

    EXPECT_TRUE(board.head_file() == model(2));
}

}  // namespace
}  // namespace tributary::agent
