#include "hub/backup_verbs.h"

#include <iostream>
#include <optional>

#include "common/base/limits.h"
#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/text/json.h"
#include "common/text/log.h"
#include "hub/cli/print.h"
#include "hub/deploy/deployment.h"
#include "hub/store/backup.h"
#include "hub/verb_report.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kProgressMs = 2'000;  // between two lines

BackupProgress progress_lines() {
    return [last = system_clock().mono()](std::string_view what, std::uint64_t done,
                                          std::uint64_t total) mutable {
        const MonoTime now = system_clock().mono();
        if (now < last + kProgressMs) return;
        last = now;
        log_info("at work", {{"step", what}, {"done", done}, {"of", total}});
    };
}

Json texts(const std::vector<std::string>& all) {
    Json array = Json::array();
    for (const std::string& text : all) array.push(text);
    return array;
}

// Named on stderr, beside the answer.
int end_with(const HubArguments& arguments, const std::vector<std::string>& damage,
             const std::string& advice) {
    if (damage.empty()) return 0;
    if (!arguments.json) {
        for (const std::string& what : damage)
            std::cerr << "tributary-hub: damage: " << what << "\n";
        std::cerr << "tributary-hub: " << advice << "\n";
    }
    return 1;
}

}  // namespace

int run_backup(const HubArguments& arguments, const HubConfig& config) {
    BackupOptions options;
    options.config_path = arguments.config_path;
    options.with_key = !arguments.without_key;
    options.progress = progress_lines();
    const auto done =
        back_up(system_files(), system_clock(), config.state_dir, arguments.directory, options);
    if (!done) return report_error(arguments, done.error());
    if (arguments.json) {
        std::cout << Json::object({{"directory", arguments.directory},
                                   {"segments", done->segments},
                                   {"bytes", done->bytes},
                                   {"copied_bytes", done->copied_bytes},
                                   {"has_key", done->has_key},
                                   {"damage", texts(done->damage)}})
                         .text()
                  << "\n";
    } else {
        std::cout << "backed up to " << arguments.directory << ": " << human_bytes(done->bytes)
                  << " in " << done->segments
                  << (done->segments == 1 ? " segment, " : " segments, ")
                  << human_bytes(done->copied_bytes) << " of it new\n"
                  << (done->has_key
                          ? "it holds the hub's private key: keep it as safe as the hub\n"
                          : "the hub's private key is not in it: keep a copy of key.pem elsewhere, "
                            "no restore works without it\n")
                  << (is_secured(config)
                          ? "not in it: master.key, trust/ and broker/ of this hub: keep a copy of "
                            "them, no restore works without the master key\n"
                          : "not in it: certificates and approvers' keys that the configuration "
                            "names\n");
    }
    return end_with(arguments, done->damage,
                    "the backup is made, and holds this damage as the hub's log does");
}

int run_restore(const HubArguments& arguments, const HubConfig& config) {
    RestoreOptions options;
    options.key_path = arguments.key_path;
    options.check = arguments.check;
    options.salvage = arguments.salvage;
    options.store.segment_bytes = limits::kSegmentBytesHub;
    options.store.chain_depth_max = limits::kChainDepthMaxHub;
    options.store.holder = "tributary-hub restore";
    options.progress = progress_lines();
    // Of a secured hub: its key is of no use without the master key, which no backup holds.
    std::optional<trust::Passphrase> passphrase;
    if (is_secured(config) && !options.check) {
        const auto master = load_master_key(system_files(), config);
        if (!master) return report_error(arguments, master.error());
        passphrase = master->passphrase(role::kJournal);
        options.key_passphrase = &*passphrase;
    }
    const auto done = restore(system_files(), system_clock(), system_entropy(), arguments.directory,
                              config.state_dir, options);
    if (!done) return report_error(arguments, done.error());
    if (arguments.json) {
        std::cout << Json::object({{"made", to_text(done->made)},
                                   {"segments", done->segments},
                                   {"bytes", done->bytes},
                                   {"checked_only", options.check},
                                   {"state_dir", config.state_dir},
                                   {"epoch", done->epoch},
                                   {"continues_sequence", done->continues_sequence},
                                   {"devices", done->devices},
                                   {"damage", texts(done->damage)}})
                         .text()
                  << "\n";
    } else if (options.check) {
        std::cout << "the backup of " << to_text(done->made) << " is sound: every one of its "
                  << done->bytes << " bytes was read\n";
    } else {
        std::cout
            << "restored to " << config.state_dir << ", as of " << to_text(done->made) << ": epoch "
            << done->epoch << ", " << done->devices
            << " devices; this hub's own statements go on after entry " << done->continues_sequence
            << " of its former journal\n"
            << "start it with `run`, and let no other hub with this key run: the boards offer "
               "again what they still hold, and `tributary device show` names what they do "
               "not. Approvals, tags, aliases and assignments made since are to be made "
               "again\n";
    }
    return end_with(arguments, done->damage, "what is damaged cannot be read; the rest is whole");
}

}  // namespace tributary::hub
