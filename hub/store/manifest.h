// What a backup consists of. As a file: {"sha256": ..., "backup": {...}}, the digest being that of
// the text of "backup" on one line.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/env/files.h"
#include "common/store/log_copy.h"

namespace tributary::hub {

struct BackupManifest {
    struct SmallFile {
        std::uint64_t bytes = 0;
        Digest sha256;
        std::string file() const { return "files/" + to_hex(sha256.bytes); }
    };
    WallTime made;
    std::string software;
    std::vector<SegmentCopy> segments;
    std::map<std::string, SmallFile> files;  // by the path in a hub's state_dir
    std::vector<std::string> damage;         // of the log, beside that of its segments

    std::uint64_t bytes() const;
};

inline constexpr const char* kManifestName = "manifest.json";

// nullopt when there is none; corrupt when it is damaged, unsupported when a newer program's.
Result<std::optional<BackupManifest>> load_manifest(Files& files, const std::string& directory);
Status save_manifest(Files& files, const std::string& directory, const BackupManifest& manifest);

}  // namespace tributary::hub
