// A bit of what a hub keeps has flipped, and nobody has read it yet. Then a board sends what stands
// on it, another one is to have it, and whoever has it brings it again.
#include "common/record/recipe.h"
#include "tests/support/random.h"
#include "tests/unit/hub/agent_end.h"
#include "tests/unit/hub/roll_out.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;

std::string noise(std::uint64_t seed) {
    const Bytes content = test::Random(seed).bytes(20'000);
    return std::string(as_text(content));
}
RecordKey piece(std::string_view content) { return {RecordKind::piece, sha256(as_bytes(content))}; }

class DamagedRecord : public testing::Test {
protected:
    DamagedRecord() {
        for (Board* each : {&board, &other}) each->bind_at(*home.ledger);
        first = board.commit("fleet/data", {{"f", before}, {"g", "small"}});
        sync(board);
        EXPECT_TRUE(home.ledger->store().read_plain(piece(before)));
    }
    // All that was asked of the board is in `asked`.
    void sync(Board& of) {
        AgentEnd end(of, of.device(), *home.ledger, home.clock, ++seed);
        talk(end);
    }
    void talk(AgentEnd& end) {
        asked.clear();
        end.twist_record = [this](Bytes& frame) {
            asked.push_back(parse_record_header(frame).value());
        };
        end.connect();
        end.wait(120'000);
        receipts = std::exchange(end.receipts, {});
        refused = std::exchange(end.refused, {});
    }
    void damage(const RecordKey& key) {
        test::damage(home.files, "hub/store", home.ledger->store(), key);
    }
    // `content` in the file of the first version, coded on what is there.
    VersionId commit_on(const std::string& base, const std::string& content) {
        EXPECT_TRUE(board.store().stage_piece({as_bytes(content)},
                                              Store::PieceBase{PieceId{piece(base).name}, {}},
                                              codec::Level::standard));
        EXPECT_EQ(board.store().read_header(piece(content))->base_count, 1u);
        return board.commit("fleet/data", {{"f", content}, {"g", "small"}}, {first});
    }
    // The hub's bytes of a board's version.
    Status whole_here(Board& of, const VersionId& version) {
        return closure_of(of.store(), version, {}, [&](const RecordKey& key) -> Status {
            TRIBUTARY_ASSIGN(const Bytes held, home.ledger->store().read_plain(key));
            EXPECT_EQ(held, of.store().read_plain(key).value());
            return {};
        });
    }
    std::size_t times_asked(const RecordKey& key) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(asked, [&](const auto& header) { return header.key() == key; }));
    }

    HubHome home{2};
    Board board{"a", 1};
    Board other{"b", 3};
    std::uint64_t seed = 100;
    const std::string before = noise(1);
    VersionId first;
    std::vector<RecordHeader> asked;
    std::vector<Receipt> receipts;
    std::vector<SecurityEvent> refused;
};

TEST_F(DamagedRecord, ADeltaOnItIsAskedForWithoutABaseAndNobodyIsBlamed) {
    std::string content = before;
    content[500] ^= 1;
    const VersionId second = commit_on(before, content);
    damage(piece(before));

    sync(board);

    ASSERT_EQ(receipts.size(), 1u);
    EXPECT_EQ(receipts[0].whole, std::vector{second});
    EXPECT_TRUE(whole_here(board, second));
    EXPECT_GT(times_asked(piece(content)), 1u);
    EXPECT_EQ(asked.back().base_count, 0u);
    EXPECT_TRUE(refused.empty());
    EXPECT_EQ(home.ledger->store().read_plain(piece(before)).error().code, Errc::corrupt)
        << "it is told as damage";
}

TEST_F(DamagedRecord, ComesAgainWithTheNextVersionThatNeedsItOnceItWasFound) {
    damage(piece(before));
    ASSERT_FALSE(home.ledger->store().read_plain(piece(before)));
    const VersionId second = board.commit("fleet/data", {{"f", before}, {"g", "new"}}, {first});

    sync(board);

    ASSERT_EQ(receipts.size(), 1u);
    EXPECT_EQ(receipts[0].whole, std::vector{second});
    EXPECT_EQ(times_asked(piece(before)), 1u);
    EXPECT_TRUE(whole_here(board, first));
    EXPECT_TRUE(whole_here(board, second));
}

TEST_F(DamagedRecord, ComesAgainFromAnotherBoardThatRecordsTheSame) {
    damage(piece(before));
    ASSERT_FALSE(home.ledger->store().read_plain(piece(before)));
    const VersionId theirs = other.commit("fleet/other", {{"f", before}});

    sync(other);

    EXPECT_TRUE(whole_here(other, theirs));
    EXPECT_TRUE(whole_here(board, first));
}

// The hub takes what it checked for what it has, until it reads that.
TEST_F(DamagedRecord, ThatNobodyHasReadYetIsToldOnceItIsReadAndComesAgainThen) {
    damage(piece(before));
    const VersionId theirs = other.commit("fleet/other", {{"f", before}});
    sync(other);
    EXPECT_EQ(whole_here(other, theirs).error().code, Errc::corrupt);

    const VersionId next = other.commit("fleet/other", {{"f", before}, {"g", "new"}}, {theirs});
    sync(other);

    EXPECT_EQ(times_asked(piece(before)), 1u);
    EXPECT_TRUE(whole_here(other, theirs));
    EXPECT_TRUE(whole_here(other, next));
    EXPECT_TRUE(whole_here(board, first));
}

TEST_F(DamagedRecord, APushThatWouldBeCodedOnItIsSentWithoutABase) {
    test::roll_out(*home.ledger, home.clock, first, {"a"});
    board.say(InstallBody{1, "model", first, "committed", first, {}, ""});
    sync(board);
    std::string content = before;
    content[500] ^= 1;
    const VersionId second = other.commit("fleet/other", {{"f", content}});
    sync(other);
    test::roll_out(*home.ledger, home.clock, second, {"a"});
    damage(piece(before));
    AgentEnd end(board, "a", *home.ledger, home.clock, ++seed);
    std::vector<Digest> bases;
    end.overhear = [&](const sync::Body& body) {
        const auto* offer = std::get_if<sync::Offer>(&body);
        if (!offer) return;
        for (const sync::OfferedObject& object : offer->objects)
            bases.insert(bases.end(), object.bases.begin(), object.bases.end());
    };

    end.connect();

    EXPECT_EQ(bases, std::vector{piece(before).name});
    EXPECT_EQ(first_missing(board.store(), second, {}).value(), std::nullopt);
}

TEST_F(DamagedRecord, HoldsAPushUpWithoutASpinUntilItComesAgain) {
    test::roll_out(*home.ledger, home.clock, first, {"b"});
    damage(piece(before));
    AgentEnd end(other, "b", *home.ledger, home.clock, ++seed);
    std::size_t messages = 0;
    end.listen_to_hub = [&](const Bytes&) { ++messages; };

    end.connect();
    end.wait(600'000);

    EXPECT_FALSE(other.store().has({RecordKind::version, first.digest}));
    EXPECT_NE(end.link().status().last_trouble, "") << "a person is told";
    EXPECT_LT(messages, 200u);

    board.commit("fleet/data", {{"f", before}, {"g", "new"}}, {first});
    sync(board);
    end.wait(600'000);

    EXPECT_TRUE(other.store().has({RecordKind::version, first.digest}));
    EXPECT_EQ(other.store().read_plain(piece(before)).value(), Bytes(before.begin(), before.end()));
}

}  // namespace
}  // namespace tributary::hub
