// The command line of `tributary`, the admin CLI.
#pragma once

namespace tributary::cli {

// Parses, asks the hub, prints. The exit code: 0 ok, 1 error, 2 usage, 3 conflict, 4 refused by a
// gate or policy, 5 hub out of reach, 6 erased.
int run(int argc, char** argv);

}  // namespace tributary::cli
