// The hub's signer: by libcrypto, twenty times faster than mbedTLS's, for whoever seals a receipt
// for each plan of a fleet. Its nonces are libcrypto's own, so it signs the same thing differently
// each time; what is said in trust.h of a Signer's threads and of key files holds here too.
#pragma once

#include <memory>
#include <string>

#include "common/trust/trust.h"

namespace tributary::trust {

// As load_key() and load_or_create_key().
Result<std::unique_ptr<Signer>> load_bulk_key(Files& files, const std::string& path,
                                              const Passphrase* passphrase = nullptr);
Result<std::unique_ptr<Signer>> load_or_create_bulk_key(Files& files, Entropy& entropy,
                                                        const std::string& path,
                                                        const Passphrase* passphrase = nullptr);

}  // namespace tributary::trust
