// Why a board or its request was turned away at the door, as a counter each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tributary::hub {

enum class Refusal : std::uint8_t {
    form,           // not what the interface describes
    csr,            // no request for a certificate, or not signed by its own key
    proof,          // not signed by the key that must sign it
    revoked,        // a revoked key, journal or device
    replaced_key,   // a key of before a renewal
    journal,        // another board's journal
    token_unknown,  // never issued here, or forgotten
    token_used,     // by another key
    token_expired,
    token_revoked,
    token_group,    // of another group
    token_device,   // for another device
    turned_away,    // by an operator
    name,           // promised to it, and taken meanwhile
    not_certified,  // it asks to renew, and has nothing to renew
    same_key,       // it asks to renew with a key that is not new
    object,         // of a version that is not its own
    too_often,
};
inline constexpr std::size_t kRefusals = static_cast<std::size_t>(Refusal::too_often) + 1;

// As metrics name it.
constexpr std::string_view name_of(Refusal refusal) {
    constexpr std::array<std::string_view, kRefusals> kNames = {
        "form",        "csr",           "proof",       "revoked",       "replaced_key",
        "journal",     "token_unknown", "token_used",  "token_expired", "token_revoked",
        "token_group", "token_device",  "turned_away", "name",          "not_certified",
        "same_key",    "object",        "too_often"};
    return kNames[static_cast<std::size_t>(refusal)];
}

}  // namespace tributary::hub
