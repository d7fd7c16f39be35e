#include "hub/cli/hub_arguments.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "common/cli/usage.h"

namespace tributary::hub {

HubArguments parse_hub_arguments(int argc, char** argv) {
    HubArguments arguments;
    std::string level = "info";
    CLI::App app(
        "Unites the histories of all boards into one lineage graph and sends approved models back.",
        "tributary-hub");
    app.add_option("--config", arguments.config_path, "TOML file; docs/config.md names every key")
        ->type_name("FILE")
        ->required();
    app.add_flag("--print-config", arguments.print_config,
                 "Print the configuration in force and exit");
    app.add_flag("--log-json", arguments.log_json, "Log as JSON lines");
    app.add_option("--log-level", level, "error, warn, info or debug")
        ->check(CLI::IsMember({"error", "warn", "info", "debug"}));
    app.set_version_flag("--version", "tributary-hub " TRIBUTARY_VERSION, "Print the version");
    CLI::App* run = app.add_subcommand("run", "Run until SIGTERM or SIGINT");
    // A library that throws: fenced here.
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        arguments.exit_code = error.get_exit_code() == 0 ? app.exit(error) : 2;
        if (*arguments.exit_code != 0)
            std::cerr << "tributary-hub: " << usage_error(app, argc, argv, error.what())
                      << "; see 'tributary-hub --help'\n";
    }
    if (!arguments.exit_code && !arguments.print_config && !run->parsed()) {
        std::cerr << "tributary-hub: a command is missing: say `tributary-hub --config FILE run`\n";
        arguments.exit_code = 2;
    }
    arguments.log_level = parse_log_level(level).value_or(LogLevel::info);
    return arguments;
}

}  // namespace tributary::hub
