// Records that older releases do not take, between a board and the hub: those on two bases, and
// such of a later encoding.
#include "tests/unit/store/two_bases.h"

#include "hub/intake/coded_closure.h"
#include "tests/support/store_builder.h"
#include "tests/unit/hub/agent_end.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;
using test::piece_key;

class TwoBasesOnTheirWay : public testing::Test {
protected:
    TwoBasesOnTheirWay() {
        board.bind_at(*home.ledger);
        for (int i = 0; i < 4; ++i) plains.push_back(trending.next());
    }
    // A version whose one file is the n-th state of the weights.
    VersionId commit(std::size_t n, std::vector<VersionId> parents = {}) {
        stage(n);
        const RecordKey key = piece_key(plains[n]);
        const TreeItem item{TreeItem::Type::file, "m", key.name, plains[n].size()};
        return board.commit_tree("fleet/model", encode_tree({item}).value(), std::move(parents));
    }
    void stage(std::size_t n) {
        ASSERT_TRUE(test::stage_weights(board.store(), plains[n],
                                        n == 0 ? ByteView{} : ByteView(plains[n - 1])));
    }
    static std::size_t bases(Store& store, ByteView plain) {
        return store.read_header(piece_key(plain)).value().base_count;
    }
    Store& hub() { return home.ledger->store(); }

    Board board{"a", 1};
    HubHome home{2};
    test::Trending trending{7};
    std::vector<Bytes> plains;
};

TEST_F(TwoBasesOnTheirWay, AreSentAsTheyAreToAHubThatHasBoth) {
    std::vector<VersionId> parents;
    for (std::size_t n = 0; n < 4; ++n) parents = {commit(n, parents)};
    AgentEnd end(board, board.device(), *home.ledger, home.clock, 100);

    end.connect();

    EXPECT_EQ(bases(hub(), plains[3]), 2u);
    for (const Bytes& plain : plains) {
        EXPECT_EQ(hub().read_record(piece_key(plain)).value(),
                  board.store().read_record(piece_key(plain)).value());
        EXPECT_EQ(hub().read_plain(piece_key(plain)).value(), plain);
    }
}

TEST_F(TwoBasesOnTheirWay, AreCodedAnewForAHubThatLacksOne) {
    stage(0);  // no version names it, so it never travels
    const VersionId first = commit(1);
    commit(2, {first});
    ASSERT_EQ(bases(board.store(), plains[2]), 2u);
    AgentEnd end(board, board.device(), *home.ledger, home.clock, 100);

    end.connect();

    ASSERT_EQ(end.receipts.size(), 1u);
    EXPECT_EQ(end.receipts[0].whole.size(), 2u);
    EXPECT_EQ(bases(hub(), plains[2]), 0u);
    EXPECT_EQ(hub().read_plain(piece_key(plains[2])).value(), plains[2]);
}

TEST_F(TwoBasesOnTheirWay, AreCodedAnewForABoardThatIsOnlyKnownToRunTheLast) {
    std::vector<VersionId> versions;
    for (std::size_t n = 0; n < 4; ++n)
        versions.push_back(
            commit(n, n == 0 ? std::vector<VersionId>{} : std::vector<VersionId>{versions[n - 1]}));
    board.bring_to(*home.ledger);
    ASSERT_EQ(bases(hub(), plains[3]), 2u);
    Board other("b", 3);
    ASSERT_TRUE(test::stage_weights(other.store(), plains[2]));

    CodedClosure closure(*home.ledger, versions[2], versions[3]);
    ASSERT_TRUE(closure.look_through(SIZE_MAX).value());
    const Bytes frame = closure.frame(piece_key(plains[3]), true).value();

    EXPECT_EQ(parse_record_header(frame).value().base_count, 1u);
    ASSERT_TRUE(other.store().stage_record(frame));
    EXPECT_EQ(other.store().read_plain(piece_key(plains[3])).value(), plains[3]);
    EXPECT_EQ(
        parse_record_header(closure.frame(piece_key(plains[3]), false).value()).value().base_count,
        0u);
}

TEST(LaterEncodingOnItsWay, IsSentAsItIsToAHubThatTakesIt) {
    for (const test::LaterCoding& later : test::LaterCoding::all(7)) {
        const auto encoding = static_cast<std::uint8_t>(later.encoding);
        Board board{"a", 1};
        HubHome home{2};
        board.bind_at(*home.ledger);
        ASSERT_TRUE(later.stage(board.store()));
        std::vector<VersionId> versions;
        for (const Bytes& plain : {later.base, later.plain}) {
            const TreeItem item{TreeItem::Type::file, "m", piece_key(plain).name, plain.size()};
            versions.push_back(
                board.commit_tree("fleet/model", encode_tree({item}).value(), versions));
        }
        AgentEnd end(board, board.device(), *home.ledger, home.clock, 100);

        end.connect();

        const RecordKey last = piece_key(later.plain);
        Store& hub = home.ledger->store();
        EXPECT_EQ(hub.read_header(last).value().encoding, encoding);
        EXPECT_EQ(hub.read_record(last).value(), board.store().read_record(last).value());

        // A board says nothing of what it takes.
        CodedClosure closure(*home.ledger, versions[0], versions[1]);
        ASSERT_TRUE(closure.look_through(SIZE_MAX).value());
        const Bytes frame = closure.frame(last, true).value();
        const RecordHeader header = parse_record_header(frame).value();
        EXPECT_EQ(header.base_count, 1u);
        EXPECT_NE(header.encoding, encoding);
        Board other("b", 3);
        ASSERT_TRUE(other.store().stage_piece(later.piece(later.base), std::nullopt,
                                              codec::Level::standard));
        ASSERT_TRUE(other.store().stage_record(frame));
        EXPECT_EQ(other.store().read_plain(last).value(), later.plain);
    }
}

}  // namespace
}  // namespace tributary::hub
