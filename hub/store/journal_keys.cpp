#include "hub/store/journal_keys.h"

#include <algorithm>

#include "common/trust/key_change.h"

namespace tributary::hub {

Status JournalKeys::take(const Incarnation& journal, Keys& keys, const KeyChangedBody& body) {
    TRIBUTARY_TRY(trust::verify_key_change(trust::bulk_verifier(), journal, keys.in_force, body));
    keys.in_force = body.public_key;
    return {};
}

Status JournalKeys::say(const Incarnation& journal, Keys& keys, const KeyChangedBody& body) {
    if (keys.changes.size() == kChangesMax)
        return fail(Errc::denied, "journal " + journal.text() + " has changed its key " +
                                      std::to_string(kChangesMax) +
                                      " times; it cannot again: enrol the board anew with "
                                      "'tributary-agent enroll --anew'");
    keys.changes.push_back(body);
    return keys.bound.empty() ? Status() : take(journal, keys, body);
}

void JournalKeys::bind(const Incarnation& journal, const Bytes& key) {
    Keys& keys = keys_[journal];
    keys.bound = key;
    keys.in_force = key;
    for (const KeyChangedBody& body : keys.changes) (void)take(journal, keys, body);
}

void JournalKeys::change(const Incarnation& journal, const KeyChangedBody& body) {
    (void)say(journal, keys_[journal], body);
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
    const Bytes* present = of(journal);
    if (!present || changes.empty()) return present ? std::optional(*present) : std::nullopt;
    Keys keys = keys_.at(journal);
    for (const KeyChangedBody& body : changes)
        if (auto taken = say(journal, keys, body); !taken)
            refused.push_back(std::move(taken).error().what);
    return std::move(keys.in_force);
}

}  // namespace tributary::hub
