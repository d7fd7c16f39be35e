// A broker, a hub and an agent's daemon as real processes.
#pragma once

#include <memory>

#include "tests/integration/agent/agent_fixture.h"
#include "tests/support/mosquitto.h"

namespace tributary::agent {

inline constexpr test::milliseconds kSoon{20'000};

class DaemonTest : public AgentTest {
protected:
    DaemonTest() : hub_port(test::free_port()) { configure(); }

    std::string hub_address() const { return "127.0.0.1:" + std::to_string(hub_port); }
    std::string watched() const { return dir / "watched"; }

    // `more` goes to the end of the agent's configuration; `link`: how it reaches the broker, if
    // not straight.
    void configure(const std::string& more = "", const std::string& link = "") {
        std::filesystem::create_directories(watched());
        write_file_at(dir / "hub.toml", "state_dir = \"" + dir / "hub" + "\"\n[broker]\nurl = \"" +
                                            broker.url() + "\"\n[api]\nlisten = \"" +
                                            hub_address() + "\"\n");
        write_file_at(config(), "state_dir = \"" + dir / "state" + "\"\n[hub]\nurl = \"http://" +
                                    hub_address() + "\"\nname = \"board\"\n[broker]\nurl = \"" +
                                    (link.empty() ? broker.url() : link) +
                                    "\"\n[[watch]]\npath = \"" + watched() +
                                    "\"\nrepo = \"lab/watched\"\nsettle = \"100ms\"\n" + more);
    }
    void start_hub() {
        hub = std::make_unique<test::Process>(std::vector<std::string>{
            test::program("tributary-hub"), "--config", dir / "hub.toml", "run"});
    }
    void start_daemon() { daemon = std::make_unique<test::Process>(words({"run"})); }
    // Until the daemon answers verbs.
    void wait_for_daemon() {
        ASSERT_TRUE(test::eventually(
            [&] { return std::filesystem::exists(dir / "state/agent.sock"); }, kSoon))
            << daemon->err();
    }

    Json status() { return json_answer({"status"}); }
    std::uint64_t versions() { return json_answer({"log"}).array_at("versions").value()->size(); }
    bool nothing_pending() { return status().u64_at("pending_versions") == 0U; }
    bool synced(std::uint64_t count) {
        return test::eventually([&] { return versions() >= count && nothing_pending(); }, kSoon);
    }
    std::string restored(const std::string& reference, const std::string& name) {
        const std::string to = dir / "out";
        std::filesystem::remove_all(to);
        answer({"restore", reference, "--to", to});
        return file_at(to + "/" + name);
    }

    test::Mosquitto broker;
    std::uint16_t hub_port;
    std::unique_ptr<test::Process> hub;
    std::unique_ptr<test::Process> daemon;
};

}  // namespace tributary::agent
