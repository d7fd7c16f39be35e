// What a person can ask of the agent, and the functions that do it.
//
// A verb is a value and a function over an open node, so that it runs alike in a process of its own
// and in the daemon that holds the store.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/app/node.h"

namespace tributary::agent {

enum class ExitCode : int {
    ok = 0,
    error = 1,
    usage = 2,
    conflict = 3,
    refused = 4,
    out_of_reach = 5,
    erased = 6,
};
ExitCode exit_code_of(const Error& error);

struct InitArgs {
    std::string state_dir;  // empty: the config's, or the default
};
struct CommitArgs {
    std::string repo;
    std::string branch = "main";
    std::vector<std::string> paths;
    std::optional<std::string> message;
    std::vector<std::string> metadata;  // "k=v"
    std::vector<std::string> inputs;    // "[ROLE=]REF"
    std::optional<std::string> level;
    bool force = false;  // although the writes of a day are used up
};
struct LogArgs {
    std::optional<std::string> repo;
    std::optional<std::string> branch;
    std::size_t count = SIZE_MAX;
};
struct StatusArgs {};
struct RestoreArgs {
    std::string reference;
    std::string directory;
    std::optional<std::string> repo;  // where a branch's name is looked up
    bool force = false;
};
inline constexpr std::uint32_t kFsckPartsMax = 100'000;
struct FsckArgs {
    bool data = false;
    // The `part`-th of so many parts of the store alone; 0: all of it.
    std::uint32_t part = 0;
    std::uint32_t parts = 0;
};
struct GcArgs {
    bool dry_run = false;
    bool all = false;
};
// Which journal this is. Not a person's verb: 'enroll' asks it of a daemon that has the store,
// which then looks whether the board was enrolled.
struct IdentifyArgs {};
struct DoctorArgs {};
struct EnrollArgs {
    std::string token;
    std::string token_file;
    std::string hub;  // with ca instead of a token
    std::string ca;   // PEM file
    std::string name;
    std::string group;
    bool anew = false;  // with a new key, although the board is enrolled
};
struct RunArgs {};

// Verbs that need a store, and those that look at what may not be there.
using StoreVerb =
    std::variant<CommitArgs, LogArgs, StatusArgs, RestoreArgs, FsckArgs, GcArgs, IdentifyArgs>;
using Verb = std::variant<InitArgs, RunArgs, CommitArgs, LogArgs, StatusArgs, RestoreArgs, FsckArgs,
                          GcArgs, DoctorArgs, EnrollArgs>;

struct OutputStyle {
    bool json = false;
};

// ---- over an open node ----
StoreUse store_use(const StoreVerb& verb);
// What others read about us while we have the store: "tributary-agent commit".
std::string holder_name(const StoreVerb& verb);
ExitCode run_verb(Node& node, const StoreVerb& verb, OutputStyle style, Console& console);

ExitCode run_commit(Node& node, const CommitArgs& args, OutputStyle style, Console& console);
ExitCode run_log(Node& node, const LogArgs& args, OutputStyle style, Console& console);
ExitCode run_status(Node& node, const StatusArgs& args, OutputStyle style, Console& console);
ExitCode run_restore(Node& node, const RestoreArgs& args, OutputStyle style, Console& console);
ExitCode run_fsck(Node& node, const FsckArgs& args, OutputStyle style, Console& console);
ExitCode run_gc(Node& node, const GcArgs& args, OutputStyle style, Console& console);
ExitCode run_identify(Node& node, const IdentifyArgs& args, OutputStyle style, Console& console);

// ---- without one ----
ExitCode run_init(const World& world, const std::string& config_path, const InitArgs& args,
                  OutputStyle style, Console& console);
// The daemon of that socket, which has the store, does the verb; nullopt: there is none.
using AskDaemon = std::function<std::optional<ExitCode>(
    const std::string& socket, const StoreVerb& verb, OutputStyle style, Console& console)>;
ExitCode run_doctor(const World& world, const std::string& config_path, OutputStyle style,
                    Console& console, const AskDaemon& ask_daemon);
ExitCode run_enroll(const World& world, const Config& config, const EnrollArgs& args,
                    OutputStyle style, Console& console, const AskDaemon& ask_daemon);

// Prints an error once, where it ends, and gives its exit code.
ExitCode report(const Error& error, OutputStyle style, Console& console);
ExitCode report_usage(const std::string& what, OutputStyle style, Console& console);

}  // namespace tributary::agent
