// The verbs of tributary-hub that make a secured hub, run it, and make other keys for its servers.
#pragma once

#include <functional>

#include "hub/cli/hub_arguments.h"

namespace tributary::hub {

// Print what was done, or why not, and answer the exit code.
int run_init(const HubArguments& arguments);
// `run` is given the same arguments with the path of the configuration.
int run_up(const HubArguments& arguments, const std::function<int(const HubArguments&)>& run);
int run_server_keys(const HubArguments& arguments);

}  // namespace tributary::hub
