// X.509, as far as TLS with the broker and the API needs it: requests, one authority that issues
// certificates, and what a certificate says. What counts for history is signed elsewhere (seal.h,
// root.h); here is only who may connect as whom.
//
// All keys are P-256 (SubjectPublicKeyInfo in DER), all signatures ECDSA with SHA-256. By
// libcrypto. Nothing here reads a clock: whether a certificate is in its time is asked with the
// time that the caller believes. Input may come from anyone; it is invalid or denied, and never
// crashes.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/limits.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/env/clock.h"
#include "common/trust/trust.h"

namespace tributary::trust {

// Both ends belong to it; whole seconds.
struct Validity {
    WallTime not_before;
    WallTime not_after;
    bool operator==(const Validity&) const = default;
};
// Also for a board whose clock stands at 1970: until 2106-02-07T06:28:15Z.
inline constexpr Validity kAlways{{0}, {4'294'967'295'000}};

// The common name that the hub connects to the broker with. No device may have it.
inline constexpr std::string_view kHubCommonName = "hub";

// What the certificate of the boards' door names beside its hosts (a URI), and no other server's
// does: so the broker, which is of the same authority and on the same host, cannot pass for it.
inline constexpr std::string_view kDoorRole = "urn:tributary:door";

inline constexpr std::string_view kCertificateLabel = "CERTIFICATE";
inline constexpr std::string_view kRevocationListLabel = "X509 CRL";
inline constexpr std::string_view kCsrLabel = "CERTIFICATE REQUEST";
std::string to_pem(std::string_view label, ByteView der);
// The first block with that label, other blocks passed over; invalid when there is none.
Result<Bytes> from_pem(std::string_view label, std::string_view text);
// All of them, one at least.
Result<std::vector<Bytes>> all_from_pem(std::string_view label, std::string_view text);

// A request (PKCS#10, DER) that proves the key and says nothing else: the authority decides the
// rest.
Result<Bytes> make_csr(Signer& key);
// The public key, once the request is known to be signed by it. Its subject and extensions are not
// even looked at. invalid: not a request, longer than limits::kCsrBytesMax, or not P-256; denied:
// signed by another key.
Result<Bytes> parse_csr(ByteView der);

enum class CertificateUse : std::uint8_t { client, server };

struct Certificate {
    std::string subject;  // the common name; a device's id, or kHubCommonName
    std::string issuer;   // the authority's
    // Of the keys, as it says: an authority's own is its certificates' issuer's.
    Bytes key_identifier, issuer_key_identifier;
    Bytes serial;  // big-endian, without leading zeros
    Bytes public_key;
    Validity validity;
    bool authority = false;  // may issue others
    bool client = false;     // extended key usage
    bool server = false;
    bool door = false;                   // names kDoorRole
    std::vector<std::string> names;      // of a server
    std::vector<std::string> addresses;  // of a server, "192.0.2.1", "2001:db8::1"

    bool is_valid_at(WallTime now) const {
        return validity.not_before <= now && now.ms / 1000 <= validity.not_after.ms / 1000;
    }
    bool operator==(const Certificate&) const = default;
};
// What it says, which nobody vouched for yet. invalid when it is longer than
// limits::kCertificateBytesMax, not a certificate, or not of a P-256 key and one common name.
Result<Certificate> parse_certificate(ByteView der);
// What it says, once one of `authorities` (DER) is known to have issued it for this use. denied
// otherwise, with the reason. Its time is not looked at.
Result<Certificate> verify_certificate(ByteView der, std::span<const Bytes> authorities,
                                       CertificateUse use);

// The key that issues certificates, and its own, self-signed one (path length 0). Used by one
// thread at a time.
class Authority {
public:
    static Result<Authority> create(std::unique_ptr<Signer> key, Entropy& entropy,
                                    std::string_view name, const Validity& validity = kAlways);
    // invalid unless `certificate` (DER) is that of an authority and of this key.
    static Result<Authority> load(std::unique_ptr<Signer> key, Bytes certificate);

    const Bytes& certificate() const { return certificate_; }  // DER

    // Each answers the certificate in DER, with a random serial number of 128 bits. invalid: an id,
    // name, address or key that is none, or a device called as the hub.
    Result<Bytes> issue_device(Entropy& entropy, std::string_view device, ByteView public_key,
                               const Validity& validity);
    Result<Bytes> issue_hub(Entropy& entropy, ByteView public_key,
                            const Validity& validity = kAlways);
    // A broker or API that is found under these DNS names and addresses; at least one, at most 16.
    Result<Bytes> issue_server(Entropy& entropy, ByteView public_key,
                               std::span<const std::string> names,
                               std::span<const std::string> addresses,
                               const Validity& validity = kAlways);
    // Likewise, of the boards' door.
    Result<Bytes> issue_door(Entropy& entropy, ByteView public_key,
                             std::span<const std::string> names,
                             std::span<const std::string> addresses,
                             const Validity& validity = kAlways);

    // Which of its certificates hold no more, for brokers (a CRL, DER), good for as long as the
    // authority. `serials`: big-endian, as in Certificate. `number` is greater in each list.
    Result<Bytes> revocation_list(std::uint64_t number, std::span<const Bytes> serials);

private:
    Result<Bytes> issue_server_as(std::string_view role, Entropy& entropy, ByteView public_key,
                                  std::span<const std::string> names,
                                  std::span<const std::string> addresses, const Validity& validity);
    Authority(std::unique_ptr<Signer> key, Bytes certificate);

    std::unique_ptr<Signer> key_;
    Bytes certificate_;
};

}  // namespace tributary::trust
