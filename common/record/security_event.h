// What a node refused, as the one word by which an entry of kind security_event
// (common/record/entry.h) names it. An entry may hold a word of a newer program: readers show it,
// and count what they do not know under "other".
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tributary {

enum class SecurityEvent : std::uint8_t {
    // a board: what came from hub, broker or the hub's door
    hub_unproven,     // a Hello by no key that the board believes, or over another session's nonce
    hub_replayed,     // a Hello that was proved in an earlier session, again
    hub_history,      // the hub's journal is not the one that it showed before
    receipt_refused,  // not by the hub, or about another board or another history
    assignment_forged,    // not by the hub, or for another board
    assignment_replayed,  // its number was used up long ago
    root_refused,         // no root document that chains from the board's, or an older one
    door_unproven,        // who answers at the door's address has no certificate of the authority
    // either side
    malformed_message,  // none of the protocol
    bad_record,         // a record that is not what was offered, or not what its name says
    // a hub: what came from a board, known by its topic or its key
    bad_seal,              // entries that are not under a seal by their journal's key
    board_unproven,        // a Hello in its name that its key did not sign
    key_change_refused,    // not by both keys
    revoked,               // a revoked board speaks
    journal_fork,          // a journal says two things at one number: a copied card
    foreign_journal,       // entries of another board's journal
    history_contradicted,  // a board was shown another history of this hub
    quarantined,           // what the board sends was refused too often: it is read no more
    // a hub: what came from nobody in particular
    unknown_device,  // a message on a topic of no device
    other,           // of either side: more kinds and boards at once than are kept apart
};
inline constexpr std::size_t kSecurityEvents = static_cast<std::size_t>(SecurityEvent::other) + 1;

constexpr std::string_view name_of(SecurityEvent event) {
    constexpr std::array<std::string_view, kSecurityEvents> kNames = {"hub_unproven",
                                                                      "hub_replayed",
                                                                      "hub_history",
                                                                      "receipt_refused",
                                                                      "assignment_forged",
                                                                      "assignment_replayed",
                                                                      "root_refused",
                                                                      "door_unproven",
                                                                      "malformed_message",
                                                                      "bad_record",
                                                                      "bad_seal",
                                                                      "board_unproven",
                                                                      "key_change_refused",
                                                                      "revoked",
                                                                      "journal_fork",
                                                                      "foreign_journal",
                                                                      "history_contradicted",
                                                                      "quarantined",
                                                                      "unknown_device",
                                                                      "other"};
    return kNames[static_cast<std::size_t>(event)];
}

// Whether a board's program of now writes this word.
constexpr bool is_security_event(std::string_view word) {
    for (std::size_t i = 0; i < kSecurityEvents; ++i)
        if (name_of(static_cast<SecurityEvent>(i)) == word) return true;
    return false;
}

}  // namespace tributary
