#include "hub/audit/audit.h"

#include <cerrno>
#include <iostream>

#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/env/terminal.h"
#include "hub/cli/print.h"
#include "hub/cli/verbs.h"

namespace tributary::cli {
namespace {

using hub::AuditedJournal;
using hub::AuditReport;

constexpr std::uint64_t kRootFileBytesMax = 1024 * 1024;
constexpr std::uint64_t kProgressMs = 500;

// A hub's state_dir, or its store itself.
std::string store_in(const std::string& directory) {
    const std::string inside = join_path(directory, "store");
    return system_files().stat_target(inside) ? inside : directory;
}

Result<std::unique_ptr<Store>> open_store(const std::string& directory) {
    if (const auto owner = act_as_owner_of(directory); !owner)
        return tl::make_unexpected(owner.error());
    StoreOptions options;
    options.create = false;
    options.holder = "tributary audit verify";
    auto store = Store::open(system_files(), system_clock(), system_entropy(), store_in(directory),
                             std::move(options));
    if (!store && store.error().code == Errc::conflict && store.error().native == EWOULDBLOCK)
        return fail(Errc::conflict, store.error().what +
                                        ": stop the hub for as long as this takes, or restore its "
                                        "backup into another folder and verify that");
    return store;
}

Result<std::vector<Bytes>> read_roots(const std::vector<std::string>& files) {
    std::vector<Bytes> roots;
    for (const std::string& file : files) {
        TRIBUTARY_ASSIGN(Bytes root, read_file(system_files(), file, kRootFileBytesMax));
        roots.push_back(std::move(root));
    }
    return roots;
}

// On a person's screen, now and then.
hub::AuditProgress progress_line() {
    if (!stderr_is_terminal()) return {};
    return [shown = system_clock().mono()](std::uint64_t done, std::uint64_t total) mutable {
        const MonoTime now = system_clock().mono();
        if (now < shown + kProgressMs && done != total) return;
        shown = now;
        std::cerr << "\r" << done << " of " << total << " entries verified"
                  << (done == total ? "\n" : "") << std::flush;
    };
}

Json to_json(const AuditReport& report) {
    Json journals = Json::array();
    for (const AuditedJournal& journal : report.journals)
        journals.push(Json::object({{"journal", journal.id.text()},
                                    {"writer", journal.writer},
                                    {"entries", journal.entries},
                                    {"sealed", journal.sealed}}));
    Json findings = Json::array();
    for (const std::string& finding : report.findings) findings.push(finding);
    return Json::object({{"holds", report.findings.empty()},
                         {"entries", report.entries},
                         {"seals", report.seals},
                         {"key_changes", report.key_changes},
                         {"approvals", report.approvals},
                         {"assignments", report.assignments},
                         {"certificates", report.certificates},
                         {"receipts", report.receipts},
                         {"security_events", report.security_events},
                         {"journals", std::move(journals)},
                         {"findings", std::move(findings)}});
}

std::string to_text(const AuditReport& report) {
    std::vector<std::vector<std::string>> rows;
    for (const AuditedJournal& journal : report.journals)
        rows.push_back({journal.writer.empty() ? "-" : harmless(journal.writer), journal.id.text(),
                        std::to_string(journal.entries), std::to_string(journal.sealed)});
    std::string text = table({"WRITER", "JOURNAL", "ENTRIES", "SEALED"}, rows);
    for (const std::string& finding : report.findings) text += "wrong: " + harmless(finding) + "\n";
    text += std::to_string(report.entries) + " entries in " +
            std::to_string(report.journals.size()) + " journals, " + std::to_string(report.seals) +
            " seals; signed by others: " + std::to_string(report.approvals) + " approvals, " +
            std::to_string(report.certificates) + " certificates\n";
    if (report.of_board)
        text += "a board's store, not a hub's: " + std::to_string(report.receipts) +
                " receipts of its hub; SEALED is how far they vouch\n";
    if (report.security_events != 0)
        text += std::to_string(report.security_events) +
                " entries say that something was refused; `tributary audit` and `tributary device "
                "show` tell what\n";
    if (report.findings.empty()) text += "The history holds.\n";
    return text;
}

}  // namespace

Status verify_history(const Output& out, const std::string& directory,
                      const std::vector<std::string>& root_files) {
    TRIBUTARY_ASSIGN(const std::vector<Bytes> roots, read_roots(root_files));
    TRIBUTARY_ASSIGN(const auto store, open_store(directory));
    TRIBUTARY_ASSIGN(const AuditReport report, hub::audit(*store, roots, progress_line()));
    out.print(to_json(report), to_text(report));
    if (report.findings.empty()) return {};
    return fail(Errc::corrupt, "the history does not hold in " +
                                   std::to_string(report.findings.size()) +
                                   " points; compare with a backup, and with what the boards hold");
}

}  // namespace tributary::cli
