// Requests and certificates are put together here and signed through the Signer port, so that an
// authority's key may live anywhere.
#include <algorithm>
#include <array>

#include "common/trust/certificate.h"
#include "common/trust/p256.h"
#include "common/trust/x509.h"

namespace tributary::trust {
namespace {

using libcrypto::Deleter;
using libcrypto::der_of;
using libcrypto::Integer;
using libcrypto::kCommonNameBytesMax;
using libcrypto::Key;
using libcrypto::Names;
using libcrypto::QuietErrors;
using libcrypto::read_x509;
using libcrypto::X509Certificate;

using X509Request = std::unique_ptr<X509_REQ, Deleter<X509_REQ_free>>;
using BitString = std::unique_ptr<ASN1_BIT_STRING, Deleter<ASN1_BIT_STRING_free>>;
using Algorithm = std::unique_ptr<X509_ALGOR, Deleter<X509_ALGOR_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;

constexpr std::size_t kSerialBytes = 16;
constexpr std::size_t kServerNamesMax = 16;
constexpr std::size_t kDnsNameBytesMax = 253;

tl::unexpected<Error> library_failed(const char* action) {
    return fail(Errc::exhausted, std::string(action) + " failed in libcrypto");
}

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
