// The command line as a value.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/app/verbs.h"

namespace tributary::agent {

struct CommandLine {
    std::string config_path;
    bool print_config = false;
    bool log_json = false;
    bool watch = false;  // status: again and again
    OutputStyle style;
    std::optional<Verb> verb;  // none only with print_config
};

// What to print instead of doing something: help, the version, or what is wrong with the words.
struct Told {
    std::string text;
    bool is_error = false;
    OutputStyle style;
};

std::variant<CommandLine, Told> parse_command_line(int argc, const char* const* argv);

}  // namespace tributary::agent
