// A toy store with the one property that matters here: what was not committed is gone after a
// crash.
//
// Records are real frames; a piece may be coded on a base or two (xor), so that one that is missing
// or wrong is found out. Versions, entries, seals and receipts have small forms of their own.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/record/message.h"
#include "common/record/record.h"
#include "common/sync/events.h"

namespace tributary::sim {

struct ModelRecord {
    Bytes plain;
    std::vector<Digest> bases;  // what its owner would code it on: two at most
    bool operator==(const ModelRecord&) const = default;
};

struct ModelVersion {
    std::uint64_t salt = 0;  // makes it unique
    std::vector<Digest> pieces;

    Bytes encode() const;
    static ModelVersion parse(ByteView plain);
};

struct ModelEntry {
    Incarnation incarnation;
    std::uint64_t sequence = 0;
    Digest previous;
    Digest version;

    Bytes encode() const;
    static std::optional<ModelEntry> parse(ByteView plain);
};
EntryHash hash_of_entry(ByteView plain);

// A statement about one place of a journal: a device's seal, or (with an epoch) a hub's receipt.
struct Statement {
    sync::JournalPoint at;
    std::uint64_t epoch = 0;

    Bytes encode() const;
    static std::optional<Statement> parse(ByteView bytes);  // none when its "signature" is false
};

class ModelStore {
public:
    bool holds(const RecordKey& key) const { return find(key) != nullptr; }
    bool holds_durably(const RecordKey& key) const { return durable_.contains(key); }
    const ModelRecord* find(const RecordKey& key) const;
    // The version and all its pieces.
    bool holds_whole(const Digest& version) const;

    void stage(const RecordKey& key, ModelRecord record) {
        staged_.try_emplace(key, std::move(record));
    }
    void commit();
    void crash() { staged_.clear(); }
    void forget(const RecordKey& key) { durable_.erase(key); }

    // Coded on its bases if these are `bases_max` at most, and here; else on none.
    Bytes read_frame(const RecordKey& key, std::size_t bases_max) const;
    std::vector<const ModelRecord*> bases_of(const RecordKey& key, std::size_t bases_max) const;
    // Decodes, checks the name, stages.
    Status stage_frame(ByteView frame);

    const std::map<RecordKey, ModelRecord>& records() const { return durable_; }
    std::map<Incarnation, std::vector<Bytes>> journals;  // durable; entry n at index n - 1
    sync::JournalPoint head_of(const Incarnation& incarnation) const;

private:
    std::map<RecordKey, ModelRecord> durable_;
    std::map<RecordKey, ModelRecord> staged_;
};

RecordKey version_key(const Digest& version);

// What must be held for `versions`, in the order of need, each with its bases as read_frame() would
// code it.
std::vector<sync::OfferedObject> closure_of(const ModelStore& store,
                                            const std::vector<Digest>& versions,
                                            std::size_t bases_max);
// Cuts it into pages of at most `objects_max`; the last one is marked.
std::vector<sync::Page> pages_of(const std::vector<sync::OfferedObject>& objects,
                                 std::size_t objects_max);

}  // namespace tributary::sim
