#include "agent/sync/new_journal.h"

#include <optional>
#include <utility>
#include <vector>

#include "agent/sync/checked_json.h"
#include "agent/sync/uplink.h"
#include "common/text/log.h"

namespace tributary::agent {
namespace {

constexpr std::size_t kBodiesAtOnce = 256;
constexpr std::uint64_t kNoteBytesMax = 4096;

// What a board says of its own accord. A start is said once for each journal.
std::optional<EntryBody> body_to_be_said_again(const EntryView& entry) {
    const EntryKind kind = entry.header.kind;
    if (kind != EntryKind::commit && kind != EntryKind::install && kind != EntryKind::thinned)
        return std::nullopt;
    auto body = parse_body(kind, entry.body);
    return body ? std::optional(*std::move(body)) : std::nullopt;
}

}  // namespace

std::uint64_t receipted_entries(Store& store, const SyncState& sync) {
    const auto receipt = last_receipt(store, store.head().incarnation);
    const bool covers = receipt && *receipt && still_counts(**receipt, sync);
    return covers ? (*receipt)->sequence : 0;
}

Result<StartBody> start_of_journal(Store& store) {
    std::optional<StartBody> start;
    TRIBUTARY_TRY(store.read_entries(store.head().incarnation, 1, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        const auto body = entry ? parse_body(entry->header.kind, entry->body)
                                : Result<EntryBody>(tl::make_unexpected(entry.error()));
        if (body && std::holds_alternative<StartBody>(*body)) start = std::get<StartBody>(*body);
        return false;
    }));
    if (!start) return fail(Errc::corrupt, "the first entry of the journal cannot be read");
    return *std::move(start);
}

Status JournalKeeper::begin(const Bytes& public_key, std::uint64_t covered) {
    const JournalHead before = store_.head();
    StartBody start;
    start.public_key = public_key;
    start.software = "tributary-agent " TRIBUTARY_VERSION;
    if (before.sequence != 0) {
        start.continues = before.incarnation;
        start.continues_sequence = before.sequence;
        start.continues_hash = before.hash;
        const Json note =
            Json::object({{"journal", before.incarnation.text()}, {"from", covered + 1}});
        TRIBUTARY_TRY(save_checked(files_, note_path_, "unsaid", note));
    }
    TRIBUTARY_TRY(store_.start_journal(std::move(start)));
    TRIBUTARY_TRY(store_.commit());
    return finish();
}

Status JournalKeeper::finish() {
    const auto note = load_checked(files_, note_path_, "unsaid", kNoteBytesMax);
    if (!note && note.error().code == Errc::not_found) return {};
    if (!note && note.error().code != Errc::corrupt) return tl::make_unexpected(note.error());
    const auto text = note ? note->text_at("journal") : tl::make_unexpected(note.error());
    const auto journal =
        text ? Incarnation::parse(*text) : Result<Incarnation>(tl::make_unexpected(text.error()));
    const auto from = note ? note->u64_at("from") : tl::make_unexpected(note.error());
    if (!journal || !from) {
        log_error("what was to be said again in a new journal is not known any more",
                  {{"damaged", note_path_}});
    } else if (*journal != store_.head().incarnation) {  // else the new one was not begun
        TRIBUTARY_TRY(say_again(*journal, *from));
    }
    TRIBUTARY_TRY(files_.remove(note_path_));
    return files_.sync_directory(std::string(parent_path(note_path_)));
}

// In parts, each durable before the next.
Status JournalKeeper::say_again(const Incarnation& journal, std::uint64_t from) {
    TRIBUTARY_ASSIGN(from, behind_what_was_said(journal, from));
    bool more = true;
    while (more) {
        std::vector<EntryBody> bodies;
        const Status read = store_.read_entries(journal, from, [&](ByteView plain) {
            const auto entry = parse_entry(plain);
            if (!entry) return false;
            from = entry->header.sequence + 1;
            if (auto body = body_to_be_said_again(*entry)) bodies.push_back(*std::move(body));
            return bodies.size() < kBodiesAtOnce;
        });
        // Damage behind which nothing of that journal can be read: fsck names it.
        if (!read && read.error().code != Errc::corrupt) return read;
        if (!read) log_failure(LogLevel::warn, "the journal before ends here", read.error());
        more = read && bodies.size() == kBodiesAtOnce;
        for (const EntryBody& body : bodies)
            if (auto staged = store_.stage_entry(body); !staged)
                return tl::make_unexpected(staged.error());
        TRIBUTARY_TRY(store_.commit());
    }
    return {};
}

// While the note stands, the new journal holds nothing but its start and what was said again, so
// its last entry shows how far a try came that a power cut ended.
Result<std::uint64_t> JournalKeeper::behind_what_was_said(const Incarnation& journal,
                                                          std::uint64_t from) {
    const JournalHead head = store_.head();
    if (head.sequence == 1) return from;
    std::optional<EntryBody> last;
    TRIBUTARY_TRY(store_.read_entries(head.incarnation, head.sequence, [&](ByteView plain) {
        if (const auto entry = parse_entry(plain)) last = body_to_be_said_again(*entry);
        return false;
    }));
    std::uint64_t behind = from;
    const Status read = store_.read_entries(journal, from, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        if (!entry) return false;
        const bool found = last && body_to_be_said_again(*entry) == last;
        if (found) behind = entry->header.sequence + 1;
        return !found;
    });
    static_cast<void>(read);  // its trouble: say_again() meets it, too
    return behind;
}

}  // namespace tributary::agent
