// X.509 by libcrypto, the only file that names its types. What is issued is put together here and
// signed through the Signer port, so the authority's key may live anywhere.
#include "common/trust/certificate.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <optional>

#include "common/trust/libcrypto.h"
#include "common/trust/p256.h"

namespace tributary::trust {
namespace {

using libcrypto::Bio;
using libcrypto::Deleter;
using libcrypto::Key;
using libcrypto::QuietErrors;

using X509Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using X509Request = std::unique_ptr<X509_REQ, Deleter<X509_REQ_free>>;
using Integer = std::unique_ptr<ASN1_INTEGER, Deleter<ASN1_INTEGER_free>>;
using BitString = std::unique_ptr<ASN1_BIT_STRING, Deleter<ASN1_BIT_STRING_free>>;
using Algorithm = std::unique_ptr<X509_ALGOR, Deleter<X509_ALGOR_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;
using Store = std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>>;

constexpr std::size_t kSerialBytes = 16;
constexpr std::size_t kCommonNameBytesMax = 64;  // X.520
constexpr std::size_t kServerNamesMax = 16;
constexpr std::size_t kDnsNameBytesMax = 253;
constexpr std::size_t kPemBytesMax = 64 * 1024;

tl::unexpected<Error> library_failed(const char* action) {
    return fail(Errc::exhausted, std::string(action) + " failed in libcrypto");
}

// What i2d_… writes.
template <class Object, class Encode>
Bytes der_of(Object* object, Encode encode) {
    unsigned char* out = nullptr;
    const int length = encode(object, &out);
    if (length <= 0) return {};
    Bytes der(out, out + length);
    OPENSSL_free(out);
    return der;
}

// ---- reading ----

// Null unless the bytes are one object from the first to the last.
template <class Pointer, class Decode>
Pointer whole(ByteView der, Decode decode) {
    const unsigned char* at = der.data();
    Pointer object(decode(nullptr, &at, static_cast<long>(der.size())));
    return at == der.data() + der.size() ? std::move(object) : nullptr;
}

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
    const bool sound =
        common_name.size() <= kCommonNameBytesMax && common_name.find('\0') == std::string::npos;
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

Result<X509Certificate> read_x509(ByteView der) {
    if (der.size() > limits::kCertificateBytesMax)
        return fail(Errc::invalid, "a certificate has at most " +
                                       std::to_string(limits::kCertificateBytesMax) + " bytes");
    auto x509 = whole<X509Certificate>(der, d2i_X509);
    if (!x509) return fail(Errc::invalid, "it is not a certificate (X.509 in DER)");
    return x509;
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

// ---- writing ----

bool set_time(ASN1_TIME* to, WallTime time) {
    std::string text = to_text(WallTime{time.ms / 1000 * 1000});  // 2026-01-31T00:00:00Z
    std::erase_if(text, [](char c) { return c == '-' || c == ':' || c == 'T'; });
    return ASN1_TIME_set_string_X509(to, text.c_str()) == 1;
}

bool set_common_name(X509_NAME* name, std::string_view common_name) {
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(common_name.data()),
                                      static_cast<int>(common_name.size()), -1, 0) == 1;
}

bool set_random_serial(X509* x509, Entropy& entropy) {
    std::array<std::uint8_t, kSerialBytes> bytes;
    entropy.fill(bytes);
    const libcrypto::Number number(
        BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
    const Integer serial(number ? BN_to_ASN1_INTEGER(number.get(), nullptr) : nullptr);
    return serial && X509_set_serialNumber(x509, serial.get()) == 1;
}

bool set_key(X509* x509, ByteView public_key) {
    const auto point = p256::point_of(public_key);
    const Key key = point ? libcrypto::key_of_point(*point) : nullptr;
    return key && X509_set_pubkey(x509, key.get()) == 1;
}

// `value` in the words of openssl.cnf.
bool add_extension(X509* x509, X509* issuer, int nid, const char* value) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
    const Extension extension(X509V3_EXT_nconf_nid(nullptr, &context, nid, value));
    return extension && X509_add_ext(x509, extension.get(), -1) == 1;
}

bool add_server_names(X509* x509, std::span<const std::string> names,
                      std::span<const std::string> addresses, std::string_view role) {
    const Names all(GENERAL_NAMES_new());
    if (!all) return false;
    const auto add = [&](int type, ASN1_STRING* value) {
        GENERAL_NAME* name = value != nullptr ? GENERAL_NAME_new() : nullptr;
        if (name == nullptr) return false;
        GENERAL_NAME_set0_value(name, type, value);
        return sk_GENERAL_NAME_push(all.get(), name) > 0;
    };
    const auto add_text = [&](int type, std::string_view text) {
        ASN1_STRING* value = ASN1_IA5STRING_new();
        return value != nullptr &&
               ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) == 1 &&
               add(type, value);
    };
    for (const std::string& name : names)
        if (!add_text(GEN_DNS, name)) return false;
    if (!role.empty() && !add_text(GEN_URI, role)) return false;
    for (const std::string& address : addresses)
        if (!add(GEN_IPADD, a2i_IPADDRESS(address.c_str()))) return false;
    return X509_add1_ext_i2d(x509, NID_subject_alt_name, all.get(), 0, X509V3_ADD_DEFAULT) == 1;
}

bool set_ecdsa_with_sha256(X509_ALGOR* algorithm) {
    return X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_ecdsa_with_SHA256), V_ASN1_UNDEF, nullptr) ==
           1;
}

bool set_bits(ASN1_BIT_STRING* to, ByteView bytes) {
    // Whole bytes: without this, zeros at the end would be taken off.
    to->flags &= ~(ASN1_STRING_FLAG_BITS_LEFT | 0x07);
    to->flags |= ASN1_STRING_FLAG_BITS_LEFT;
    return ASN1_STRING_set(to, bytes.data(), static_cast<int>(bytes.size())) == 1;
}

// Signs what is in `x509`, through the port. libcrypto's own way takes only keys of its own; it
// writes these same fields, which it lets others see as const.
Result<Bytes> signed_x509(X509* x509, Signer& signer) {
    const ASN1_BIT_STRING* signature = nullptr;
    const X509_ALGOR* outer = nullptr;
    X509_get0_signature(&signature, &outer, x509);
    if (!set_ecdsa_with_sha256(const_cast<X509_ALGOR*>(outer)) ||
        !set_ecdsa_with_sha256(const_cast<X509_ALGOR*>(X509_get0_tbs_sigalg(x509))))
        return library_failed("issuing a certificate");
    const Bytes statement = der_of(x509, i2d_re_X509_tbs);
    if (statement.empty()) return library_failed("issuing a certificate");
    TRIBUTARY_ASSIGN(const Bytes raw, signer.sign_der(statement));
    const Bytes value = libcrypto::signature_to_der(raw);
    if (value.empty() || !set_bits(const_cast<ASN1_BIT_STRING*>(signature), value))
        return library_failed("issuing a certificate");
    Bytes der = der_of(x509, i2d_X509);
    if (der.empty()) return library_failed("issuing a certificate");
    if (der.size() > limits::kCertificateBytesMax)
        return fail(Errc::invalid, "the certificate would be longer than " +
                                       std::to_string(limits::kCertificateBytesMax) +
                                       " bytes; give it fewer names");
    return der;
}

// What all certificates have. Null when a value does not fit or memory is out.
X509Certificate begin_certificate(Entropy& entropy, std::string_view common_name,
                                  ByteView public_key, const Validity& validity) {
    X509Certificate x509(X509_new());
    const bool begun = x509 && X509_set_version(x509.get(), 2) == 1 &&
                       set_random_serial(x509.get(), entropy) &&
                       set_common_name(X509_get_subject_name(x509.get()), common_name) &&
                       set_time(X509_getm_notBefore(x509.get()), validity.not_before) &&
                       set_time(X509_getm_notAfter(x509.get()), validity.not_after) &&
                       set_key(x509.get(), public_key);
    return begun ? std::move(x509) : nullptr;
}

struct Wanted {
    std::string_view common_name;
    ByteView public_key;
    Validity validity;
    const char* use;  // of openssl.cnf
    std::span<const std::string> names;
    std::span<const std::string> addresses;
    std::string_view role = {};  // a URI among the names
};

Status check_wanted(const Wanted& wanted) {
    const auto point = p256::point_of(wanted.public_key);
    if (!point || !libcrypto::key_of_point(*point))
        return fail(Errc::invalid, "a certificate is issued for P-256 keys only");
    if (wanted.validity.not_after <= wanted.validity.not_before ||
        wanted.validity.not_after > kAlways.not_after)
        return fail(Errc::invalid,
                    "a certificate ends after it begins, and by " + to_text(kAlways.not_after));
    return {};
}

Result<Bytes> issue(Signer& signer, ByteView authority, Entropy& entropy, const Wanted& wanted) {
    const QuietErrors quiet;
    TRIBUTARY_TRY(check_wanted(wanted));
    TRIBUTARY_ASSIGN(const X509Certificate issuer, read_x509(authority));
    const X509Certificate x509 =
        begin_certificate(entropy, wanted.common_name, wanted.public_key, wanted.validity);
    X509* const made = x509.get();
    const bool stated =
        made != nullptr && X509_set_issuer_name(made, X509_get_subject_name(issuer.get())) == 1 &&
        add_extension(made, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(made, issuer.get(), NID_key_usage, "critical,digitalSignature") &&
        add_extension(made, issuer.get(), NID_ext_key_usage, wanted.use) &&
        add_extension(made, issuer.get(), NID_subject_key_identifier, "hash") &&
        add_extension(made, issuer.get(), NID_authority_key_identifier, "keyid:always") &&
        ((wanted.names.empty() && wanted.addresses.empty()) ||
         add_server_names(made, wanted.names, wanted.addresses, wanted.role));
    if (!stated) return library_failed("issuing a certificate");
    return signed_x509(made, signer);
}

bool is_dns_name(std::string_view name) {
    return !name.empty() && name.size() <= kDnsNameBytesMax && name.front() != '-' &&
           name.front() != '.' && name.back() != '.' && std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '.';
           });
}

bool is_address(const std::string& text) {
    ASN1_OCTET_STRING* octets = a2i_IPADDRESS(text.c_str());
    ASN1_OCTET_STRING_free(octets);
    return octets != nullptr;
}

}  // namespace

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

Result<Bytes> make_csr(Signer& key) {
    const QuietErrors quiet;
    TRIBUTARY_ASSIGN(const ByteView point, p256::point_of(key.public_key()));
    const Key public_key = libcrypto::key_of_point(point);
    const X509Request request(X509_REQ_new());
    const Algorithm algorithm(X509_ALGOR_new());
    BitString signature(ASN1_BIT_STRING_new());
    if (!public_key || !request || !algorithm || !signature ||
        X509_REQ_set_version(request.get(), 0) != 1 ||
        X509_REQ_set_pubkey(request.get(), public_key.get()) != 1 ||
        !set_ecdsa_with_sha256(algorithm.get()) ||
        X509_REQ_set1_signature_algo(request.get(), algorithm.get()) != 1)
        return library_failed("making a certificate request");
    const Bytes statement = der_of(request.get(), i2d_re_X509_REQ_tbs);
    if (statement.empty()) return library_failed("making a certificate request");
    TRIBUTARY_ASSIGN(const Bytes raw, key.sign_der(statement));
    const Bytes value = libcrypto::signature_to_der(raw);
    if (value.empty() || !set_bits(signature.get(), value))
        return library_failed("making a certificate request");
    X509_REQ_set0_signature(request.get(), signature.release());
    Bytes der = der_of(request.get(), i2d_X509_REQ);
    if (der.empty()) return library_failed("making a certificate request");
    return der;
}

Result<Bytes> parse_csr(ByteView der) {
    const QuietErrors quiet;
    if (der.size() > limits::kCsrBytesMax)
        return fail(Errc::invalid, "a certificate request has at most " +
                                       std::to_string(limits::kCsrBytesMax) + " bytes, not " +
                                       std::to_string(der.size()));
    const auto request = whole<X509Request>(der, d2i_X509_REQ);
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

Authority::Authority(std::unique_ptr<Signer> key, Bytes certificate)
    : key_(std::move(key)), certificate_(std::move(certificate)) {}

Result<Authority> Authority::create(std::unique_ptr<Signer> key, Entropy& entropy,
                                    std::string_view name, const Validity& validity) {
    const QuietErrors quiet;
    TRIBUTARY_TRY(check_wanted({name, key->public_key(), validity, "", {}, {}}));
    if (name.empty() || name.size() > kCommonNameBytesMax)
        return fail(Errc::invalid, "the name of an authority has 1 to " +
                                       std::to_string(kCommonNameBytesMax) + " bytes");
    const X509Certificate x509 = begin_certificate(entropy, name, key->public_key(), validity);
    X509* const made = x509.get();
    const bool stated =
        made != nullptr && X509_set_issuer_name(made, X509_get_subject_name(made)) == 1 &&
        add_extension(made, made, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(made, made, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(made, made, NID_subject_key_identifier, "hash");
    if (!stated) return library_failed("making an authority");
    TRIBUTARY_ASSIGN(Bytes certificate, signed_x509(made, *key));
    return Authority(std::move(key), std::move(certificate));
}

Result<Authority> Authority::load(std::unique_ptr<Signer> key, Bytes certificate) {
    TRIBUTARY_ASSIGN(const Certificate said, parse_certificate(certificate));
    if (!said.authority || said.issuer != said.subject)
        return fail(Errc::invalid, "the certificate of " + said.subject +
                                       " is not that of an authority that signs its own");
    if (said.public_key != key->public_key())
        return fail(Errc::invalid, "the certificate of the authority " + said.subject +
                                       " is of another key; put the two together that belong "
                                       "together");
    return Authority(std::move(key), std::move(certificate));
}

Result<Bytes> Authority::issue_device(Entropy& entropy, std::string_view device,
                                      ByteView public_key, const Validity& validity) {
    TRIBUTARY_TRY(check_device_id(device));
    if (device == kHubCommonName)
        return fail(Errc::invalid, "no device may be called \"" + std::string(kHubCommonName) +
                                       "\": the broker knows the hub by that name");
    return issue(*key_, certificate_, entropy,
                 {device, public_key, validity, "clientAuth", {}, {}});
}

Result<Bytes> Authority::issue_hub(Entropy& entropy, ByteView public_key,
                                   const Validity& validity) {
    return issue(*key_, certificate_, entropy,
                 {kHubCommonName, public_key, validity, "clientAuth", {}, {}});
}

Result<Bytes> Authority::issue_server(Entropy& entropy, ByteView public_key,
                                      std::span<const std::string> names,
                                      std::span<const std::string> addresses,
                                      const Validity& validity) {
    return issue_server_as({}, entropy, public_key, names, addresses, validity);
}

Result<Bytes> Authority::issue_door(Entropy& entropy, ByteView public_key,
                                    std::span<const std::string> names,
                                    std::span<const std::string> addresses,
                                    const Validity& validity) {
    return issue_server_as(kDoorRole, entropy, public_key, names, addresses, validity);
}

Result<Bytes> Authority::issue_server_as(std::string_view role, Entropy& entropy,
                                         ByteView public_key, std::span<const std::string> names,
                                         std::span<const std::string> addresses,
                                         const Validity& validity) {
    const QuietErrors quiet;
    const std::size_t count = names.size() + addresses.size();
    if (count == 0 || count > kServerNamesMax)
        return fail(Errc::invalid, "a server's certificate has 1 to " +
                                       std::to_string(kServerNamesMax) + " names and addresses");
    for (const std::string& name : names)
        if (!is_dns_name(name)) return fail(Errc::invalid, "\"" + name + "\" is not a DNS name");
    for (const std::string& address : addresses)
        if (!is_address(address))
            return fail(Errc::invalid, "\"" + address + "\" is not an IP address");
    const std::string& first = names.empty() ? addresses.front() : names.front();
    return issue(*key_, certificate_, entropy,
                 {std::string_view(first).substr(0, kCommonNameBytesMax), public_key, validity,
                  "serverAuth", names, addresses, role});
}

}  // namespace tributary::trust
