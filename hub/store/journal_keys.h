// Whose seal counts in which journal: the key that the hub bound, and after each change of key that
// the journal itself tells, signed by both, the new one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/entry.h"

namespace tributary::hub {

class JournalKeys {
public:
    // More changes of one journal change nothing: eleven years of a board that renews every day.
    static constexpr std::size_t kChangesMax = 4'096;

    // By the hub's journal, in its order. Another key replaces the one bound before.
    void bind(const Incarnation& journal, const Bytes& key);
    // By the journal itself, in its order. One that is not signed by the key in force and the new
    // one changes nothing.
    void change(const Incarnation& journal, const KeyChangedBody& body);

    // Journals that this key seals or has sealed, bound or not.
    std::vector<Incarnation> journals_with(const Bytes& key) const;
    // In force, DER; nullptr: none was bound.
    const Bytes* of(const Incarnation& journal) const;
    // The one that will be in force once these were said, too. `refused` gets, for each that will
    // change nothing, why.
    std::optional<Bytes> after(const Incarnation& journal, std::span<const KeyChangedBody> changes,
                               std::vector<std::string>& refused) const;
    // Likewise of changes that somebody shows who has yet to prove himself: behind the first of the
    // key in force that is not signed by both, none is looked at.
    std::optional<Bytes> shown(const Incarnation& journal, std::span<const KeyChangedBody> changes,
                               std::vector<std::string>& refused) const;
    // Whether the journal said so.
    bool holds(const Incarnation& journal, const KeyChangedBody& change) const;

private:
    struct Keys {
        Bytes bound;
        Bytes in_force;
        // Also while nothing is bound, so that it does not matter which journal is folded first.
        std::vector<KeyChangedBody> changes;
    };
    static Status check_room(const Incarnation& journal, std::size_t changes);
    static Status take(const Incarnation& journal, Bytes& in_force, const KeyChangedBody& body);
    enum class Wrong : std::uint8_t { passed_over, ends_it };
    std::optional<Bytes> follow(const Incarnation& journal, std::span<const KeyChangedBody> changes,
                                std::vector<std::string>& refused, Wrong signature) const;

    std::unordered_map<Incarnation, Keys> keys_;
};

}  // namespace tributary::hub
