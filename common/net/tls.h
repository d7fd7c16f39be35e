// What each side of an HTTPS connection needs to prove itself and to believe the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/ids.h"

namespace tributary {

// By what a server proves who it is.
struct TlsIdentity {
    // PEM: the server's certificate, then those that lead to its authority. A client that pins the
    // authority needs that one here, too.
    std::string certificate;
    std::string key;         // PEM, PKCS#8 or older
    std::string passphrase;  // of an encrypted key; never asked of a terminal
};

// Whom a client believes: one of these, or none for the authorities of this system. What the server
// shows must lead to one of them, be valid now, and be for the URL's host, name or address.
struct TlsTrust {
    std::string ca_file;  // PEM
    std::string ca;       // PEM, in memory
    // SHA-256 of an authority's certificate (DER), which the server must send. For who does not
    // hold that certificate yet.
    std::optional<Digest> ca_pin;
    // Believes whoever answers. For what proves itself whoever brings it, and nothing else.
    bool anyone = false;
    // A URI that the server's own certificate must name beside its host; empty: none. So one server
    // of a deployment cannot pass for another.
    std::string role = {};
    // When "now" is, in ms since 1970, for who knows better than this machine's clock.
    std::optional<std::uint64_t> now_ms;
};

}  // namespace tributary
