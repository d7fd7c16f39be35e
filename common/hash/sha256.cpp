// SHA-256 by libcrypto's EVP, or by mbedTLS's message-digest layer (the same in 2.28 and 3.6).
#include "common/base/result.h"
#include "common/hash/hash.h"

#ifdef TRIBUTARY_HASH_MBEDTLS
#include <mbedtls/md.h>
#else
#include <openssl/evp.h>
#endif

namespace tributary {

// The libraries' calls fail only when memory is out or the library is broken; neither can be
// handled by a caller that needs an id.
#ifdef TRIBUTARY_HASH_MBEDTLS
struct Sha256::State {
    State() {
        mbedtls_md_init(&context);
        TRIBUTARY_CHECK(
            mbedtls_md_setup(&context, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 0) == 0);
    }
    ~State() { mbedtls_md_free(&context); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void start() { TRIBUTARY_CHECK(mbedtls_md_starts(&context) == 0); }
    void update(ByteView bytes) {
        TRIBUTARY_CHECK(mbedtls_md_update(&context, bytes.data(), bytes.size()) == 0);
    }
    void finish(Digest& out) {
        TRIBUTARY_CHECK(mbedtls_md_finish(&context, out.bytes.data()) == 0);
    }

    mbedtls_md_context_t context;
};
#else
struct Sha256::State {
    State() : context(EVP_MD_CTX_new()) { TRIBUTARY_CHECK(context != nullptr); }
    ~State() { EVP_MD_CTX_free(context); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void start() { TRIBUTARY_CHECK(EVP_DigestInit_ex(context, algorithm(), nullptr) == 1); }
    void update(ByteView bytes) {
        TRIBUTARY_CHECK(EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1);
    }
    void finish(Digest& out) {
        TRIBUTARY_CHECK(EVP_DigestFinal_ex(context, out.bytes.data(), nullptr) == 1);
    }

    // Fetched once for the life of the process: EVP_sha256() would look the provider up at every
    // start, which costs more than hashing a small statement.
    static const EVP_MD* algorithm() {
        static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
        TRIBUTARY_CHECK(fetched != nullptr);
        return fetched;
    }

    EVP_MD_CTX* context;
};
#endif

Sha256::Sha256() : state_(std::make_unique<State>()) { state_->start(); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteView bytes) {
    if (!bytes.empty()) state_->update(bytes);
}

Digest Sha256::finish() {
    Digest digest;
    state_->finish(digest);
    return digest;
}

void Sha256::reset() { state_->start(); }

namespace {

// One context for each thread, so that naming a small statement allocates nothing.
Sha256& fresh_hasher() {
    static thread_local Sha256 hasher;
    hasher.reset();
    return hasher;
}

}  // namespace

Digest sha256(ByteView bytes) {
    Sha256& hasher = fresh_hasher();
    hasher.update(bytes);
    return hasher.finish();
}

Digest sha256_of(std::string_view purpose, ByteView bytes) {
    constexpr std::uint8_t kEnd = 0;
    Sha256& hasher = fresh_hasher();
    hasher.update(as_bytes(purpose));
    hasher.update({&kEnd, 1});
    hasher.update(bytes);
    return hasher.finish();
}

}  // namespace tributary
