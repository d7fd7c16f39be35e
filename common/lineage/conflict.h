// Open merge conflicts as stored objects (record kind `conflict`).
//
//   object = u8 form (1), u32 count (1..), conflicts in byte order of path
//   conflict = u16 + path, side base, u16 sides (2..), sides in order of (type, digest, size)
//   side   = u8 type (0 nothing there, else TreeItem::Type), digest (33), u64 size, version (33)
//
// A side's version is the least id among the heads that say so; the base's is none. The path shows
// the base's content, or nothing if the heads agree on no base. One merge's conflicts are cut into
// objects after the conflict that makes one pass 64 KiB.
//
// The merge version names each object by an input of role `conflict` (kConflictRole): so open
// conflicts are known from the version alone, a gate refuses it by looking at its inputs, and
// closure and erasure meet the objects as they meet every input.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/tree.h"
#include "common/record/version.h"

namespace tributary::lineage {

inline constexpr std::string_view kConflictRole = "conflict";

struct ConflictSide {
    std::optional<TreeItem> item;  // its name is the path's last component; absent: nothing there
    VersionId version;
    bool operator==(const ConflictSide&) const = default;
};
struct Conflict {
    std::string path;
    ConflictSide base;
    std::vector<ConflictSide> sides;
    bool operator==(const Conflict&) const = default;
};

struct EncodedConflicts {
    Digest name;  // sha256_of("tributary/1/conflict", bytes)
    Bytes bytes;
};
// `conflicts` in byte order of path.
std::vector<EncodedConflicts> encode_conflicts(std::span<const Conflict> conflicts);
Result<std::vector<Conflict>> parse_conflicts(ByteView bytes);  // corrupt unless canonical

// The conflict objects that a version names; empty: nothing is open.
std::vector<Digest> open_conflicts(const Version& version);

}  // namespace tributary::lineage
