// Encrypted keys by libcrypto: mbedTLS 2.28 neither writes them nor reads AES in PBES2.
#include "common/trust/encrypted_key.h"

#include <openssl/pkcs12.h>

#include <array>

#include "common/trust/libcrypto.h"
#include "common/trust/p256.h"

namespace tributary::trust {
namespace {

using libcrypto::Bio;
using libcrypto::EncryptedKey;
using libcrypto::Key;
using libcrypto::PlainKey;

constexpr std::string_view kEncryptedBegin = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
constexpr std::string_view kOldEncryption = "Proc-Type: 4,ENCRYPTED";
constexpr std::string_view kTokenScheme = "pkcs11:";
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kBlockBytes = 16;

SecretText text_of(BIO* bio) {
    return SecretText(std::string(as_text(libcrypto::content_of(bio))));
}

Result<SecretText> decrypt_pem(std::string_view text, const Passphrase& passphrase) {
    const libcrypto::QuietErrors quiet;
    const Bio in = libcrypto::reader_of(text.substr(text.find(kEncryptedBegin)));
    const EncryptedKey encrypted(in ? PEM_read_bio_PKCS8(in.get(), nullptr, nullptr, nullptr)
                                    : nullptr);
    if (!encrypted)
        return fail(Errc::invalid, "the encrypted key is damaged; put a sound copy in its place");
    const PlainKey plain(PKCS8_decrypt(encrypted.get(), passphrase.text().data(),
                                       static_cast<int>(passphrase.text().size())));
    const Key key(plain ? EVP_PKCS82PKEY(plain.get()) : nullptr);
    if (!key)
        return fail(Errc::denied,
                    "the passphrase, or the hub's master key, does not open it: give the one that "
                    "it was encrypted with; if it is that, the file was changed, put a sound copy "
                    "in its place");
    const Bio out(BIO_new(BIO_s_mem()));
    if (!out || PEM_write_bio_PKCS8_PRIV_KEY_INFO(out.get(), plain.get()) != 1)
        return fail(Errc::exhausted, "decrypting a key failed in libcrypto");
    return text_of(out.get());
}

}  // namespace

SecretText::SecretText(SecretText&& other) noexcept : text_(other.text_) { other.wipe(); }
SecretText& SecretText::operator=(SecretText&& other) noexcept {
    if (this == &other) return *this;
    wipe();
    text_ = other.text_;
    other.wipe();
    return *this;
}
SecretText::~SecretText() { wipe(); }
void SecretText::wipe() {
    p256::wipe({reinterpret_cast<std::uint8_t*>(text_.data()), text_.size()});
    text_.clear();
}

Status check_key_path(const std::string& path) {
    if (!path.starts_with(kTokenScheme)) return {};
    return fail(Errc::unsupported, "keys in tokens (" + path.substr(0, path.find(';')) +
                                       "…) cannot be used yet; give the path of a key file, plain "
                                       "or encrypted (PKCS#8)");
}

Result<SecretText> load_plain_pem(Files& files, const std::string& path,
                                  const Passphrase* passphrase) {
    TRIBUTARY_TRY(check_key_path(path));
    auto content = read_file(files, path, p256::kKeyFileBytesMax);
    if (!content) return with_context("load the key " + path, std::move(content).error());
    SecretText text{std::string(as_text(*content))};
    p256::wipe(*content);
    if (text.text().find(kOldEncryption) != std::string_view::npos)
        return fail(Errc::invalid, "load the key " + path +
                                       ": it is encrypted in an old form; write it anew with "
                                       "`openssl pkcs8 -topk8 -v2 aes-256-cbc`");
    if (text.text().find(kEncryptedBegin) == std::string_view::npos) return text;
    if (passphrase == nullptr)
        return fail(Errc::denied,
                    "load the key " + path + ": it is encrypted; give its passphrase");
    auto plain = decrypt_pem(text.text(), *passphrase);
    if (!plain) return with_context("load the key " + path, std::move(plain).error());
    return plain;
}

Result<SecretText> encrypt_pem(std::string_view plain, const Passphrase& passphrase,
                               Entropy& entropy) {
    const libcrypto::QuietErrors quiet;
    const Key key = libcrypto::private_key_of(plain);
    const PlainKey info(key ? EVP_PKEY2PKCS8(key.get()) : nullptr);
    std::array<std::uint8_t, kSaltBytes> salt;
    std::array<std::uint8_t, kBlockBytes> start;
    entropy.fill(salt);
    entropy.fill(start);
    X509_ALGOR* scheme =
        PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), static_cast<int>(passphrase.iterations()), salt.data(),
                          static_cast<int>(salt.size()), start.data(), NID_hmacWithSHA256);
    const EncryptedKey encrypted(info && scheme != nullptr
                                     ? PKCS8_set0_pbe(passphrase.text().data(),
                                                      static_cast<int>(passphrase.text().size()),
                                                      info.get(), scheme)
                                     : nullptr);
    if (!encrypted) X509_ALGOR_free(scheme);  // else the result owns it
    const Bio out(BIO_new(BIO_s_mem()));
    if (!encrypted || !out || PEM_write_bio_PKCS8(out.get(), encrypted.get()) != 1)
        return fail(Errc::exhausted, "encrypting a key failed in libcrypto");
    return text_of(out.get());
}

}  // namespace tributary::trust
