// A real agent on a real disk, used as a person uses it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "common/text/json.h"
#include "tests/support/process.h"
#include "tests/support/random.h"

namespace tributary::agent {

inline void write_file_at(const std::string& path, const std::string& content) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

inline std::string file_at(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string random_text(std::uint64_t seed, std::size_t count) {
    const Bytes bytes = test::Random(seed).bytes(count);
    return {bytes.begin(), bytes.end()};
}

class AgentTest : public testing::Test {
protected:
    AgentTest() { write_file_at(config(), "state_dir = \"" + dir / "state" + "\"\n"); }

    std::string config() const { return dir / "agent.toml"; }
    std::string store() const { return dir / "state/store"; }

    std::vector<std::string> words(std::vector<std::string> verb) const {
        std::vector<std::string> all = {test::program("tributary-agent"), "--config", config()};
        all.insert(all.end(), verb.begin(), verb.end());
        return all;
    }
    test::Finished agent(std::vector<std::string> verb) const {
        return test::run(words(std::move(verb)));
    }
    // Runs a verb that must succeed; its stdout without the last newline.
    std::string answer(std::vector<std::string> verb) const {
        const test::Finished finished = agent(std::move(verb));
        EXPECT_EQ(finished.ending.exit_code, 0) << finished.err;
        std::string out = finished.out;
        if (out.ends_with('\n')) out.pop_back();
        return out;
    }
    Json json_answer(std::vector<std::string> verb) const {
        verb.push_back("--json");
        const auto json = parse_json(answer(std::move(verb)));
        EXPECT_TRUE(json) << json.error().what;
        return json.value_or(Json());
    }
    std::string commit(const std::string& path, const std::string& repo = "models/cnn") const {
        return answer({"commit", "--repo", repo, path});
    }

    test::TempDir dir;
};

}  // namespace tributary::agent
