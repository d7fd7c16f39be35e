#include "hub/store/journal_keys.h"

#include <algorithm>

#include "common/trust/key_change.h"

namespace tributary::hub {

Status JournalKeys::take(const Incarnation& journal, Bytes& in_force, const KeyChangedBody& body) {
    TRIBUTARY_TRY(trust::verify_key_change(trust::bulk_verifier(), journal, in_force, body));
    in_force = body.public_key;
    return {};
}

Status JournalKeys::check_room(const Incarnation& journal, std::size_t changes) {
    if (changes < kChangesMax) return {};
    return fail(Errc::denied, "journal " + journal.text() + " has changed its key " +
                                  std::to_string(kChangesMax) +
                                  " times; it cannot again: enrol the board anew with "
                                  "'tributary-agent enroll --anew'");
}

void JournalKeys::bind(const Incarnation& journal, const Bytes& key) {
    Keys& keys = keys_[journal];
    keys.bound = key;
    keys.in_force = key;
    for (const KeyChangedBody& body : keys.changes) (void)take(journal, keys.in_force, body);
}

void JournalKeys::change(const Incarnation& journal, const KeyChangedBody& body) {
    Keys& keys = keys_[journal];
    if (!check_room(journal, keys.changes.size())) return;
    keys.changes.push_back(body);
    if (!keys.bound.empty()) (void)take(journal, keys.in_force, body);
}

std::vector<Incarnation> JournalKeys::journals_with(const Bytes& key) const {
    std::vector<Incarnation> journals;
    for (const auto& [journal, keys] : keys_)
        if (keys.bound == key || keys.in_force == key ||
            std::ranges::find(keys.changes, key, &KeyChangedBody::public_key) != keys.changes.end())
            journals.push_back(journal);
    return journals;
}

const Bytes* JournalKeys::of(const Incarnation& journal) const {
    const auto found = keys_.find(journal);
    return found == keys_.end() || found->second.bound.empty() ? nullptr : &found->second.in_force;
}

std::optional<Bytes> JournalKeys::after(const Incarnation& journal,
                                        std::span<const KeyChangedBody> changes,
                                        std::vector<std::string>& refused) const {
    return follow(journal, changes, refused, Wrong::passed_over);
}

std::optional<Bytes> JournalKeys::shown(const Incarnation& journal,
                                        std::span<const KeyChangedBody> changes,
                                        std::vector<std::string>& refused) const {
    return follow(journal, changes, refused, Wrong::ends_it);
}

std::optional<Bytes> JournalKeys::follow(const Incarnation& journal,
                                         std::span<const KeyChangedBody> changes,
                                         std::vector<std::string>& refused, Wrong signature) const {
    const Bytes* present = of(journal);
    if (!present) return std::nullopt;
    Bytes in_force = *present;
    std::size_t said = keys_.at(journal).changes.size();
    for (const KeyChangedBody& body : changes) {
        const bool of_another = body.old_key != trust::key_id(in_force);
        Status taken = check_room(journal, said++);
        if (taken) taken = take(journal, in_force, body);
        if (taken) continue;
        refused.push_back(std::move(taken).error().what);
        if (!of_another && signature == Wrong::ends_it) break;
    }
    return in_force;
}

bool JournalKeys::holds(const Incarnation& journal, const KeyChangedBody& change) const {
    const auto found = keys_.find(journal);
    return found != keys_.end() && std::ranges::count(found->second.changes, change) != 0;
}

}  // namespace tributary::hub
