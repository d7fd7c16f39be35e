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

void add_hub_directory(CLI::App* verb, HubArguments& arguments, const char* help) {
    verb->add_option("DIR", arguments.directory, help)->type_name("DIR")->required();
}

void add_json(CLI::App* verb, HubArguments& arguments) {
    verb->add_flag("--json", arguments.json, "Print JSON");
}

void add_init_options(CLI::App* verb, HubArguments& arguments) {
    InitArguments& init = arguments.init;
    verb->add_option("--host", init.hosts,
                     "Name or address under which boards reach this machine; may be given again. "
                     "The first one is what boards are told (default: this machine's name, and "
                     "localhost and 127.0.0.1)")
        ->type_name("NAME_OR_IP")
        ->allow_extra_args(false);
    verb->add_option("--name", init.name, "Name of the hub in its own statements")
        ->type_name("NAME");
    verb->add_option("--approver", init.approvers,
                     "Somebody who may approve versions, and the public key that `tributary key` "
                     "made; may be given again")
        ->type_name("NAME=FILE")
        ->allow_extra_args(false);
    verb->add_option("--make-approver", init.made_approvers,
                     "The same, with a key made here, to be taken away; may be given again")
        ->type_name("NAME")
        ->allow_extra_args(false);
    verb->add_option("--root-keys", init.root_keys, "So many root keys are made (default: 3)")
        ->type_name("N");
    verb->add_option("--root-threshold", init.root_threshold,
                     "So many of them must sign each later root document (default: 2)")
        ->type_name("M");
    verb->add_option("--root-passphrase-file", init.passphrase_path,
                     "Its first line is the passphrase of all keys that are to be taken away; "
                     "without it one is made and shown once")
        ->type_name("FILE");
    verb->add_option("--bind", init.bind,
                     "Address on which broker and boards' door listen (default: 0.0.0.0)")
        ->type_name("IP");
    verb->add_option("--api-port", init.api_port, "For people, on loopback (default: 8460)")
        ->type_name("PORT")
        ->check(CLI::Range(1, 65535).description(""));
    verb->add_option("--devices-port", init.devices_port, "For boards to enrol (default: 8461)")
        ->type_name("PORT")
        ->check(CLI::Range(1, 65535).description(""));
    verb->add_option("--broker-port", init.broker_port, "Of the broker (default: 8883)")
        ->type_name("PORT")
        ->check(CLI::Range(1, 65535).description(""));
}

void declare_init(CLI::App& app, HubArguments& arguments) {
    CLI::App* init = app.add_subcommand(
        "init",
        "Make a secured hub in a new folder: configuration, keys, certificates, root document and "
        "a broker's configuration. Nothing is started");
    add_hub_directory(init, arguments, "Folder to make, or an empty one");
    add_init_options(init, arguments);
    add_json(init, arguments);
    init->callback([&arguments] { arguments.verb = HubVerb::init; });

    CLI::App* up = app.add_subcommand(
        "up",
        "Run the secured hub of a folder with its broker until SIGTERM or SIGINT; where "
        "there is none yet, init makes it first");
    add_hub_directory(up, arguments, "Folder of the hub");
    add_init_options(up, arguments);
    up->callback([&arguments, up] {
        arguments.verb = HubVerb::up;
        for (const CLI::Option* option : up->get_options())
            if (option->count() > 0 && option->get_name().starts_with("--"))
                arguments.init.given.push_back(option->get_name());
    });

    CLI::App* keys = app.add_subcommand(
        "server-keys",
        "Make other keys, and certificates of the authority of now, for the boards' door, the API, "
        "the broker and the hub's own connection to it; a hub that runs takes them within seconds");
    add_hub_directory(keys, arguments, "Folder of the hub");
    add_json(keys, arguments);
    keys->callback([&arguments] { arguments.verb = HubVerb::server_keys; });
}

void add_force(CLI::App* verb, HubArguments& arguments) {
    verb->add_flag("--force", arguments.root.force,
                   "Drop an authority though boards hold certificates of it: the broker refuses "
                   "them until they have renewed at the boards' door");
}

void declare_root(CLI::App& app, HubArguments& arguments) {
    RootArguments& root = arguments.root;
    CLI::App* verbs = app.add_subcommand(
        "root",
        "The root document: whom boards trust for what. To change it: next makes a draft, sign is "
        "run by as many holders of root keys as are needed, each on a machine of their own, "
        "publish puts it in force");
    verbs->require_subcommand(1);

    CLI::App* show = verbs->add_subcommand("show", "Print a root document, or a hub's newest one");
    show->add_option("PATH", arguments.directory, "Root document or draft, or folder of a hub")
        ->type_name("PATH")
        ->required();
    add_json(show, arguments);
    show->callback([&arguments] { arguments.verb = HubVerb::root_show; });

    CLI::App* next = verbs->add_subcommand(
        "next",
        "Draft the root document after a hub's newest one; without a change the same, "
        "issued anew");
    add_hub_directory(next, arguments, "Folder of the hub, or a copy of its trust folder");
    next->add_option("-o,--output", root.draft_path, "The draft, to be signed")
        ->type_name("FILE")
        ->required();
    next->add_option("--add-approver", root.add_approvers,
                     "Somebody who may approve versions; may be given again")
        ->type_name("NAME=FILE")
        ->allow_extra_args(false);
    next->add_option("--drop-approver", root.drop_approvers,
                     "Who may no more; with --add-approver of that name: gets another key")
        ->type_name("NAME")
        ->allow_extra_args(false);
    next->add_option("--add-root-key", root.add_keys, "Public key of another holder")
        ->type_name("FILE")
        ->allow_extra_args(false);
    next->add_option("--drop-root-key", root.drop_keys,
                     "Id of a root key that counts no more, or its first digits")
        ->type_name("ID")
        ->allow_extra_args(false);
    next->add_flag("--new-hub-key", root.new_hub_key,
                   "Make the hub another signing key; the one of now says nothing more to boards "
                   "that have this document");
    next->add_flag("--new-authority", root.new_authority,
                   "Make another authority, which issues boards' certificates from then on; both "
                   "count, and boards renew within a day of following this document");
    next->add_flag("--drop-authority", root.drop_authority,
                   "The one before the newest counts no more; refused while boards hold "
                   "certificates of it (`root show` of the hub's folder says how many)");
    add_force(next, arguments);
    next->add_option("--root-threshold", root.threshold, "So many root keys must sign from then on")
        ->type_name("M");
    next->add_option("--expires", root.expires,
                     "After so long boards install nothing new, such as 365d, or never")
        ->type_name("TIME");
    add_json(next, arguments);
    next->callback([&arguments] { arguments.verb = HubVerb::root_next; });

    CLI::App* sign = verbs->add_subcommand("sign", "Add the signature of a root key to a draft");
    sign->add_option("DRAFT", arguments.directory, "The draft; the signature is put into it")
        ->type_name("FILE")
        ->required();
    sign->add_option("--key", root.key_path, "Private root key, such as root-1.pem")
        ->type_name("FILE")
        ->required();
    sign->add_option("--passphrase-file", root.passphrase_path, "Its first line opens the key")
        ->type_name("FILE");
    add_json(sign, arguments);
    sign->callback([&arguments] { arguments.verb = HubVerb::root_sign; });

    CLI::App* publish = verbs->add_subcommand(
        "publish",
        "Put a signed draft in force, once it is known that every board would take it; "
        "a hub that runs takes it within seconds");
    add_hub_directory(publish, arguments, "Folder of the hub");
    publish->add_option("DRAFT", root.draft_path, "The signed draft")
        ->type_name("FILE")
        ->required();
    add_force(publish, arguments);
    add_json(publish, arguments);
    publish->callback([&arguments] { arguments.verb = HubVerb::root_publish; });
}

bool needs_config(const HubArguments& arguments) {
    return arguments.print_config || arguments.verb == HubVerb::run ||
           arguments.verb == HubVerb::backup || arguments.verb == HubVerb::restore;
}

}  // namespace

HubArguments parse_hub_arguments(int argc, char** argv) {
    HubArguments arguments;
    std::string level = "info";
    CLI::App app(
        "Unites the histories of all boards into one lineage graph and sends approved models back.",
        "tributary-hub");
    app.add_option("--config", arguments.config_path,
                   "TOML file; docs/config.md names every key. Of run, backup and restore")
        ->type_name("FILE");
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
    declare_init(app, arguments);
    declare_root(app, arguments);
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
            << "tributary-hub: a command is missing: say `tributary-hub up DIR` for a secured hub, "
               "or `tributary-hub --config FILE run`, backup or restore\n";
        arguments.exit_code = 2;
    }
    if (!arguments.exit_code && needs_config(arguments) && arguments.config_path.empty()) {
        std::cerr << "tributary-hub: --config FILE is missing; see 'tributary-hub --help'\n";
        arguments.exit_code = 2;
    }
    arguments.log_level = parse_log_level(level).value_or(LogLevel::info);
    return arguments;
}

}  // namespace tributary::hub
