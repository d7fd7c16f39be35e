// docs/config.md shows the hub's keys as the code declares them.
#include <gtest/gtest.h>

#include "common/env/files.h"
#include "hub/config/config.h"

namespace tributary::hub {
namespace {

TEST(HubConfigDocumentation, ShowsEveryKeyAsItIsDeclared) {
    HubConfig config;
    ConfigTable table;
    declare(table, config);
    const std::string keys = config_table_markdown(table.keys());

    const auto document =
        read_file(system_files(), TRIBUTARY_SOURCE_DIR "/docs/config.md", 1 << 20);

    ASSERT_TRUE(document) << document.error().what;
    EXPECT_NE(as_text(*document).find(keys), std::string_view::npos)
        << "put this table into docs/config.md:\n"
        << keys;
}

// What the package installs: every key explained, none set, so that the service starts nothing.
TEST(HubConfigDocumentation, ThePackagedFileExplainsEveryKeyAndSetsNone) {
    HubConfig config;
    ConfigTable table;
    declare(table, config);
    std::string expected = commented_toml("The hub's configuration.", table.keys());
    const std::string unset = "#state_dir = \"\"  # required";
    expected.replace(expected.find(unset), unset.size(),
                     "#state_dir = \"/var/lib/tributary-hub\"  # required");
    expected =
        "# As long as this file holds comments alone, tributary-hub.service starts nothing.\n" +
        expected;

    const auto packaged =
        read_file(system_files(), TRIBUTARY_SOURCE_DIR "/packaging/hub.toml", 1 << 20);

    ASSERT_TRUE(packaged) << packaged.error().what;
    EXPECT_EQ(as_text(*packaged), expected) << "put this into packaging/hub.toml:\n" << expected;
}

}  // namespace
}  // namespace tributary::hub
