// Has a running agent do a verb.
#pragma once

#include "agent/api/request.h"

namespace tributary::agent {

// Prints what the daemon says and gives its exit code; nullopt when no daemon serves `socket_path`.
// When the daemon goes away in the middle, says so and answers out_of_reach.
std::optional<ExitCode> ask_daemon(const std::string& socket_path, const VerbRequest& request,
                                   Console& console);

}  // namespace tributary::agent
