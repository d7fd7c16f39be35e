#include "agent/app/verbs.h"

#include "common/text/json.h"

namespace tributary::agent {
namespace {

ExitCode print_error(std::string_view code, const std::string& what, ExitCode exit,
                     OutputStyle style, Console& console) {
    if (style.json) {
        const Json error =
            Json::object({{"error", Json::object({{"code", code}, {"what", what}})}});
        console.err(error.text() + "\n");
    } else {
        console.err("tributary-agent: " + what + "\n");
    }
    return exit;
}

}  // namespace

ExitCode exit_code_of(const Error& error) {
    // What the operating system said is a failure of this machine, not an answer of a peer or
    // policy; that another process has the store likewise.
    switch (error.code) {
        case Errc::invalid: return ExitCode::usage;
        case Errc::conflict: return error.native == 0 ? ExitCode::conflict : ExitCode::error;
        case Errc::denied: return error.native == 0 ? ExitCode::refused : ExitCode::error;
        case Errc::erased: return ExitCode::erased;
        default: return ExitCode::error;
    }
}

ExitCode report(const Error& error, OutputStyle style, Console& console) {
    return print_error(name_of(error.code), error.what, exit_code_of(error), style, console);
}

ExitCode report_usage(const std::string& what, OutputStyle style, Console& console) {
    return print_error("usage", what, ExitCode::usage, style, console);
}

StoreUse store_use(const StoreVerb& verb) {
    return std::holds_alternative<CommitArgs>(verb) ? StoreUse::record : StoreUse::read;
}

std::string holder_name(const StoreVerb& verb) {
    struct Name {
        std::string operator()(const CommitArgs&) { return "commit"; }
        std::string operator()(const LogArgs&) { return "log"; }
        std::string operator()(const StatusArgs&) { return "status"; }
        std::string operator()(const RestoreArgs&) { return "restore"; }
        std::string operator()(const FsckArgs&) { return "fsck"; }
        std::string operator()(const GcArgs&) { return "gc"; }
        std::string operator()(const IdentifyArgs&) { return "enroll"; }
    };
    return "tributary-agent " + std::visit(Name{}, verb);
}

ExitCode run_verb(Node& node, const StoreVerb& verb, OutputStyle style, Console& console) {
    struct Runner {
        Node& node;
        OutputStyle style;
        Console& console;
        ExitCode operator()(const CommitArgs& a) { return run_commit(node, a, style, console); }
        ExitCode operator()(const LogArgs& a) { return run_log(node, a, style, console); }
        ExitCode operator()(const StatusArgs& a) { return run_status(node, a, style, console); }
        ExitCode operator()(const RestoreArgs& a) { return run_restore(node, a, style, console); }
        ExitCode operator()(const FsckArgs& a) { return run_fsck(node, a, style, console); }
        ExitCode operator()(const GcArgs& a) { return run_gc(node, a, style, console); }
        ExitCode operator()(const IdentifyArgs& a) { return run_identify(node, a, style, console); }
    };
    // Only status has something to say about a store that is not there.
    if (!node.store && !std::holds_alternative<StatusArgs>(verb)) {
        return report(
            Error{Errc::not_found, "there is no store in " + node.config.store_dir() +
                                       " yet; the first 'tributary-agent commit' makes it"},
            style, console);
    }
    return std::visit(Runner{node, style, console}, verb);
}

}  // namespace tributary::agent
