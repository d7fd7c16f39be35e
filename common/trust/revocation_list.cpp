// A list of certificates that hold no more (X.509 CRL), for a broker that knows nothing else of
// revocation.
#include "common/trust/revocation_list.h"

#include <algorithm>

#include "common/trust/certificate.h"
#include "common/trust/x509.h"

namespace tributary::trust {
namespace {

using libcrypto::Deleter;
using libcrypto::der_of;
using libcrypto::Integer;
using libcrypto::Key;
using List = std::unique_ptr<X509_CRL, Deleter<X509_CRL_free>>;
using Entry = std::unique_ptr<X509_REVOKED, Deleter<X509_REVOKED_free>>;
using Time = std::unique_ptr<ASN1_TIME, Deleter<ASN1_TIME_free>>;

constexpr const char* kFrom = "19700101000000Z";
constexpr const char* kUntil = "21060207062815Z";  // as kAlways

Time time_of(const char* text) {
    Time time(ASN1_TIME_new());
    return time && ASN1_TIME_set_string_X509(time.get(), text) == 1 ? std::move(time) : nullptr;
}

Integer integer_of(ByteView bytes) {
    const libcrypto::Number number(
        BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
    return Integer(number ? BN_to_ASN1_INTEGER(number.get(), nullptr) : nullptr);
}

bool add(X509_CRL* list, ByteView serial, const ASN1_TIME* time) {
    Entry entry(X509_REVOKED_new());
    const Integer number = integer_of(serial);
    if (!entry || !number || X509_REVOKED_set_serialNumber(entry.get(), number.get()) != 1 ||
        X509_REVOKED_set_revocationDate(entry.get(), const_cast<ASN1_TIME*>(time)) != 1 ||
        X509_CRL_add0_revoked(list, entry.get()) != 1)
        return false;
    static_cast<void>(entry.release());  // the list has it
    return true;
}

bool add_extensions(X509_CRL* list, X509* issuer, std::uint64_t number) {
    std::array<std::uint8_t, 8> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::uint8_t>(number >> (8 * (bytes.size() - 1 - i)));
    const Integer value = integer_of(bytes);
    if (!value || X509_CRL_add1_ext_i2d(list, NID_crl_number, value.get(), 0, 0) != 1) return false;
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer, nullptr, nullptr, list, 0);
    X509_EXTENSION* of_key =
        X509V3_EXT_nconf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always");
    const bool added = of_key != nullptr && X509_CRL_add_ext(list, of_key, -1) == 1;
    X509_EXTENSION_free(of_key);
    return added;
}

}  // namespace

Result<std::vector<Bytes>> listed_in(ByteView der) {
    const libcrypto::QuietErrors quiet;
    const auto list = libcrypto::whole<List>(der, d2i_X509_CRL);
    if (!list) return fail(Errc::invalid, "it is not a list of revoked certificates (CRL in DER)");
    std::vector<Bytes> serials;
    STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(list.get());
    for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
        const ASN1_INTEGER* serial =
            X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(entries, i));
        const libcrypto::Number number(ASN1_INTEGER_to_BN(serial, nullptr));
        if (!number) return fail(Errc::invalid, "a serial number in the list cannot be read");
        Bytes bytes(static_cast<std::size_t>(BN_num_bytes(number.get())));
        BN_bn2bin(number.get(), bytes.data());
        serials.push_back(std::move(bytes));
    }
    std::ranges::sort(serials);
    return serials;
}

// libcrypto signs lists with keys of its own only. So a key that is thrown away signs first, which
// writes the algorithm at both places, and then the authority's signature takes the place of that.
Result<Bytes> Authority::revocation_list(std::uint64_t number, std::span<const Bytes> serials) {
    const libcrypto::QuietErrors quiet;
    const auto failed = [] {
        return fail(Errc::exhausted, "making a list of revoked certificates failed in libcrypto");
    };
    TRIBUTARY_ASSIGN(const auto issuer, libcrypto::read_x509(certificate_));
    const List list(X509_CRL_new());
    const Time from = time_of(kFrom), until = time_of(kUntil);
    const Key thrown_away(EVP_EC_gen("P-256"));
    if (!list || !from || !until || !thrown_away || X509_CRL_set_version(list.get(), 1) != 1 ||
        X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(issuer.get())) != 1 ||
        X509_CRL_set1_lastUpdate(list.get(), from.get()) != 1 ||
        X509_CRL_set1_nextUpdate(list.get(), until.get()) != 1)
        return failed();
    for (const Bytes& serial : serials)
        if (!add(list.get(), serial, from.get())) return failed();
    if (X509_CRL_sort(list.get()) != 1 || !add_extensions(list.get(), issuer.get(), number) ||
        X509_CRL_sign(list.get(), thrown_away.get(), EVP_sha256()) <= 0)
        return failed();
    const Bytes statement = der_of(list.get(), i2d_re_X509_CRL_tbs);
    if (statement.empty()) return failed();
    TRIBUTARY_ASSIGN(const Bytes raw, key_->sign_der(statement));
    const Bytes value = libcrypto::signature_to_der(raw);
    const ASN1_BIT_STRING* signature = nullptr;
    X509_CRL_get0_signature(list.get(), &signature, nullptr);
    if (value.empty() || ASN1_STRING_set(const_cast<ASN1_BIT_STRING*>(signature), value.data(),
                                         static_cast<int>(value.size())) != 1)
        return failed();
    Bytes der = der_of(list.get(), i2d_X509_CRL);
    if (der.empty()) return failed();
    return der;
}

}  // namespace tributary::trust
