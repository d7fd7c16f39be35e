// Asking the index, and the log where it does not agree.
#include <utility>

#include "common/store/closure.h"
#include "common/store/compaction.h"
#include "common/store/store_impl.h"

namespace tributary {

Result<std::vector<JournalHead>> StoreImpl::heads() {
    return ask([](Index& index) { return index.heads(); });
}

Result<std::optional<JournalHead>> StoreImpl::head_of(const Incarnation& incarnation) {
    return ask([&](Index& index) { return index.head(incarnation); });
}

// Whether the log has this entry, with this number. A damaged one is taken at the index's word.
Result<bool> StoreImpl::agrees_with_log(const JournalHead& head) {
    const RecordKey key{RecordKind::entry, head.hash.digest};
    TRIBUTARY_ASSIGN(const auto place, objects_->locate(key));
    if (!place) return false;
    const auto frame = log_->read(key, *place);
    if (!frame && frame.error().code == Errc::corrupt) return true;
    if (!frame) return tl::unexpected(frame.error());
    const auto entry = index_entry_of(key, *frame, *place);
    return entry && entry->at.incarnation == head.incarnation &&
           entry->at.sequence == head.sequence;
}

// Our journal goes on from its head, so a turned bit in the index must not make one up: SQLite
// would not notice.
Status StoreImpl::find_own_head() {
    own_.incarnation = log_->state().incarnation;
    TRIBUTARY_ASSIGN(auto head, head_of(own_.incarnation));
    bool agrees = own_.incarnation.is_none();
    if (head) {
        TRIBUTARY_ASSIGN(agrees, agrees_with_log(*head));
    }
    if (!agrees) {
        TRIBUTARY_TRY(rebuild_index());
        TRIBUTARY_ASSIGN(head, head_of(own_.incarnation));
    }
    if (head) own_ = *head;
    if (!log_->has_damage()) return {};

    TRIBUTARY_ASSIGN(const auto last, ask([&](Index& index) {
                         return index.entries(own_.incarnation, own_.sequence, 1);
                     }));
    const Log::Position at =
        last.empty() ? Log::Position{}
                     : Log::Position{last.front().place.segment, last.front().place.offset};
    if (*log_->last_damage() > at) recovery_.head_in_doubt = true;
    return {};
}

Result<bool> StoreImpl::knows(const Incarnation& incarnation, std::uint64_t sequence) {
    return ask([&](Index& index) {
        return index.entries(incarnation, sequence, 1).map([&](const auto& rows) {
            return !rows.empty() && rows.front().sequence == sequence;
        });
    });
}

Status StoreImpl::for_each_name(RecordKind kind,
                                const std::function<Status(const Digest&)>& visit) {
    for (const auto& segment : log_->segments()) {
        TRIBUTARY_ASSIGN(const auto entries, log_->entries(segment.number));
        for (const segment::Entry& entry : entries)
            if (entry.key.kind == kind) TRIBUTARY_TRY(visit(entry.key.name));
    }
    return {};
}

// The place in a row is a hint: a record is damaged when the log's own tables lead to no sound one.
Result<Bytes> StoreImpl::entry_frame(const Index::EntryPlace& at) {
    const RecordKey key{RecordKind::entry, at.hash.digest};
    TRIBUTARY_ASSIGN(auto frame, log_->read_if_there(key, at.place));
    if (frame) return *std::move(frame);
    return objects_->record(key);
}

Status StoreImpl::read_entries(const Incarnation& incarnation, std::uint64_t from,
                               const std::function<bool(ByteView)>& visit) {
    constexpr std::size_t kPage = 64;  // `visit` may use the store, so no statement stays open
    std::size_t rows = 1;              // many want but one
    bool believed = true;              // of the index: while it names what the log has
    for (;; rows = kPage) {
        TRIBUTARY_ASSIGN(const auto page,
                         ask([&](Index& index) { return index.entries(incarnation, from, rows); }));
        bool ask_again = false;
        for (const Index::EntryPlace& at : page) {
            const auto frame = entry_frame(at);
            ask_again = !frame && frame.error().code == Errc::not_found && believed;
            if (ask_again) break;
            if (!frame) return tl::unexpected(frame.error());
            TRIBUTARY_ASSIGN(const RecordView record, parse_record(*frame));
            if (!visit(record.payload)) return {};
            from = at.sequence + 1;
        }
        if (ask_again) {
            TRIBUTARY_TRY(rebuild_index());
            believed = false;
        } else if (page.size() < rows) {
            return {};
        }
    }
}

Result<std::optional<VersionRow>> StoreImpl::branch_head(const std::string& repo,
                                                         const std::string& branch,
                                                         const Incarnation& incarnation) {
    return ask([&](Index& index) { return index.branch_head(repo, branch, incarnation); });
}

Result<std::vector<VersionRow>> StoreImpl::branches(const std::string& repo) {
    return ask([&](Index& index) { return index.branches(repo); });
}

Result<std::vector<std::string>> StoreImpl::repositories() {
    return ask([](Index& index) { return index.repositories(); });
}

Result<std::vector<VersionRow>> StoreImpl::versions_by_prefix(std::string_view hex,
                                                              std::size_t limit) {
    return ask([&](Index& index) { return index.versions_by_prefix(hex, limit); });
}

Result<std::vector<VersionRow>> StoreImpl::versions(std::optional<std::string> repo,
                                                    std::size_t limit) {
    return ask([&](Index& index) { return index.versions(repo, limit); });
}

Result<std::uint64_t> StoreImpl::count_versions_after(const Incarnation& incarnation,
                                                      std::uint64_t sequence) {
    return ask([&](Index& index) { return index.count_versions_after(incarnation, sequence); });
}

// What was given up may have come again. While it is about to go it only seems to be here; whether
// it is, is asked without that keeping it.
Result<bool> StoreImpl::evicted(const VersionId& version) {
    TRIBUTARY_ASSIGN(const bool said, ask([&](Index& index) { return index.evicted(version); }));
    if (!said || (compaction_ && compaction_->gives_up(version))) return said;
    SpaceWinner* const winner = objects_->set_space_winner(nullptr);
    const auto missing = first_missing(*this, version, {});
    objects_->set_space_winner(winner);
    if (missing) return missing->has_value();
    if (is_loss(missing.error())) return true;
    return tl::unexpected(missing.error());
}

Result<bool> StoreImpl::thinned(const VersionId& version) {
    return ask([&](Index& index) { return index.thinned(version); });
}

Result<std::optional<Digest>> StoreImpl::latest_receipt(const Incarnation& journal) {
    const auto last = [&](Index& index) { return index.receipt(journal); };
    TRIBUTARY_ASSIGN(const auto name, ask(last));
    if (!name || log_->known_damaged({RecordKind::receipt, *name})) return name;
    TRIBUTARY_ASSIGN(const auto place, objects_->locate({RecordKind::receipt, *name}));
    if (place) return name;
    TRIBUTARY_TRY(rebuild_index());  // it names what the log does not have
    return ask(last);
}

}  // namespace tributary
