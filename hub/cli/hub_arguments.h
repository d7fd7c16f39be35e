// The command line of tributary-hub.
#pragma once

#include <optional>
#include <string>

#include "common/text/log.h"

namespace tributary::hub {

struct HubArguments {
    std::optional<int> exit_code;  // set: everything was said (--help, --version, or a usage error)
    std::string config_path;
    bool print_config = false;
    bool log_json = false;
    LogLevel log_level = LogLevel::info;
};

HubArguments parse_hub_arguments(int argc, char** argv);

}  // namespace tributary::hub
