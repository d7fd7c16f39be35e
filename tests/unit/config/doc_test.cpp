// docs/config.md shows the keys as the code declares them.
#include <gtest/gtest.h>

#include "agent/config/config.h"
#include "common/env/files.h"
#include "hub/config/config.h"

namespace tributary {
namespace {

template <class Config>
void expect_shown() {
    Config config;
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

<<<<<<< HEAD:tests/unit/config/doc_test.cpp
TEST(ConfigDocumentation, ShowsEveryKeyOfTheAgent) { expect_shown<agent::Config>(); }
TEST(ConfigDocumentation, ShowsEveryKeyOfTheHub) { expect_shown<hub::HubConfig>(); }
=======
// What the package installs: every key explained, none set, so that the service starts nothing.
TEST(AgentConfigDocumentation, ThePackagedFileExplainsEveryKeyAndSetsNone) {
    Config config;
    ConfigTable table;
    declare(table, config);
    std::string expected = commented_toml("The agent's configuration.", table.keys());
    const std::string unset = "#state_dir = \"\"  # required";
    expected.replace(expected.find(unset), unset.size(),
                     "#state_dir = \"/var/lib/tributary-agent\"  # required");
    expected =
        "# As long as this file holds comments alone, tributary-agent.service starts nothing.\n" +
        expected;

    const auto packaged =
        read_file(system_files(), TRIBUTARY_SOURCE_DIR "/packaging/agent.toml", 1 << 20);

    ASSERT_TRUE(packaged) << packaged.error().what;
    EXPECT_EQ(as_text(*packaged), expected) << "put this into packaging/agent.toml:\n" << expected;
}
>>>>>>> 33bf639 (packaging: Debian packages of agent, hub and command line, with units of few rights):tests/unit/agent/config_doc_test.cpp

}  // namespace
}  // namespace tributary
