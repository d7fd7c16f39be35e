// A store that was damaged and has everything again is sound: fsck says so, and compaction takes
// the damaged bytes away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/store/segment.h"
#include "tests/support/must.h"
#include "tests/support/store_builder.h"

namespace tributary {
namespace {

using test::commit_version;
using test::must;
using test::Random;
using test::read_files;
using test::stage_file;
using test::StoreMachine;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kRepo = "lab/model";
const std::string kSegments = "/data/store/segments/";

class Healing : public testing::Test {
protected:
    Healing() {
        machine.options.segment_bytes = 32 * 1024;
        store = must(machine.open());
    }
    static Bytes content(std::size_t number) { return Random(number).bytes(8000); }
    void commit(std::size_t versions) {
        for (; versions > 0; --versions, ++committed)
            ids.push_back(must(commit_version(
                *store, kRepo, "main", {must(stage_file(*store, "w", content(committed)))})));
    }
    // Turns a bit in the record of that version's file, so many bytes behind where the payload
    // begins.
    void hurt(std::size_t number, int at) {
        const Bytes payload = content(number);
        for (const std::string& name : must(machine.files.list(kSegments))) {
            const Bytes all = must(read_file(machine.files, kSegments + name, 1 << 20));
            const auto from = std::search(all.begin(), all.end(), payload.begin(), payload.end());
            if (from == all.end()) continue;
            machine.files.flip_bit(kSegments + name,
                                   static_cast<std::uint64_t>(from - all.begin() + at) * 8);
            return;
        }
        FAIL() << "not there";
    }
    void reopen() {
        store.reset();
        store = must(machine.open());
    }
    std::vector<std::string> fsck() { return must(store->check(true)); }
    void record_again(std::size_t number) {
        must(stage_file(*store, "w", content(number)));
        must(store->commit());
    }
    // What is not dead stays where it is, but for damage.
    CompactionReport compact() {
        CompactionPlan plan;
        plan.target_bytes = UINT64_MAX;
        const auto compaction = must(store->compact(plan));
        while (!must(compaction->step())) {
        }
        return compaction->report();
    }
    void expect_sound() {
        EXPECT_THAT(fsck(), IsEmpty());
        reopen();
        EXPECT_THAT(store->recovery().damage, IsEmpty());
        EXPECT_THAT(fsck(), IsEmpty());
        for (std::size_t i = 0; i < ids.size(); ++i)
            EXPECT_EQ(must(read_files(*store, ids[i])), content(i));
    }

    StoreMachine machine;
    std::unique_ptr<Store> store;
    std::size_t committed = 0;
    std::vector<VersionId> ids;
};

constexpr int kInPayload = 100;
constexpr int kInHeader = -20;

TEST_F(Healing, IsKnownToFsckWhenTheRecordStandsElsewhereAgain) {
    for (const int at : {kInPayload, kInHeader}) {
        commit(12);
        const std::size_t number = committed - 10;
        hurt(number, at);
        reopen();
        EXPECT_THAT(fsck(), Contains(HasSubstr("are damaged")));

        record_again(number);

        EXPECT_THAT(fsck(), IsEmpty());
        reopen();
        EXPECT_THAT(fsck(), IsEmpty());
    }
}

TEST_F(Healing, IsNotBelievedOfARecordThatIsDamagedThereToo) {
    commit(12);
    hurt(1, kInPayload);
    reopen();
    fsck();
    record_again(1);
    commit(6);
    hurt(1, kInPayload + 1);  // the first place of it is damaged already
    const Bytes again = content(1);
    for (const std::string& name : must(machine.files.list(kSegments))) {
        const Bytes all = must(read_file(machine.files, kSegments + name, 1 << 20));
        const auto from = std::search(all.begin(), all.end(), again.begin(), again.end());
        if (from != all.end())
            machine.files.flip_bit(kSegments + name,
                                   static_cast<std::uint64_t>(from - all.begin()) * 8);
    }
    reopen();

    EXPECT_THAT(fsck(), Contains(HasSubstr("version " + ids[1].text())));
}

TEST_F(Healing, EndsWithoutASegmentThatWasDamagedWhileItWasOpen) {
    commit(9);
    const std::size_t number = committed - 2;
    hurt(number, kInPayload);
    reopen();  // which closes it without a footer
    commit(1);
    EXPECT_THAT(fsck(), Contains(HasSubstr("no sound footer")));
    record_again(number);
    EXPECT_THAT(fsck(), IsEmpty());
    commit(4);
    reopen();
    EXPECT_THAT(store->recovery().damage, Not(IsEmpty()));
    EXPECT_THAT(fsck(), IsEmpty());

    EXPECT_EQ(compact().segments_removed, 1U);

    expect_sound();
}

TEST_F(Healing, EndsWithoutASegmentWhoseFooterIsDamaged) {
    commit(9);
    const std::string name = must(machine.files.list(kSegments)).front();
    const std::uint64_t bytes = must(machine.files.stat(kSegments + name)).size;
    machine.files.flip_bit(kSegments + name, (bytes - 10) * 8);
    reopen();
    EXPECT_THAT(fsck(), Contains(HasSubstr(name)));

    EXPECT_EQ(compact().segments_removed, 1U);

    expect_sound();
}

// What is left of it is sound to the last byte.
TEST_F(Healing, LeavesASegmentWhoseEndWasCutOff) {
    commit(9);
    const std::string path = kSegments + must(machine.files.list(kSegments)).front();
    Bytes bytes = must(read_file(machine.files, path, 1 << 20));
    std::vector<std::size_t> ends;  // of batches
    for (std::size_t at = 0; at + segment::BatchMark::kBytes <= bytes.size(); ++at)
        if (segment::parse_batch_mark(ByteView(bytes).subspan(at, segment::BatchMark::kBytes)))
            ends.push_back(at + segment::BatchMark::kBytes);
    ASSERT_GT(ends.size(), 1U);
    store.reset();
    bytes.resize(ends[ends.size() - 2]);
    must(replace_file(machine.files, path, bytes));
    store = must(machine.open());
    ASSERT_THAT(fsck(), Not(IsEmpty()));
    const auto segments = must(machine.files.list(kSegments)).size();

    EXPECT_EQ(compact().segments_removed, 0U);

    EXPECT_EQ(must(machine.files.list(kSegments)).size(), segments);
    EXPECT_THAT(fsck(), Not(IsEmpty()));
}

TEST_F(Healing, LeavesASegmentOfWhichNobodyKnowsWhatItLost) {
    commit(9);
    hurt(committed - 2, kInHeader);
    reopen();
    commit(4);
    record_again(7);
    const auto before = fsck();
    ASSERT_THAT(before, Not(IsEmpty()));

    EXPECT_EQ(compact().segments_removed, 0U);

    EXPECT_THAT(fsck(), Not(IsEmpty()));
}

}  // namespace
}  // namespace tributary
