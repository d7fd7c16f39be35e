// A secured hub starts by its folder of trust: what it looks at before it writes anything there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "common/env/clock.h"
#include "common/net/loop.h"
#include "hub/app/secured_parts.h"
#include "hub/deploy/init.h"
#include "hub/deploy/papers.h"
#include "hub/deploy/root_draft.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace tributary::hub {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class TrustFolder : public ::testing::Test {
protected:
    void SetUp() override {
        InitOptions options;
        options.directory = hub;
        options.hosts = {"127.0.0.1"};
        options.broker_port = test::free_port();
        options.root_keys = options.root_threshold = 1;
        ASSERT_TRUE(make_deployment(files, system_clock(), system_entropy(), options, opens));
    }

    // Not a person's, which is dear to try.
    static trust::Passphrase holder() {
        const test::TempDir folder;
        return trust::MasterKey::create(system_files(), system_entropy(), folder / "key")
            .value()
            .passphrase("take-away");
    }
    HubConfig config() const { return load_config(files, hub + "/hub.toml").value(); }
    trust::MasterKey master() const { return load_master_key(files, config()).value(); }
    Root newest() const { return load_roots(files, in("trust")).value().newest.root; }
    std::string in(const std::string& path) const { return hub + "/" + path; }

    // Runs the hub as far as it goes without a broker, and ends it.
    Status start() {
        return open_with([](Hub&) {});
    }
    template <class Meanwhile>
    Status open_with(Meanwhile meanwhile) {
        const auto loop = make_loop();
        const World world{*loop, files, system_clock(), system_entropy()};
        TRIBUTARY_ASSIGN(const auto parts, SecuredParts::open(world, config()));
        TRIBUTARY_ASSIGN(Secured secured, parts->secured());
        TRIBUTARY_ASSIGN(const auto running, Hub::start(world, config(), std::move(secured)));
        meanwhile(*running);
        return {};
    }

    // As `root next` and `root sign`.
    Bytes next_document(const RootChange& change) {
        const Root next = next_root(newest(), change, system_clock().wall()).value();
        return trust::add_root_signature(*root_key(), draft_of(next).value()).value();
    }
    void publish(const RootChange& change) {
        const auto published = publish_root(files, in("trust"), next_document(change));
        ASSERT_TRUE(published) << published.error().what;
    }
    std::unique_ptr<trust::Signer> root_key() {
        return trust::load_key(files, in("take-away/root-1.pem"), &opens).value();
    }
    void copy(const std::string& from, const std::string& to) {
        fs::remove_all(to);
        fs::copy(from, to, fs::copy_options::recursive);
    }
    // What a hub that starts may change beside its store.
    std::map<std::string, std::string> contents() const {
        std::map<std::string, std::string> all;
        for (const std::string folder : {"trust", "broker", "state"})
            for (const auto& entry : fs::directory_iterator(in(folder)))
                if (entry.is_regular_file() &&
                    entry.path().string().find(".sqlite") == std::string::npos) {
                    std::ifstream file(entry.path());
                    all[entry.path()] = {std::istreambuf_iterator<char>(file), {}};
                }
        return all;
    }
    void expect_refused_untouched(const std::string& why) {
        const auto before = contents();
        const Status started = start();
        ASSERT_FALSE(started);
        EXPECT_EQ(started.error().code, Errc::invalid);
        EXPECT_THAT(started.error().what, HasSubstr(why));
        EXPECT_THAT(started.error().what, HasSubstr("broker/"));
        EXPECT_EQ(contents(), before);
    }
    // Once a hub was started with the folder of now, which is there again afterwards.
    void expect_older_is_refused() {
        ASSERT_TRUE(start());
        copy(in("trust"), newer);
        copy(older, in("trust"));
        expect_refused_untouched("older than this hub's journal");
        copy(newer, in("trust"));
    }

    test::TempDir directory;
    std::string hub = directory / "hub";
    std::string older = directory / "older";
    std::string newer = directory / "newer";
    Files& files = system_files();
    trust::Passphrase opens = holder();
};

// Its broker would be told to believe an authority, and the boards a key, that are gone.
TEST_F(TrustFolder, OlderThanTheJournalIsRefusedAfterTheHubsKeyWasReplaced) {
    ASSERT_TRUE(start());
    copy(in("trust"), older);
    RootChange change;
    change.hub_key = next_hub_key(files, system_entropy(), config()).value();
    publish(change);

    expect_older_is_refused();
    EXPECT_TRUE(start());
}

TEST_F(TrustFolder, OlderThanTheJournalIsRefusedAfterAnAuthorityWasDropped) {
    RootChange change;
    change.authority = next_authority(files, system_entropy(), config(), 2).value();
    publish(change);
    ASSERT_TRUE(start());
    copy(in("trust"), older);
    change = {};
    change.drop_authority = true;
    publish(change);

    expect_older_is_refused();
    // The documents alone, beside keys that are newer.
    ASSERT_TRUE(files.remove(in("trust/root.3")));
    expect_refused_untouched("older than this hub's journal");
    copy(newer, in("trust"));
    EXPECT_TRUE(start());
}

TEST_F(TrustFolder, WithAnotherDocumentOfTheSameVersionIsRefused) {
    RootChange change;
    change.expires = WallTime{system_clock().wall().ms + 1'000'000};
    const Bytes another = next_document(change);
    change.expires = WallTime{system_clock().wall().ms + 2'000'000};
    publish(change);
    ASSERT_TRUE(start());
    const Bytes followed = read_file(files, root_path(in("trust"), 2), 1 << 20).value();

    ASSERT_TRUE(replace_file(files, root_path(in("trust"), 2), another));
    expect_refused_untouched("is another than this hub's journal goes by");
    publish(change);  // another third one, behind it
    expect_refused_untouched("is another than this hub's journal goes by");
    ASSERT_TRUE(files.remove(root_path(in("trust"), 3)));
    ASSERT_TRUE(replace_file(files, root_path(in("trust"), 2), followed));
    EXPECT_TRUE(start());
}

TEST_F(TrustFolder, IsLeftAloneByASecondHubThatIsStartedByMistake) {
    const Status done = open_with([&](Hub&) {
        ASSERT_TRUE(make_next_server_keys(files, system_entropy(), config(), master()));
        const auto before = contents();
        const Status second = start();
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, Errc::conflict);
        EXPECT_THAT(second.error().what, HasSubstr("a hub runs with this state_dir already"));
        EXPECT_EQ(contents(), before);
    });
    EXPECT_TRUE(done) << done.error().what;
}

}  // namespace
}  // namespace tributary::hub
