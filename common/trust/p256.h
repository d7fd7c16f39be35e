// ECDSA over P-256 as values: the private key, and what is wrong with a public one. Private to this
// folder.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/env/clock.h"

namespace tributary::trust::p256 {

inline constexpr std::size_t kPointBytes = 65;  // 0x04, then x and y
inline constexpr std::size_t kSignatureBytes = 64;
inline constexpr std::uint64_t kKeyFileBytesMax = 16 * 1024;

// SubjectPublicKeyInfo (RFC 5480): everything before the point is fixed for this curve, so one key
// has exactly one form and parsing is comparing.
inline constexpr std::array<std::uint8_t, 26> kPublicKeyPrefix = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
inline constexpr std::size_t kPublicKeyBytes = kPublicKeyPrefix.size() + kPointBytes;

// The 65 bytes of the point; invalid unless `der` has the one accepted form. Says nothing about the
// point itself.
Result<ByteView> point_of(ByteView der);

class PrivateKey {
public:
    static Result<PrivateKey> generate(Entropy& entropy);
    static Result<PrivateKey> parse_pem(std::string_view pem);

    PrivateKey(PrivateKey&&) noexcept;
    PrivateKey& operator=(PrivateKey&&) noexcept;
    ~PrivateKey();  // wipes the secret

    const Bytes& public_key() const;  // DER
    Result<Bytes> sign(const Digest& hash) const;
    std::string pem() const;  // SEC1; the caller wipes it with wipe()

private:
    struct State;
    explicit PrivateKey(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// By mbedTLS. denied, or invalid when the key is not a point of the curve in the accepted form.
Status verify(ByteView public_key, const Digest& hash, ByteView signature);

std::string public_key_pem(ByteView der);
Result<Bytes> parse_public_key_pem(std::string_view pem);

// What Signer::sign_der() signs begins with this, and what is signed for a purpose does not.
inline bool is_der_sequence(ByteView bytes) { return !bytes.empty() && bytes.front() == 0x30; }

// Overwrites a secret before its memory is given back.
void wipe(ByteSpan secret);

}  // namespace tributary::trust::p256
