#include "hub/config/config.h"

#include <gtest/gtest.h>

#include "tests/support/sim_files.h"

namespace tributary::hub {
namespace {

TEST(HubConfiguration, TakesRelativePathsFromItsOwnFolder) {
    test::SimFiles files;
    ASSERT_TRUE(files.make_directories("/etc/tributary"));
    ASSERT_TRUE(replace_file(files, "/etc/tributary/hub.toml",
                             as_bytes("state_dir = \"state\"\n"
                                      "[broker]\nurl = \"mqtt://localhost\"\nca = \"/abs/ca.pem\"\n"
                                      "[approval]\nkeys = [\"a.pub\", \"/abs/b.pub\"]\n")));

    const auto config = load_config(files, "/etc/tributary/hub.toml");

    ASSERT_TRUE(config) << config.error().what;
    EXPECT_EQ(config->state_dir, "/etc/tributary/state");
    EXPECT_EQ(config->broker_ca, "/abs/ca.pem");
    EXPECT_EQ(config->broker_key, "");
    EXPECT_EQ(config->approvers, (std::vector<std::string>{"/etc/tributary/a.pub", "/abs/b.pub"}));
}

}  // namespace
}  // namespace tributary::hub
