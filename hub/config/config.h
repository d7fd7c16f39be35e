// The hub's configuration: one TOML file, validated once, then only read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/limits.h"
#include "common/text/toml.h"

namespace tributary::hub {

// How device branches of one repository fold into its shared branch.
struct RepositoryConfig {
    std::string name = "*/*";        // GROUP/NAME; each side may be *
    std::string branch = "main";     // the branch of the devices, and the shared branch's name
    std::string merge = "union";     // the default policy
    std::vector<std::string> rules;  // "GLOB = POLICY", the first that fits a path decides
};

// An assignment carries one approval. More than one person comes with the roles of device trust.
inline constexpr std::uint64_t kApprovalsNeeded = 1;

// What the broker of `tributary-hub init` keeps for a client that is slower than those who send to
// it. What is beyond it drops, and nobody is told.
inline constexpr std::uint64_t kBrokerQueueBytes = 64 * limits::MiB;

struct HubConfig {
    std::string state_dir;
    std::string name = "hub";  // in the hub's own statements
    std::string broker_url;
    std::string broker_ca, broker_certificate, broker_key;
    std::string broker_config;  // a mosquitto.conf: the hub runs the broker itself
    std::string broker_acl;     // written by the hub; empty: it has no say there
    std::string broker_reload;  // else the command that makes it read its files anew
    // What the broker keeps for the hub before it drops; half of it is given out as credit, for a
    // board that lost something sends it again while the rest of it is still on its way.
    std::uint64_t broker_queue_bytes = kBrokerQueueBytes;
    std::string api_listen = "127.0.0.1:8460";
    std::string api_certificate, api_key;  // PEM files; without them plain HTTP
    // Of a secured hub; all empty otherwise (hub/deploy/deployment.h).
    std::string trust_dir;
    std::string master_key;
    std::uint64_t device_life_ms = 730 * 86'400'000ull;  // of certificates of devices
    std::string devices_listen;
    std::string devices_url;             // what tokens say
    std::string devices_broker_url;      // what the answer to an enrolment says
    std::vector<std::string> approvers;  // PEM files of public keys
    std::uint64_t merge_delay_ms = 1000;
    std::uint32_t quarantine_after = 100;  // of what is refused in an hour; 0: any number
    std::vector<RepositoryConfig> repositories;
};

inline bool is_secured(const HubConfig& config) { return !config.trust_dir.empty(); }

void declare(ConfigTable& table, HubConfig& config);

// Reads and checks a file. invalid names file, line and key.
Result<HubConfig> load_config(Files& files, const std::string& path);

// What is in force, as TOML that load_config() accepts.
std::string print_config(HubConfig config);

// The first entry of `repositories` whose name fits, or the built-in default.
RepositoryConfig policy_for(const HubConfig& config, const std::string& repo);

}  // namespace tributary::hub
