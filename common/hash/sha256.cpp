// SHA-256 through libcrypto, which Paho loads anyway and which uses the CPU's SHA instructions.
#include <openssl/evp.h>

#include "common/hash/hash.h"

namespace tributary {

struct Sha256::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    State() { TRIBUTARY_CHECK(context != nullptr); }
    ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) { reset(); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::reset() {
    TRIBUTARY_CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}

void Sha256::update(ByteView bytes) {
    TRIBUTARY_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

Digest Sha256::finish() {
    Digest digest;
    TRIBUTARY_CHECK(EVP_DigestFinal_ex(state_->context, digest.bytes.data(), nullptr) == 1);
    return digest;
}

Digest sha256(ByteView bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.finish();
}

Digest sha256_of(std::string_view purpose, ByteView bytes) {
    static constexpr std::uint8_t kZero = 0;
    Sha256 hash;
    hash.update(as_bytes(purpose));
    hash.update({&kZero, 1});
    hash.update(bytes);
    return hash.finish();
}

}  // namespace tributary
