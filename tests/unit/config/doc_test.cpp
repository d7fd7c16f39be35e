// docs/config.md and the packages' files show the keys as the code declares them.
#include <gtest/gtest.h>

#include "agent/config/config.h"
#include "common/env/files.h"
#include "hub/config/config.h"
#include "tests/support/places.h"

namespace tributary {
namespace {

template <class Config>
void expect_shown() {
    Config config;
    ConfigTable table;
    declare(table, config);
    const std::string keys = config_table_markdown(table.keys());

    const auto document = read_file(system_files(), test::in_source("docs/config.md"), 1 << 20);

    ASSERT_TRUE(document) << document.error().what;
    EXPECT_NE(as_text(*document).find(keys), std::string_view::npos)
        << "put this table into docs/config.md:\n"
        << keys;
}

// What a package installs: every key explained, none set, so that its service starts nothing.
template <class Config>
void expect_packaged(const std::string& part) {
    Config config;
    ConfigTable table;
    declare(table, config);
    std::string expected = commented_toml("The " + part + "'s configuration.", table.keys());
    const std::string unset = "#state_dir = \"\"  # required";
    expected.replace(expected.find(unset), unset.size(),
                     "#state_dir = \"/var/lib/tributary-" + part + "\"  # required");
    expected = "# As long as this file holds comments alone, tributary-" + part +
               ".service starts nothing.\n" + expected;

    const std::string path = "packaging/" + part + ".toml";
    const auto packaged = read_file(system_files(), test::in_source(path), 1 << 20);

    ASSERT_TRUE(packaged) << packaged.error().what;
    EXPECT_EQ(as_text(*packaged), expected) << "put this into " << path << ":\n" << expected;
}

TEST(ConfigDocumentation, ShowsEveryKeyOfTheAgent) { expect_shown<agent::Config>(); }
TEST(ConfigDocumentation, ShowsEveryKeyOfTheHub) { expect_shown<hub::HubConfig>(); }
TEST(ConfigDocumentation, IsTheAgentsPackagedFile) { expect_packaged<agent::Config>("agent"); }
TEST(ConfigDocumentation, IsTheHubsPackagedFile) { expect_packaged<hub::HubConfig>("hub"); }

}  // namespace
}  // namespace tributary
