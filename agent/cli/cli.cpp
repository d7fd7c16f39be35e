#include "agent/cli/cli.h"

#include <CLI/CLI.hpp>
#include <charconv>

#include "common/cli/usage.h"

namespace tributary::agent {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 ok, 1 error, 2 usage, 3 conflict, 4 refused by a gate or policy,\n"
    "5 hub out of reach, 6 erased.";

// Reads one value at each mention, so that what follows it stays a PATH.
CLI::Option* repeated(CLI::App& verb, const std::string& name, std::vector<std::string>& values,
                      const std::string& help) {
    return verb.add_option(name, values, help)->allow_extra_args(false);
}

void add_init(CLI::App& app, InitArgs& args) {
    CLI::App& verb = *app.add_subcommand(
        "init", "Make the state folder, the store and a commented config ahead of time");
    verb.add_option("--state-dir", args.state_dir,
                    "Folder written into a new config (" + std::string(kDefaultStateDir) + ")")
        ->type_name("DIR");
}

void add_commit(CLI::App& app, CommitArgs& args) {
    CLI::App& verb = *app.add_subcommand(
        "commit", "Record files and folders as a version; prints its id once it is safe");
    verb.add_option("PATH", args.paths, "Files and folders, each recorded under its last component")
        ->required()
        ->type_name("");
    verb.add_option("--repo", args.repo, "Repository to record in, made when missing")
        ->required()
        ->type_name("GROUP/NAME");
    verb.add_option("--branch", args.branch, "Branch to record on (main)")->type_name("NAME");
    verb.add_option("-m,--message", args.message, "What this version is")->type_name("TEXT");
    repeated(verb, "--meta", args.metadata, "Metadata, may be given more than once")
        ->type_name("KEY=VALUE");
    repeated(verb, "--input", args.inputs,
             "What this was made from (role train_data unless given): a version id, GROUP/NAME, "
             "GROUP/NAME/REF, or a branch; may be given more than once")
        ->type_name("[ROLE=]REF");
    verb.add_option("--level", args.level, "How hard to compress: auto, fast, default or max")
        ->type_name("LEVEL");
    verb.add_flag("--force", args.force,
                  "Also when as much was written as 'store.written_per_day' allows");
}

void add_log(CLI::App& app, LogArgs& args) {
    CLI::App& verb = *app.add_subcommand("log", "List versions, newest first");
    verb.add_option("REPO", args.repo, "Only of this repository")->type_name("");
    verb.add_option("--branch", args.branch, "Only of this branch")->type_name("NAME");
    verb.add_option("-n", args.count, "At most so many")
        ->check(CLI::Range(1, INT32_MAX).description(""))
        ->type_name("N");
}

void add_restore(CLI::App& app, RestoreArgs& args) {
    CLI::App& verb = *app.add_subcommand("restore", "Write a version's files into a folder");
    verb.add_option("REF", args.reference,
                    "A version id or its first digits, GROUP/NAME (its branch main, or its only "
                    "one), GROUP/NAME/REF, or a branch; then ~N, ^N or @{TIME} if you like")
        ->required()
        ->type_name("");
    verb.add_option("--to", args.directory, "Folder to write into, made when missing")
        ->required()
        ->type_name("DIR");
    verb.add_option("--repo", args.repo, "Repository of the branch REF")->type_name("GROUP/NAME");
    verb.add_flag("--force", args.force,
                  "Also into a folder that is not empty: files of the same name are replaced, "
                  "others stay");
}

// "N/T": the N-th of T parts.
std::string read_part(const std::string& text, FsckArgs& args) {
    const char* const end = text.data() + text.size();
    const auto [slash, bad] = std::from_chars(text.data(), end, args.part);
    const bool halves = bad == std::errc() && slash != end && *slash == '/';
    const auto [rest, worse] = std::from_chars(halves ? slash + 1 : end, end, args.parts);
    if (halves && worse == std::errc() && rest == end && args.part >= 1 &&
        args.part <= args.parts && args.parts <= kFsckPartsMax)
        return {};
    return "'" + text + "' is not N/T, the N-th of T parts, such as 1/30";
}

void add_fsck(CLI::App& app, FsckArgs& args) {
    CLI::App& verb = *app.add_subcommand("fsck", "Check the store; exits 1 and names damage");
    CLI::Option* data = verb.add_flag("--data", args.data, "Also decode and check every byte");
    verb.add_option_function<std::string>(
            "--subset", [](const std::string&) {},
            "Check every byte of the N-th of T parts of the store, and nothing else")
        ->type_name("N/T")
        ->check([&args](const std::string& text) { return read_part(text, args); })
        ->excludes(data);
}

void add_gc(CLI::App& app, GcArgs& args) {
    CLI::App& verb = *app.add_subcommand(
        "gc", "Give up old versions that the hub has, until the store is well below its quota");
    verb.add_flag("--dry-run", args.dry_run, "Only say what would be given up, and what it frees");
    verb.add_flag("--all", args.all, "Give up all that may go, quota or not");
}

void add_status(CLI::App& app, bool& watch) {
    app.add_subcommand("status", "Show what is recorded, stored, written and still to be sent")
        ->add_flag("--watch", watch, "Show it anew each second, until you press Ctrl-C");
}

void add_enroll(CLI::App& app, EnrollArgs& args) {
    CLI::App& verb = *app.add_subcommand(
        "enroll", "Make this board a device of a hub: its certificate, and whom it believes");
    verb.add_option("--token", args.token,
                    "Token that an operator made with 'tributary device token'; on a machine that "
                    "others use rather --token-file")
        ->type_name("TEXT");
    verb.add_option("--token-file", args.token_file, "File that holds the token")
        ->type_name("FILE");
    verb.add_option("--hub", args.hub, "Without a token: the hub's door, https://HOST:PORT")
        ->type_name("URL");
    verb.add_option("--ca", args.ca,
                    "Certificate of the authority that the hub must show, with --hub; whom else it "
                    "names is then believed because it came first, and an operator must let the "
                    "board in")
        ->type_name("FILE");
    verb.add_option("--name", args.name, "What this board asks to be called ([hub] name)")
        ->type_name("NAME");
    verb.add_option("--group", args.group, "The group that it must be let in for")
        ->type_name("GROUP");
    verb.add_flag("--anew", args.anew,
                  "With a new key, in a new journal, although the board is enrolled: when it was "
                  "revoked, or belongs to another hub from now on");
}

void add_others(CLI::App& app) {
    app.add_subcommand("run",
                       "Watch folders and keep in sync with the hub, until it is told to end");
    app.add_subcommand(
        "doctor",
        "Check config, permissions, space, clock, store, and hub and broker if configured");
}

struct Parser {
    CLI::App app{
        "Tributary's agent: records data and models on a board as versions, and keeps them.",
        "tributary-agent"};
    CommandLine line;
    InitArgs init;
    CommitArgs commit;
    LogArgs log;
    RestoreArgs restore;
    FsckArgs fsck;
    GcArgs gc;
    EnrollArgs enroll;

    Parser() {
        line.config_path = kDefaultConfigPath;
        app.fallthrough();
        app.require_subcommand(0, 1);
        app.footer(kExitCodes);
        app.set_version_flag("--version", "tributary-agent " TRIBUTARY_VERSION,
                             "Print the version");
        app.add_option("--config", line.config_path,
                       "Config file (" + std::string(kDefaultConfigPath) + ")")
            ->type_name("FILE");
        app.add_flag("--print-config", line.print_config, "Print the config in force");
        app.add_flag("--json", line.style.json, "Answer in JSON");
        app.add_flag("--log-json", line.log_json, "Log to stderr in JSON lines");
        add_init(app, init);
        add_commit(app, commit);
        add_log(app, log);
        add_restore(app, restore);
        add_fsck(app, fsck);
        add_gc(app, gc);
        add_status(app, line.watch);
        add_enroll(app, enroll);
        add_others(app);
    }

    std::optional<Verb> chosen() const {
        for (const CLI::App* verb : app.get_subcommands()) {  // those that were given: one
            const std::string& name = verb->get_name();
            if (name == "init") return init;
            if (name == "run") return RunArgs{};
            if (name == "commit") return commit;
            if (name == "log") return log;
            if (name == "status") return StatusArgs{};
            if (name == "restore") return restore;
            if (name == "fsck") return fsck;
            if (name == "gc") return gc;
            if (name == "enroll") return enroll;
            return DoctorArgs{};
        }
        return std::nullopt;
    }

    // The verb whose help was asked for, or all.
    std::string help() const {
        for (const CLI::App* verb : app.get_subcommands()) return verb->help(app.get_name());
        return app.help();
    }
};

Told wrong_usage(const Parser& parser, int argc, const char* const* argv, const std::string& what) {
    return {usage_error(parser.app, argc, argv, what) + "; see 'tributary-agent --help'", true,
            parser.line.style};
}

}  // namespace

std::variant<CommandLine, Told> parse_command_line(int argc, const char* const* argv) {
    Parser parser;
    try {
        parser.app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        return Told{parser.help(), false, {}};
    } catch (const CLI::CallForVersion& version) {
        return Told{std::string(version.what()) + "\n", false, {}};
    } catch (const CLI::ExtrasError&) {
        std::string what = "not understood:";
        for (const std::string& word : parser.app.remaining(true)) what += " " + word;
        return wrong_usage(parser, argc, argv, what);
    } catch (const CLI::Error& error) {
        return wrong_usage(parser, argc, argv, error.what());
    }
    parser.line.verb = parser.chosen();
    if (!parser.line.verb && !parser.line.print_config) {
        return Told{"say what to do, such as 'commit' or 'status'; see 'tributary-agent --help'",
                    true, parser.line.style};
    }
    return parser.line;
}

}  // namespace tributary::agent
