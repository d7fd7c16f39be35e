#include "hub/intake/beyond_search.h"

#include "common/lineage/conflict.h"

namespace tributary::hub {

BeyondSearch::BeyondSearch(Readable& readable, Store& store, const Version& version)
    : readable_(readable),
      walk_(store, version, readable.parents_of(version),
            [this](const RecordKey& key, std::uint64_t file_bytes) {
                return enter(key, file_bytes);
            }),
      tree_(version.tree) {
    // Also one that nobody has: it may come to be here later.
    for (const Input& input : version.inputs)
        if (const RecordKey key{RecordKind::conflict, input.id};
            !beyond_ && input.role == lineage::kConflictRole && !readable_.contains(key))
            beyond_ = key;
}

bool BeyondSearch::step(std::size_t records) {
    if (beyond_) return true;
    const auto over = walk_.step(records, [this](const RecordKey& key) { return look_at(key); });
    if (over && !*over) return false;
    // What cannot be read need not be its own: why not is no business of others.
    if (!beyond_ && !over) beyond_ = RecordKey{RecordKind::tree, tree_.digest};
    return true;
}

// Before it is looked for: of what is not its board's it must not show whether it is here.
Status BeyondSearch::enter(const RecordKey& key, std::uint64_t file_bytes) {
    const bool sent_whole = key.kind == RecordKind::recipe &&
                            file_bytes <= limits::kPieceBytesMax &&
                            readable_.contains({RecordKind::piece, key.name});
    return sent_whole || readable_.contains(key) ? Status() : stop_at(key);
}

Status BeyondSearch::look_at(const RecordKey& key) {
    return readable_.contains(key) ? Status() : stop_at(key);
}

Status BeyondSearch::stop_at(const RecordKey& key) {
    beyond_ = key;
    return fail(Errc::cancelled, "found");
}

}  // namespace tributary::hub
