// The agent's configuration.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/config/link_policy.h"
#include "common/base/limits.h"
#include "common/base/result.h"
#include "common/env/files.h"
#include "common/net/tls.h"
#include "common/text/toml.h"

namespace tributary::agent {

inline constexpr std::string_view kDefaultConfigPath = "/etc/tributary/agent.toml";
inline constexpr std::string_view kDefaultStateDir = "/var/lib/tributary-agent";

struct ModelConfig {
    std::string name;
    std::string dir;     // empty: state_dir/models/NAME
    std::string health;  // empty: none, so an install ends unproven
    std::uint64_t health_timeout_ms = 30'000;
    std::uint64_t probation_ms = 60'000;
    std::uint64_t health_interval_ms = 5'000;
};

struct WatchConfig {
    std::string path;
    std::string repo;
    std::string branch = "main";
    std::uint64_t settle_ms = 2'000;
};

// A quota must hold some segments, so that one of them can go.
inline constexpr std::uint64_t kQuotaBytesMin = 8 * limits::MiB;

struct Config {
    std::string state_dir;
    std::string author;
    struct {
        std::string url, ca, name;
        std::string role;  // that its certificate must name; not of the file: enrolment says it
    } hub;
    struct {
        std::string url, ca, cert, key;
    } broker;
    struct {
        std::string passphrase_file;
    } identity;
    struct {
        std::uint64_t bytes_per_second = 0;  // 0: no limit
        std::uint64_t bytes_per_day = 0;     // likewise
        std::vector<std::string> hours;      // none: always
        std::uint64_t heartbeat_ms = 60'000;
    } link;
    struct {
        SizeOrPercent quota{0, 50};  // of the disk; 0 bytes: as much as the disk gives
        std::uint32_t keep_versions = 5;
        std::string when_full = "refuse";   // or "thin"
        std::uint64_t written_per_day = 0;  // bytes; 0: no limit
        std::uint64_t flash_bytes = 0;      // of the medium; 0: not known
        std::uint32_t flash_cycles = 0;     // that each of them takes; 0: not known
        std::string level = "auto";
        std::uint32_t workers = 1;
        std::uint64_t batch_ms = 5'000;
        std::uint32_t batch_entries = 32;
    } store;
    std::vector<ModelConfig> models;
    std::vector<WatchConfig> watches;

    // Whom to believe at hub.url.
    TlsTrust hub_trust() const;
    std::string store_dir() const { return join_path(state_dir, "store"); }
    std::string pins_path() const { return join_path(state_dir, "pins.json"); }
    std::string sync_path() const { return join_path(state_dir, "sync.json"); }
    // Of a record that was under way when the agent was stopped.
    std::string beginning_path() const { return join_path(state_dir, "beginning"); }
    std::string link_path() const { return join_path(state_dir, "link"); }
    std::string writes_path() const { return join_path(state_dir, "writes"); }
    std::string install_path() const { return join_path(state_dir, "install"); }
    std::string socket_path() const { return join_path(state_dir, "agent.sock"); }
    std::string key_path() const { return join_path(state_dir, "key.pem"); }
    // The key after it, until the journal says that it is in force; and the one before, until the
    // hub has what that one sealed (agent/trust).
    std::string next_key_path() const { return join_path(state_dir, "key.next.pem"); }
    std::string old_key_path() const { return join_path(state_dir, "key.old.pem"); }
    std::string trust_path() const { return join_path(state_dir, "trust"); }
    std::string ca_path() const { return join_path(state_dir, "ca.pem"); }
    std::string hardware_path() const { return join_path(state_dir, "hardware.json"); }
    // Of the machine that the store was on before.
    std::string former_key_path() const { return join_path(state_dir, "key.former.pem"); }
    std::string former_pins_path() const { return join_path(state_dir, "pins.former.json"); }
    // While a new journal still lacks what the one before it said (agent/sync/new_journal.h).
    std::string new_journal_path() const { return join_path(state_dir, "new_journal.json"); }
    std::string model_dir(const ModelConfig& model) const;
};

// What [link] says; its hours were checked when the configuration was read.
LinkPolicy link_policy(const Config& config);

// Binds every key to its field.
void declare(ConfigTable& table, Config& config);

// not_found when there is no such file; invalid for what is wrong in it.
Result<Config> load_config(Files& files, const std::string& path);

// What is in force, as TOML.
std::string print_config(Config config);

// The file that `init` writes: every key with its meaning, all but state_dir commented out.
std::string commented_config(const std::string& state_dir);

}  // namespace tributary::agent
