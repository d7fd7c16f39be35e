// Making a secured hub's folder, opening it, and changing its root document offline.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/trust/bulk.h"
#include "hub/broker/acl.h"
#include "hub/deploy/root_watch.h"
#include "tests/support/manual_loop.h"
#include "tests/unit/hub/deployment_home.h"

namespace tributary::hub {
namespace {

using test::DeploymentTest;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(DeploymentTest, IsMadeWholeAndOpens) {
    const auto made = make();
    ASSERT_TRUE(made) << made.error().what;
    EXPECT_EQ(made->devices_url, "https://plant-hub:8461");
    EXPECT_EQ(made->take_away.size(), 2u);

    const auto read = config();
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->broker_config, "/hub/broker/mosquitto.conf");
    EXPECT_EQ(read->devices_broker_url, "mqtts://plant-hub:8883");
    const auto opened = Deployment::open(files, *read);
    ASSERT_TRUE(opened) << opened.error().what;
    EXPECT_EQ((*opened)->root().root.version, 1u);
    EXPECT_EQ((*opened)->root().digest, made->root);
    EXPECT_EQ((*opened)->root_documents().size(), 1u);
    const trust::Passphrase journal = (*opened)->passphrase(role::kJournal);
    const auto signer = trust::load_bulk_key(files, "/hub/state/key.pem", &journal);
    ASSERT_TRUE(signer) << signer.error().what;
    EXPECT_EQ((*opened)->root().root.hub_keys, std::vector<Bytes>{(*signer)->public_key()});
}

TEST_F(DeploymentTest, IssuesWhatBrokerAndBoardsBelieve) {
    ASSERT_TRUE(make());
    const std::vector<Bytes> authorities = newest().authorities;
    const auto shown = [&](const std::string& path, trust::CertificateUse use) {
        const Bytes der = trust::from_pem(trust::kCertificateLabel, text_of(path)).value();
        const auto certificate = trust::verify_certificate(der, authorities, use);
        EXPECT_TRUE(certificate) << certificate.error().what;
        return certificate.value_or(trust::Certificate{});
    };
    for (const std::string path : {"/hub/trust/api.pem", "/hub/broker/server.pem"}) {
        const trust::Certificate server = shown(path, trust::CertificateUse::server);
        EXPECT_EQ(server.names, std::vector<std::string>{"plant-hub"});
        EXPECT_EQ(server.addresses, std::vector<std::string>{"127.0.0.1"});
        EXPECT_EQ(server.validity, trust::kAlways);
        EXPECT_EQ(server.door, path == "/hub/trust/api.pem") << "the broker is no door";
        EXPECT_THAT(text_of(path), HasSubstr(text_of("/hub/trust/ca.pem")))
            << "who pins the authority must be sent it";
    }
    EXPECT_EQ(shown("/hub/trust/hub.pem", trust::CertificateUse::client).subject, kBrokerUser);
}

TEST_F(DeploymentTest, LeavesNoPrivateKeyPlainButTheBrokers) {
    options.made_approvers = {"ann"};
    ASSERT_TRUE(make());
    EXPECT_EQ(newest().approvers.front().name, "ann");
    for (const std::string folder : {"trust", "state", "take-away"}) {
        const auto names = files.list("/hub/" + folder);
        ASSERT_TRUE(names);
        for (const std::string& name : *names) {
            const std::string text = text_of("/hub/" + folder + "/" + name);
            EXPECT_THAT(text, Not(HasSubstr("BEGIN PRIVATE KEY"))) << name;
            EXPECT_THAT(text, Not(HasSubstr("BEGIN EC PRIVATE KEY"))) << name;
        }
    }
    EXPECT_THAT(text_of("/hub/broker/server.key.pem"), Not(HasSubstr("ENCRYPTED")));
}

TEST_F(DeploymentTest, IsNeverMadeOverAnything) {
    ASSERT_TRUE(make());
    const std::string before = text_of("/hub/master.key");
    const auto again = make();
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::conflict);
    EXPECT_THAT(again.error().what, HasSubstr("tributary-hub up"));
    EXPECT_EQ(text_of("/hub/master.key"), before);

    ASSERT_TRUE(files.remove("/hub/hub.toml"));  // as if it had been cut short
    EXPECT_THAT(make().error().what, HasSubstr("cut short"));

    options.directory = "/other";
    ASSERT_TRUE(files.make_directories("/other"));
    ASSERT_TRUE(replace_file(files, "/other/notes", as_bytes("mine")));
    EXPECT_THAT(make().error().what, HasSubstr("not empty"));
}

TEST_F(DeploymentTest, RefusesWhatCannotServe) {
    options.root_threshold = 3;
    EXPECT_EQ(make().error().code, Errc::invalid);
    options.root_threshold = 2;
    options.made_approvers = {"Ann Smith"};
    EXPECT_EQ(make().error().code, Errc::invalid);
    options.made_approvers = {"ann", "ann"};
    EXPECT_FALSE(make());
    EXPECT_FALSE(is_deployment(files, "/hub"));
}

TEST_F(DeploymentTest, DoesNotOpenWithAnotherMasterKeyOrAuthority) {
    ASSERT_TRUE(make());
    const std::string right = text_of("/hub/master.key");
    ASSERT_TRUE(files.remove("/hub/master.key"));
    EXPECT_FALSE(Deployment::open(files, *config()));
    ASSERT_TRUE(trust::MasterKey::create(files, system_entropy(), "/hub/master.key"));
    EXPECT_EQ(Deployment::open(files, *config()).error().code, Errc::denied);

    ASSERT_TRUE(replace_file(files, "/hub/master.key", as_bytes(right)));
    const trust::Passphrase opens =
        load_master_key(files, *config()).value().passphrase(role::kAuthority);
    ASSERT_TRUE(files.remove("/hub/trust/ca.key.pem"));
    ASSERT_TRUE(trust::create_key(files, system_entropy(), "/hub/trust/ca.key.pem", &opens));
    EXPECT_THAT(Deployment::open(files, *config()).error().what, HasSubstr("root document"));
}

// As systemd hands it over: no file of the hub names it, and no backup has it.
TEST_F(DeploymentTest, TrustTakesTheMasterKeyFromASystemdCredentialWhereNoFileIsNamed) {
    ASSERT_TRUE(make());
    HubConfig without = *config();
    const Bytes key = read_file(files, without.master_key, 1 << 10).value();
    without.master_key.clear();
    ::unsetenv("CREDENTIALS_DIRECTORY");
    const auto none = load_master_key(files, without);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Errc::invalid);
    EXPECT_THAT(none.error().what, HasSubstr("tributary-master"));
    EXPECT_THAT(none.error().what, HasSubstr("systemd-run --pty")) << "how a verb gets it";

    ASSERT_TRUE(files.make_directories("/run/credentials"));
    ASSERT_TRUE(replace_file(files, "/run/credentials/tributary-master", key));
    ::setenv("CREDENTIALS_DIRECTORY", "/run/credentials", 1);
    const auto master = load_master_key(files, without);
    ::unsetenv("CREDENTIALS_DIRECTORY");
    ASSERT_TRUE(master) << master.error().what;
    EXPECT_TRUE(Authorities::load(files, without, *master, newest()));
}

TEST_F(DeploymentTest, TakesTheNextRootOnlyWithEnoughSignatures) {
    ASSERT_TRUE(make());
    RootChange change;
    change.add_approvers = {{"bob", trust::generate_key(system_entropy()).value()->public_key()}};
    const Root next = changed(change);

    const auto one = publish_root(files, "/hub/trust", signed_by(next, {"root-1.pem"}));
    ASSERT_FALSE(one);
    EXPECT_EQ(one.error().code, Errc::denied);
    EXPECT_EQ(newest().version, 1u);

    const auto both =
        publish_root(files, "/hub/trust", signed_by(next, {"root-1.pem", "root-2.pem"}));
    ASSERT_TRUE(both) << both.error().what;
    EXPECT_EQ(newest().version, 2u);
    EXPECT_EQ(newest().approvers.front().name, "bob");
    EXPECT_EQ(load_roots(files, "/hub/trust")->documents.size(), 2u);
}

TEST_F(DeploymentTest, PublishesNoRootTwiceNorOneAhead) {
    ASSERT_TRUE(make());
    const Root next = changed({});
    const Bytes document = signed_by(next, {"root-1.pem", "root-2.pem"});
    ASSERT_TRUE(publish_root(files, "/hub/trust", document));
    EXPECT_EQ(publish_root(files, "/hub/trust", document).error().code, Errc::conflict);

    Root ahead = changed({});
    ahead.version += 1;
    EXPECT_EQ(publish_root(files, "/hub/trust", signed_by(ahead, {"root-1.pem", "root-2.pem"}))
                  .error()
                  .code,
              Errc::conflict);
}

TEST_F(DeploymentTest, ReplacesARootKeyByAStepThatOldAndNewSign) {
    ASSERT_TRUE(make());
    auto fresh = trust::generate_key(system_entropy()).value();
    RootChange change;
    change.add_root_keys = {fresh->public_key()};
    change.drop_root_keys = {trust::key_id(key("root-1.pem")->public_key()).text()};
    const Root next = changed(change);

    Bytes document = signed_by(next, {"root-1.pem", "root-2.pem"});
    EXPECT_EQ(publish_root(files, "/hub/trust", document).error().code, Errc::denied)
        << "the new key has not agreed";
    document = trust::add_root_signature(*fresh, document).value();
    ASSERT_TRUE(publish_root(files, "/hub/trust", document));
    EXPECT_EQ(newest().keys.back(), fresh->public_key());
}

TEST_F(DeploymentTest, DraftsNothingThatCouldNotServe) {
    ASSERT_TRUE(make());
    const auto error_of = [&](const RootChange& change) {
        const auto next = next_root(newest(), change, clock.wall());
        EXPECT_FALSE(next);
        return next ? "" : next.error().what;
    };
    RootChange change;
    change.drop_approvers = {"nobody"};
    EXPECT_THAT(error_of(change), HasSubstr("nobody"));
    change = {};
    change.drop_root_keys = {"sha256:"};
    EXPECT_THAT(error_of(change), HasSubstr("4 digits"));
    change = {};
    change.root_threshold = 3;
    EXPECT_THAT(error_of(change), HasSubstr("3 signatures"));
    change = {};
    change.add_root_keys = {newest().keys.front()};
    EXPECT_THAT(error_of(change), HasSubstr("twice"));
    change = {};
    change.expires = WallTime{1};
    EXPECT_FALSE(error_of(change).empty());
}

TEST_F(DeploymentTest, FindsARootThatWasChangedOnDisk) {
    ASSERT_TRUE(make());
    ASSERT_TRUE(
        publish_root(files, "/hub/trust", signed_by(changed({}), {"root-1.pem", "root-2.pem"})));
    const std::string second = text_of("/hub/trust/root.2");
    std::string broken = second;
    broken[broken.size() / 2] = static_cast<char>(broken[broken.size() / 2] ^ 1);
    ASSERT_TRUE(replace_file(files, "/hub/trust/root.2", as_bytes(broken)));
    EXPECT_THAT(load_roots(files, "/hub/trust").error().what, HasSubstr("root.2"));

    ASSERT_TRUE(replace_file(files, "/hub/trust/root.1", as_bytes(second)));
    EXPECT_FALSE(load_roots(files, "/hub/trust"));
}

TEST(MadePassphrase, DiffersEachTime) {
    const std::string one = make_passphrase(system_entropy());
    EXPECT_EQ(one.size(), 29u);
    EXPECT_NE(one, make_passphrase(system_entropy()));
}

// ---- another key of the hub ----

struct TrustHubKey : DeploymentTest {
    void SetUp() override {
        ASSERT_TRUE(make());
        was = read_file(files, "/hub/state/key.pem", 1 << 20).value();
    }
    // As `root next --new-hub-key`, and two holders who sign.
    void replace_key() { publish_key(next_hub_key(files, system_entropy(), *config()).value()); }
    void publish_key(Bytes public_key) {
        RootChange change;
        change.hub_key = std::move(public_key);
        ASSERT_TRUE(publish_root(files, "/hub/trust",
                                 signed_by(changed(change), {"root-1.pem", "root-2.pem"})));
    }
    Status serves(const Root& root) {
        return check_root_serves(files, *config(), load_master_key(files, *config()).value(), root);
    }
    Status take() {
        const auto opened = Deployment::open(files, *config());
        return take_named_key(files, *config(), (*opened)->master(), (*opened)->root().root);
    }
    bool is_there(const std::string& path) { return files.stat(path).has_value(); }
    Bytes was;
};

TEST_F(TrustHubKey, IsReplacedAtTheStartThatFollowsItsRoot) {
    const Bytes next = next_hub_key(files, system_entropy(), *config()).value();
    ASSERT_TRUE(take());
    EXPECT_EQ(read_file(files, "/hub/state/key.pem", 1 << 20).value(), was) << "not published yet";

    publish_key(next);
    ASSERT_TRUE(take());

    EXPECT_FALSE(is_there("/hub/state/key.next.pem"));
    const auto opened = Deployment::open(files, *config());
    const trust::Passphrase journal = (*opened)->passphrase(role::kJournal);
    const auto key_now = trust::load_key(files, "/hub/state/key.pem", &journal);
    ASSERT_TRUE(key_now) << "it is sealed as the one before";
    EXPECT_EQ(newest().hub_keys, std::vector<Bytes>{(*key_now)->public_key()});
    EXPECT_TRUE(take()) << "and again";
}

TEST_F(TrustHubKey, ThatTheRootDoesNotNameIsRefusedBeforeAnythingIsWritten) {
    replace_key();
    ASSERT_TRUE(files.remove("/hub/state/key.next.pem"));
    const Status taken = take();
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Errc::invalid);
    EXPECT_THAT(taken.error().what, HasSubstr("--new-hub-key"));
    EXPECT_EQ(read_file(files, "/hub/state/key.pem", 1 << 20).value(), was);
}

TEST_F(TrustHubKey, IsFoundReplacedByAHubThatRuns) {
    test::ManualLoop loop;
    unsigned published = 0;
    const RootWatch watch(
        loop, files, "/hub/trust", 1, [&](const Root& root) { return serves(root); },
        [] { return false; }, [&] { ++published; });
    loop.run_until([] { return false; }, 10'000);
    EXPECT_EQ(published, 0u);
    ASSERT_TRUE(replace_file(files, "/hub/trust/root.2", as_bytes("no root document")));
    loop.run_until([] { return false; }, 10'000);
    EXPECT_EQ(published, 0u);
    ASSERT_TRUE(files.remove("/hub/trust/root.2"));
    replace_key();
    loop.run_until([] { return false; }, 10'000);
    EXPECT_EQ(published, 1u);
}

TEST_F(TrustHubKey, AndKeysOfServersThatWaitAreFoundByAHubThatRuns) {
    test::ManualLoop loop;
    bool waits = true;
    unsigned published = 0;
    const auto watch = [&] {
        return std::make_unique<RootWatch>(
            loop, files, "/hub/trust", 1, [&](const Root& root) { return serves(root); },
            [&] { return waits; }, [&] { ++published; });
    };
    auto watching = watch();
    loop.run_until([] { return false; }, 10'000);
    EXPECT_EQ(published, 0u) << "it could not take them at its start: another one changes nothing";
    waits = false;
    watching = watch();
    loop.run_until([] { return false; }, 10'000);
    EXPECT_EQ(published, 0u);
    waits = true;
    loop.run_until([] { return false; }, 10'000);
    EXPECT_EQ(published, 1u);
}

TEST_F(TrustHubKey, ThatIsNotHereIsNoReasonToEndForAHubThatRuns) {
    test::ManualLoop loop;
    unsigned published = 0;
    const RootWatch watch(
        loop, files, "/hub/trust", 1, [&](const Root& root) { return serves(root); },
        [] { return false; }, [&] { ++published; });
    publish_key(trust::generate_key(system_entropy()).value()->public_key());
    loop.run_until([] { return false; }, 10'000);
    EXPECT_EQ(published, 0u);
}

TEST_F(TrustHubKey, ThatIsNotHereIsNotPublished) {
    const auto publish = [&](const Root& root) {
        return publish_root(files, "/hub/trust", signed_by(root, {"root-1.pem", "root-2.pem"}),
                            [&](const Root&, const Root& next) { return serves(next); });
    };
    RootChange change;
    change.hub_key = trust::generate_key(system_entropy()).value()->public_key();
    const auto elsewhere = publish(changed(change));
    ASSERT_FALSE(elsewhere);
    EXPECT_THAT(elsewhere.error().what, HasSubstr("neither key.pem nor key.next.pem"));
    EXPECT_EQ(newest().version, 1u);

    change.hub_key = next_hub_key(files, system_entropy(), *config()).value();
    EXPECT_TRUE(publish(changed(change)));
}

TEST_F(TrustHubKey, OfAnEarlierDraftIsNotTakenForANewOne) {
    ASSERT_TRUE(next_hub_key(files, system_entropy(), *config()));
    const auto again = next_hub_key(files, system_entropy(), *config());
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::conflict);
    EXPECT_THAT(again.error().what, HasSubstr("remove this file"));
    ASSERT_TRUE(files.remove("/hub/state/key.next.pem"));
    EXPECT_TRUE(next_hub_key(files, system_entropy(), *config()));
}

}  // namespace
}  // namespace tributary::hub
