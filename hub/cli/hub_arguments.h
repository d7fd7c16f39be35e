// The command line of tributary-hub.
#pragma once

#include <optional>
#include <string>

#include "common/text/log.h"

namespace tributary::hub {

enum class HubVerb : std::uint8_t { none, run, backup, restore };

struct HubArguments {
    std::optional<int> exit_code;  // set: everything was said (--help, --version, or a usage error)
    HubVerb verb = HubVerb::none;
    std::string config_path;
    bool print_config = false;
    bool log_json = false;
    LogLevel log_level = LogLevel::info;
    // Of backup and restore.
    std::string directory;
    bool json = false;
    bool without_key = false;
    std::string key_path;
    bool check = false;
    bool salvage = false;
};

HubArguments parse_hub_arguments(int argc, char** argv);

}  // namespace tributary::hub
