#include "hub/intake/device_link.h"

#include <cerrno>

#include "common/hash/hash.h"
#include "common/text/log.h"
#include "common/trust/seal.h"
#include "tests/support/doubled_tree.h"
#include "tests/unit/hub/agent_end.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;

// Leaves one piece out of what is offered, as a board does whose flash lost it.
void leave_a_piece_out(sync::Page& page) {
    std::erase_if(page.objects, [gone = false](const sync::OfferedObject& object) mutable {
        return object.key.kind == RecordKind::piece && !std::exchange(gone, true);
    });
}

class DeviceLinkOfOneBoard : public testing::Test {
protected:
    DeviceLinkOfOneBoard() { board.bind_at(*home.ledger); }
    AgentEnd agent(Board& of) {
        return AgentEnd(of, of.device(), *home.ledger, home.clock, ++seed);
    }
    JournalHead held(Board& of) {
        const std::vector<JournalHead> heads = home.ledger->store().heads().value();
        for (const JournalHead& head : heads)
            if (head.incarnation == of.store().head().incarnation) return head;
        return {};
    }

    Board board{"a", 1};
    HubHome home{2};
    std::uint64_t seed = 100;
};

TEST_F(DeviceLinkOfOneBoard, ReceiptsAVersionThatArrivedWhole) {
    const VersionId version = board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end = agent(board);

    end.connect();

    ASSERT_EQ(end.receipts.size(), 1u);
    EXPECT_EQ(end.receipts[0].whole, std::vector{version});
    EXPECT_TRUE(end.receipts[0].refused.empty());
    EXPECT_EQ(end.receipts[0].head, board.store().head().hash);
    EXPECT_EQ(home.ledger->catalog().ref("fleet/data", "device/a/main"), version);
    EXPECT_EQ(end.advanced, std::set<std::string>{"fleet/data"});
}

// ---- records that are checked beside the loop ----

class DeviceLinkWithALargeFile : public DeviceLinkOfOneBoard {
protected:
    DeviceLinkWithALargeFile() {
        version = board.commit("fleet/data", {{"x", as_string(test::Random(5).bytes(100'000))}});
    }
    static std::string as_string(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }
    static void do_all_beside(AgentEnd& end) {
        for (int rounds = 0; rounds < 10 && !end.beside.empty(); ++rounds) {
            end.work_beside();
            end.pass(0);
        }
    }
    VersionId version;
};

TEST_F(DeviceLinkWithALargeFile, IsReceiptedOnceItsRecordWasCheckedBeside) {
    AgentEnd end = agent(board);
    end.holds_beside = true;

    end.connect();
    EXPECT_EQ(end.beside.size(), 1u);
    EXPECT_TRUE(end.receipts.empty());
    do_all_beside(end);

    ASSERT_EQ(end.receipts.size(), 1u);
    EXPECT_EQ(end.receipts[0].whole, std::vector{version});
}

TEST_F(DeviceLinkWithALargeFile, IsNotTakenWhenItsBoardWasRevokedWhileTheSealWasChecked) {
    AgentEnd end = agent(board);
    end.holds_beside = true;
    end.connect();
    end.work_beside();  // the record
    end.pass(0);
    ASSERT_EQ(end.beside.size(), 1u);  // the seal

    ASSERT_TRUE(home.ledger->append({RevokedBody{board.device(), {}, "ops", "lost"}}));
    end.link().on_standing_changed(end.now());
    do_all_beside(end);

    EXPECT_TRUE(end.receipts.empty());
    EXPECT_EQ(home.ledger->catalog().version(version), nullptr);
}

TEST_F(DeviceLinkOfOneBoard, TrustTakesNothingWhenItIsRevokedWhileItsVersionsAreJudged) {
    std::map<std::string, std::string> files;
    for (int i = 0; i < 640; ++i) files[std::to_string(i)] = std::to_string(i);
    const VersionId version = board.commit("fleet/data", files);
    AgentEnd end = agent(board);
    end.holds_turns = true;
    bool statement_came = false;
    end.twist_record = [&](Bytes& frame) {
        statement_came = parse_record_header(frame)->kind == RecordKind::version;
    };
    end.connect();
    for (int i = 0; i < 1000 && !statement_came; ++i) {
        if (!end.turns.empty()) end.turn();
        end.pass(0);
    }
    for (int i = 0; i < 1000 && !home.ledger->store().has({RecordKind::version, version.digest});
         ++i)
        end.turn();
    end.pass(0);
    ASSERT_FALSE(end.turns.empty()) << "it is being judged";

    ASSERT_TRUE(home.ledger->append({RevokedBody{board.device(), {}, "ops", "lost"}}));
    end.link().on_standing_changed(end.now());
    end.holds_turns = false;
    end.pass(0);

    EXPECT_TRUE(end.receipts.empty());
    EXPECT_EQ(home.ledger->catalog().version(version), nullptr);
}

TEST_F(DeviceLinkWithALargeFile, IsNotTakenWhenItsTopicWasSetAsideMeanwhile) {
    AgentEnd end(board, board.device(), *home.ledger, home.clock, ++seed, 2);
    end.holds_beside = true;
    end.connect();
    ASSERT_EQ(end.beside.size(), 1u);

    for (int i = 0; i < 4; ++i) end.say(Bytes(40, 0xEE));
    ASSERT_FALSE(end.link().quarantine().is_heard(end.now()));
    do_all_beside(end);

    EXPECT_TRUE(end.receipts.empty());
    EXPECT_EQ(home.ledger->catalog().version(version), nullptr);
    EXPECT_TRUE(end.beside.empty());
}

TEST_F(DeviceLinkWithALargeFile, IsRefusedWhenItIsNotWhatItsNameSays) {
    AgentEnd end = agent(board);
    end.holds_beside = true;
    int twisted = 0;
    end.twist_record = [&](Bytes& frame) {
        const RecordHeader header = parse_record_header(frame).value();
        if (header.stored_length < 50'000) return;
        Bytes payload(frame.begin() + static_cast<std::ptrdiff_t>(header.header_bytes()),
                      frame.end() - 4);
        payload[7] ^= 1;
        frame.clear();
        append_record(frame, header, payload);
        ++twisted;
    };

    end.connect();
    do_all_beside(end);

    EXPECT_GT(twisted, 0);
    EXPECT_TRUE(end.receipts.empty());
    EXPECT_GT(end.link().status().refused, 0u);
    EXPECT_EQ(home.ledger->catalog().version(version), nullptr);
}

TEST_F(DeviceLinkWithALargeFile, ComesWholeThoughItsSessionEndedWhileItWasChecked) {
    AgentEnd end = agent(board);
    end.holds_beside = true;
    end.connect();
    ASSERT_EQ(end.beside.size(), 1u);

    end.link().on_standing_changed(end.now());
    end.connect();
    do_all_beside(end);
    end.wait(60'000);
    do_all_beside(end);

    ASSERT_FALSE(end.receipts.empty());
    EXPECT_EQ(end.receipts.back().whole, std::vector{version});
}

TEST_F(DeviceLinkOfOneBoard, SaysDoneOnlyAboutWhatAPowerCutCannotTake) {
    const VersionId version = board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end = agent(board);
    bool done = false;
    end.overhear = [&](const sync::Body& body) {
        if (!std::holds_alternative<sync::Done>(body) || std::exchange(done, true)) return;
        home.files.crash(7);
        home.files.restart();
    };

    end.connect();
    home.reopen();

    ASSERT_TRUE(done);
    EXPECT_NE(home.ledger->catalog().version(version), nullptr);
    EXPECT_EQ(held(board).sequence, board.store().head().sequence);
}

TEST_F(DeviceLinkOfOneBoard, GivesNoReceiptWhenTheDiskFails) {
    board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end = agent(board);
    home.files.fail_call(test::SimFiles::Effect::sync, 1, EIO);

    end.connect();

    EXPECT_TRUE(end.receipts.empty());
    ASSERT_FALSE(end.troubles.empty());
    EXPECT_EQ(end.troubles[0].code, Errc::unavailable);  // comes again
}

TEST_F(DeviceLinkOfOneBoard, DeniesAJournalOfAnotherDevice) {
    Board other("b", 3);
    other.bind_at(*home.ledger);
    board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end(board, "b", *home.ledger, home.clock, 5);  // board a under the name of b

    end.connect();

    EXPECT_TRUE(end.receipts.empty());
    ASSERT_FALSE(end.troubles.empty());
    EXPECT_EQ(end.troubles[0].code, Errc::denied);
    EXPECT_EQ(held(board).sequence, 0u);
}

TEST_F(DeviceLinkOfOneBoard, DeniesAReceiptForAJournalOfAnotherDevice) {
    Board other("b", 3);
    other.commit("fleet/data", {{"x", "1"}});
    other.bring_to(*home.ledger);
    board.commit("fleet/data", {{"x", "2"}});
    AgentEnd end = agent(board);
    end.twist_hello = [&](sync::Hello& hello) {
        hello.head.incarnation = other.store().head().incarnation;
    };
    end.twist_page = [](sync::Page& page) {
        page = {};
        page.last = true;
    };

    end.connect();

    EXPECT_TRUE(end.receipts.empty());
    ASSERT_FALSE(end.troubles.empty());
    EXPECT_EQ(end.troubles[0].code, Errc::denied);
}

TEST_F(DeviceLinkOfOneBoard, DeniesTheSealOfAnotherKey) {
    Board stranger("b", 3);
    board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end = agent(board);
    end.twist_page = [&](sync::Page& page) {
        const JournalHead head = board.store().head();
        page.seal =
            trust::seal_head(stranger.signer(), head.incarnation, head.sequence, head.hash).value();
    };

    end.connect();

    EXPECT_TRUE(end.receipts.empty());
    ASSERT_FALSE(end.troubles.empty());
    EXPECT_EQ(end.troubles[0].code, Errc::denied);
    EXPECT_EQ(held(board).sequence, 0u);
    EXPECT_EQ(end.link().status().refused, 1u);  // and people of the hub can see it
    EXPECT_NE(end.link().status().last_trouble.find("seal"), std::string::npos);
}

TEST_F(DeviceLinkOfOneBoard, CountsWhatIsNoMessage) {
    AgentEnd end = agent(board);
    end.link().on_payload(end.now(), Bytes(100, 0xEE));
    EXPECT_EQ(end.link().status().refused, 1u);
}

TEST_F(DeviceLinkOfOneBoard, RefusesAndNamesAVersionThatIsNotWhole) {
    const VersionId version = board.commit("fleet/data", {{"x", "1"}, {"y", "2"}});
    AgentEnd end = agent(board);
    end.twist_page = leave_a_piece_out;

    end.connect();

    ASSERT_EQ(end.receipts.size(), 1u);
    EXPECT_TRUE(end.receipts[0].whole.empty());
    ASSERT_EQ(end.receipts[0].refused.size(), 1u);
    EXPECT_EQ(end.receipts[0].refused[0].id, version.digest);
    EXPECT_EQ(end.receipts[0].refused[0].reason, "something that it needs did not arrive");
    EXPECT_EQ(held(board).sequence, board.store().head().sequence);  // the entry is kept
    EXPECT_EQ(home.ledger->catalog().version(version), nullptr);
}

// 60 nodes that stand for more files than anything can visit.
// The tries of a session that broke are no tries of the next one.
TEST_F(DeviceLinkOfOneBoard, AsksAnewInTheNextSessionForWhatDidNotArrive) {
    const VersionId version = board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end = agent(board);
    int offers = 0;
    end.twist_page = [&](sync::Page& page) {
        if (++offers <= 4) leave_a_piece_out(page);
    };
    end.disturb = [&](std::deque<Bytes>& way) {
        if (offers == 3) way.clear();
    };
    end.connect();
    ASSERT_EQ(offers, 3);
    end.disconnect();
    end.disturb = nullptr;

    end.connect();
    end.wait(70'000);

    ASSERT_EQ(end.receipts.size(), 1u);
    EXPECT_EQ(end.receipts[0].whole, std::vector{version});
}

// As a hub of before had it: what is missing is in the log, and for operators.
TEST_F(DeviceLinkOfOneBoard, NamesWhatAVersionLacksWhoseStatementIsHeld) {
    const VersionId version = board.commit("fleet/data", {{"x", "1"}, {"y", "2"}});
    const RecordKey lost{RecordKind::piece, sha256(as_bytes("1"))};
    ASSERT_TRUE(closure_of(board.store(), version, {}, [&](const RecordKey& key) {
        return key == lost
                   ? Status()
                   : home.ledger->store().stage_record(board.store().read_record(key).value());
    }));
    AgentEnd end = agent(board);
    end.twist_page = [](sync::Page& page) { page.objects.clear(); };
    std::vector<std::string> lines;
    capture_log([&](LogLevel, std::string_view line) { lines.emplace_back(line); });

    end.connect();
    capture_log({});

    ASSERT_EQ(end.receipts.size(), 1u);
    ASSERT_EQ(end.receipts[0].refused.size(), 1u);
    EXPECT_EQ(end.receipts[0].refused[0].reason, "something that it needs did not arrive");
    const auto names_it = [&](const std::string& line) {
        return line.find(version.text()) != line.npos &&
               line.find("piece " + lost.name.text()) != line.npos;
    };
    EXPECT_EQ(std::ranges::count_if(lines, names_it), 1);
    EXPECT_EQ(home.ledger->catalog().lack(board.store().head().incarnation, version),
              "piece " + lost.name.text());
}

TEST_F(DeviceLinkOfOneBoard, RefusesAndNamesAVersionThatStandsForTooManyFiles) {
    const VersionId version = board.commit_tree("fleet/data", test::doubled_tree(60));
    const VersionId next = board.commit("fleet/data", {{"x", "1"}}, {version});
    AgentEnd end = agent(board);

    end.connect();

    ASSERT_EQ(end.receipts.size(), 1u);
    EXPECT_EQ(end.receipts[0].whole, std::vector{next});
    ASSERT_EQ(end.receipts[0].refused.size(), 1u);
    EXPECT_EQ(end.receipts[0].refused[0].id, version.digest);
    EXPECT_NE(end.receipts[0].refused[0].reason.find("files and folders"), std::string::npos);
    EXPECT_EQ(held(board).sequence, board.store().head().sequence);  // the entry is kept
    EXPECT_EQ(home.ledger->catalog().version(version), nullptr);
}

TEST_F(DeviceLinkOfOneBoard, RefusesAVersionWhoseFoldersLieTooDeepInOneOfTheirPlaces) {
    const EncodedTree shared = test::doubled_tree(40);
    EncodedTree all = shared;
    EncodedTree top = encode_tree({{TreeItem::Type::tree, "x", shared.id.digest, 0}}).value();
    for (int i = 0; i < 30; ++i) {
        all.nodes.push_back(top.nodes.back());
        top = encode_tree({{TreeItem::Type::tree, "d", top.id.digest, 0}}).value();
    }
    all.nodes.push_back(top.nodes.back());
    const EncodedTree root = encode_tree({{TreeItem::Type::tree, "a", shared.id.digest, 0},
                                          {TreeItem::Type::tree, "b", top.id.digest, 0}})
                                 .value();
    all.id = root.id;
    all.nodes.push_back(root.nodes.back());
    const VersionId version = board.commit_tree("fleet/data", all);
    AgentEnd end = agent(board);

    end.connect();

    ASSERT_EQ(end.receipts.size(), 1u);
    ASSERT_EQ(end.receipts[0].refused.size(), 1u);
    EXPECT_EQ(end.receipts[0].refused[0].id, version.digest);
    EXPECT_NE(end.receipts[0].refused[0].reason.find("deep"), std::string::npos);
}

TEST_F(DeviceLinkOfOneBoard, RefusesTheSameVersionAfterARestart) {
    const VersionId version = board.commit_tree("fleet/data", test::doubled_tree(60));
    agent(board).connect();

    home.reopen();

    EXPECT_EQ(home.ledger->catalog().version(version), nullptr);
    EXPECT_TRUE(
        home.ledger->catalog().refused(board.store().head().incarnation).contains(version.digest));
}

TEST_F(DeviceLinkOfOneBoard, NeverTakesAChildForWholeBesideAParentThatIsNot) {
    const VersionId parent = board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end = agent(board);
    end.twist_page = leave_a_piece_out;
    end.connect();
    const VersionId child = board.commit("fleet/data", {{"x", "1"}, {"y", "2"}}, {parent});

    AgentEnd again = agent(board);
    again.twist_page = [&](sync::Page& page) {
        std::erase_if(page.objects, [&](const sync::OfferedObject& object) {
            return object.key.name == sha256(as_bytes("1"));
        });
    };
    again.connect();

    ASSERT_EQ(again.receipts.size(), 1u);
    EXPECT_TRUE(again.receipts[0].whole.empty());
    EXPECT_EQ(home.ledger->catalog().version(child), nullptr);
}

TEST_F(DeviceLinkOfOneBoard, TakesAParentAfterAllWhenAChildBringsWhatItLacked) {
    const VersionId parent = board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end = agent(board);
    end.twist_page = leave_a_piece_out;
    end.connect();
    end.twist_page = nullptr;
    const VersionId child = board.commit("fleet/data", {{"x", "1"}, {"y", "2"}}, {parent});

    end.connect();
    end.wait(70'000);  // a second session in a row begins a little later

    ASSERT_EQ(end.receipts.size(), 2u);
    EXPECT_EQ(end.receipts[1].whole, std::vector{child});
    EXPECT_NE(home.ledger->catalog().version(parent), nullptr);
}

TEST_F(DeviceLinkOfOneBoard, TakesAWholeChainAfterAllWhenItsLastVersionBringsWhatItLacked) {
    const VersionId first = board.commit("fleet/data", {{"x", "1"}});
    const VersionId second = board.commit("fleet/data", {{"x", "1"}, {"y", "2"}}, {first});
    AgentEnd end = agent(board);
    end.twist_page = [](sync::Page& page) {
        std::erase_if(page.objects, [](const sync::OfferedObject& object) {
            return object.key.name == sha256(as_bytes("1"));
        });
    };
    end.connect();
    ASSERT_EQ(end.receipts.size(), 1u);
    ASSERT_EQ(end.receipts[0].refused.size(), 2u);
    end.twist_page = nullptr;
    const VersionId third = board.commit("fleet/data", {{"x", "1"}, {"z", "3"}}, {second});

    end.connect();
    end.wait(70'000);  // a second session in a row begins a little later

    ASSERT_EQ(end.receipts.size(), 2u);
    EXPECT_EQ(end.receipts[1].whole, std::vector{third});
    EXPECT_TRUE(end.receipts[1].refused.empty());
    EXPECT_NE(home.ledger->catalog().version(second), nullptr);
    EXPECT_NE(home.ledger->catalog().version(first), nullptr);
}

// Without journal and author, with two parents, a version is taken for a fold of heads, and what it
// says is undone when heads are folded again.
TEST_F(DeviceLinkOfOneBoard, TrustTakesNoVersionThatPassesForOneOfTheHubs) {
    const VersionId first = board.commit("fleet/data", {{"x", "1"}});
    const VersionId second = board.commit("fleet/data", {{"x", "2"}});
    const auto forge = [&](const Incarnation& author) {
        Version forged = read_version(board.store(), second).value();
        forged.parents = {first, second};
        forged.incarnation = author;
        const VersionId id{board.store()
                               .stage_object(RecordKind::version, encode_version(forged).value())
                               .value()};
        board.say(CommitBody{"fleet/data", "main", id});
        return id;
    };
    const VersionId fold = forge({});
    const VersionId settled = forge(home.ledger->store().head().incarnation);

    AgentEnd end = agent(board);
    end.connect();

    ASSERT_EQ(end.receipts.size(), 1u);
    EXPECT_EQ(end.receipts[0].whole, (std::vector{first, second}));
    ASSERT_EQ(end.receipts[0].refused.size(), 2u);
    EXPECT_NE(end.receipts[0].refused[0].reason.find("passes for"), std::string::npos);
    home.reopen();
    EXPECT_EQ(home.ledger->catalog().version(fold), nullptr);
    EXPECT_EQ(home.ledger->catalog().version(settled), nullptr);
}

TEST_F(DeviceLinkOfOneBoard, NamesWhatItRefusedAgainWhenTheFirstReceiptWasLost) {
    const VersionId version = board.commit("fleet/data", {{"x", "1"}});
    {
        AgentEnd end = agent(board);
        end.twist_page = leave_a_piece_out;
        end.connect();
    }
    AgentEnd end = agent(board);  // knows of no receipt

    end.connect();

    ASSERT_EQ(end.receipts.size(), 1u);
    EXPECT_EQ(end.receipts[0].sequence, board.store().head().sequence);
    ASSERT_EQ(end.receipts[0].refused.size(), 1u);
    EXPECT_EQ(end.receipts[0].refused[0].id, version.digest);
}

TEST_F(DeviceLinkOfOneBoard, WaitsForNoVersionThatTheBoardSaysItDropped) {
    const VersionId sooner = board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end = agent(board);
    end.twist_page = leave_a_piece_out;
    end.connect();
    ASSERT_EQ(end.receipts.size(), 1u);
    ASSERT_EQ(end.receipts[0].refused.size(), 1u);
    const VersionId later = board.commit("fleet/data", {{"x", "2"}});
    for (const VersionId& version : {sooner, later})
        ASSERT_TRUE(board.store().stage_entry(ThinnedBody{version}));
    ASSERT_TRUE(board.store().commit());

    end.connect();
    end.wait(70'000);

    ASSERT_EQ(end.receipts.size(), 2u);
    EXPECT_EQ(end.receipts[1].sequence, board.store().head().sequence);
    EXPECT_TRUE(end.receipts[1].refused.empty()) << "nothing is asked for again";
    EXPECT_TRUE(end.receipts[1].whole.empty());
    const Incarnation journal = board.store().head().incarnation;
    for (int i = 0; i < 2; ++i) {
        const auto said = home.ledger->catalog().refused(journal);  // a person sees it
        EXPECT_NE(said.at(sooner.digest).find("dropped"), std::string::npos);
        EXPECT_NE(said.at(later.digest).find("dropped"), std::string::npos);
        home.reopen();
    }
}

TEST_F(DeviceLinkOfOneBoard, KeepsWhatItHoldsWhenAClonedCardSaysOtherThings) {
    Board clone("a", 1);  // the same seed: the same key and journal
    board.commit("fleet/data", {{"x", "1"}});
    board.commit("fleet/data", {{"x", "2"}});
    clone.commit("fleet/data", {{"x", "other"}});
    ASSERT_EQ(clone.store().head().incarnation, board.store().head().incarnation);
    agent(board).connect();
    AgentEnd end = agent(clone);
    // A clone that does not look at what the hub holds.
    end.twist_hello = [](sync::Hello& hello) { hello.journals.clear(); };

    end.connect();

    EXPECT_TRUE(end.receipts.empty());
    ASSERT_FALSE(end.troubles.empty());
    EXPECT_EQ(end.troubles[0].code, Errc::denied);
    EXPECT_NE(end.troubles[0].what.find("cloned"), std::string::npos) << end.troubles[0].what;
    EXPECT_EQ(held(board).hash, board.store().head().hash);
}

TEST_F(DeviceLinkOfOneBoard, TellsOfWhoSpeaksInAJournalThatItsBoardHasLeft) {
    board.commit("fleet/data", {{"x", "1"}});
    AgentEnd before = agent(board);
    before.connect();
    EXPECT_EQ(before.link().status().copied_card, "");
    Incarnation other;
    other.bytes.fill(7);
    ASSERT_TRUE(home.ledger->append({DeviceBoundBody{"a", other, board.signer().public_key()}}));
    AgentEnd end = agent(board);

    end.connect();

    EXPECT_NE(end.link().status().copied_card.find("left for journal " + other.text()),
              std::string::npos)
        << end.link().status().copied_card;
}

TEST_F(DeviceLinkOfOneBoard, TellsWhatAJournalGoesOnFromAndThatItForked) {
    Board image("a", 1);  // the same seed: the same key and journal
    board.commit("fleet/data", {{"x", "1"}});
    image.commit("fleet/data", {{"x", "other"}});
    const JournalHead left = image.store().head();
    agent(board).connect();
    StartBody start;
    start.public_key = image.signer().public_key();
    start.continues = left.incarnation;
    start.continues_sequence = left.sequence;
    start.continues_hash = left.hash;
    ASSERT_TRUE(image.store().start_journal(start));
    ASSERT_TRUE(image.store().commit());
    image.bind_at(*home.ledger);

    agent(image).connect();

    const auto origin =
        home.ledger->catalog().origin(home.ledger->store(), image.store().head().incarnation);
    ASSERT_TRUE(origin);
    EXPECT_EQ(origin->journal, left.incarnation);
    EXPECT_EQ(origin->sequence, left.sequence);
    EXPECT_TRUE(origin->forked);
}

TEST_F(DeviceLinkOfOneBoard, SaysSoWhenTheBoardTakesNoSession) {
    AgentEnd end = agent(board);
    const auto answers = [](const Bytes& payload) {
        const auto message = sync::parse_message(payload);
        const auto* hello = std::get_if<sync::Hello>(&message->body);
        return hello != nullptr && hello->epoch != 0;
    };
    const auto pass = [&](int seconds) {
        for (int i = 0; i < seconds; ++i) {
            home.clock.advance(1000);
            end.pass(1000);
        }
    };
    end.disturb = [&](std::deque<Bytes>& way) { std::erase_if(way, answers); };
    end.connect();
    pass(60);
    EXPECT_EQ(end.link().status().no_session, "");
    pass(600);
    EXPECT_NE(end.link().status().no_session.find("begins no session"), std::string::npos);

    end.disturb = nullptr;
    pass(120);
    EXPECT_TRUE(end.link().connected(end.now()));
    EXPECT_EQ(end.link().status().no_session, "");
}

TEST_F(DeviceLinkOfOneBoard, CountsAsConnectedOnlyWhileItIsHeardOf) {
    AgentEnd end = agent(board);
    EXPECT_FALSE(end.link().connected(end.now()));
    end.connect();
    EXPECT_TRUE(end.link().connected(end.now()));
    EXPECT_FALSE(end.link().connected(end.now() + 4 * 60'000));
}

}  // namespace
}  // namespace tributary::hub
