// The board's identity: its key file, which holds the key and, once the board is enrolled, the
// certificate that the hub issued for it (common/trust/key_file.h).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/config/config.h"
#include "common/env/files.h"
#include "common/trust/certificate.h"
#include "common/trust/key_file.h"
#include "common/trust/trust.h"

namespace tributary::agent {

// What the key's file is encrypted with; none: it is not. A key that was made before there was a
// passphrase is read all the same, until a renewal replaces it. not_found or invalid, naming the
// file, when the passphrase cannot be read.
class IdentityPassphrase {
public:
    static Result<IdentityPassphrase> load(Files& files, const Config& config);
    const trust::Passphrase* get() const { return passphrase_ ? &*passphrase_ : nullptr; }

private:
    std::optional<trust::Passphrase> passphrase_;
};

struct Identity {
    std::unique_ptr<trust::Signer> key;
    Bytes certificate;                       // DER; empty: not enrolled
    std::optional<trust::Certificate> says;  // what stands in it
};

// not_found; denied, the passphrase is missing or wrong; invalid with what to do, also when the
// certificate is another key's.
Result<Identity> load_identity(Files& files, const std::string& path,
                               const trust::Passphrase* passphrase);

// The public key of a key file, from its certificate if it has one: a key that is encrypted is slow
// to open, or not ours to open.
Result<Bytes> public_key_of(Files& files, const std::string& path,
                            const trust::Passphrase* passphrase);

}  // namespace tributary::agent
