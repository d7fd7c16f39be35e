#include "agent/app/verbs.h"
#include "common/base/words.h"
#include "common/text/json.h"

namespace tributary::agent {
namespace {

// None for a model that the hub sent.
Result<std::optional<VersionRow>> row_of(Store& store, const VersionId& id) {
    TRIBUTARY_ASSIGN(const auto rows, store.versions_by_prefix(to_hex(id.digest.bytes), 1));
    return rows.empty() ? std::nullopt : std::optional(rows.front());
}

// "3 days old"; by the board's clock, which may be wrong.
std::string age_text(WallTime then, WallTime now) {
    constexpr std::uint64_t kHourMs = 3'600'000;
    if (now < then) return "of " + to_text(then);
    const std::uint64_t hours = (now.ms - then.ms) / kHourMs;
    return (hours < 48 ? counted(hours, "hour") : counted(hours / 24, "day")) + " old";
}

// Of every version that goes, what is left of it: its place in the history.
Result<Json> to_json(Node& node, const GcArgs& args, const RoomReport& report) {
    Json versions = Json::array();
    for (const VersionId& id : report.given_up) {
        TRIBUTARY_ASSIGN(const auto row, row_of(*node.store, id));
        Json version = Json::object({{"version", id.text()}});
        version.set("repo", row ? Json(row->repo) : Json());
        version.set("branch", row ? Json(row->branch) : Json());
        version.set("time", row ? Json(to_text(WallTime{row->time.wall_ms})) : Json());
        versions.push(std::move(version));
    }
    Json damage = Json::array();
    for (const std::string& what : report.damage) damage.push(what);
    const Retention& kept = report.retention;
    return Json::object(
        {{"dry_run", args.dry_run},
         {"versions", std::move(versions)},
         {"stored_bytes_before", report.bytes_before},
         {"stored_bytes", report.bytes_after},
         {"freed_bytes", report.bytes_before - std::min(report.bytes_before, report.bytes_after)},
         {"copied_bytes", report.copied_bytes},
         {"kept", Json::object({{"without_receipt", kept.unreceipted},
                                {"in_use", kept.in_use},
                                {"newest", kept.newest}})},
         {"damage", std::move(damage)}});
}

std::string kept_text(const Retention& kept) {
    return "what stays: " + counted(kept.unreceipted, "version") + " without a receipt, " +
           counted(kept.in_use, "version") + " for installs, " + counted(kept.newest, "version") +
           " as the newest of a branch (store.keep_versions)\n";
}

Result<std::string> to_plain(Node& node, const GcArgs& args, const RoomReport& report) {
    const std::string count = counted(report.given_up.size(), "version");
    const std::string sizes = human_bytes(report.bytes_before) + " to " +
                              (args.dry_run ? "about " : "") + human_bytes(report.bytes_after);
    if (!args.dry_run)
        return "gave up " + count + "; the store went from " + sizes + "\n" +
               kept_text(report.retention);
    std::string out;
    for (const VersionId& id : report.given_up) {
        TRIBUTARY_ASSIGN(const auto row, row_of(*node.store, id));
        out += id.text();
        if (row)
            out += " of " + row->repo + "/" + row->branch + ", " +
                   age_text(WallTime{row->time.wall_ms}, node.world.clock.wall()) + "\n";
        else
            out += ", a model that was installed\n";
    }
    return out + "would give up " + count + " and bring the store from " + sizes +
           "; nothing was done\n" + kept_text(report.retention);
}

std::string nothing_to_do(const SpaceLimits& limits, std::uint64_t stored) {
    if (limits.quota_bytes == 0) return "there is no quota, so there is nothing to do";
    return "the store holds " + human_bytes(stored) + ", which is no more than the " +
           human_bytes(limits.goal_bytes()) + " that room is made down to";
}

}  // namespace

ExitCode run_gc(Node& node, const GcArgs& args, OutputStyle style, Console& console) {
    const SpaceLimits& limits = node.space->limits();
    RoomPlan plan;
    plan.all = args.all;
    plan.dry_run = args.dry_run;
    plan.target_bytes = limits.quota_bytes == 0 ? UINT64_MAX : limits.goal_bytes();
    const std::uint64_t stored = node.store->counters().stored_bytes;
    // Damaged segments go as soon as nothing of them is lost.
    const bool damaged =
        !node.store->recovery().damage.empty() || node.store->damaged_records() != 0;
    const bool needed = args.all || damaged || stored > plan.target_bytes;

    RoomReport report;
    report.bytes_before = report.bytes_after = stored;
    const std::unique_ptr<RoomMaker> maker =
        needed ? node.space->make_room(plan) : std::unique_ptr<RoomMaker>();
    Result<bool> done = !needed;
    while (done && !*done) {
        console.progress("making room in the store");
        if (!console.wanted())
            done = fail(Errc::cancelled, "stopped; what was given up so far stays so");
        else
            done = maker->step();
    }
    if (!done) return agent::report(done.error(), style, console);
    if (maker) report = maker->report();

    if (style.json) {
        const auto answer = to_json(node, args, report);
        if (!answer) return agent::report(answer.error(), style, console);
        console.out(answer->text() + "\n");
        return ExitCode::ok;
    }
    if (!needed) {
        console.out(nothing_to_do(limits, stored) + "; --all gives up all that may go\n");
        return ExitCode::ok;
    }
    const auto answer = to_plain(node, args, report);
    if (!answer) return agent::report(answer.error(), style, console);
    console.out(*answer);
    for (const std::string& what : report.damage)
        console.err("tributary-agent: a part of the store was left as it is: " + what + "\n");
    return ExitCode::ok;
}

}  // namespace tributary::agent
