// fsck: is every byte sound, does the index say what the log says, does every version have what it
// needs?
#include <algorithm>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "common/hash/hash.h"
#include "common/store/store_impl.h"

namespace tributary {

class Checker {
public:
    Checker(StoreImpl& store, bool data, std::uint32_t part = 1, std::uint32_t parts = 1)
        : store_(store), data_(data), part_(part), parts_(parts) {}

    Result<std::vector<std::string>> run() {
        store_.objects_->forget_plains();  // what is in RAM says nothing of the disk
        TRIBUTARY_ASSIGN(wrong_, store_.log_->check(damaged_, [this](std::uint32_t segment) {
            return wanted(segment);
        }));
        TRIBUTARY_TRY(check_records());
        if (parts_ == 1) {
            TRIBUTARY_TRY(check_index());
            TRIBUTARY_TRY(check_journals());
            TRIBUTARY_TRY(check_found());
        } else if (!wrong_.empty()) {
            data_ = false;  // only which versions need it
            TRIBUTARY_TRY(check_journals());
        }
        // What was damaged in a segment when it was opened was looked at again, or has gone with
        // it.
        for (const std::string& known : store_.recovery_.damage)
            if (known.find(" at byte ") == known.npos) wrong_.push_back(known);
        return std::move(wrong_);
    }

private:
    static constexpr std::size_t kSeenMax = 64 * 1024;  // trees, and blobs, remembered as sound

    bool wanted(std::uint32_t segment) const { return segment % parts_ == part_ % parts_; }
    Status check_records();
    Status check_record(const segment::Entry& entry);
    Status check_index();
    Status check_journals();
    Status check_journal(const JournalHead& head);
    Status check_found();
    Status check_version(const CommitBody& commit);
    Result<std::uint64_t> check_tree(const std::string& prefix, const TreeId& id,
                                     std::size_t depth);
    Status check_blob(const std::string& path, const TreeItem& file);
    Status need(const RecordKey& key);

    // Damage is an answer here, other errors end the check.
    Status note(const std::string& context, Status status) {
        if (status) return {};
        const Errc code = status.error().code;
        if (code == Errc::unavailable || code == Errc::exhausted || code == Errc::denied)
            return status;
        wrong_.push_back(context + ": " + status.error().what);
        return {};
    }

    StoreImpl& store_;
    bool data_;
    const std::uint32_t part_, parts_;
    std::vector<std::string> wrong_;
    std::set<RecordKey> damaged_;
    std::unordered_set<Digest> seen_;                       // blobs
    std::unordered_map<TreeId, std::uint64_t> tree_bytes_;  // of all files below
};

// Every record has its bases; with data, every record decodes to what it names.
Status Checker::check_records() {
    for (const auto& segment : store_.log_->segments()) {
        if (!wanted(segment.number)) continue;
        TRIBUTARY_ASSIGN(const auto entries, store_.log_->entries(segment.number));
        std::uint64_t done = 0;
        for (const segment::Entry& entry : entries) {
            if (data_ && store_.options_.progress)
                store_.options_.progress("records checked in " + segment_name(segment.number),
                                         done++, entries.size());
            if (damaged_.contains(entry.key)) continue;
            TRIBUTARY_TRY(
                note(segment_name(segment.number) + " at byte " + std::to_string(entry.offset),
                     check_record(entry)));
        }
    }
    return {};
}

Status Checker::check_record(const segment::Entry& entry) {
    auto checked = data_             ? store_.objects_->plain(entry.key).map([](const Bytes&) {})
                   : entry.depth > 0 ? store_.objects_->chain(entry.key).map([](const auto&) {})
                                     : Status();
    if (checked && data_ && entry.key.kind == RecordKind::entry) {
        TRIBUTARY_ASSIGN(const Bytes plain, store_.objects_->plain(entry.key));
        checked = parse_entry(plain).map([](const EntryView&) {});
    }
    // A base may be gone on purpose, when only what was given up needs this one. What is still
    // needed is asked for by its version.
    if (!checked && checked.error().code == Errc::not_found && is_content(entry.key.kind) &&
        store_.log_->has_removed())
        return {};
    if (!checked) damaged_.insert(entry.key);
    return checked;
}

// An index built anew beside the one in use must hold the same rows.
Status Checker::check_index() {
    if (store_.index_path_ == Index::kInMemory) return {};
    const auto digest_of = [](Index& index) -> Result<Digest> {
        Sha256 hash;
        TRIBUTARY_TRY(index.dump([&](std::string_view row) { hash.update(as_bytes(row)); }));
        return hash.finish();
    };
    const std::string path = store_.index_path_ + ".check";
    TRIBUTARY_TRY(Index::remove(path));
    const auto fresh = [&]() -> Result<Digest> {
        TRIBUTARY_ASSIGN(const auto index, Index::open(path, store_.written_));
        for (const auto& segment : store_.log_->segments()) {
            TRIBUTARY_TRY(store_.index_segment(*index, segment.number, 0));
            if (!segment.open) TRIBUTARY_TRY(index->seal({segment.number, segment.salt}));
        }
        return digest_of(*index);
    }();
    TRIBUTARY_TRY(Index::remove(path));
    if (!fresh) return tl::unexpected(fresh.error());
    const auto used =
        store_.index_ ? digest_of(*store_.index_) : Result<Digest>(fail(Errc::corrupt, "no index"));
    if (!used && used.error().code != Errc::corrupt) return tl::unexpected(used.error());
    if (!used || *used != *fresh) {
        wrong_.push_back("index.sqlite: does not say what the log says; it was built anew");
        TRIBUTARY_TRY(store_.rebuild_index());
    }
    return {};
}

Status Checker::check_journals() {
    TRIBUTARY_ASSIGN(const auto heads, store_.heads());
    for (const JournalHead& head : heads) TRIBUTARY_TRY(check_journal(head));
    return {};
}

// Each entry follows the one before, and each version named is whole.
Status Checker::check_journal(const JournalHead& head) {
    const std::string journal = "journal " + head.incarnation.text();
    std::uint64_t expected = 1;
    EntryHash previous;
    Status stopped;
    const auto visit = [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        if (!entry) {
            wrong_.push_back(journal + ": " + entry.error().what);
            return true;
        }
        const EntryHeader& header = entry->header;
        if (header.sequence != expected || header.previous != previous)
            wrong_.push_back(journal + ": entry " + std::to_string(header.sequence) +
                             " does not follow entry " + std::to_string(expected - 1) +
                             ": entries between are damaged or missing");
        expected = header.sequence + 1;
        previous = entry->hash;
        if (const auto commit = commit_body_of(*entry))
            stopped = note("version " + commit->version.text() + " of " + commit->repo,
                           check_version(*commit));
        return stopped.has_value();
    };
    // A damaged entry ends the reading: go on behind it.
    while (stopped && expected <= head.sequence) {
        auto read = store_.read_entries(head.incarnation, expected, visit);
        if (read) break;
        TRIBUTARY_TRY(note(journal + ": entry " + std::to_string(expected), std::move(read)));
        ++expected;
    }
    return stopped;
}

// Entries among damaged bytes that may be of a journal held here and that nothing bears out. Those
// of other journals are most likely part of a recorded file.
Status Checker::check_found() {
    for (const auto& [key, place] : store_.log_->found_entries()) {
        TRIBUTARY_ASSIGN(const auto frame, store_.log_->read_if_there(key, place));
        if (!frame) continue;
        TRIBUTARY_ASSIGN(const RecordView record, parse_record(*frame));
        const auto entry = parse_entry(record.payload);
        if (!entry) continue;
        const EntryHeader& header = entry->header;
        TRIBUTARY_ASSIGN(const auto held, store_.head_of(header.incarnation));
        if (!held) continue;
        TRIBUTARY_ASSIGN(const bool known, store_.knows(header.incarnation, header.sequence));
        if (known) continue;
        wrong_.push_back(segment_name(place.segment) + " at byte " + std::to_string(place.offset) +
                         ": what may be entry " + std::to_string(header.sequence) + " of journal " +
                         header.incarnation.text() +
                         " stands among damaged bytes; the entries beside it are lost, so it is "
                         "not believed");
    }
    return {};
}

Status Checker::check_version(const CommitBody& commit) {
    TRIBUTARY_TRY(need({RecordKind::version, commit.version.digest}));
    TRIBUTARY_ASSIGN(const Version version, read_version(store_, commit.version));
    if (!version.notes.is_none()) TRIBUTARY_TRY(need({RecordKind::notes, version.notes.digest}));
    TRIBUTARY_ASSIGN(const bool evicted, store_.evicted(commit.version));
    if (evicted) return {};
    if (tree_bytes_.size() >= kSeenMax) tree_bytes_.clear();
    return check_tree("", version.tree, 0).map([](std::uint64_t) {});
}

// Answers the bytes of all files below. A tree is walked once, wherever it stands: a few small ones
// that name each other twice stand for more files than there is time for.
Result<std::uint64_t> Checker::check_tree(const std::string& prefix, const TreeId& id,
                                          std::size_t depth) {
    if (const auto known = tree_bytes_.find(id); known != tree_bytes_.end()) return known->second;
    if (depth >= limits::kTreeDepthMax)
        return fail(Errc::corrupt,
                    "directories are nested deeper than " + std::to_string(limits::kTreeDepthMax));
    TRIBUTARY_ASSIGN(const auto items, read_tree(id, tree_loader(store_)));
    std::uint64_t size = 0;
    for (const TreeItem& item : items) {
        const std::string path = prefix + item.name;
        std::uint64_t below = item.size;
        if (item.is_tree()) {
            TRIBUTARY_ASSIGN(below, check_tree(path + "/", {item.target}, depth + 1));
        } else {
            TRIBUTARY_TRY(check_blob(path, item));
        }
        if (below != item.size)
            return fail(Errc::corrupt, "directory '" + path + "' is not as large as it says");
        size += below;
    }
    tree_bytes_.emplace(id, size);
    return size;
}

Status Checker::check_blob(const std::string& path, const TreeItem& file) {
    if (seen_.contains(file.target)) return {};
    const BlobId id{file.target};
    const auto pieces_here = [&]() -> Status {
        TRIBUTARY_ASSIGN(const Recipe recipe, read_recipe(store_, id, file.size));
        for (const RecipePiece& piece : recipe.pieces)
            TRIBUTARY_TRY(need({RecordKind::piece, piece.id.digest}));
        if (!data_) return {};
        return read_blob(store_, id, file.size, [](ByteView) { return Status(); });
    };
    if (auto whole = pieces_here(); !whole)
        return with_context("file " + path, std::move(whole).error());
    if (seen_.size() >= kSeenMax) seen_.clear();
    seen_.insert(file.target);
    return {};
}

// The record and all it stands on are here and, as far as this check knows, sound: a damaged one
// that was recorded again is.
Status Checker::need(const RecordKey& key) {
    TRIBUTARY_ASSIGN(auto keys, store_.objects_->chain(key));
    keys.push_back(key);
    for (const RecordKey& each : keys) {
        if (!store_.has(each) || (damaged_.contains(each) && !store_.read_plain(each)))
            return fail(Errc::corrupt, "needs " + std::string(name_of(each.kind)) + " " +
                                           each.name.text() + ", which is damaged");
    }
    return {};
}

Result<std::vector<std::string>> StoreImpl::check(bool data) { return Checker(*this, data).run(); }

Result<std::vector<std::string>> StoreImpl::check_part(std::uint32_t part, std::uint32_t parts) {
    TRIBUTARY_CHECK(part >= 1 && part <= parts);
    return Checker(*this, true, part, parts).run();
}

}  // namespace tributary
