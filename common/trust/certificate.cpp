// What others wrote is read and checked here: PEM, requests, certificates. Issuing is a file of its
// own.
#include "common/trust/certificate.h"

#include <cstdio>
#include <ctime>
#include <optional>

#include "common/trust/p256.h"
#include "common/trust/x509.h"

namespace tributary::trust {
namespace {

using libcrypto::Bio;
using libcrypto::Deleter;
using libcrypto::der_of;
using libcrypto::Key;
using libcrypto::Names;
using libcrypto::QuietErrors;
using libcrypto::read_x509;
using libcrypto::X509Certificate;

using X509Request = std::unique_ptr<X509_REQ, Deleter<X509_REQ_free>>;
using Store = std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>>;

constexpr std::size_t kPemBytesMax = 64 * 1024;

Result<Bytes> p256_key_of(X509_PUBKEY* key, const char* whose) {
    Bytes der = der_of(key, i2d_X509_PUBKEY);
    const auto point = p256::point_of(der);
    if (!point || !libcrypto::key_of_point(*point))
        return fail(Errc::invalid, std::string("the key in the ") + whose +
                                       " is not a P-256 key in the one form that is taken");
    return der;
}

// Empty unless the name has exactly one common name.
std::string common_name_of(const X509_NAME* name) {
    const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) return {};
    unsigned char* text = nullptr;
    const int length =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (length < 0) return {};
    std::string common_name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(length));
    OPENSSL_free(text);
    // A zero inside is how one name was once passed off as another.
    const bool sound = common_name.size() <= libcrypto::kCommonNameBytesMax &&
                       common_name.find('\0') == std::string::npos;
    return sound ? common_name : std::string();
}

std::optional<WallTime> time_of(const ASN1_TIME* time) {
    tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
    const auto two = [](int value) { return (value < 10 ? "0" : "") + std::to_string(value); };
    return parse_wall_time(std::to_string(parts.tm_year + 1900) + "-" + two(parts.tm_mon + 1) +
                           "-" + two(parts.tm_mday) + "T" + two(parts.tm_hour) + ":" +
                           two(parts.tm_min) + ":" + two(parts.tm_sec) + "Z");
}

std::string address_text(const ASN1_OCTET_STRING& octets) {
    const unsigned char* bytes = ASN1_STRING_get0_data(&octets);
    char text[48] = "";
    if (ASN1_STRING_length(&octets) == 4) {
        std::snprintf(text, sizeof text, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
        return text;
    }
    if (ASN1_STRING_length(&octets) != 16) return {};
    std::string all;
    for (int i = 0; i < 16; i += 2) {
        const unsigned group = static_cast<unsigned>(bytes[i]) << 8 | bytes[i + 1];
        std::snprintf(text, sizeof text, "%s%x", i == 0 ? "" : ":", group);
        all += text;
    }
    return all;
}

Bytes bytes_of(const ASN1_OCTET_STRING* octets) {
    if (octets == nullptr) return {};
    const unsigned char* bytes = ASN1_STRING_get0_data(octets);
    return {bytes, bytes + ASN1_STRING_length(octets)};
}

std::string_view uri_text(const ASN1_IA5STRING& text) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(&text)),
            static_cast<std::size_t>(ASN1_STRING_length(&text))};
}

void read_server_names(X509* x509, Certificate& certificate) {
    const Names names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr)));
    if (!names) return;
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_DNS)
            certificate.names.emplace_back(
                reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
        if (name->type == GEN_URI)
            certificate.door =
                certificate.door || kDoorRole == uri_text(*name->d.uniformResourceIdentifier);
        if (name->type == GEN_IPADD)
            certificate.addresses.push_back(address_text(*name->d.iPAddress));
    }
}

Result<Certificate> read_certificate(X509* x509) {
    Certificate certificate;
    certificate.subject = common_name_of(X509_get_subject_name(x509));
    certificate.issuer = common_name_of(X509_get_issuer_name(x509));
    if (certificate.subject.empty() || certificate.issuer.empty())
        return fail(Errc::invalid, "the certificate does not name one subject and one issuer");
    TRIBUTARY_ASSIGN(certificate.public_key,
                     p256_key_of(X509_get_X509_PUBKEY(x509), "certificate"));
    const libcrypto::Number serial(ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), nullptr));
    if (!serial || BN_is_negative(serial.get()) || BN_is_zero(serial.get()))
        return fail(Errc::invalid, "the serial number of the certificate is not above 0");
    certificate.serial.resize(static_cast<std::size_t>(BN_num_bytes(serial.get())));
    BN_bn2bin(serial.get(), certificate.serial.data());
    certificate.key_identifier = bytes_of(X509_get0_subject_key_id(x509));
    certificate.issuer_key_identifier = bytes_of(X509_get0_authority_key_id(x509));
    const auto from = time_of(X509_get0_notBefore(x509));
    const auto until = time_of(X509_get0_notAfter(x509));
    if (!from || !until) return fail(Errc::invalid, "the times of the certificate cannot be read");
    certificate.validity = {*from, *until};
    certificate.authority = X509_check_ca(x509) == 1;
    // Without the extension libcrypto says "for everything"; ours always have it.
    const std::uint32_t uses = X509_get_extended_key_usage(x509);
    const bool said = (X509_get_extension_flags(x509) & EXFLAG_XKUSAGE) != 0;
    certificate.client = said && (uses & XKU_SSL_CLIENT) != 0;
    certificate.server = said && (uses & XKU_SSL_SERVER) != 0;
    read_server_names(x509, certificate);
    return certificate;
}

// Nothing when `x509` was issued by `authority` for this use, else why not.
std::string issue_fault(X509* x509, X509* authority, CertificateUse use) {
    const Store store(X509_STORE_new());
    const StoreContext context(X509_STORE_CTX_new());
    if (!store || !context || X509_STORE_add_cert(store.get(), authority) != 1 ||
        X509_STORE_CTX_init(context.get(), store.get(), x509, nullptr) != 1)
        return "checking a certificate failed in libcrypto";
    X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_depth(param, 0);  // no authority between
    X509_VERIFY_PARAM_set_purpose(
        param, use == CertificateUse::client ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER);
    if (X509_verify_cert(context.get()) == 1) return {};
    return X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
}

}  // namespace

Result<X509Certificate> libcrypto::read_x509(ByteView der) {
    if (der.size() > limits::kCertificateBytesMax)
        return fail(Errc::invalid, "a certificate has at most " +
                                       std::to_string(limits::kCertificateBytesMax) + " bytes");
    auto x509 = whole<X509Certificate>(der, d2i_X509);
    if (!x509) return fail(Errc::invalid, "it is not a certificate (X.509 in DER)");
    return x509;
}

std::string to_pem(std::string_view label, ByteView der) {
    const Bio out(BIO_new(BIO_s_mem()));
    const bool written = out && PEM_write_bio(out.get(), std::string(label).c_str(), "", der.data(),
                                              static_cast<long>(der.size())) > 0;
    TRIBUTARY_CHECK(written);
    return std::string(as_text(libcrypto::content_of(out.get())));
}

Result<Bytes> from_pem(std::string_view label, std::string_view text) {
    TRIBUTARY_ASSIGN(std::vector<Bytes> found,
                     all_from_pem(label, text.size() <= kPemBytesMax ? text : ""));
    return std::move(found.front());
}

Result<std::vector<Bytes>> all_from_pem(std::string_view label, std::string_view text) {
    const QuietErrors quiet;
    const Bio in = libcrypto::reader_of(text);
    std::vector<Bytes> all;
    for (bool more = in != nullptr; more;) {
        char *name = nullptr, *header = nullptr;
        unsigned char* data = nullptr;
        long length = 0;
        more = PEM_read_bio(in.get(), &name, &header, &data, &length) == 1;
        if (!more) break;
        if (label == name) all.emplace_back(data, data + length);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, static_cast<std::size_t>(length));  // it may have been a key
    }
    if (!all.empty()) return all;
    return fail(Errc::invalid, "there is no " + std::string(label) + " in PEM that can be read");
}

Result<Bytes> parse_csr(ByteView der) {
    const QuietErrors quiet;
    if (der.size() > limits::kCsrBytesMax)
        return fail(Errc::invalid, "a certificate request has at most " +
                                       std::to_string(limits::kCsrBytesMax) + " bytes, not " +
                                       std::to_string(der.size()));
    const auto request = libcrypto::whole<X509Request>(der, d2i_X509_REQ);
    if (!request) return fail(Errc::invalid, "it is not a certificate request (PKCS#10 in DER)");
    TRIBUTARY_ASSIGN(Bytes public_key,
                     p256_key_of(X509_REQ_get_X509_PUBKEY(request.get()), "certificate request"));
    if (X509_REQ_get_signature_nid(request.get()) != NID_ecdsa_with_SHA256)
        return fail(Errc::invalid, "the certificate request is not signed by ECDSA with SHA-256");
    const Key key = libcrypto::key_of_point(*p256::point_of(public_key));
    if (X509_REQ_verify(request.get(), key.get()) != 1)
        return fail(Errc::denied,
                    "the certificate request is not signed by the key in it, so whoever sent it "
                    "may not hold that key");
    return public_key;
}

Result<Certificate> parse_certificate(ByteView der) {
    const QuietErrors quiet;
    TRIBUTARY_ASSIGN(const X509Certificate x509, read_x509(der));
    return read_certificate(x509.get());
}

Result<Certificate> verify_certificate(ByteView der, std::span<const Bytes> authorities,
                                       CertificateUse use) {
    const QuietErrors quiet;
    TRIBUTARY_ASSIGN(const X509Certificate x509, read_x509(der));
    TRIBUTARY_ASSIGN(Certificate certificate, read_certificate(x509.get()));
    if (certificate.authority)
        return fail(Errc::denied, "the certificate is an authority's, which connects to nobody");
    std::string fault = "no authority is known";
    for (const Bytes& known : authorities) {
        const auto authority = read_x509(known);
        fault = authority ? issue_fault(x509.get(), authority->get(), use)
                          : "the authority's own cannot be read";
        if (fault.empty()) return certificate;
    }
    return fail(Errc::denied,
                "the certificate of " + certificate.subject + " does not hold here: " + fault);
}

}  // namespace tributary::trust
