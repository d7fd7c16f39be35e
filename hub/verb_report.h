// What several verbs of tributary-hub do with their words.
#pragma once

#include <string>
#include <utility>

#include "hub/cli/hub_arguments.h"

namespace tributary::hub {

// On stderr, as JSON when that was asked for; the exit code.
int report_error(const HubArguments& arguments, const Error& error);

// NAME=FILE
Result<std::pair<std::string, std::string>> name_and_file(const std::string& text);

}  // namespace tributary::hub
