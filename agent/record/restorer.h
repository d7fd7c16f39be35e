// A version back to files.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/env/files.h"
#include "common/store/store.h"

namespace tributary::agent {

// How the names begin under which files are written before they have their own. Not recorded.
inline constexpr std::string_view kRestorePartName = ".tributary-part-";

struct RestoreOutcome {
    TreeId tree;
    std::uint64_t files = 0;
    std::uint64_t plain_bytes = 0;
};

// Called while a restore takes long, between two uses of the store: the file at hand and how many
// bytes of all were written. An error ends the restore.
using RestoreProgress = std::function<Status(const std::string& path, std::uint64_t plain_bytes)>;

// Makes durable all that was written on the disk that holds `directory`; unsupported where it could
// not tell that this failed.
using SyncDisk = std::function<Status(const std::string& directory)>;

// Writes the version's files below `directory`, which is made when missing. Each file is written
// beside its place, checked against its id, made durable with some hundred others, then renamed
// into place, so that no name ever shows half a file. Without `sync_disk`, or where it is
// unsupported, each file is synced by itself. conflict when the directory holds something and
// `force` is not given; with `force`, files of the version replace those of their name and all
// others stay. Never writes through a symbolic link below `directory`.
Result<RestoreOutcome> restore_version(Files& files, Store& store, const VersionId& id,
                                       const std::string& directory, bool force,
                                       const RestoreProgress& progress = {},
                                       const SyncDisk& sync_disk = {});

}  // namespace tributary::agent
