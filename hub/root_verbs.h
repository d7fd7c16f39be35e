// The verbs about root documents: `tributary-hub root ...`.
#pragma once

#include "hub/cli/hub_arguments.h"

namespace tributary::hub {

// Print what was done, or why not, and answer the exit code.
int run_root_show(const HubArguments& arguments);
int run_root_next(const HubArguments& arguments);
int run_root_sign(const HubArguments& arguments);
int run_root_publish(const HubArguments& arguments);

}  // namespace tributary::hub
