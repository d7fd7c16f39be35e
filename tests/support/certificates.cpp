#include "tests/support/certificates.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace tributary::test {
namespace {

void must(bool done, const char* what) {
    if (done) return;
    std::fprintf(stderr, "certificates of the test: %s\n", what);
    std::abort();
}

std::shared_ptr<EVP_PKEY> new_key() {
    std::shared_ptr<EVP_PKEY> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"),
                                  EVP_PKEY_free);
    must(key != nullptr, "key");
    return key;
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long bytes = BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data);
    std::string text(data, static_cast<std::size_t>(bytes));
    BIO_free(bio);
    return text;
}

std::string pem_of(X509* certificate) {
    BIO* bio = BIO_new(BIO_s_mem());
    must(PEM_write_bio_X509(bio, certificate) == 1, "PEM");
    return text_of(bio);
}

std::string pem_of(EVP_PKEY* key, const std::string& passphrase = {}) {
    BIO* bio = BIO_new(BIO_s_mem());
    must(PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase.empty() ? nullptr : EVP_aes_256_cbc(),
                                       passphrase.empty() ? nullptr : passphrase.data(),
                                       static_cast<int>(passphrase.size()), nullptr, nullptr) == 1,
         "PEM of a key");
    return text_of(bio);
}

// In days, because a board's time_t may end in 2038.
void set_time(ASN1_TIME* time, std::int64_t seconds) {
    std::time_t epoch = 0;
    X509_time_adj_ex(time, static_cast<int>(seconds / 86'400), static_cast<long>(seconds % 86'400),
                     &epoch);
}

void extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    must(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, value.c_str());
    X509_EXTENSION_free(extension);
}

// Not yet signed.
std::shared_ptr<X509> new_certificate(const std::string& subject, EVP_PKEY* key, std::int64_t from,
                                      std::int64_t until) {
    std::shared_ptr<X509> made(X509_new(), X509_free);
    std::uint64_t serial = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
    X509_set_version(made.get(), X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(made.get()), serial);
    set_time(X509_getm_notBefore(made.get()), from);
    set_time(X509_getm_notAfter(made.get()), until);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
    X509_set_pubkey(made.get(), key);
    return made;
}

}  // namespace

Authority::Authority(const std::string& name)
    : key_(new_key()), certificate_(new_certificate(name, key_.get(), 0, 4'294'967'295)) {
    X509* own = certificate_.get();
    X509_set_issuer_name(own, X509_get_subject_name(own));
    extend(own, own, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    extend(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
    extend(own, own, NID_subject_key_identifier, "hash");
    must(X509_sign(own, key_.get(), EVP_sha256()) > 0, "signature");
    pem_ = pem_of(own);
}

Digest Authority::fingerprint() const {
    Digest digest;
    must(X509_digest(certificate_.get(), EVP_sha256(), digest.bytes.data(), nullptr) == 1,
         "digest");
    return digest;
}

Certificate Authority::issue(const CertificateOptions& options) const {
    const auto key = new_key();
    const auto made =
        new_certificate(options.subject, key.get(), options.valid_from_s, options.valid_until_s);
    X509* issuer = certificate_.get();
    X509_set_issuer_name(made.get(), X509_get_subject_name(issuer));
    extend(made.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
    extend(made.get(), issuer, NID_ext_key_usage, options.usage);
    extend(made.get(), issuer, NID_authority_key_identifier, "keyid");
    std::string names;
    for (const std::string& name : options.names) names += (names.empty() ? "" : ",") + name;
    if (!names.empty()) extend(made.get(), issuer, NID_subject_alt_name, names);
    must(X509_sign(made.get(), key_.get(), EVP_sha256()) > 0, "signature");
    return {pem_of(made.get()), pem_of(key.get())};
}

std::string encrypted_key(const std::string& key_pem, const std::string& passphrase) {
    BIO* bio = BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    must(key != nullptr, "key");
    std::string text = pem_of(key, passphrase);
    EVP_PKEY_free(key);
    return text;
}

}  // namespace tributary::test
