#include "agent/trust/key_succession.h"

#include "agent/sync/new_journal.h"
#include "common/record/message.h"
#include "common/text/log.h"
#include "common/trust/key_change.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kKeyFileBytesMax = 64 * 1024;

Result<bool> is_there(Files& files, const std::string& path) {
    const auto status = files.stat(path);
    if (!status && status.error().code != Errc::not_found)
        return tl::make_unexpected(status.error());
    return status.has_value();
}

Status remove_durably(Files& files, const std::string& path) {
    TRIBUTARY_TRY(files.remove(path));
    return files.sync_directory(std::string(parent_path(path)));
}

}  // namespace

// Only changes that the key in force and the next one signed count, as on the hub.
Result<std::deque<KeySuccession::Change>> KeySuccession::changes() {
    const Incarnation journal = store_.head().incarnation;
    TRIBUTARY_ASSIGN(const StartBody start, start_of_journal(store_));
    Bytes in_force = start.public_key;
    std::deque<Change> changes;
    TRIBUTARY_TRY(store_.read_entries(journal, 2, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        if (!entry || entry->header.kind != EntryKind::key_changed) return true;
        const auto body = parse_body(entry->header.kind, entry->body);
        const auto* changed = body ? std::get_if<KeyChangedBody>(&*body) : nullptr;
        if (changed &&
            trust::verify_key_change(trust::system_verifier(), journal, in_force, *changed)) {
            in_force = changed->public_key;
            changes.push_back({{journal, entry->header.sequence, trust::key_id(in_force)},
                               Bytes(entry->body.begin(), entry->body.end())});
            if (changes.size() > sync::kHelloKeyChangesMax) changes.pop_front();
        }
        return true;
    }));
    return changes;
}

Result<std::optional<TrustState::KeyChange>> KeySuccession::last_change() {
    TRIBUTARY_ASSIGN(const auto changes, this->changes());
    if (changes.empty()) return std::nullopt;
    return changes.back().what;
}

Status KeySuccession::settle() {
    TRIBUTARY_ASSIGN(const bool there, is_there(files_, config_.next_key_path()));
    if (!there) return {};
    const auto next = public_key_of(files_, config_.next_key_path(), passphrase_);
    // Without its passphrase nobody can say; the daemon has it.
    if (!next && next.error().code == Errc::denied) return {};
    // A disk that fails for a moment is no damage.
    if (!next && next.error().code != Errc::invalid) return tl::make_unexpected(next.error());
    const auto last = last_change();
    // One whose beginning is damaged or gone says nothing of its key.
    if (!last && last.error().code != Errc::corrupt) return tl::make_unexpected(last.error());
    if (!next) {
        const auto present = public_key_of(files_, config_.key_path(), passphrase_);
        if (last && *last && !(present && trust::key_id(*present) == (*last)->key))
            return fail(Errc::corrupt, config_.next_key_path() +
                                           " is damaged, and it is the key that this journal went "
                                           "over to; put a copy of it back, or enrol this board "
                                           "anew with 'tributary-agent enroll --anew'");
        log_failure(LogLevel::warn, "the next key is damaged and given up", next.error());
        return remove_durably(files_, config_.next_key_path());
    }
    if (!last || !*last || (*last)->key != trust::key_id(*next)) return {};
    TRIBUTARY_TRY(files_.rename(config_.next_key_path(), config_.key_path()));
    TRIBUTARY_TRY(files_.sync_directory(config_.state_dir));
    return trust_ ? trust_->note_key_change(**last) : Status();
}

Result<bool> KeySuccession::is_in_force(ByteView public_key) {
    const Digest key = trust::key_id(public_key);
    const auto start = start_of_journal(store_);
    if (!start || trust::key_id(start->public_key) == key) {
        // After a change the first key is in force no more.
        const bool changed =
            start && trust_ && trust_->state().key_change.journal == store_.head().incarnation;
        return !changed;
    }
    if (trust_ && trust_->state().key_change.journal == store_.head().incarnation &&
        trust_->state().key_change.key == key)
        return true;
    TRIBUTARY_ASSIGN(const auto last, last_change());
    if (!last || last->key != key) return false;
    if (trust_) TRIBUTARY_TRY(trust_->note_key_change(*last));
    return true;
}

Result<Identity> KeySuccession::prepare(Entropy& entropy) {
    const std::string path = config_.next_key_path();
    auto next = load_identity(files_, path, passphrase_);
    if (next || next.error().code != Errc::not_found) return next;
    TRIBUTARY_TRY(trust::create_key(files_, entropy, path, passphrase_));
    return load_identity(files_, path, passphrase_);
}

Status KeySuccession::keep_certificate(ByteView certificate) {
    return trust::put_certificate(files_, config_.next_key_path(), certificate);
}

Status KeySuccession::change(trust::Signer& present) {
    // It alone can seal what stands before the last change.
    TRIBUTARY_ASSIGN(const auto before_present, former());
    if (before_present)
        return fail(Errc::conflict,
                    "the hub has not receipted the last change of key yet; the next one waits");
    TRIBUTARY_ASSIGN(const Identity next,
                     load_identity(files_, config_.next_key_path(), passphrase_));
    const Incarnation journal = store_.head().incarnation;
    TRIBUTARY_ASSIGN(KeyChangedBody body, trust::sign_key_change(present, *next.key, journal));
    // What stands before the entry is sealed by the present key for as long as it is needed.
    TRIBUTARY_ASSIGN(const Bytes before, read_file(files_, config_.key_path(), kKeyFileBytesMax));
    TRIBUTARY_TRY(replace_file(files_, config_.old_key_path(), before));
    TRIBUTARY_ASSIGN(const auto staged, store_.stage_entry(std::move(body)));
    static_cast<void>(staged);
    TRIBUTARY_TRY(store_.commit());
    return settle();
}

Result<std::optional<KeySuccession::Former>> KeySuccession::former() {
    TRIBUTARY_ASSIGN(const bool there, is_there(files_, config_.old_key_path()));
    if (!there) return std::nullopt;
    auto key = trust::load_key(files_, config_.old_key_path(), passphrase_);
    if (!key && key.error().code == Errc::invalid) {
        log_failure(LogLevel::warn, "the key before the last is damaged and given up", key.error());
        return std::nullopt;
    }
    if (!key) return tl::make_unexpected(key.error());
    TRIBUTARY_ASSIGN(auto changes, this->changes());
    // It is the present one where a change was cut short before its entry.
    if (changes.empty() || changes.back().what.key == trust::key_id((*key)->public_key()))
        return std::nullopt;
    Former former{*std::move(key), changes.back().what.sequence, {}};
    for (Change& change : changes) former.changes.push_back(std::move(change.body));
    return std::optional(std::move(former));
}

Result<bool> KeySuccession::forget_former(std::uint64_t receipted) {
    TRIBUTARY_ASSIGN(const bool there, is_there(files_, config_.old_key_path()));
    if (!there) return true;
    std::optional<TrustState::KeyChange> change;
    if (trust_ && trust_->state().key_change.journal == store_.head().incarnation) {
        change = trust_->state().key_change;
    } else {
        // A power cut may have come between the rename and the note.
        TRIBUTARY_ASSIGN(change, last_change());
        if (trust_ && change) TRIBUTARY_TRY(trust_->note_key_change(*change));
    }
    if (change && receipted < change->sequence) return false;
    TRIBUTARY_TRY(remove_durably(files_, config_.old_key_path()));
    return true;
}

}  // namespace tributary::agent
