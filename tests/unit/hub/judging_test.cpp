// Whether versions are whole, found out a few records at a time.
#include "hub/store/judging.h"

#include <gtest/gtest.h>

#include "tests/unit/hub/board.h"

namespace tributary::hub {
namespace {

using test::Board;
using test::HubHome;

class JudgingOfVersions : public testing::Test {
protected:
    JudgingOfVersions() { board.bind_at(*home.ledger); }

    // With all its records at the hub, and no entry that names it.
    VersionId bring(const std::map<std::string, std::string>& files) {
        const VersionId version = board.commit("fleet/data", files);
        Store& store = home.ledger->store();
        EXPECT_TRUE(closure_of(board.store(), version, {}, [&](const RecordKey& key) {
            return store.stage_record(board.store().read_record(key).value());
        }));
        EXPECT_TRUE(store.commit());
        return version;
    }
    Judging judging(const std::vector<VersionId>& versions) {
        return {home.ledger->catalog(), home.ledger->store(), board.store().head().incarnation,
                versions};
    }
    // Found by who reads it.
    void damage(const RecordKey& key) {
        test::damage(home.files, "hub/store", home.ledger->store(), key);
        EXPECT_FALSE(home.ledger->store().read_record(key));
    }

    HubHome home{2};
    Board board{"a", 1};
};

TEST_F(JudgingOfVersions, IsDoneOnceForAVersionThatIsNamedAgain) {
    const VersionId version = bring({{"1", "a"}, {"2", "b"}, {"3", "c"}, {"4", "d"}});
    const auto records = [&](const std::vector<VersionId>& versions) {
        Judging judged = judging(versions);
        int taken = 0;
        while (!judged.step(1).value()) ++taken;
        EXPECT_TRUE(judged.verdicts().at(version).whole);
        return taken;
    };
    EXPECT_EQ(records({version, version, version}), records({version}) + 2);
}

TEST_F(JudgingOfVersions, BelievesNoVerdictOfBeforeARecordWasFoundDamaged) {
    const VersionId first = bring({{"f", "content"}});
    const VersionId second = bring({{"g", "more"}});
    Judging judged = judging({first, second});
    while (!judged.verdicts().contains(first)) ASSERT_FALSE(judged.step(1).value());
    ASSERT_TRUE(judged.verdicts().at(first).whole);

    damage({RecordKind::piece, sha256(as_bytes("content"))});
    while (!judged.step(1).value()) {
    }

    EXPECT_FALSE(judged.verdicts().at(first).whole);
    EXPECT_TRUE(judged.verdicts().at(second).whole);
}

}  // namespace
}  // namespace tributary::hub
