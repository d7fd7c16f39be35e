// `tributary` against a hub that listens on loopback; what boards recorded is put into its ledger.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "hub/api/api.h"
#include "hub/app/hub.h"
#include "hub/cli/tributary.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/hub/board.h"

namespace tributary::cli {
namespace {

using test::Board;
using testing::HasSubstr;

struct Told {
    int code = 0;
    std::string out, err;
};

class Cli : public testing::Test {
protected:
    Cli() {
        hub::HubConfig config;
        config.state_dir = directory / "hub";
        config.broker_url = "mqtt://127.0.0.1:1";
        config.api_listen = "127.0.0.1:0";
        hub = hub::Hub::start({*loop, system_files(), system_clock(), system_entropy()}, config)
                  .value();
    }

    // The hub answers on its own thread while this runs.
    Told run(std::vector<std::string> words) {
        const auto server = hub::serve_api(*hub, *loop).value();
        const std::string url = "http://127.0.0.1:" + std::to_string(server->port());
        words.insert(words.begin(), {"tributary", "--hub", url});
        std::vector<char*> argv;
        for (std::string& word : words) argv.push_back(word.data());
        std::thread answering([&] { loop->run(); });
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        Told told;
        told.code = cli::run(static_cast<int>(argv.size()), argv.data());
        told.out = testing::internal::GetCapturedStdout();
        told.err = testing::internal::GetCapturedStderr();
        loop->post([&] { loop->stop(); });
        answering.join();
        return told;
    }

    std::string content(const std::string& path) const {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    test::TempDir directory;
    std::unique_ptr<NetLoop> loop = make_loop();
    std::unique_ptr<hub::Hub> hub;
};

// Two boards that say different things at one path.
class CliConflict : public Cli {
protected:
    CliConflict() {
        Board b1("b1", 1), b2("b2", 2);
        b1.commit("u/x", {{"a.log", "one"}, {"of-1", "1"}});
        b2.commit("u/x", {{"a.log", "two"}, {"of-2", "2"}});
        b1.bring_to(hub->ledger());
        b2.bring_to(hub->ledger());
        EXPECT_TRUE(hub->merger().fold("u/x"));
    }
};

TEST_F(CliConflict, ShowsInLogListAndShow) {
    EXPECT_THAT(run({"log", "u/x"}).out, HasSubstr("1 path in conflict between b1 and b2"));
    EXPECT_THAT(run({"repo", "list"}).out, HasSubstr("(1 path in conflict between b1 and b2)"));
    const Told show = run({"show", "u/x"});
    EXPECT_EQ(show.code, 0) << show.err;
    EXPECT_THAT(show.out, HasSubstr("conflict   a.log: b"));
    EXPECT_THAT(show.out, testing::Not(HasSubstr("input ")));
}

TEST_F(CliConflict, IsNoSuccessOfFetchAndMerge) {
    const Told fetched = run({"fetch", "u/x", "--to", directory / "got"});
    EXPECT_EQ(fetched.code, 3);
    EXPECT_THAT(fetched.out, HasSubstr("2 files"));
    EXPECT_THAT(fetched.err, HasSubstr("1 path in conflict between b1 and b2: a.log"));
    EXPECT_THAT(fetched.err, HasSubstr("tributary settle u/x"));
    EXPECT_EQ(content(directory / "got/of-1"), "1");

    const Told merged = run({"merge", "u/x"});
    EXPECT_EQ(merged.code, 3);
    EXPECT_THAT(merged.err, HasSubstr("1 path in conflict"));
}

TEST_F(CliConflict, IsSettledByTheNameOfABoard) {
    const Told settled = run({"settle", "u/x", "a.log=b2"});
    EXPECT_EQ(settled.code, 0) << settled.err;

    const Told fetched = run({"fetch", "u/x", "--to", directory / "got"});
    EXPECT_EQ(fetched.code, 0) << fetched.err;
    EXPECT_EQ(content(directory / "got/a.log"), "two");
    EXPECT_THAT(run({"log", "u/x"}).out, HasSubstr("Settled: 1 path"));
}

TEST_F(CliConflict, IsNotSettledByABoardThatIsNotThere) {
    const Told settled = run({"settle", "u/x", "b3"});
    EXPECT_EQ(settled.code, 1);
    EXPECT_THAT(settled.err, HasSubstr("b3"));
}

// One board that recorded twice in one repository and once in another.
class CliNames : public Cli {
protected:
    CliNames() {
        Board b1("b1", 1);
        first = b1.commit("vision/digits", {{"m", "1"}});
        second = b1.commit("vision/digits", {{"m", "22"}}, {first},
                           {{b1.commit("plant/telemetry", {{"t", "1"}}).digest, "train_data", ""}});
        b1.bring_to(hub->ledger());
    }

    VersionId first, second;
};

TEST_F(CliNames, BelongToTheRepositoryOfTheVersion) {
    const Told nowhere = run({"tag", "nope/x", "v9", first.text()});
    EXPECT_EQ(nowhere.code, 2);
    EXPECT_THAT(nowhere.err, HasSubstr("is of vision/digits"));
    EXPECT_EQ(run({"tag", "plant/telemetry", "v9", first.text()}).code, 2);
    EXPECT_THAT(run({"repo", "list"}).out, testing::Not(HasSubstr("nope/x")));
}

TEST_F(CliNames, GoWhenTheyAreRemovedAndATagNeverNamesAnotherVersion) {
    ASSERT_EQ(run({"tag", "vision/digits", "v1", first.text()}).code, 0);
    ASSERT_EQ(run({"alias", "vision/digits", "production", first.text()}).code, 0);
    EXPECT_EQ(run({"tag", "vision/digits", "v1", second.text()}).code, 3);

    EXPECT_EQ(run({"tag", "vision/digits", "v1", "--remove"}).code, 0);
    EXPECT_EQ(run({"alias", "vision/digits", "@production", "--remove"}).code, 0);
    const std::string list = run({"repo", "list"}).out;
    EXPECT_THAT(list, testing::Not(HasSubstr("v1")));
    EXPECT_THAT(list, testing::Not(HasSubstr("production")));
    EXPECT_EQ(run({"tag", "vision/digits", "v1", "--remove"}).code, 1);
    EXPECT_EQ(run({"tag", "vision/digits", "v1"}).code, 2);

    EXPECT_EQ(run({"tag", "vision/digits", "v1", second.text()}).code, 3);
    EXPECT_EQ(run({"tag", "vision/digits", "v1", first.text()}).code, 0);
    EXPECT_THAT(run({"audit"}).out, HasSubstr("vision/digits/tags/v1 -> nothing"));
}

TEST_F(CliNames, OfAuditEntriesLeadFurtherBack) {
    const Told newest = run({"audit", "-n", "1"});
    EXPECT_THAT(newest.out, HasSubstr("Older entries: --before 2"));
    const Told oldest = run({"audit", "--before", "2"});
    EXPECT_THAT(oldest.out, HasSubstr("journal begun"));
    EXPECT_THAT(oldest.out, testing::Not(HasSubstr("Older")));
}

TEST_F(CliNames, InLineageComeAlongTheGraph) {
    const Told both = run({"lineage", "vision/digits/device/b1/main"});
    ASSERT_EQ(both.code, 0) << both.err;
    const auto parent = both.out.find(first.text().substr(7, 12));
    const auto recorded = both.out.rfind("recorded_by");
    EXPECT_LT(parent, recorded) << both.out;  // of what is further away
    const Told cut = run({"lineage", "vision/digits/device/b1/main", "--up", "--depth", "1"});
    EXPECT_THAT(cut.out, HasSubstr("There is more beyond --depth 1"));
    EXPECT_THAT(run({"--json", "lineage", second.text()}).out, testing::Not(HasSubstr("digraph")));
    EXPECT_THAT(run({"lineage", second.text(), "--dot"}).out, HasSubstr("digraph"));
}

TEST_F(CliNames, ThatAreMisspeltAreToldWithTheNearest) {
    const Told command = run({"devices"});
    EXPECT_EQ(command.code, 2);
    EXPECT_THAT(command.err,  // the hub in this process may say that it has no broker
                HasSubstr("tributary: unknown command 'devices'; did you mean 'device'?; see "
                          "'tributary --help'\n"));
    EXPECT_THAT(run({"device", "lst"}).err, HasSubstr("did you mean 'list'?"));
    EXPECT_THAT(run({"device"}).err, HasSubstr("'tributary device' needs a command: list"));
}

TEST_F(CliNames, OfErrorsAreJsonWhenAllIs) {
    const Told refused = run({"--json", "show", "vision/none"});
    EXPECT_EQ(refused.code, 1);
    const auto error = parse_json(refused.err.substr(refused.err.find("{\"error\"")));
    ASSERT_TRUE(error) << refused.err;
    EXPECT_EQ(error->find("error")->text_at("code").value(), "not_found");
    EXPECT_THAT(run({"--json", "shw"}).err, HasSubstr("\"code\":\"usage\""));
}

TEST_F(CliNames, OfFilesThatAreThereAreNoReasonToFetchThemAgain) {
    const std::string reference = "vision/digits/device/b1/main";
    ASSERT_EQ(run({"fetch", reference, "--to", directory / "got"}).code, 0);
    EXPECT_EQ(run({"fetch", reference, "--to", directory / "got"}).code, 3);
    std::ofstream(directory / "got/m") << "other";
    std::ofstream(directory / "got/more") << "mine";
    EXPECT_EQ(run({"fetch", reference, "--to", directory / "got", "--force"}).code, 0);
    EXPECT_EQ(content(directory / "got/m"), "22");
    EXPECT_EQ(content(directory / "got/more"), "mine");
}

TEST_F(Cli, FetchesWhateverAFileIsCalledAndFoldersThatAreEmpty) {
    const std::map<std::string, std::string> files = {{"mess_\xe8", "1"},
                                                      {"mess_\xe9", "2"},
                                                      {std::string(255, 'x'), "3"},
                                                      {".tributary-part", "4"}};
    Board b1("b1", 1);
    b1.commit("u/x", files);
    EncodedTree tree = encode_tree({}).value();
    const EncodedTree folders =
        encode_tree({{TreeItem::Type::tree, "empty", tree.id.digest, 0}}).value();
    tree.nodes.push_back(folders.nodes.back());
    tree.id = folders.id;
    b1.commit_tree("u/y", tree);
    b1.bring_to(hub->ledger());

    const Told fetched = run({"fetch", "u/x/device/b1/main", "--to", directory / "got"});

    EXPECT_EQ(fetched.code, 0) << fetched.err;
    EXPECT_EQ(system_files().list(directory / "got").value().size(), files.size());
    for (const auto& [name, said] : files) EXPECT_EQ(content(directory / "got/" + name), said);
    EXPECT_EQ(run({"fetch", "u/y/device/b1/main", "--to", directory / "none"}).code, 0);
    EXPECT_TRUE(std::filesystem::is_directory(directory / "none/empty"));
}

TEST_F(CliNames, OfBoardsThatAreRetiredAreShownWhenAsked) {
    EXPECT_EQ(run({"device", "retire", "b7"}).code, 1);
    EXPECT_EQ(run({"device", "retire", "b1"}).code, 0);
    const std::string list = run({"device", "list"}).out;
    EXPECT_THAT(list, testing::Not(HasSubstr("b1")));
    EXPECT_THAT(list, HasSubstr("And 1 retired"));
    EXPECT_THAT(run({"device", "list", "--all"}).out, HasSubstr("b1"));
    EXPECT_THAT(run({"audit"}).out, HasSubstr("device b1 retired"));
    EXPECT_EQ(run({"device", "retire", "b1", "--undo"}).code, 0);
    EXPECT_THAT(run({"device", "list"}).out, HasSubstr("b1"));
}

TEST_F(CliNames, OfPublicKeysMayBeReadByEverybody) {
    ASSERT_EQ(run({"key", directory / "alice"}).code, 0);
    EXPECT_EQ(std::filesystem::status(directory / "alice").permissions(),
              std::filesystem::perms(0600));
    EXPECT_EQ(std::filesystem::status(directory / "alice.pub").permissions(),
              std::filesystem::perms(0644));
}

}  // namespace
}  // namespace tributary::cli
