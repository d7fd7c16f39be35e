// The command line of tributary-hub.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/text/log.h"

namespace tributary::hub {

enum class HubVerb : std::uint8_t {
    none,
    run,
    backup,
    restore,
    init,
    up,
    server_keys,
    root_show,
    root_next,
    root_sign,
    root_publish,
};

// Of init, and of up where there is no hub yet.
struct InitArguments {
    std::vector<std::string> hosts;
    std::string name = "hub";
    std::string bind = "0.0.0.0";
    std::uint16_t api_port = 8460, devices_port = 8461, broker_port = 8883;
    std::uint32_t root_keys = 3, root_threshold = 2;
    std::vector<std::string> approvers;  // NAME=FILE
    std::vector<std::string> made_approvers;
    std::string passphrase_path;
    std::vector<std::string> given;  // names of the options that were given
};

// Of root next, root sign and root publish.
struct RootArguments {
    std::string draft_path;
    std::vector<std::string> add_approvers;  // NAME=FILE
    std::vector<std::string> drop_approvers;
    std::vector<std::string> add_keys;  // files
    std::vector<std::string> drop_keys;
    std::optional<std::uint32_t> threshold;
    std::string expires;
    bool new_hub_key = false;
    bool new_authority = false;
    bool drop_authority = false;
    bool force = false;
    std::string key_path;
    std::string passphrase_path;
};

struct HubArguments {
    std::optional<int> exit_code;  // set: everything was said (--help, --version, or a usage error)
    HubVerb verb = HubVerb::none;
    std::string config_path;
    bool print_config = false;
    bool log_json = false;
    LogLevel log_level = LogLevel::info;
    std::string directory;  // of all but run; of root show perhaps a file
    bool json = false;
    bool without_key = false;
    std::string key_path;
    bool check = false;
    bool salvage = false;
    InitArguments init;
    RootArguments root;
};

HubArguments parse_hub_arguments(int argc, char** argv);

}  // namespace tributary::hub
