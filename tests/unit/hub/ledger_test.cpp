#include "hub/store/ledger.h"

#include <cerrno>

#include <algorithm>

#include "hub/registry/registry.h"
#include "tests/unit/hub/board.h"

namespace tributary::hub {
namespace {

using test::Board;
using test::HubHome;

TEST(Ledger, ShowsTheSameAfterARestart) {
    Board a("a", 1);
    HubHome home(2);
    const VersionId first = a.commit("fleet/data", {{"x", "1"}});
    const VersionId second = a.commit("fleet/data", {{"x", "2"}}, {first});
    a.bring_to(*home.ledger);

    home.reopen();

    EXPECT_EQ(home.ledger->catalog().version_count(), 2u);
    EXPECT_EQ(home.ledger->catalog().ref("fleet/data", "device/a/main"), second);
    EXPECT_EQ(home.ledger->epoch(), 1u);
}

TEST(Ledger, GoesOnInANewJournalUnderAnotherKeyIfSomebodyVouchesForIt) {
    HubHome home(2);
    const JournalHead before = home.ledger->store().head();
    home.ledger.reset();
    ASSERT_TRUE(home.files.remove("hub/key.pem"));
    ASSERT_TRUE(trust::create_key(home.files, home.entropy, "hub/key.pem"));
    const auto open = [&](Epoch epoch) {
        return Ledger::open(home.files, home.clock, home.entropy, "hub", test::in_memory_index(),
                            epoch);
    };
    EXPECT_EQ(open(Epoch::same).error().code, Errc::denied);

    auto ledger = open(Epoch::by_key);

    ASSERT_TRUE(ledger) << ledger.error().what;
    EXPECT_EQ((*ledger)->epoch(), 2u);
    EXPECT_NE((*ledger)->store().head().incarnation, before.incarnation);
    EXPECT_EQ((*ledger)->continues_sequence(), before.sequence);
    ledger->reset();
    ledger = open(Epoch::by_key);
    ASSERT_TRUE(ledger);
    EXPECT_EQ((*ledger)->epoch(), 2u) << "once";
}

TEST(Ledger, RefusesAJournalThatDoesNotContinueWhatIsHeld) {
    Board a("a", 1);
    HubHome home(2);
    a.commit("fleet/data", {{"x", "1"}});
    a.commit("fleet/data", {{"x", "2"}});
    std::vector<Bytes> entries;
    ASSERT_TRUE(a.store().read_entries(a.store().head().incarnation, 2, [&](ByteView plain) {
        entries.emplace_back(plain.begin(), plain.end());
        return true;
    }));

    const Status accepted = home.ledger->accept(entries);  // number 1 is missing

    ASSERT_FALSE(accepted);
    EXPECT_EQ(accepted.error().code, Errc::conflict);
    EXPECT_EQ(home.ledger->store().heads().value().size(), 1u);
}

TEST(Catalog, FindsByNameEachRefThatItLists) {
    Board before("a", 1), now("a", 2), other("b", 3);
    HubHome home(4);
    const VersionId old_head = before.commit("fleet/data", {{"x", "1"}});
    const VersionId head = now.commit("fleet/data", {{"x", "2"}});
    other.commit("fleet/data", {{"x", "3"}});
    for (Board* board : {&before, &now, &other}) board->bring_to(*home.ledger);
    ASSERT_TRUE(home.ledger->append({RefMovedBody{"fleet/data", "main", {}, head, "cli", "me"},
                                     RefMovedBody{"fleet/data", "gone", {}, head, "cli", "me"},
                                     RefMovedBody{"fleet/data", "gone", head, {}, "cli", "me"}}));
    const Catalog& catalog = home.ledger->catalog();
    const std::string old_name = "device/a/main@" + before.store().head().incarnation.text();

    const std::vector<NamedRef> listed = catalog.refs("fleet/data");

    ASSERT_EQ(listed.size(), 4u);
    for (const NamedRef& ref : listed)
        EXPECT_EQ(catalog.ref("fleet/data", ref.name), ref.version) << ref.name;
    EXPECT_EQ(catalog.ref("fleet/data", "device/a/main"), head);
    EXPECT_EQ(catalog.ref("fleet/data", old_name), old_head);
    for (const std::string& name :
         {std::string("gone"), std::string("device/a"), std::string("device/c/main"),
          std::string("device/a/other"), std::string("device/a/main@"),
          "device/b/main@" + before.store().head().incarnation.text()})
        EXPECT_FALSE(catalog.ref("fleet/data", name)) << name;
    EXPECT_FALSE(catalog.ref("fleet/model", "device/a/main"));
}

TEST(Catalog, FindsVersionsByTheFirstDigits) {
    Board a("a", 1);
    HubHome home(2);
    std::vector<VersionId> ids;
    for (int i = 0; i < 40; ++i) ids.push_back(a.commit("fleet/data", {{"x", std::to_string(i)}}));
    a.bring_to(*home.ledger);
    std::ranges::sort(ids);
    const Catalog& catalog = home.ledger->catalog();

    for (const VersionId& id : ids) {
        const std::string hex = to_hex(id.digest.bytes);
        for (const std::size_t digits : {0u, 1u, 2u, 63u, 64u}) {
            std::vector<VersionId> expected, found;
            for (const VersionId& other : ids)
                if (to_hex(other.digest.bytes).starts_with(hex.substr(0, digits)))
                    expected.push_back(other);
            for (const KnownVersion* known :
                 catalog.versions_by_prefix(hex.substr(0, digits), ids.size()))
                found.push_back(known->id);
            EXPECT_EQ(found, expected) << hex.substr(0, digits);
        }
    }
    EXPECT_EQ(catalog.versions_by_prefix("", 3).size(), 3u);
    EXPECT_TRUE(catalog.versions_by_prefix("xyz", 3).empty());
    EXPECT_TRUE(catalog.versions_by_prefix(std::string(65, '0'), 3).empty());
}

TEST(Catalog, AVersionStandsWhereItsAuthorSaysInWhateverOrderOthersSpeak) {
    for (const bool author_first : {true, false}) {
        Board author("a", 1), other("b", 2);
        HubHome home(3);
        const VersionId version = author.commit("fleet/data", {{"x", "1"}});
        other.say(CommitBody{"aardvark/first", "main", version});
        other.bind_at(*home.ledger);
        if (author_first) author.bring_to(*home.ledger);
        ASSERT_TRUE(closure_of(author.store(), version, {}, [&](const RecordKey& key) {
            return home.ledger->store().stage_record(author.store().read_record(key).value());
        }));
        ASSERT_TRUE(home.ledger->accept(other.entries()));
        author.bring_to(*home.ledger);

        const KnownVersion* known = home.ledger->catalog().version(version);

        ASSERT_NE(known, nullptr);
        EXPECT_EQ(known->repo, "fleet/data") << author_first;
    }
}

TEST(Catalog, KnowsWhereAVersionRuns) {
    Board a("a", 1);
    HubHome home(2);
    const VersionId first = a.commit("fleet/model", {{"m", "1"}});
    const VersionId second = a.commit("fleet/model", {{"m", "2"}}, {first});
    const auto runs = [&](const VersionId& version) {
        InstallBody install;
        install.model = "digits";
        install.version = second;
        install.running = version;
        install.state = "committed";
        ASSERT_TRUE(a.store().stage_entry(install));
        ASSERT_TRUE(a.store().commit());
        a.bring_to(*home.ledger);
    };
    const Catalog& catalog = home.ledger->catalog();

    runs(first);
    EXPECT_EQ(catalog.deployments_of(first), (Catalog::Deployments{{"a", "digits"}}));
    runs(second);
    EXPECT_TRUE(catalog.deployments_of(first).empty());
    EXPECT_EQ(catalog.deployments_of(second), (Catalog::Deployments{{"a", "digits"}}));
    runs(VersionId{});
    EXPECT_TRUE(catalog.deployments_of(second).empty());
}

// Whatever came first: what runs, then the heads of the present journal, then those of before.
TEST(Catalog, PutsTheNearestVersionOfABoardFirst) {
    for (const bool present_first : {true, false}) {
        Board before("a", 1), present("a", 2);
        HubHome home(3);
        before.bind_at(*home.ledger);
        present.bind_at(*home.ledger);
        const VersionId old = before.commit("fleet/zebra", {{"x", "1"}});
        std::vector<VersionId> heads;
        for (const char* repo : {"fleet/middle", "fleet/aardvark", "fleet/zebra"})
            heads.push_back(present.commit(repo, {{"y", repo}}));
        InstallBody install;
        install.model = "digits";
        install.running = install.version = heads[0];
        install.state = "committed";
        present.say(install);
        (present_first ? present : before).bring_to(*home.ledger);
        (present_first ? before : present).bring_to(*home.ledger);

        EXPECT_EQ(home.ledger->catalog().nearest_to("a"),
                  (std::vector{heads[0], heads[2], heads[1], old}));
        home.reopen();
        EXPECT_EQ(home.ledger->catalog().nearest_to("a"),
                  (std::vector{heads[0], heads[2], heads[1], old}));
    }
}

TEST(Ledger, LeavesWhatOtherDevicesStagedAloneWhenItRefusesOne) {
    Board a("a", 1), b("b", 2);
    HubHome home(3);
    a.bind_at(*home.ledger);
    b.bind_at(*home.ledger);
    const VersionId version = a.commit("fleet/data", {{"x", "1"}});
    ASSERT_TRUE(closure_of(a.store(), version, {}, [&](const RecordKey& key) {
        return home.ledger->store().stage_record(a.store().read_record(key).value());
    }));
    b.commit("fleet/data", {{"y", "1"}});

    ASSERT_FALSE(home.ledger->accept(b.entries(2)));  // number 1 is missing

    EXPECT_EQ(first_missing(home.ledger->store(), version, {}).value(), std::nullopt);
}

TEST(Ledger, WritesNoneOfTheEntriesThatAFullDiskRefused) {
    Board a("a", 1);
    HubHome home(2);
    a.bind_at(*home.ledger);
    a.commit("fleet/data", {{"x", "1"}});
    home.files.set_capacity(1);
    const Status refused = home.ledger->accept(a.entries());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::exhausted);

    home.files.set_capacity(1ull << 40);
    const VersionId none;
    ASSERT_TRUE(home.ledger->append({RefMovedBody{"fleet/data", "gone", {}, none, "", "tester"}}));

    EXPECT_EQ(home.ledger->store().heads().value().size(), 1u);
}

TEST(Ledger, OpensAgainAfterAnEntryWhoseBodyCannotBeRead) {
    Board a("a", 1);
    HubHome home(2);
    a.bind_at(*home.ledger);
    std::vector<Bytes> entries = a.entries();
    const Bytes garbage(40, 0xEE);
    EntryHeader header = parse_entry(entries[0]).value().header;
    header.previous = parse_entry(entries[0]).value().hash;
    header.sequence = 2;
    header.kind = EntryKind::commit;
    header.body = body_digest(garbage);
    Bytes plain = encode_entry_header(header);
    const EntryHash hash = entry_hash(plain);
    plain.insert(plain.end(), garbage.begin(), garbage.end());
    entries.push_back(plain);

    ASSERT_TRUE(home.ledger->accept(entries));
    home.reopen();

    EXPECT_TRUE(home.ledger->catalog().refused(header.incarnation).contains(hash.digest));
}

TEST(Ledger, WritesOnInANewJournalWhenDamageMayHaveEatenItsLastEntries) {
    HubHome home(2);
    const Incarnation before = home.ledger->store().head().incarnation;
    Board a("a", 1);
    a.commit("fleet/data", {{"x", "1"}});
    a.bring_to(*home.ledger);
    ASSERT_TRUE(home.ledger->append({RefMovedBody{"fleet/data", "gone", {}, {}, "", "tester"}}));
    home.ledger.reset();
    const std::string segment = "hub/store/segments/000001.seg";
    const std::uint64_t bytes = home.files.stat(segment).value().size;
    home.files.flip_bit(segment, (bytes - 100) * 8);

    home.reopen();

    EXPECT_NE(home.ledger->store().head().incarnation, before);
    EXPECT_EQ(home.ledger->epoch(), 2u);
    EXPECT_NE(home.ledger->catalog().device("a"), nullptr);
}

TEST(Catalog, BelievesADeviceNothingThatIsTheHubsToSay) {
    Board honest("honest", 1), thief("thief", 2);
    HubHome home(3);
    const VersionId version = honest.commit("fleet/model", {{"m", "1"}});
    honest.bring_to(*home.ledger);
    const Incarnation journal = thief.store().head().incarnation;
    thief.say(DeviceBoundBody{"honest", journal, thief.signer().public_key()});
    thief.say(RefMovedBody{"fleet/model", "@production", {}, version, "cli", "tester"});
    thief.say(ApprovedBody{"fleet/model", version, sha256(as_bytes("x"))});
    thief.say(AssignedBody{"honest", 7, "model", "fleet/model", version, sha256(as_bytes("x"))});
    thief.bring_to(*home.ledger);

    for (int life = 0; life < 2; ++life) {
        const Catalog& catalog = home.ledger->catalog();
        EXPECT_EQ(catalog.device_of(journal), "thief");
        EXPECT_EQ(catalog.device("honest")->public_key, honest.signer().public_key());
        EXPECT_TRUE(catalog.device("honest")->models.empty());
        EXPECT_EQ(catalog.ref("fleet/model", "@production"), std::nullopt);
        EXPECT_EQ(catalog.approvals(version), nullptr);
        EXPECT_EQ(catalog.last_assignment_number(), 0u);
        home.reopen();
    }
}

TEST(Ledger, TellsOnceThatItsStoreTakesNoMoreWrites) {
    HubHome home(1);
    int told = 0;
    home.ledger->when_closed([&](const Error&) { ++told; });
    home.files.fail_call(test::SimFiles::Effect::sync, 1, EIO);

    EXPECT_FALSE(home.ledger->append({RefMovedBody{"a/b", "main", {}, {}, "test", "tester"}}));
    EXPECT_FALSE(home.ledger->append({RefMovedBody{"a/b", "main", {}, {}, "test", "tester"}}));

    EXPECT_EQ(told, 1);
}

TEST(Catalog, FollowsLineageUpAndDown) {
    Board data("data", 1), trainer("trainer", 2);
    HubHome home(3);
    const VersionId set = data.commit("fleet/data", {{"x", "1"}});
    const VersionId model =
        trainer.commit("fleet/model", {{"m", "w"}}, {}, {{set.digest, "train_data", ""}});
    data.bring_to(*home.ledger);
    trainer.bring_to(*home.ledger);
    const Catalog& catalog = home.ledger->catalog();

    ASSERT_EQ(catalog.edges_up(model.digest).size(), 1u);
    EXPECT_EQ(catalog.edges_up(model.digest)[0].to, set.digest);
    ASSERT_EQ(catalog.edges_down(set.digest).size(), 1u);
    EXPECT_EQ(catalog.edges_down(set.digest)[0].from, model.digest);
    EXPECT_EQ(catalog.edges_down(set.digest)[0].role, "train_data");
}

class RegistryOfOneBoard : public testing::Test {
protected:
    RegistryOfOneBoard() {
        first = board.commit("fleet/model", {{"m", "1"}});
        second = board.commit("fleet/model", {{"m", "2"}}, {first});
        board.bring_to(*home.ledger);
    }

    Board board{"a", 1};
    HubHome home{2};
    test::SimClock clock;
    VersionId first, second;
    Registry registry{*home.ledger, clock, {}, 1};
};

TEST_F(RegistryOfOneBoard, ResolvesWhatAPersonWrites) {
    const std::string id = second.text();
    for (const std::string& reference :
         {id, id.substr(0, 20), id.substr(7, 12), std::string("fleet/model/device/a/main"),
          std::string("tributary://fleet/model/device%2Fa%2Fmain")})
        EXPECT_EQ(registry.resolve(reference), second) << reference;
    EXPECT_EQ(registry.resolve("fleet/model/device/a/main~1"), first);
    EXPECT_FALSE(registry.resolve("fleet/model/nothing"));
    EXPECT_FALSE(registry.resolve("tributary://fleet/model/device/a/main"));
}

TEST_F(RegistryOfOneBoard, TakesTheOnlyBranchOfARepositoryWithoutMain) {
    const auto none = registry.resolve("fleet/model");
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().what.find("fleet/model/device/a/main"), std::string::npos);
    ASSERT_TRUE(registry.move_ref("fleet/model", "season", first, {}, "cli", "tester"));
    EXPECT_EQ(registry.resolve("fleet/model"), first);
    ASSERT_TRUE(registry.move_ref("fleet/model", "main", second, {}, "cli", "tester"));
    EXPECT_EQ(registry.resolve("fleet/model"), second);
}

TEST_F(RegistryOfOneBoard, KnowsWhereADeviceStoodAtATime) {
    board.clock().advance(1000);
    const std::string then = "@{" + to_text(board.clock().wall()) + "}";
    board.clock().advance(1000);
    const VersionId third = board.commit("fleet/model", {{"m", "3"}}, {second});
    board.bring_to(*home.ledger);

    EXPECT_EQ(registry.resolve("fleet/model/device/a/main"), third);
    EXPECT_EQ(registry.resolve("fleet/model/device/a/main" + then), second);
    EXPECT_FALSE(registry.resolve("fleet/model/device/a/main@{1970-01-01}"));
}

TEST_F(RegistryOfOneBoard, NeverMovesATag) {
    ASSERT_TRUE(registry.move_ref("fleet/model", "tags/v1", first, {}, "cli", "tester"));
    EXPECT_EQ(registry.resolve("fleet/model/tags/v1"), first);

    const Status moved = registry.move_ref("fleet/model", "tags/v1", second, {}, "cli", "tester");

    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().code, Errc::conflict);
    EXPECT_EQ(registry.resolve("fleet/model/tags/v1"), first);
}

TEST_F(RegistryOfOneBoard, MovesAnAliasOnlyFromWhereItIsExpected) {
    ASSERT_TRUE(registry.move_ref("fleet/model", "@production", first, {}, "cli", "tester"));

    const Status late =
        registry.move_ref("fleet/model", "@production", second, second, "cli", "tester");

    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::conflict);
    EXPECT_TRUE(registry.move_ref("fleet/model", "@production", second, first, "cli", "tester"));
}

TEST_F(RegistryOfOneBoard, AssignsNothingThatIsNotApproved) {
    const auto assigned = registry.assign("model", second, {"a"}, false);
    ASSERT_FALSE(assigned);
    EXPECT_EQ(assigned.error().code, Errc::denied);
    EXPECT_EQ(home.ledger->catalog().last_assignment_number(), 0u);
}

}  // namespace
}  // namespace tributary::hub
