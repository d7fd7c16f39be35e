// The verbs of tributary-hub that work on its files beside or without a hub that runs.
#pragma once

#include "hub/cli/hub_arguments.h"
#include "hub/config/config.h"

namespace tributary::hub {

// Print what was done, or why not, and answer the exit code: 1 also when all was done and the hub's
// log is damaged.
int run_backup(const HubArguments& arguments, const HubConfig& config);
int run_restore(const HubArguments& arguments, const HubConfig& config);

}  // namespace tributary::hub
