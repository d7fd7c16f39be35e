// A backup of a hub, and a hub from a backup.
//
//   DIR/manifest.json     which bytes of which files are the backup; replaced last, in one step
//   DIR/segments/*.seg    as in the store; a segment is copied once, the newest one grows
//   DIR/files/SHA256      the small files, each under the digest of its bytes
//
// A backup is made beside the hub that runs: it reads what the hub has acknowledged and takes no
// lock of its. Until the new manifest is in place the one before holds, and all that it names is
// untouched, whatever comes between. No index and nothing that recovery set aside is in it.
//
// A restored hub goes on in a new journal that continues what the backup holds of the old one: a
// new epoch, by which boards know that receipts given since the backup are void.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/store/store.h"
#include "common/trust/trust.h"

namespace tributary::hub {

using BackupProgress =
    std::function<void(std::string_view what, std::uint64_t done, std::uint64_t total)>;

struct BackupOptions {
    std::string config_path = {};  // kept for whoever restores; empty: none
    bool with_key = true;          // the hub's private key
    BackupProgress progress = {};
};

struct BackupReport {
    std::uint64_t segments = 0;
    std::uint64_t bytes = 0;         // of all that the backup holds
    std::uint64_t copied_bytes = 0;  // that were not in the one before
    bool has_key = false;
    std::vector<std::string> damage;  // of the hub's log, copied as it is
};

// conflict: another backup runs there, or what is there is no backup of this log as it was before.
Result<BackupReport> back_up(Files& files, Clock& clock, const std::string& state_dir,
                             const std::string& directory, const BackupOptions& options = {});

struct RestoreOptions {
    std::string key_path = {};  // of the hub's private key, when the backup has none
    const trust::Passphrase* key_passphrase = nullptr;  // of an encrypted one
    bool check = false;    // reads every byte of the backup, and writes nothing
    bool salvage = false;  // takes a damaged backup too: what is sound in it will be readable
    StoreOptions store = {};
    BackupProgress progress = {};
};

struct RestoreReport {
    WallTime made;  // the backup
    std::uint64_t segments = 0;
    std::uint64_t bytes = 0;
    std::vector<std::string> damage;  // of the hub's log when it was backed up, and since
    // Of the hub that was made; 0 when it was only checked.
    std::uint64_t epoch = 0;
    std::uint64_t continues_sequence = 0;  // of the journal before
    std::uint64_t devices = 0;
};

// Into a folder that is empty or missing. corrupt: the backup is damaged; the message names each
// file. Cut short, it leaves a folder that no hub runs on, to be emptied.
Result<RestoreReport> restore(Files& files, Clock& clock, Entropy& entropy,
                              const std::string& directory, const std::string& state_dir,
                              const RestoreOptions& options = {});

}  // namespace tributary::hub
