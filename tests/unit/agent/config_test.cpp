#include "agent/config/config.h"

#include <gtest/gtest.h>

#include "tests/support/sim_files.h"

namespace tributary::agent {
namespace {

class AgentConfig : public testing::Test {
protected:
    Result<Config> load(std::string_view toml) {
        EXPECT_TRUE(files.make_directories("/etc/tributary"));
        EXPECT_TRUE(replace_file(files, "/etc/tributary/agent.toml", as_bytes(toml)));
        return load_config(files, "/etc/tributary/agent.toml");
    }
    std::string error_of(std::string_view toml) {
        const auto config = load(toml);
        EXPECT_FALSE(config) << toml;
        return config ? "" : config.error().what;
    }
    test::SimFiles files;
};

TEST_F(AgentConfig, NeedsNothingButAStateDir) {
    const auto config = load("state_dir = \"/var/x\"\n");

    ASSERT_TRUE(config) << config.error().what;
    EXPECT_EQ(config->store_dir(), "/var/x/store");
    EXPECT_EQ(config->key_path(), "/var/x/key.pem");
    EXPECT_EQ(config->store.level, "auto");
    EXPECT_TRUE(config->watches.empty());
}

TEST_F(AgentConfig, TakesRelativePathsFromItsOwnFolder) {
    const auto config = load(
        "state_dir = \"state\"\n[broker]\nca = \"ca.pem\"\n"
        "[[watch]]\npath = \"/abs\"\nrepo = \"a/b\"\n[[model]]\nname = \"m\"\nhealth = \"true\"\n");

    ASSERT_TRUE(config) << config.error().what;
    EXPECT_EQ(config->state_dir, "/etc/tributary/state");
    EXPECT_EQ(config->broker.ca, "/etc/tributary/ca.pem");
    EXPECT_EQ(config->watches[0].path, "/abs");
    EXPECT_EQ(config->model_dir(config->models[0]), "/etc/tributary/state/models/m");
}

TEST_F(AgentConfig, NamesAnUnknownKeyAndItsLine) {
    const std::string what = error_of("state_dir = \"x\"\nstat_dir = \"y\"\n");
    EXPECT_NE(what.find("stat_dir"), std::string::npos);
    EXPECT_NE(what.find("line 2"), std::string::npos);
    EXPECT_NE(what.find("state_dir"), std::string::npos);
}

TEST_F(AgentConfig, RefusesWhatCannotWork) {
    const std::string state = "state_dir = \"x\"\n";
    EXPECT_NE(error_of("").find("state_dir"), std::string::npos);
    EXPECT_NE(error_of("state_dir = \"\"").find("state_dir"), std::string::npos);
    EXPECT_NE(error_of(state + "[[model]]\nname = \"../x\"\nhealth = \"\"\n").find("../x"),
              std::string::npos);
    EXPECT_NE(error_of(state + "[[watch]]\npath = \"/d\"\nrepo = \"one\"\n").find("one"),
              std::string::npos);
    EXPECT_NE(error_of(state + "[broker]\nkey = \"k\"\n").find("cert"), std::string::npos);
    EXPECT_NE(error_of(state + "[store]\nlevel = \"turbo\"\n").find("level"), std::string::npos);
    for (const char* quota : {"5", "\"0%\"", "\"101%\"", "\"%\"", "\"7MiB\""})
        EXPECT_NE(error_of(state + "[store]\nquota = " + quota + "\n").find("quota"),
                  std::string::npos)
            << quota;
    for (const char* quota : {"\"0B\"", "\"8MiB\"", "\"1%\"", "\"100%\""})
        EXPECT_TRUE(load(state + "[store]\nquota = " + quota + "\n")) << quota;
}

TEST_F(AgentConfig, RefusesAddressesThatCannotWork) {
    const std::string state = "state_dir = \"x\"\n";
    const auto hub = [&](const std::string& url) {
        return error_of(state + "[hub]\nurl = \"" + url + "\"\n");
    };
    const auto broker = [&](const std::string& url) {
        return error_of(state + "[broker]\nurl = \"" + url + "\"\n");
    };
    EXPECT_NE(hub("127.0.0.1:8460").find("write https://HOST:PORT"), std::string::npos);
    EXPECT_NE(hub("http://h:8460\"\nca = \"/ca.pem").find("https://"), std::string::npos);
    EXPECT_NE(broker("127.0.0.1:1883").find("write mqtt://HOST:PORT"), std::string::npos);
    for (const char* const url : {"http://b:1883", "tcp://b", "ssl://b"})
        EXPECT_NE(broker(url).find("write mqtt://HOST:PORT"), std::string::npos) << url;
    EXPECT_NE(broker("mqtt://me:secret@b").find("certificates"), std::string::npos);
    EXPECT_NE(broker("mqtt://b\"\nca = \"/ca.pem").find("mqtts://"), std::string::npos);
    EXPECT_TRUE(load(state + "[hub]\nurl = \"http://[::1]:8460\"\n[broker]\nurl = \"mqtts://b\"\n"));
    const auto secure = load(state +
                             "[hub]\nurl = \"https://hub:8460\"\nca = \"/hub.pem\"\n"
                             "[broker]\nurl = \"mqtts://b\"\ncert = \"/key.pem\"\n");
    ASSERT_TRUE(secure) << secure.error().what;
    EXPECT_EQ(secure->hub_trust().ca_file, "/hub.pem");
}

TEST_F(AgentConfig, PrintsWhatItReadsBack) {
    const auto config = load(
        "state_dir = \"/s\"\nauthor = \"line 3\"\n[store]\nquota = \"2GiB\"\n"
        "[[watch]]\npath = \"/d\"\nrepo = \"a/b\"\nsettle = \"5s\"\n");
    ASSERT_TRUE(config) << config.error().what;

    const auto again = load(print_config(*config));

    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(print_config(*again), print_config(*config));
    EXPECT_EQ(again->store.quota, (SizeOrPercent{2ull << 30, 0}));
    EXPECT_EQ(again->watches[0].settle_ms, 5'000u);
}

TEST_F(AgentConfig, ThatInitWritesShowsEveryKeyAndWorks) {
    const std::string text = commented_config("/var/lib/tributary");
    const auto config = load(text);
    ASSERT_TRUE(config) << config.error().what;
    EXPECT_EQ(config->state_dir, "/var/lib/tributary");

    Config defaults;
    ConfigTable table;
    declare(table, defaults);
    for (const ConfigKeyInfo& key : table.keys()) {
        const std::string name = key.path.substr(key.path.rfind('.') + 1);
        EXPECT_NE(text.find(name + " = "), std::string::npos) << key.path;
    }
}

}  // namespace
}  // namespace tributary::agent
