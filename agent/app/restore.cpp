#include "agent/record/restorer.h"

#include "agent/app/verbs.h"
#include "agent/record/reference.h"
#include "common/base/words.h"
#include "common/text/json.h"

namespace tributary::agent {
namespace {

Status check_kept(Store& store, const VersionId& id) {
    TRIBUTARY_ASSIGN(const bool evicted, store.evicted(id));
    if (!evicted) return {};
    TRIBUTARY_ASSIGN(const bool thinned, store.thinned(id));
    if (thinned)
        return fail(Errc::not_found, "version " + id.text() +
                                         " was dropped to make room before the hub had it, as "
                                         "[store] when_full says: 'log' shows those beside it");
    return fail(Errc::not_found, "version " + id.text() +
                                     " was given up here to make room; the hub has it: 'tributary "
                                     "fetch " +
                                     id.text() + " --to DIR'");
}

}  // namespace

ExitCode run_restore(Node& node, const RestoreArgs& args, OutputStyle style, Console& console) {
    const Result<VersionId> id = resolve_version(*node.store, args.reference, args.repo);
    if (!id) return report(id.error(), style, console);
    if (const Status kept = check_kept(*node.store, *id); !kept)
        return report(kept.error(), style, console);
    const auto progress = [&](const std::string& path, std::uint64_t bytes) -> Status {
        console.progress("restoring: " + human_bytes(bytes) + ", " + path);
        if (console.wanted()) return {};
        return fail(Errc::cancelled, "stopped before it was done; what is in " + args.directory +
                                         " is whole, say the same with --force to go on");
    };
    const Result<RestoreOutcome> outcome =
        restore_version(node.world.files, *node.store, *id, args.directory, args.force, progress,
                        node.world.sync_disk);
    if (!outcome) {
        // What is recorded meanwhile may have needed its room.
        const Status kept = check_kept(*node.store, *id);
        return report(kept ? outcome.error() : kept.error(), style, console);
    }

    if (style.json) {
        const Json answer = Json::object({{"version", id->text()},
                                          {"tree", outcome->tree.text()},
                                          {"directory", args.directory},
                                          {"files", outcome->files},
                                          {"plain_bytes", outcome->plain_bytes}});
        console.out(answer.text() + "\n");
    } else {
        console.out(counted(outcome->files, "file") + ", " + human_bytes(outcome->plain_bytes) +
                    ", of " + id->text() + " in " + args.directory + "\n");
    }
    return ExitCode::ok;
}

}  // namespace tributary::agent
