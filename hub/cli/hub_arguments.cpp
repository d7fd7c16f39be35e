#include "hub/cli/hub_arguments.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "common/cli/usage.h"

namespace tributary::hub {
namespace {

void declare_backup(CLI::App& app, HubArguments& arguments) {
    CLI::App* verb = app.add_subcommand(
        "backup",
        "Copy what is new in the hub's log, its key and its configuration into a folder, while "
        "the hub runs or while it does not; what the folder held before stays usable until all "
        "is copied and checked");
    verb->add_option("DIR", arguments.directory,
                     "Folder of this hub's backup, best on another disk; made when missing")
        ->type_name("DIR")
        ->required();
    verb->add_flag("--without-key", arguments.without_key,
                   "Leave the hub's private key out; a restore then needs it with --key");
    verb->add_flag("--json", arguments.json, "Print JSON");
    verb->callback([&arguments] { arguments.verb = HubVerb::backup; });
}

void declare_restore(CLI::App& app, HubArguments& arguments) {
    CLI::App* verb = app.add_subcommand(
        "restore",
        "Check every byte of a backup and put it into the empty state_dir, as a hub that begins a "
        "new epoch: boards then offer again what they still hold");
    verb->add_option("DIR", arguments.directory, "Folder of the backup")
        ->type_name("DIR")
        ->required();
    verb->add_option("--key", arguments.key_path,
                     "The hub's private key, for a backup that was made without it")
        ->type_name("FILE");
    verb->add_flag("--check", arguments.check, "Only check the backup; nothing is written");
    verb->add_flag("--salvage", arguments.salvage,
                   "Restore a damaged backup too: what is sound in it will be readable");
    verb->add_flag("--json", arguments.json, "Print JSON");
    verb->callback([&arguments] { arguments.verb = HubVerb::restore; });
}

}  // namespace

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
    app.add_subcommand("run", "Run until SIGTERM or SIGINT")->callback([&arguments] {
        arguments.verb = HubVerb::run;
    });
    declare_backup(app, arguments);
    declare_restore(app, arguments);
    app.require_subcommand(0, 1);
    // A library that throws: fenced here.
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        arguments.exit_code = error.get_exit_code() == 0 ? app.exit(error) : 2;
        if (*arguments.exit_code != 0)
            std::cerr << "tributary-hub: " << usage_error(app, argc, argv, error.what())
                      << "; see 'tributary-hub --help'\n";
    }
    if (!arguments.exit_code && !arguments.print_config && arguments.verb == HubVerb::none) {
        std::cerr
            << "tributary-hub: a command is missing: say `tributary-hub --config FILE run`, or "
               "backup or restore\n";
        arguments.exit_code = 2;
    }
    arguments.log_level = parse_log_level(level).value_or(LogLevel::info);
    return arguments;
}

}  // namespace tributary::hub
