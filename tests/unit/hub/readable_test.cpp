// What counts as held here is what the board that asks sent or may read: so nobody learns from the
// hub what others have, or comes by it.
#include "hub/intake/readable.h"

#include "common/record/recipe.h"
#include "common/text/log.h"
#include "tests/support/random.h"
#include "tests/unit/hub/agent_end.h"
#include "tests/unit/hub/roll_out.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;

RecordKey piece(std::string_view content) { return {RecordKind::piece, sha256(as_bytes(content))}; }

constexpr const char* kLacksSomething = "something that it needs did not arrive";

std::string noise(std::uint64_t seed, std::size_t bytes) {
    const Bytes content = test::Random(seed).bytes(bytes);
    return std::string(as_text(content));
}

// A board, and a stranger to it who has the digest of what it recorded, and nothing else.
class TrustHeldHere : public testing::Test {
protected:
    TrustHeldHere() {
        board.bind_at(*home.ledger);
        stranger.bind_at(*home.ledger);
    }
    // All that the hub asks of it is noted.
    void sync(Board& of, const std::function<void(AgentEnd&)>& arrange = {}) {
        AgentEnd end(of, of.device(), *home.ledger, home.clock, ++seed);
        talk(end, arrange);
    }
    void talk(AgentEnd& end, const std::function<void(AgentEnd&)>& arrange = {}) {
        wanted.clear();
        base_held.clear();
        std::vector<sync::OfferedObject> offered;
        if (arrange) arrange(end);
        const auto twist = end.twist_page;
        end.twist_page = [&, twist](sync::Page& page) {
            if (twist) twist(page);
            offered = page.objects;
        };
        end.overhear = [&](const sync::Body& body) {
            const auto* want = std::get_if<sync::Want>(&body);
            for (std::size_t i = 0; want && i < want->missing.size(); ++i) {
                if (want->missing[i]) wanted.insert(offered.at(i).key);
                base_held[offered.at(i).key] = want->base_held[i];
            }
        };
        end.connect();
        receipts = std::exchange(end.receipts, {});
        refused = std::exchange(end.refused, {});
        end.overhear = nullptr;
        end.twist_page = nullptr;
    }
    // A version that names a file, by one who does not have it and so cannot offer it.
    VersionId claim(const std::string& content) {
        const VersionId claimed = stranger.commit("fleet/claim", {{"f", content}});
        return claimed;
    }
    // Why the last receipt refuses it; empty: it does not.
    std::string reason_for(const VersionId& version) const {
        if (receipts.empty()) return {};
        const auto& items = receipts.back().refused;
        const auto said = std::ranges::find(items, version.digest, &Receipt::Refused::id);
        return said == items.end() ? std::string() : said->reason;
    }
    static std::function<void(AgentEnd&)> leaves_out(const std::set<RecordKey>& keys) {
        return [keys](AgentEnd& end) {
            end.twist_page = [keys](sync::Page& page) {
                std::erase_if(page.objects,
                              [&](const auto& object) { return keys.contains(object.key); });
            };
        };
    }
    // A version of one file that is cut so; without `has` its board has nothing but the recipe.
    static VersionId commit_cut(Board& of, std::string_view whole,
                                const std::vector<std::string>& parts, bool has = true,
                                std::vector<VersionId> parents = {}) {
        Recipe recipe;
        for (const std::string& part : parts) {
            if (has) {
                EXPECT_TRUE(of.store().stage_piece({as_bytes(part)}, {}, codec::Level::standard));
            }
            recipe.pieces.push_back(
                {PieceId{sha256(as_bytes(part))}, static_cast<std::uint32_t>(part.size())});
            recipe.blob_bytes += part.size();
        }
        const BlobId blob{sha256(as_bytes(whole))};
        EXPECT_TRUE(of.store().stage_recipe(blob, encode_recipe(recipe).value()));
        const TreeItem file{TreeItem::Type::file, "f", blob.digest, recipe.blob_bytes};
        return of.commit_tree("fleet/data", encode_tree({file}).value(), std::move(parents));
    }
    // A version of many files of some 100 bytes, each in pieces of so many.
    static constexpr std::size_t kWhole = 1000, kHalves = 64, kSingleBytes = 1;
    static VersionId commit_many(Board& of, const std::string& what, std::size_t piece_bytes) {
        std::vector<TreeItem> items;
        for (int i = 0; i < 320; ++i) {
            const std::string whole = what + std::to_string(i) + std::string(100, '.');
            const BlobId file{sha256(as_bytes(whole))};
            Recipe recipe;
            for (std::size_t at = 0; at < whole.size(); at += piece_bytes) {
                const std::string part = whole.substr(at, piece_bytes);
                const auto piece =
                    of.store().stage_piece({as_bytes(part)}, {}, codec::Level::standard);
                recipe.pieces.push_back({piece.value(), static_cast<std::uint32_t>(part.size())});
                recipe.blob_bytes += part.size();
            }
            if (recipe.pieces.size() > 1) {
                EXPECT_TRUE(of.store().stage_recipe(file, encode_recipe(recipe).value()));
            }
            items.push_back(
                {TreeItem::Type::file, std::to_string(i), file.digest, recipe.blob_bytes});
        }
        std::ranges::sort(items, {}, &TreeItem::name);
        return of.commit_tree("fleet/data", encode_tree(items).value());
    }
    // The stranger's, which it brings first if need be.
    void assign_to_board(const VersionId& model) {
        stranger.bring_to(*home.ledger);
        test::roll_out(*home.ledger, home.clock, model, {"a"});
    }
    std::size_t stored(const RecordKey& key) {
        std::size_t count = 0;
        EXPECT_TRUE(home.ledger->store().for_each_name(key.kind, [&](const Digest& name) -> Status {
            if (name == key.name) ++count;
            return {};
        }));
        return count;
    }

    HubHome home{2};
    Board board{"a", 1};
    Board stranger{"b", 3};
    std::uint64_t seed = 100;
    std::set<RecordKey> wanted;
    std::map<RecordKey, bool> base_held;
    std::vector<Receipt> receipts;
    std::vector<SecurityEvent> refused;
};

TEST_F(TrustHeldHere, WhatAnotherBoardSentIsAskedForAndStoredOnce) {
    board.commit("fleet/data", {{"x", "both have this"}});
    const VersionId second = stranger.commit("fleet/other", {{"y", "both have this"}});
    sync(board);
    ASSERT_EQ(stored(piece("both have this")), 1u);

    sync(stranger);

    EXPECT_TRUE(wanted.contains(piece("both have this")));
    ASSERT_EQ(receipts.size(), 1u);
    EXPECT_EQ(receipts[0].whole, std::vector{second});
    EXPECT_EQ(stored(piece("both have this")), 1u);
}

TEST_F(TrustHeldHere, JunkUnderAKnownDigestIsRefusedAsUnderAnyOther) {
    for (const bool known : {true, false}) {
        const std::string content = known ? "known" : "other";
        if (known) {
            board.commit("fleet/data", {{"x", content}});
            sync(board);
        }
        Board liar(known ? "c" : "d", known ? 5 : 6);
        liar.bind_at(*home.ledger);
        const VersionId version = liar.commit("fleet/claim", {{"f", content}});

        sync(liar, [&](AgentEnd& end) {
            end.twist_record = [&](Bytes& frame) {
                const RecordHeader header = parse_record_header(frame).value();
                if (header.key() != piece(content)) return;
                frame.clear();
                append_record(frame, header, Bytes(header.stored_length, 'x'));
            };
        });

        EXPECT_TRUE(wanted.contains(piece(content)));
        EXPECT_TRUE(receipts.empty());
        EXPECT_TRUE(std::ranges::count(refused, SecurityEvent::bad_record) > 0) << known;
        EXPECT_EQ(home.ledger->catalog().version(version), nullptr);
    }
}

TEST_F(TrustHeldHere, AVersionThatNamesWhatItsBoardNeverHadIsNotTaken) {
    board.commit("fleet/data", {{"x", "a secret"}});
    sync(board);
    const VersionId claimed = claim("a secret");

    sync(stranger, leaves_out({piece("a secret")}));

    EXPECT_EQ(reason_for(claimed), kLacksSomething);
    EXPECT_EQ(home.ledger->catalog().version(claimed), nullptr);
    home.reopen();
    EXPECT_EQ(home.ledger->catalog().version(claimed), nullptr);
}

// Nor later, when another board has sent it.
TEST_F(TrustHeldHere, AVersionThatNamesAFileBeforeAnybodySentItIsNeverTaken) {
    const std::vector<std::string> parts{noise(1, 700'000), noise(2, 700'000)};
    const std::string whole = parts[0] + parts[1];
    const RecordKey recipe{RecordKind::recipe, sha256(as_bytes(whole))};
    const auto names_it_only = leaves_out({recipe, piece(parts[0]), piece(parts[1])});
    const VersionId claimed = commit_cut(stranger, whole, parts);
    sync(stranger, names_it_only);
    EXPECT_EQ(reason_for(claimed), kLacksSomething);

    commit_cut(board, whole, parts);
    sync(board);
    ASSERT_TRUE(home.ledger->store().has(recipe));
    home.reopen();
    EXPECT_EQ(home.ledger->catalog().version(claimed), nullptr);

    stranger.say(CommitBody{"fleet/data", "main", claimed});
    const VersionId child = stranger.commit("fleet/data", {{"f", "own"}}, {claimed});
    sync(stranger, names_it_only);
    EXPECT_NE(home.ledger->catalog().version(child), nullptr);
    EXPECT_EQ(home.ledger->catalog().version(claimed), nullptr);
}

TEST_F(TrustHeldHere, AVersionThatNamesAConflictThatIsNotItsOwnIsNotTaken) {
    const Digest absent = sha256(as_bytes("a conflict"));
    const VersionId version =
        stranger.commit("fleet/claim", {{"f", "own"}}, {}, {{absent, "conflict", ""}});

    sync(stranger);

    EXPECT_EQ(reason_for(version), kLacksSomething) << "it would be once somebody has it";
}

// Nor when the directory that names it is held here.
TEST_F(TrustHeldHere, AVersionOfAnothersDirectoryIsNotTaken) {
    const VersionId theirs = board.commit("fleet/data", {{"f", "a secret"}});
    sync(board);
    const TreeId tree = home.ledger->catalog().version(theirs)->version.tree;
    const VersionId version = claim("a secret");
    ASSERT_EQ(read_version(stranger.store(), version)->tree, tree);

    sync(stranger, leaves_out({piece("a secret"), {RecordKind::tree, tree.digest}}));

    EXPECT_TRUE(home.ledger->store().has({RecordKind::tree, tree.digest}));
    EXPECT_EQ(home.ledger->catalog().version(version), nullptr);
}

TEST_F(TrustHeldHere, WhyAVersionIsNotTakenIsTheSameWhetherOthersHaveWhatItNames) {
    const std::vector<std::string> held{noise(1, 700'000), noise(2, 700'000)};
    const std::vector<std::string> absent{noise(3, 700'000), noise(4, 700'000)};
    board.commit("fleet/data", {{"f", "a secret"}});
    commit_cut(board, held[0] + held[1], held);
    sync(board);
    std::vector<std::string> lines;
    capture_log([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
    const auto says_what_is_missing = [](const VersionId& version) {
        return [text = version.text()](const std::string& line) {
            return line.find("missing=") != line.npos && line.find(text) != line.npos;
        };
    };
    const auto why = [&](const VersionId& version, bool names_directory) {
        lines.clear();
        sync(stranger, [&](AgentEnd& end) {
            end.twist_page = [&](sync::Page& page) {
                std::erase_if(page.objects, [&](const sync::OfferedObject& object) {
                    return object.key.kind == RecordKind::piece ||
                           object.key.kind == RecordKind::recipe ||
                           (names_directory && object.key.kind == RecordKind::tree);
                });
            };
        });
        EXPECT_EQ(std::ranges::count_if(lines, says_what_is_missing(version)), 1);
        return reason_for(version);
    };

    EXPECT_EQ(why(claim("a secret"), true), kLacksSomething);
    EXPECT_EQ(why(claim("nobody has this"), true), kLacksSomething);
    EXPECT_EQ(why(commit_cut(stranger, held[0] + held[1], held), false), kLacksSomething);
    EXPECT_EQ(why(commit_cut(stranger, absent[0] + absent[1], absent), false), kLacksSomething);
    capture_log({});
}

TEST_F(TrustHeldHere, ABaseThatAnotherBoardSentIsNone) {
    board.commit("fleet/data", {{"x", "a secret"}});
    sync(board);
    for (const char* base : {"a secret", "nobody has this"}) {
        stranger.commit("fleet/data", {{"f", std::string("own, beside ") + base}});
        sync(stranger, [&](AgentEnd& end) {
            end.twist_page = [&](sync::Page& page) {
                for (sync::OfferedObject& object : page.objects)
                    if (object.key.kind == RecordKind::piece) object.bases = {piece(base).name};
            };
        });
        EXPECT_FALSE(base_held.at(piece(std::string("own, beside ") + base))) << base;
    }
}

// A recipe is checked against its pieces; whether it fits would say whether they are here.
TEST_F(TrustHeldHere, ARecipeOfPiecesOfOthersSaysNothing) {
    const std::string first = noise(1, 1000), second = noise(2, 1000), absent = noise(3, 1000);
    board.commit("fleet/data", {{"x", first}, {"y", second}});
    sync(board);
    const auto what_it_learns = [&](const std::string& last, std::string_view whole) {
        const VersionId version = commit_cut(stranger, whole, {first, last}, false);
        const RecordKey recipe{RecordKind::recipe, sha256(as_bytes(whole))};
        std::vector<bool> learnt;
        for (int times = 0; times < 2; ++times) {
            sync(stranger, [&](AgentEnd& end) {
                end.twist_page = [](sync::Page& page) {
                    page.last = false;  // it goes on asking before it says anything
                    page.entries.clear();
                    page.seal.clear();
                };
            });
            learnt.push_back(wanted.contains(recipe));
            learnt.push_back(std::ranges::count(refused, SecurityEvent::bad_record) != 0);
        }
        sync(stranger);
        learnt.push_back(home.ledger->catalog().version(version) != nullptr);
        return learnt;
    };
    const std::vector<bool> nothing{true, false, true, false, false};
    EXPECT_EQ(what_it_learns(absent, "a file"), nothing);
    EXPECT_EQ(what_it_learns(second, "another file"), nothing);
    EXPECT_EQ(what_it_learns(second, first + second), nothing);
}

// Whether a record fits a base says whether the base is here. A recipe that fits nothing is taken,
// and not kept, so that what follows it may name it as its base.
TEST_F(TrustHeldHere, ARecordOnABaseOfOthersSaysNothing) {
    const auto recipe_of_nobody = [] {
        Recipe recipe;
        for (std::uint64_t i = 0; i < 40; ++i) {
            recipe.pieces.push_back({PieceId{sha256(as_bytes(noise(100 + i, 32)))}, 1000});
            recipe.blob_bytes += 1000;
        }
        return recipe;
    };
    const std::vector<std::string> parts{noise(1, 20'000), noise(2, 20'000)};
    const std::string held = parts[0] + parts[1], absent = noise(3, 40'000);
    commit_cut(board, held, parts);
    sync(board);
    const auto times_sent = [&](const std::string& whole) {
        const BlobId file{sha256(as_bytes(whole))}, other{sha256(as_bytes("not " + whole))};
        Recipe recipe = recipe_of_nobody();
        EXPECT_TRUE(stranger.store().stage_recipe(file, encode_recipe(recipe).value()));
        recipe.pieces.back().id = PieceId{sha256(as_bytes("another"))};
        EXPECT_TRUE(stranger.store().stage_recipe(other, encode_recipe(recipe).value(), file));
        EXPECT_EQ(stranger.store().read_header({RecordKind::recipe, other.digest})->base_count, 1);
        const TreeItem f{TreeItem::Type::file, "f", file.digest, recipe.blob_bytes};
        const TreeItem g{TreeItem::Type::file, "g", other.digest, recipe.blob_bytes};
        stranger.commit_tree("fleet/data", encode_tree({f, g}).value());
        int times = 0;
        sync(stranger, [&](AgentEnd& end) {
            end.twist_record = [&](Bytes& frame) {
                if (parse_record_header(frame)->name == other.digest) ++times;
            };
        });
        return times;
    };
    const int when_absent = times_sent(absent);
    EXPECT_GT(when_absent, 0);
    EXPECT_EQ(times_sent(held), when_absent);
}

TEST_F(TrustHeldHere, WhatTheBoardItselfSentIsNotAskedForAgain) {
    const VersionId before = board.commit("fleet/data", {{"x", "mine"}});
    sync(board);
    board.commit("fleet/data", {{"x", "new"}, {"moved", "mine"}}, {before});
    home.reopen();

    sync(board);

    EXPECT_EQ(receipts.size(), 1u);
    EXPECT_TRUE(wanted.contains(piece("new")));
    EXPECT_FALSE(wanted.contains(piece("mine")));
}

// In RAM only the names of the nearest versions are kept.
TEST_F(TrustHeldHere, WhatItSentLongAgoIsFoundThoughItsNameWasForgotten) {
    AgentEnd end(board, board.device(), *home.ledger, home.clock, ++seed);
    end.connect();
    std::vector<VersionId> head;
    for (int i = 0; i < 200; ++i) {
        head = {board.commit("fleet/data", {{"keep", "mine"}, {"x", std::to_string(i)}}, head)};
        end.wake();
    }
    board.commit("fleet/data", {{"moved", "mine"}}, head);

    wanted.clear();
    talk(end, [](AgentEnd& of) { of.disconnect(); });
    end.wait(70'000);

    EXPECT_FALSE(wanted.contains(piece("mine")));
    EXPECT_EQ(home.ledger->held(board.store().head().incarnation).sequence,
              board.store().head().sequence);
}

TEST_F(TrustHeldHere, WhatItSentOfALargeVersionIsNotAskedForAgainByAnotherLink) {
    const std::string parts[] = {noise(1, 900'000), noise(2, 900'000), noise(3, 900'000)};
    board.say(SecurityEventBody{"hub_unproven"});
    board.commit("fleet/data", {{"a", parts[0]}, {"b", parts[1]}, {"c", parts[2]}});
    {
        AgentEnd end(board, board.device(), *home.ledger, home.clock, ++seed);
        end.twist_record = [&](Bytes& frame) {  // the last never comes whole
            const RecordHeader header = parse_record_header(frame).value();
            if (header.key() == piece(parts[2])) frame.resize(frame.size() / 2);
        };
        end.connect();
        ASSERT_TRUE(end.receipts.empty());
        ASSERT_TRUE(home.ledger->store().has(piece(parts[1])));
    }
    // What stands before it in the journal may pass meanwhile, as on a link that is spared.
    sync(board, [](AgentEnd& end) { end.with_content = false; });
    ASSERT_EQ(receipts.size(), 1u);
    ASSERT_EQ(receipts[0].sequence, 2u);

    sync(board);

    EXPECT_FALSE(wanted.contains(piece(parts[0])));
    EXPECT_FALSE(wanted.contains(piece(parts[1])));
    EXPECT_TRUE(wanted.contains(piece(parts[2])));
    EXPECT_EQ(receipts.size(), 1u);
}

TEST_F(TrustHeldHere, WhatABoardWasToldToRunIsItsToRead) {
    assign_to_board(stranger.commit("fleet/model", {{"m", "weights"}}));
    board.commit("fleet/tuned", {{"m", "weights"}, {"notes", "tuned"}});

    sync(board);

    EXPECT_TRUE(wanted.contains(piece("tuned")));
    EXPECT_FALSE(wanted.contains(piece("weights")));
}

TEST_F(TrustHeldHere, WhatABoardIsToldToRunDuringASessionIsItsToRead) {
    const VersionId model = stranger.commit("fleet/model", {{"m", "weights"}, {"n", "both"}});
    stranger.bring_to(*home.ledger);
    AgentEnd end(board, board.device(), *home.ledger, home.clock, ++seed);
    const VersionId before = board.commit("fleet/data", {{"x", "both"}});
    talk(end);  // what it may read is looked through
    ASSERT_TRUE(wanted.contains(piece("both")));

    assign_to_board(model);
    end.link().on_assigned(end.now());
    board.commit("fleet/data", {{"m", "weights"}, {"notes", "tuned"}}, {before});
    talk(end);
    end.wait(70'000);

    EXPECT_EQ(home.ledger->held(board.store().head().incarnation).sequence,
              board.store().head().sequence);
    EXPECT_FALSE(wanted.contains(piece("weights")));
}

TEST_F(TrustHeldHere, AFileThatAnotherBoardCutOtherwiseIsItsOwnWhenItSentItWhole) {
    const std::string first = noise(1, 700), second = noise(2, 1300);
    const std::string whole = first + second;
    commit_cut(board, whole, {first, second});
    sync(board);
    const VersionId version =
        commit_cut(stranger, whole, {whole.substr(0, 1000), whole.substr(1000)});

    sync(stranger);

    ASSERT_EQ(receipts.size(), 1u);
    EXPECT_EQ(receipts[0].whole, std::vector{version});
}

// The hub knows the file of its first version by the pieces of another board alone; the agent
// leaves out what that version brought, until it is asked once more.
TEST_F(TrustHeldHere, AVersionOnAFileThatAnotherBoardCutOtherwiseIsTakenInTheEnd) {
    const std::string first = noise(1, 700), second = noise(2, 1300), third = noise(3, 500);
    const std::string whole = first + second, own = whole.substr(0, 1000);
    commit_cut(board, whole, {first, second});
    sync(board);
    const VersionId before = commit_cut(stranger, whole, {own, whole.substr(1000)});
    sync(stranger);

    const VersionId version = commit_cut(stranger, own + third, {own, third}, true, {before});
    sync(stranger);

    ASSERT_EQ(receipts.size(), 1u);
    EXPECT_EQ(receipts[0].whole, std::vector{version});
    EXPECT_TRUE(receipts[0].refused.empty());
}

// ---- the loop has its turns ----

TEST_F(TrustHeldHere, APageIsLookedThroughInSeveralTurnsOfTheLoop) {
    std::map<std::string, std::string> files;
    for (int i = 0; i < 1000; ++i) files[std::to_string(i)] = "content " + std::to_string(i);
    const VersionId version = board.commit("fleet/data", files);
    AgentEnd end(board, board.device(), *home.ledger, home.clock, ++seed);
    end.holds_turns = true;

    end.connect();
    const int turns = end.turns_until_receipted();

    EXPECT_GE(turns, 1000 / 64);
    ASSERT_EQ(end.receipts.size(), 1u);
    EXPECT_EQ(end.receipts[0].whole, std::vector{version});
}

// What is offered is looked for among what the board may read before anybody is asked whether it is
// here.
TEST_F(TrustHeldHere, HowLongAnAnswerTakesDoesNotTellWhetherOthersHaveWhatIsOffered) {
    board.commit("fleet/data", {{"x", "a secret"}});
    sync(board);
    const VersionId before = stranger.commit("fleet/claim", {{"f", "own"}});
    sync(stranger);
    const auto turns_until_answered = [&](const std::string& content) {
        AgentEnd end(stranger, stranger.device(), *home.ledger, home.clock, ++seed);
        end.holds_turns = true;
        bool answered = false;
        end.overhear = [&](const sync::Body& body) {
            answered = answered || std::holds_alternative<sync::Want>(body);
        };
        end.twist_page = [&](sync::Page& page) { page.objects = {{piece(content), 8, 8, {}}}; };
        stranger.commit("fleet/claim", {{"f", "own too"}}, {before});
        end.connect();
        return end.turns_until([&] { return answered; });
    };

    EXPECT_EQ(turns_until_answered("a secret"), turns_until_answered("nobody has this"));
}

// A directory of others is not gone into to find that it is theirs.
TEST_F(TrustHeldHere, HowLongAStatementTakesDoesNotTellWhetherOthersHaveWhatItNames) {
    const auto directory_of = [](const std::string& what) {
        std::map<std::string, std::string> files;
        for (int i = 0; i < 640; ++i) files[std::to_string(i)] = what + std::to_string(i);
        return files;
    };
    board.commit("fleet/data", directory_of("a secret "));
    sync(board);
    const auto turns_until_receipted = [&](const std::string& what) {
        stranger.commit("fleet/claim", directory_of(what));
        AgentEnd end(stranger, stranger.device(), *home.ledger, home.clock, ++seed);
        end.holds_turns = true;
        end.twist_page = [](sync::Page& page) {
            std::erase_if(page.objects, [](const sync::OfferedObject& object) {
                return object.key.kind != RecordKind::version;
            });
        };
        end.connect();
        const int turns = end.turns_until_receipted();
        EXPECT_EQ(end.receipts.size(), 1u);
        return turns;
    };

    const int when_nobody_has_it = turns_until_receipted("nobody has this ");
    EXPECT_EQ(turns_until_receipted("a secret "), when_nobody_has_it);
}

// Nor whether others have a file of its own, which they may have cut otherwise.
TEST_F(TrustHeldHere, HowLongAStatementTakesDoesNotTellHowOthersCutItsFiles) {
    const auto turns_until_receipted = [&](const std::string& name, const std::string& what,
                                           bool cut) {
        Board fresh(name, ++seed);
        fresh.bind_at(*home.ledger);
        const VersionId version = commit_many(fresh, what, cut ? kHalves : kWhole);
        AgentEnd end(fresh, name, *home.ledger, home.clock, ++seed);
        end.holds_turns = true;
        end.connect();
        const int turns = end.turns_until_receipted();
        EXPECT_NE(home.ledger->catalog().version(version), nullptr);
        return turns;
    };

    for (const bool cut : {false, true}) {
        const std::string how = cut ? "cut" : "whole";
        const int when_nobody_has_it = turns_until_receipted(how + "-1", how + " alone  ", cut);
        commit_many(board, how + " shared ", cut ? kWhole : kHalves);
        sync(board);
        EXPECT_EQ(turns_until_receipted(how + "-2", how + " shared ", cut), when_nobody_has_it)
            << how;
    }
}

// Nor does it tell anything of a file that its board had before: what that may read is looked
// through as long however others cut it, and anew as often.
TEST_F(TrustHeldHere, HowLongItsOwnIsLookedThroughDoesNotTellHowOthersCutIt) {
    const auto turns_until_asked = [&](std::size_t cut_by_others, std::size_t cut) {
        HubHome hub{2};
        Board other("b", 3), own("a", 1);
        other.bind_at(*hub.ledger);
        own.bind_at(*hub.ledger);
        if (cut_by_others != 0) {
            commit_many(other, "a file ", cut_by_others);
            AgentEnd(other, "b", *hub.ledger, hub.clock, ++seed).connect();
        }
        const VersionId before = commit_many(own, "a file ", cut);
        AgentEnd(own, "a", *hub.ledger, hub.clock, ++seed).connect();
        own.commit("fleet/data", {{"x", "more"}}, {before});
        AgentEnd end(own, "a", *hub.ledger, hub.clock, ++seed);
        end.holds_turns = true;
        bool asked = false;
        end.overhear = [&](const sync::Body& body) {
            asked = asked || std::holds_alternative<sync::Want>(body);
        };
        end.connect();
        return end.turns_until([&] { return asked; });
    };

    for (const std::size_t cut : {kWhole, kHalves, kSingleBytes}) {
        const int when_nobody_has_it = turns_until_asked(0, cut);
        EXPECT_GE(when_nobody_has_it, 320 / 64);
        for (const std::size_t by_others : {kWhole, kHalves, kSingleBytes})
            EXPECT_EQ(turns_until_asked(by_others, cut), when_nobody_has_it)
                << "pieces of " << cut << " bytes, of others of " << by_others;
    }
}

// A few records of what it may read a turn.
TEST_F(TrustHeldHere, WhatABoardMayReadIsLookedThroughInSeveralTurnsOfTheLoop) {
    constexpr int kDirectories = 640;
    std::vector<TreeItem> items;
    for (int i = 0; i < kDirectories; ++i) {
        const std::string content = std::to_string(i);
        ASSERT_TRUE(board.store().stage_piece({as_bytes(content)}, {}, codec::Level::standard));
        const TreeItem file{TreeItem::Type::file, "f", piece(content).name, content.size()};
        const EncodedTree directory = encode_tree({file}).value();
        for (const EncodedTreeNode& node : directory.nodes)
            ASSERT_TRUE(board.store().stage_object(RecordKind::tree, node.bytes));
        items.push_back({TreeItem::Type::tree, content, directory.id.digest, 0});
    }
    std::ranges::sort(items, {}, &TreeItem::name);
    const VersionId before = board.commit_tree("fleet/data", encode_tree(items).value());
    sync(board);
    stranger.commit("fleet/other", {{"y", "both have this"}});
    sync(stranger);
    board.commit("fleet/data", {{"x", "both have this"}}, {before});
    AgentEnd end(board, board.device(), *home.ledger, home.clock, ++seed);
    end.holds_turns = true;

    end.connect();
    const int turns = end.turns_until_receipted();

    EXPECT_GE(turns, kDirectories / 64);
    EXPECT_EQ(end.receipts.size(), 1u);
}

// A few at a time, each time: when its page is offered; when the recipe comes, whether its pieces
// are its board's, and whether they are here.
TEST_F(TrustHeldHere, AVersionOfManyPiecesIsLookedThroughInSeveralTurnsOfTheLoop) {
    constexpr int kPieces = 1280;
    std::string whole;
    std::vector<std::string> parts;
    for (int i = 0; i < kPieces; ++i) whole += parts.emplace_back("piece " + std::to_string(i));
    const VersionId version = commit_cut(board, whole, parts);
    AgentEnd end(board, board.device(), *home.ledger, home.clock, ++seed);
    end.holds_turns = true;

    end.connect();
    const int turns = end.turns_until_receipted();

    ASSERT_EQ(end.receipts.size(), 1u);
    EXPECT_EQ(end.receipts[0].whole, std::vector{version});
    EXPECT_GE(turns, 3 * kPieces / 64);
}

}  // namespace
}  // namespace tributary::hub
