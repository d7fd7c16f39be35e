// The memo of what boards sent (sent.sqlite) beside a ledger on a real disk: whatever became of it
// while the hub was away, nothing is taken on its word that is not there, and what a board has to
// send arrives whole, once.
#include <filesystem>
#include <fstream>

#include "tests/support/random.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/hub/agent_end.h"

namespace tributary::hub {
namespace {

namespace fs = std::filesystem;
using test::AgentEnd;
using test::Board;

class SentMemo : public testing::Test {
protected:
    SentMemo() {
        for (int i = 0; i < 4; ++i) {
            const Bytes content = test::Random(static_cast<std::uint64_t>(i)).bytes(700'000);
            files.emplace("f" + std::to_string(i), as_text(content));
        }
        open();
        board.bind_at(*ledger);
        board.commit("fleet/data", {{"x", "small"}});
        EXPECT_EQ(sync(), 1u);
        copy(hub, earlier);
        open();
        version = board.commit("fleet/data", files);
    }

    enum class HubIs { killed, stopped, stopped_while_the_board_comes_back };
    // Most of the large version came, and then the hub was gone: what one that was killed had not
    // handed to the system is lost.
    void send_most_of_it(HubIs gone = HubIs::killed) {
        {
            AgentEnd end(board, board.device(), *ledger, clock, ++seed);
            // The last comes half, and then the link is down.
            std::size_t bytes = 0;
            end.listen = [&](const Bytes& payload) { bytes += payload.size(); };
            end.disturb = [&](std::deque<Bytes>& way) {
                if (bytes > 2'450'000) way.clear();
            };
            end.twist_record = [this](const Bytes& frame) {
                last = parse_record_header(frame)->key();
            };
            end.connect();
            end.disturb = nullptr;
            ASSERT_TRUE(end.receipts.empty());
            if (gone != HubIs::killed) {
                end.link().on_leaving(end.now());
                if (gone == HubIs::stopped_while_the_board_comes_back) come_back(end);
                ASSERT_TRUE(ledger->keep_staged());
                end.link().keep_what_came();
            }
            copy(hub, killed);
        }
        ledger.reset();
        copy(killed, hub);
        ASSERT_TRUE(fs::exists(memo()));
    }
    // And would send the rest of the last, which would still be looked at when the hub ends.
    static void come_back(AgentEnd& end) {
        end.disturb = nullptr;
        end.holds_beside = true;
        end.connect();
    }
    void open() {
        ledger.reset();
        ledger = Ledger::open(system_files(), clock, entropy, hub, {}).value();
    }
    // How many of the large files were asked for; all receipted.
    std::size_t sync() {
        AgentEnd end(board, board.device(), *ledger, clock, ++seed);
        std::set<RecordKey> asked;
        end.twist_record = [&](Bytes& frame) {
            const RecordHeader header = parse_record_header(frame).value();
            if (header.kind == RecordKind::piece) asked.insert(header.key());
        };
        end.listen = [this](const Bytes& payload) { sent_bytes += payload.size(); };
        end.link().on_connected(end.now());
        end.connect();
        end.wait(60'000);
        EXPECT_FALSE(end.receipts.empty());
        return asked.size();
    }
    // With the memo, or the log, as it was left.
    std::size_t open_and_sync() {
        open();
        const std::size_t asked = sync();
        open();
        EXPECT_NE(ledger->catalog().version(version), nullptr);
        std::map<Digest, int> times;
        EXPECT_TRUE(
            ledger->store().for_each_name(RecordKind::piece, [&](const Digest& name) -> Status {
                EXPECT_EQ(++times[name], 1);
                return {};
            }));
        for (const auto& [name, content] : files)
            EXPECT_EQ(ledger->store().read_plain(key(name)).value(),
                      Bytes(content.begin(), content.end()));
        return asked;
    }
    RecordKey key(const std::string& file) const {
        return {RecordKind::piece, sha256(as_bytes(files.at(file)))};
    }
    std::string memo() const { return hub + "/sent.sqlite"; }
    static void copy(const std::string& from, const std::string& to) {
        fs::remove_all(to);
        fs::copy(from, to, fs::copy_options::recursive);
    }

    test::TempDir directory;
    std::string hub = directory / "hub";
    std::string earlier = directory / "earlier";
    std::string killed = directory / "killed";
    test::SimClock clock;
    test::SimEntropy entropy{2};
    std::unique_ptr<Ledger> ledger;
    Board board{"a", 1};
    std::map<std::string, std::string> files;
    VersionId version;
    std::uint64_t seed = 100;
    RecordKey last;                // that began to come
    std::uint64_t sent_bytes = 0;  // by sync()
};

TEST_F(SentMemo, OfAHubThatWasKilledIsGoneOnFrom) {
    send_most_of_it();
    EXPECT_LE(open_and_sync(), 2u) << "but the last, and what was not written yet";
}

TEST_F(SentMemo, OfAHubThatWasStoppedCostsNothingButWhatHadNotCome) {
    send_most_of_it(HubIs::stopped);
    sent_bytes = 0;
    EXPECT_EQ(open_and_sync(), 1u);
    EXPECT_LE(sent_bytes, 450'000u) << "the second half of the last";
}

// The hub runs on, and needs its memory for others.
TEST_F(SentMemo, OfALinkThatIsDownForLongCostsNothingButWhatHadNotCome) {
    AgentEnd end(board, board.device(), *ledger, clock, ++seed);
    std::size_t bytes = 0;
    end.listen = [&](const Bytes& payload) { bytes += payload.size(); };
    end.disturb = [&](std::deque<Bytes>& way) {
        if (bytes > 2'450'000) way.clear();
    };
    end.connect();
    end.disconnect();
    end.disturb = nullptr;
    end.wait(600'000);
    bytes = 0;
    end.connect();
    end.wait(60'000);
    EXPECT_FALSE(end.receipts.empty());
    EXPECT_LT(bytes, 500'000u) << "else half a record more";
}

TEST_F(SentMemo, OfAHubThatIsStoppedIsNotSpoiledByABoardThatComesBackMeanwhile) {
    send_most_of_it(HubIs::stopped_while_the_board_comes_back);
    sent_bytes = 0;
    EXPECT_EQ(open_and_sync(), 1u);
    EXPECT_LE(sent_bytes, 450'000u) << "the second half of the last";
}

// It is asked for once more, as after a kill.
TEST_F(SentMemo, OfTheBeginningOfARecordThatIsDamagedIsNotBelieved) {
    send_most_of_it(HubIs::stopped);
    std::string bytes(static_cast<std::size_t>(fs::file_size(memo())), '\0');
    std::fstream file(memo(), std::ios::in | std::ios::out | std::ios::binary);
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const auto file_of_last = std::ranges::find_if(
        files, [this](const auto& named) { return sha256(as_bytes(named.second)) == last.name; });
    const auto at = bytes.find(file_of_last->second.substr(200'000, 32));
    ASSERT_NE(at, std::string::npos);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(~bytes[at]));
    file.close();
    sent_bytes = 0;
    EXPECT_EQ(open_and_sync(), 1u);
    EXPECT_GT(sent_bytes, 700'000u);
    EXPECT_LT(sent_bytes, 800'000u);
}

// Whatever bits of its row are flipped.
TEST_F(SentMemo, HandsTheBeginningOfARecordToNoOtherBoard) {
    send_most_of_it(HubIs::stopped);
    const Bytes kept = NameMemo(memo()).take_unfinished(board.device());
    EXPECT_TRUE(sync::parse_beginning(kept, board.device()));
    EXPECT_FALSE(sync::parse_beginning(kept, "b"));
}

TEST_F(SentMemo, ThatIsGoneCostsThatAllIsSentAgain) {
    send_most_of_it();
    fs::remove(memo());
    EXPECT_EQ(open_and_sync(), files.size());
}

TEST_F(SentMemo, ThatIsDamagedAnywhereIsHarmless) {
    send_most_of_it();
    copy(hub, killed);
    const auto bytes = fs::file_size(memo());
    test::Random random(7);
    for (int round = 0; round < 8; ++round) {
        SCOPED_TRACE(round);
        copy(killed, hub);
        {
            std::fstream file(memo(), std::ios::in | std::ios::out | std::ios::binary);
            const Bytes junk = random.bytes(200);
            file.seekp(round == 0 ? 0 : static_cast<std::streamoff>(random.below(bytes - 200)));
            file.write(reinterpret_cast<const char*>(junk.data()), 200);
        }
        EXPECT_LE(open_and_sync(), files.size());
    }
}

TEST_F(SentMemo, WhoseBitsFlipOnAnyPageIsHarmless) {
    send_most_of_it(HubIs::stopped);
    copy(hub, killed);
    constexpr std::uint64_t kPage = 4096;
    test::Random random(8);
    for (std::uint64_t page = 0; page < 8; ++page) {  // the rest is the beginning of one record
        SCOPED_TRACE(page);
        copy(killed, hub);
        {
            std::fstream file(memo(), std::ios::in | std::ios::out | std::ios::binary);
            for (int flips = 0; flips < 4; ++flips) {
                const auto at = static_cast<std::streamoff>(page * kPage + random.below(kPage));
                file.seekg(at);
                const int byte = file.get();
                file.seekp(at);
                file.put(static_cast<char>(byte ^ (1 << random.below(8u))));
            }
        }
        EXPECT_LE(open_and_sync(), files.size());
    }
}

TEST_F(SentMemo, OfABackupThatIsOlderThanTheLogCostsThatAllIsSentAgain) {
    send_most_of_it();
    fs::copy_file(earlier + "/sent.sqlite", memo(), fs::copy_options::overwrite_existing);
    EXPECT_EQ(open_and_sync(), files.size());
}

// The log was put back, and the memo names what it does not hold.
TEST_F(SentMemo, ThatIsNewerThanTheLogMakesNothingPassForHeld) {
    send_most_of_it();
    copy(hub + "/sent.sqlite", killed + "/memo");
    copy(earlier, hub);
    fs::copy_file(killed + "/memo", memo(), fs::copy_options::overwrite_existing);
    EXPECT_EQ(open_and_sync(), files.size());
}

}  // namespace
}  // namespace tributary::hub
