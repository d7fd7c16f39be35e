// Keys, signatures and seals behind a port: mbedTLS in the product, a cheap fake in the simulator.
//
// A signature covers sha256_of(purpose, digest): purpose, a zero byte, and the 32-byte digest of
// what is signed. ECDSA P-256, deterministic nonces (RFC 6979) but for the hub (bulk.h); a
// signature is 64 bytes, r then s, big-endian; a public key is SubjectPublicKeyInfo in DER.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/env/clock.h"
#include "common/env/files.h"

namespace tributary::trust {

// What a signature is for, so that one made for one use is worth nothing for another.
inline constexpr std::string_view kSealPurpose = "tributary/1/seal";
inline constexpr std::string_view kReceiptPurpose = "tributary/1/receipt";
inline constexpr std::string_view kApprovalPurpose = "tributary/1/approval";
inline constexpr std::string_view kAssignmentPurpose = "tributary/1/assignment";
inline constexpr std::string_view kContactPurpose = "tributary/1/contact";
inline constexpr std::string_view kHelloPurpose = "tributary/1/hello";
inline constexpr std::string_view kRootPurpose = "tributary/1/root";
inline constexpr std::string_view kRenewalPurpose = "tributary/1/renewal";
inline constexpr std::string_view kKeyChangePurpose = "tributary/1/key-change";

class Signer {
public:
    virtual ~Signer() = default;
    virtual const Bytes& public_key() const = 0;
    virtual Result<Bytes> sign(std::string_view purpose, const Digest& digest) = 0;
    // For certificate.h alone: over SHA-256 of a DER SEQUENCE (a CSR, a certificate), which nothing
    // signed for a purpose begins with. CHECKs that it is one. unsupported unless overridden.
    virtual Result<Bytes> sign_der(ByteView) {
        return fail(Errc::unsupported, "this key cannot sign certificates or requests for them");
    }
};

class Verifier {
public:
    virtual ~Verifier() = default;
    // denied when the signature is not this key's over these bytes; invalid when the key cannot be
    // read.
    virtual Status verify(ByteView public_key, std::string_view purpose, const Digest& digest,
                          ByteView signature) = 0;
};

// The name of a key: sha256 of its DER form. A key has one DER form here (uncompressed point, named
// curve), so it has one name.
Digest key_id(ByteView public_key);

// Signers are used by one thread at a time. Their signatures depend on key and input alone.
Result<std::unique_ptr<Signer>> generate_key(Entropy& entropy);
// A key file is PKCS#8 or SEC1 in PEM, mode 0600; plain, or encrypted with a passphrase
// (key_file.h), which a plain one does not mind. Other blocks may stand behind the key.
// load: not_found; denied, the passphrase is missing or wrong; invalid with what to do. create:
// conflict when the file is there; after success it is there durably and whole. One creator at a
// time: a store's lock sees to it.
class Passphrase;
Result<std::unique_ptr<Signer>> load_key(Files& files, const std::string& path,
                                         const Passphrase* passphrase = nullptr);
Result<std::unique_ptr<Signer>> create_key(Files& files, Entropy& entropy, const std::string& path,
                                           const Passphrase* passphrase = nullptr);
Result<std::unique_ptr<Signer>> load_or_create_key(Files& files, Entropy& entropy,
                                                   const std::string& path,
                                                   const Passphrase* passphrase = nullptr);
// The public half as PEM, to hand out.
std::string public_key_pem(ByteView public_key);
Result<Bytes> parse_public_key_pem(std::string_view pem);

// Both accept and refuse the same; live until exit; thread-safe. By mbedTLS, for a device:
Verifier& system_verifier();
// By libcrypto, many times faster, for a hub that checks the seals of a fleet:
Verifier& bulk_verifier();

}  // namespace tributary::trust
