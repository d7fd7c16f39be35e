// Versions and their notes.
//
//   version = u8 form (1), tree (33), u16 parents, parent (33) each, u16 inputs, { id (33), u16 +
//   role, u16 + selector } each,
//             incarnation (16), u16 + author, time (u64 ms, u32 logical, u8 quality), notes (33)
//   notes   = u8 form (1), u32 + message (UTF-8), u16 pairs, { u16 + key, u32 + value } each, keys
//   in byte order and distinct
//
// All integers little-endian. Parents keep their order (the first is the branch's head before) and
// are distinct; inputs are in byte order of (role, id, selector), distinct. All texts are UTF-8,
// but a selector may hold a file's name and is bytes. Notes that say nothing are `none` and have no
// record.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace tributary {

// A lineage edge: what was used to make this. The id need not be held anywhere we know.
struct Input {
    Digest id;             // usually a VersionId
    std::string role;      // train_data, eval_data, base_model, code, environment, contract, or the
                           // user's own word
    std::string selector;  // which part: a path or query inside it; often empty
    auto operator<=>(const Input&) const = default;
};

struct Version {
    TreeId tree;
    std::vector<VersionId> parents;
    std::vector<Input> inputs;
    Incarnation incarnation;  // none in a merge
    std::string author;       // a configured name; empty in a merge
    HybridTime time;
    NotesId notes;
    bool operator==(const Version&) const = default;
};

struct Notes {
    std::string message;
    std::map<std::string, std::string> metadata;
    bool empty() const { return message.empty() && metadata.empty(); }
    bool operator==(const Notes&) const = default;
};

// Sorts and de-duplicates the inputs, then writes the canonical form. invalid when a text or count
// passes its limit, or a parent stands twice.
Result<Bytes> encode_version(Version version);
Result<Version> parse_version(ByteView bytes);  // corrupt unless canonical
VersionId version_id(ByteView canonical);

// invalid for empty notes and for text that is not UTF-8 or too long.
Result<Bytes> encode_notes(const Notes& notes);
Result<Notes> parse_notes(ByteView bytes);
NotesId notes_id(ByteView canonical);

}  // namespace tributary
