#include "common/trust/fragment.h"

#include <mbedtls/chachapoly.h>

#include <array>
#include <string_view>

namespace tributary::trust {
namespace {

using Nonce = std::array<std::uint8_t, 12>;

// Wipes the key when it goes.
struct Cipher {
    mbedtls_chachapoly_context value;
    explicit Cipher(ByteView key) {
        TRIBUTARY_CHECK(key.size() == sync::kCastKeyBytes);
        mbedtls_chachapoly_init(&value);
        TRIBUTARY_CHECK(mbedtls_chachapoly_setkey(&value, key.data()) == 0);
    }
    ~Cipher() { mbedtls_chachapoly_free(&value); }
    Cipher(const Cipher&) = delete;
    Cipher& operator=(const Cipher&) = delete;
};

Nonce nonce_of(const sync::Fragment& fragment) {
    Nonce nonce{};
    store_le(nonce.data(), fragment.generation);
    store_le(nonce.data() + 4, fragment.index);
    return nonce;
}

Bytes associated_data(const sync::Fragment& fragment) {
    constexpr std::string_view kPurpose("tributary/1/cast\0", 17);
    Bytes data;
    ByteWriter out(data);
    out.put(as_bytes(kPurpose));
    out.put(fragment.cast);
    out.put(fragment.generation);
    out.put(fragment.generation_bytes);
    out.put(std::uint8_t{fragment.last});
    out.put(fragment.index);
    return data;
}

}  // namespace

Bytes seal_fragment(ByteView key, const sync::Fragment& fragment, ByteView plain) {
    Cipher cipher(key);
    const Bytes associated = associated_data(fragment);
    Bytes sealed(plain.size() + sync::kFragmentTagBytes);
    const int failed = mbedtls_chachapoly_encrypt_and_tag(
        &cipher.value, plain.size(), nonce_of(fragment).data(), associated.data(),
        associated.size(), plain.data(), sealed.data(), sealed.data() + plain.size());
    TRIBUTARY_CHECK(failed == 0);
    return sealed;
}

Result<Bytes> open_fragment(ByteView key, const sync::Fragment& fragment) {
    Cipher cipher(key);
    const Bytes associated = associated_data(fragment);
    const ByteView sealed(fragment.sealed);
    if (sealed.size() < sync::kFragmentTagBytes)
        return fail(Errc::denied, "a fragment is shorter than its seal");
    Bytes plain(sealed.size() - sync::kFragmentTagBytes);
    const int failed = mbedtls_chachapoly_auth_decrypt(
        &cipher.value, plain.size(), nonce_of(fragment).data(), associated.data(),
        associated.size(), sealed.data() + plain.size(), sealed.data(), plain.data());
    if (failed != 0)
        return fail(Errc::denied, "a fragment of the broadcast is not sealed under its key");
    return plain;
}

}  // namespace tributary::trust
