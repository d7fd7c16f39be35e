#include "hub/cast/cast_source.h"

#include "tests/support/random.h"
#include "tests/unit/hub/board.h"

namespace tributary::hub {
namespace {

using test::Board;
using test::HubHome;

std::string random_text(std::uint64_t seed, std::size_t bytes) {
    return std::string(as_text(test::Random(seed).bytes(bytes)));
}

std::vector<Bytes> generations_of(CastSource& source) {
    std::vector<Bytes> all;
    for (bool last = false; !last;) {
        source.begin(static_cast<std::uint32_t>(all.size()));
        while (!source.work().value()) {
        }
        CastSource::Generation generation = source.take();
        last = generation.last;
        all.push_back(std::move(generation.bytes));
    }
    return all;
}

std::unique_ptr<CastSource> opened(HubHome& home, const VersionId& running,
                                   const VersionId& wanted) {
    auto source = std::make_unique<CastSource>(*home.ledger, running, wanted);
    EXPECT_TRUE(source->look_through(SIZE_MAX).value());
    return source;
}

// Any of them alone: each record is there whole, and coded on nothing but what is there already.
void stage(Store& store, ByteView generation) {
    while (!generation.empty()) {
        const RecordHeader header = parse_record_header(generation).value();
        const Status staged = store.stage_record(generation.first(header.record_bytes()));
        ASSERT_TRUE(staged) << staged.error().what;
        generation = generation.subspan(header.record_bytes());
    }
}

class CastSourceTest : public testing::Test {
protected:
    CastSourceTest() {
        std::map<std::string, std::string> files;
        for (int i = 0; i < 6; ++i)
            files["w" + std::to_string(i)] =
                random_text(static_cast<std::uint64_t>(i), limits::MiB);
        before = source_board.commit("lab/model", files);
        source_board.bring_to(*home.ledger);
        device.bind_at(*home.ledger);
    }

    void run_there(const VersionId& version) {
        const std::vector<Bytes> generations = generations_of(*opened(home, {}, version));
        for (const Bytes& generation : generations) stage(device.store(), generation);
    }
    // A byte of each file.
    VersionId commit_a_change() {
        std::map<std::string, std::string> files;
        for (int i = 0; i < 6; ++i) {
            std::string text = random_text(static_cast<std::uint64_t>(i), limits::MiB);
            text[1000] ^= 1;
            files["w" + std::to_string(i)] = text;
        }
        const VersionId after = source_board.commit("lab/model", files, {before});
        source_board.bring_to(*home.ledger);
        return after;
    }

    HubHome home{1};
    Board source_board{"source", 2};
    Board device{"device", 3};
    VersionId before;
};

TEST_F(CastSourceTest, GenerationsStandAloneAndComeInAnyOrder) {
    const auto source = opened(home, {}, before);
    EXPECT_GT(source->stored_bytes(), 6 * limits::MiB);
    const std::vector<Bytes> generations = generations_of(*source);
    ASSERT_EQ(generations.size(), 6u);  // two records of 1 MiB do not fit one
    for (auto at = generations.rbegin(); at != generations.rend(); ++at) stage(device.store(), *at);
    EXPECT_EQ(first_missing(device.store(), before, {}).value(), std::nullopt);
}

TEST_F(CastSourceTest, RecordsAreCodedOnWhatRunsOnTheDevice) {
    run_there(before);
    const VersionId after = commit_a_change();

    const std::vector<Bytes> generations = generations_of(*opened(home, before, after));
    ASSERT_EQ(generations.size(), 1u);
    EXPECT_LT(generations[0].size(), limits::MiB / 2);
    stage(device.store(), generations[0]);
    EXPECT_EQ(first_missing(device.store(), after, {}).value(), std::nullopt);
}

TEST_F(CastSourceTest, ARecordWhoseBaseCannotBeReadIsCodedOnNone) {
    run_there(before);
    const VersionId after = commit_a_change();
    const RecordKey base{RecordKind::piece, sha256(as_bytes(random_text(0, limits::MiB)))};
    test::damage(home.files, "hub/store", home.ledger->store(), base);

    const std::vector<Bytes> generations = generations_of(*opened(home, before, after));
    std::size_t bytes = 0;
    for (const Bytes& generation : generations) {
        bytes += generation.size();
        stage(device.store(), generation);
    }
    EXPECT_GT(bytes, limits::MiB);
    EXPECT_LT(bytes, 2 * limits::MiB);
    EXPECT_EQ(first_missing(device.store(), after, {}).value(), std::nullopt);
}

TEST_F(CastSourceTest, TheSameGenerationHasTheSameBytesAgain) {
    const auto source = opened(home, {}, before);
    const std::vector<Bytes> generations = generations_of(*source);
    for (const std::uint32_t again : {3u, 0u, 5u}) {
        source->begin(again);
        while (!source->work().value()) {
        }
        const CastSource::Generation generation = source->take();
        EXPECT_EQ(generation.bytes, generations[again]);
        EXPECT_EQ(generation.last, again == 5);
    }
}

}  // namespace
}  // namespace tributary::hub
