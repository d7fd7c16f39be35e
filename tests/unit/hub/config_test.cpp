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
                              "[approval]\nkeys = [\"a.pub\", \"/abs/b.pub\"]\n")));

    const auto config = load_config(files, "/etc/tributary/hub.toml");

    ASSERT_TRUE(config) << config.error().what;
    EXPECT_EQ(config->state_dir, "/etc/tributary/state");
    EXPECT_EQ(config->broker_ca, "/abs/ca.pem");
    EXPECT_EQ(config->broker_key, "");
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
    EXPECT_NE(error_of("[broker]\nurl = \"mqtt://b\"\n[api]\nlisten = \"8460\"\n").find("listen"),
              std::string::npos);
}

}  // namespace
}  // namespace tributary::hub
