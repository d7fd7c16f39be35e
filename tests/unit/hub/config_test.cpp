#include "hub/config/config.h"

#include <gtest/gtest.h>

#include "tests/support/sim_files.h"

namespace tributary::hub {
namespace {

TEST(HubConfiguration, TakesRelativePathsFromItsOwnFolder) {
    test::SimFiles files;
    ASSERT_TRUE(files.make_directories("/etc/tributary"));
    ASSERT_TRUE(
        replace_file(files, "/etc/tributary/hub.toml",
                     as_bytes("state_dir = \"state\"\n"
                              "[broker]\nurl = \"mqtts://localhost\"\nca = \"/abs/ca.pem\"\n"
                              "[api]\ncert = \"api.pem\"\n"
                              "[approval]\nkeys = [\"a.pub\", \"/abs/b.pub\"]\n")));

    const auto config = load_config(files, "/etc/tributary/hub.toml");

    ASSERT_TRUE(config) << config.error().what;
    EXPECT_EQ(config->state_dir, "/etc/tributary/state");
    EXPECT_EQ(config->broker_ca, "/abs/ca.pem");
    EXPECT_EQ(config->broker_key, "");
    EXPECT_EQ(config->api_certificate, "/etc/tributary/api.pem");
    EXPECT_EQ(config->approvers, (std::vector<std::string>{"/etc/tributary/a.pub", "/abs/b.pub"}));
}

TEST(HubConfiguration, RefusesAddressesThatCannotWork) {
    const auto error_of = [](const std::string& more) {
        test::SimFiles files;
        EXPECT_TRUE(replace_file(files, "/hub.toml", as_bytes("state_dir = \"s\"\n" + more)));
        const auto config = load_config(files, "/hub.toml");
        EXPECT_FALSE(config) << more;
        return config ? "" : config.error().what;
    };
    EXPECT_NE(error_of("[broker]\nurl = \"127.0.0.1:1883\"\n").find("mqtt://HOST:PORT"),
              std::string::npos);
    EXPECT_NE(error_of("[broker]\nurl = \"mqtt://b\"\nca = \"/ca.pem\"\n").find("mqtts://"),
              std::string::npos);
    EXPECT_NE(error_of("[broker]\nurl = \"mqtt://b\"\n[api]\nkey = \"k\"\n").find("cert"),
              std::string::npos);
    EXPECT_NE(error_of("[broker]\nurl = \"mqtt://b\"\n[api]\nlisten = \"8460\"\n").find("listen"),
              std::string::npos);
}

constexpr const char* kSecured =
    "state_dir = \"state\"\n"
    "[trust]\ndir = \"trust\"\nmaster_key = \"master.key\"\n"
    "[devices]\nlisten = \"0.0.0.0:8461\"\nurl = \"https://h:8461\"\n"
    "broker_url = \"mqtts://h:8883\"\n";

Result<HubConfig> read_secured(const std::string& broker, const std::string& more = "") {
    test::SimFiles files;
    EXPECT_TRUE(files.make_directories("/h"));
    EXPECT_TRUE(replace_file(files, "/h/hub.toml",
                             as_bytes(kSecured + ("[broker]\nurl = " + broker + "\n" + more))));
    return load_config(files, "/h/hub.toml");
}

TEST(HubConfiguration, TakesCertificatesOfASecuredHubFromItsTrustFolder) {
    const auto config =
        read_secured("\"mqtts://127.0.0.1\"", "config = \"broker/mosquitto.conf\"\n");

    ASSERT_TRUE(config) << config.error().what;
    EXPECT_TRUE(is_secured(*config));
    EXPECT_EQ(config->broker_ca, "/h/trust/ca.pem");
    EXPECT_EQ(config->broker_key, "/h/trust/hub.key.pem");
    EXPECT_EQ(config->master_key, "/h/master.key");
    EXPECT_EQ(config->broker_acl, "/h/broker/acl");
}

TEST(HubConfiguration, RefusesWhatDoesNotGoTogetherInASecuredHub) {
    const auto error_of = [](const std::string& broker, const std::string& more = "") {
        const auto config = read_secured(broker, more);
        EXPECT_FALSE(config) << more;
        return config ? "" : config.error().what;
    };
    EXPECT_NE(error_of("\"mqtt://b\"").find("mqtts://"), std::string::npos);
    EXPECT_NE(error_of("\"mqtts://b\"", "[approval]\nkeys = [\"a.pub\"]\n").find("root document"),
              std::string::npos);
    EXPECT_NE(error_of("\"mqtts://b\"", "reload = \"true\"\n").find("acl"), std::string::npos);
    EXPECT_NE(error_of("\"mqtts://b\"", "config = \"c\"\nreload = \"true\"\n").find("reload"),
              std::string::npos);
}

// A board may renew four times a day, and does at two thirds of its certificate's life.
TEST(HubConfiguration, RefusesALifeOfCertificatesThatRenewalsCannotKeepUpWith) {
    test::SimFiles files;
    const auto with_life = [&](const std::string& life) {
        std::string text = kSecured;
        text.replace(text.find("[devices]"), 0, "device_life = \"" + life + "\"\n");
        EXPECT_TRUE(
            replace_file(files, "/hub.toml", as_bytes(text + "[broker]\nurl = \"mqtts://b\"\n")));
        return load_config(files, "/hub.toml");
    };
    EXPECT_TRUE(with_life("12h"));
    const auto config = with_life("11h");
    ASSERT_FALSE(config);
    EXPECT_NE(config.error().what.find("12h"), std::string::npos);
}

TEST(HubConfiguration, RefusesKeysOfASecuredHubInOneThatIsNot) {
    test::SimFiles files;
    ASSERT_TRUE(replace_file(files, "/hub.toml",
                             as_bytes("state_dir = \"s\"\n[broker]\nurl = \"mqtt://b\"\n"
                                      "[devices]\nlisten = \"0.0.0.0:1\"\n")));
    const auto config = load_config(files, "/hub.toml");
    ASSERT_FALSE(config);
    EXPECT_NE(config.error().what.find("[trust] dir"), std::string::npos);
}

}  // namespace
}  // namespace tributary::hub
