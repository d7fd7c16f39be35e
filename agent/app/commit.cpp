#include "agent/app/level.h"
#include "agent/app/verbs.h"
#include "agent/record/recorder.h"
#include "agent/record/reference.h"
#include "common/base/words.h"
#include "common/text/json.h"

namespace tributary::agent {
namespace {

Result<Notes> notes_of(const CommitArgs& args) {
    Notes notes;
    notes.message = args.message.value_or("");
    for (const std::string& pair : args.metadata) {
        const std::size_t equals = pair.find('=');
        if (equals == 0 || equals == std::string::npos) {
            return fail(Errc::invalid, "--meta '" + pair + "' is not KEY=VALUE");
        }
        const std::string key = pair.substr(0, equals);
        if (!notes.metadata.emplace(key, pair.substr(equals + 1)).second) {
            return fail(Errc::invalid, "--meta gives '" + key + "' twice; give it once");
        }
    }
    return notes;
}

Result<CommitRequest> request_of(Node& node, const CommitArgs& args) {
    CommitRequest request;
    request.repo = args.repo;
    request.branch = args.branch;
    request.paths = args.paths;
    request.author = node.config.author;
    TRIBUTARY_ASSIGN(request.level,
                     level_for(args.level.value_or(node.config.store.level),
                               node.live ? node.live->bytes_per_second : std::nullopt));
    request.workers = node.config.store.workers;
    request.state_dir = node.config.state_dir;
    if (args.message || !args.metadata.empty()) {
        TRIBUTARY_ASSIGN(request.notes, notes_of(args));
    }
    for (const std::string& text : args.inputs) {
        Result<Input> input = resolve_input(*node.store, text);
        if (!input) return with_context("--input " + text, std::move(input).error());
        request.inputs.push_back(*std::move(input));
    }
    return request;
}

}  // namespace

ExitCode run_commit(Node& node, const CommitArgs& args, OutputStyle style, Console& console) {
    Result<CommitRequest> request = request_of(node, args);
    if (!request) return report(request.error(), style, console);
    request->admit = [&]() -> Status {
        if (const std::string why = node.writes->refusal(); !why.empty() && !args.force)
            return fail(Errc::denied,
                        "nothing was committed: " + why + "; --force commits all the same");
        return node.space->admit([&] {
            console.progress("making room in the store");
            return console.wanted();
        });
    };
    const auto progress = [&](const std::string& path, std::uint64_t bytes) -> Status {
        console.progress("recording: " + human_bytes(bytes) + ", " + path);
        if (console.wanted()) return {};
        return fail(Errc::cancelled, "stopped before it was done; nothing was committed");
    };
    const StoreCounters before = node.store->counters();
    Recorder recorder(node.world.files, node.world.clock, *node.store, progress);
    const Result<CommitOutcome> outcome = recorder.commit(*request);
    if (!outcome && outcome.error().code == Errc::exhausted) {
        // What a script must know first: the version is not there.
        Error error = outcome.error();
        error.what = "nothing was committed: " + error.what;
        return report(error, style, console);
    }
    if (!outcome) return report(outcome.error(), style, console);

    if (!style.json) {
        console.out(outcome->version.text() + "\n");
        return ExitCode::ok;
    }
    const StoreCounters after = node.store->counters();
    const Json answer = Json::object({{"version", outcome->version.text()},
                                      {"tree", outcome->tree.text()},
                                      {"repo", request->repo},
                                      {"branch", request->branch},
                                      {"made", outcome->made},
                                      {"files", outcome->files},
                                      {"plain_bytes", outcome->plain_bytes},
                                      {"stored_bytes", after.stored_bytes - before.stored_bytes}});
    console.out(answer.text() + "\n");
    return ExitCode::ok;
}

}  // namespace tributary::agent
