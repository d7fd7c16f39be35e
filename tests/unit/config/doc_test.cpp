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

TEST(ConfigDocumentation, ShowsEveryKeyOfTheAgent) { expect_shown<agent::Config>(); }
TEST(ConfigDocumentation, ShowsEveryKeyOfTheHub) { expect_shown<hub::HubConfig>(); }

}  // namespace
}  // namespace tributary
