#include "agent/app/verbs.h"
#include "common/base/words.h"
#include "common/text/json.h"

namespace tributary::agent {

ExitCode run_fsck(Node& node, const FsckArgs& args, OutputStyle style, Console& console) {
    const RecoveryReport& recovery = node.store->recovery();
    const bool in_part = args.parts != 0;
    const Result<std::vector<std::string>> found =
        in_part ? node.store->check_part(args.part, args.parts) : node.store->check(args.data);
    if (!found && found.error().code == Errc::exhausted)
        return report(
            {Errc::exhausted,
             "the store was not checked, which says nothing against it: the disk is full, "
             "and fsck needs room for an index of its own; free some space, then try "
             "again",
             found.error().native},
            style, console);
    if (!found) return report(found.error(), style, console);
    const std::vector<std::string>& damage = *found;
    const StoreCounters counters = node.store->counters();

    if (style.json) {
        Json list = Json::array();
        for (const std::string& what : damage) list.push(what);
        const Json answer = Json::object({{"sound", damage.empty()},
                                          {"damage", std::move(list)},
                                          {"data_checked", args.data || in_part},
                                          {"part", in_part ? Json(args.part) : Json()},
                                          {"parts", in_part ? Json(args.parts) : Json()},
                                          {"torn_bytes", recovery.torn_bytes},
                                          {"index_rebuilt", recovery.index_rebuilt},
                                          {"records", counters.records},
                                          {"segments", counters.segments}});
        console.out(answer.text() + "\n");
        return damage.empty() ? ExitCode::ok : ExitCode::error;
    }
    if (recovery.torn_bytes != 0) {
        console.out("a crash cut the last batch short; " + human_bytes(recovery.torn_bytes) +
                    " of it were set aside, nothing of it had been acknowledged\n");
    }
    if (recovery.index_rebuilt) console.out("the index was rebuilt from the log\n");
    for (const std::string& what : damage) console.out("damaged: " + what + "\n");
    if (damage.empty() && in_part) {
        console.out("sound: part " + std::to_string(args.part) + " of " +
                    std::to_string(args.parts) +
                    ", every byte checked; the other parts were not\n");
        return ExitCode::ok;
    }
    if (damage.empty()) {
        console.out("sound: " + counted(counters.records, "record") + " in " +
                    counted(counters.segments, "segment") +
                    (args.data ? ", every byte checked\n"
                               : "; the structure was checked, --data checks every byte\n"));
        return ExitCode::ok;
    }
    console.err("tributary-agent: " + counted(damage.size(), "thing") +
                " damaged; what does not need them stays readable. Copy " +
                node.config.store_dir() + " aside, then record the files again, or let " +
                "'tributary-agent run' have them from the hub\n");
    return ExitCode::error;
}

}  // namespace tributary::agent
