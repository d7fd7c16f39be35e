// What makes a hub a secured one, beside its own key and its configuration. Whoever read it from
// the folder of trust keeps it as long as the hub lives.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "common/net/tls.h"
#include "common/store/store.h"
#include "common/trust/certificate.h"
#include "common/trust/key_file.h"
#include "hub/broker/broker_access.h"

namespace tributary::hub {

struct Secured {
    trust::Authority& authority;     // issues the boards' certificates
    std::vector<Bytes> roots;        // signed root documents, version 1 first
    TlsIdentity identity;            // of the boards' door, and of the API unless it has one
    BrokerAccess* broker = nullptr;  // told whom to shut out; none: the hub has no say there
    // Of the hub's signing key, and of its key at the broker; none: they are not encrypted.
    std::optional<trust::Passphrase> key_passphrase = {};
    std::optional<trust::Passphrase> broker_passphrase = {};
    // SHA-256 of the certificate of the authority that `identity` is by; none: of the one above.
    Digest door_authority = {};
    // The hub's, opened by open_hub_store(): who hands over the rest had to look into it. None: the
    // hub opens it.
    std::unique_ptr<Store> store = nullptr;
};

}  // namespace tributary::hub
