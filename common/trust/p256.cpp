// mbedTLS for keys and signatures, 2.28 and 3.x. It uses only what both have (groups, points,
// numbers, PEM), and writes the two fixed DER forms itself; what differs is in private_scalar().
#include "common/trust/p256.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/version.h>

#include <algorithm>
#include <cstdio>

namespace tributary::trust::p256 {
namespace {

constexpr std::size_t kScalarBytes = 32;
constexpr std::size_t kPemBytesMax = 512;

constexpr char kPublicBegin[] = "-----BEGIN PUBLIC KEY-----\n";
constexpr char kPublicEnd[] = "-----END PUBLIC KEY-----\n";
constexpr char kPrivateBegin[] = "-----BEGIN EC PRIVATE KEY-----\n";
constexpr char kPrivateEnd[] = "-----END EC PRIVATE KEY-----\n";

// SEC1 ECPrivateKey (RFC 5915) for this curve: the fixed bytes around secret and point.
constexpr std::array<std::uint8_t, 7> kPrivateHead = {0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20};
constexpr std::array<std::uint8_t, 17> kPrivateMiddle = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                                         0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
                                                         0xa1, 0x44, 0x03, 0x42, 0x00};

// mbedTLS values that free and wipe themselves.
struct Group {
    mbedtls_ecp_group value;
    Group() { mbedtls_ecp_group_init(&value); }
    ~Group() { mbedtls_ecp_group_free(&value); }
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;
};
struct Number {
    mbedtls_mpi value;
    Number() { mbedtls_mpi_init(&value); }
    ~Number() { mbedtls_mpi_free(&value); }
    Number(const Number&) = delete;
    Number& operator=(const Number&) = delete;
};
struct Point {
    mbedtls_ecp_point value;
    Point() { mbedtls_ecp_point_init(&value); }
    ~Point() { mbedtls_ecp_point_free(&value); }
    Point(const Point&) = delete;
    Point& operator=(const Point&) = delete;
};
struct KeyFile {
    mbedtls_pk_context value;
    KeyFile() { mbedtls_pk_init(&value); }
    ~KeyFile() { mbedtls_pk_free(&value); }
    KeyFile(const KeyFile&) = delete;
    KeyFile& operator=(const KeyFile&) = delete;
};
struct PemText {
    mbedtls_pem_context value;
    PemText() { mbedtls_pem_init(&value); }
    ~PemText() { mbedtls_pem_free(&value); }
    PemText(const PemText&) = delete;
    PemText& operator=(const PemText&) = delete;
};

int fill_from(void* entropy, unsigned char* out, std::size_t count) {
    static_cast<Entropy*>(entropy)->fill({out, count});
    return 0;
}

// Blinding hides timing and never shows in a result, so it need not come through a caller's port.
int blind(void*, unsigned char* out, std::size_t count) {
    return fill_from(&system_entropy(), out, count);
}

tl::unexpected<Error> library_failed(const char* action, int code) {
    char text[128] = "";
    mbedtls_strerror(code, text, sizeof text);
    // Out of memory is the one failure that sound arguments leave.
    return fail(Errc::exhausted, std::string(action) + " failed in mbedTLS: " + text, code);
}

// Both halves as the file has them; the public one is computed when it has none.
int halves_of(mbedtls_pk_context& key, Number& secret, Point& point) {
#if MBEDTLS_VERSION_MAJOR >= 3
    Group group;
    return mbedtls_ecp_export(mbedtls_pk_ec(key), &group.value, &secret.value, &point.value);
#else
    const int code = mbedtls_mpi_copy(&secret.value, &mbedtls_pk_ec(key)->d);
    return code != 0 ? code : mbedtls_ecp_copy(&point.value, &mbedtls_pk_ec(key)->Q);
#endif
}

int parse_key(mbedtls_pk_context& key, const std::string& pem) {
    const auto* text = reinterpret_cast<const unsigned char*>(pem.c_str());
    // The length counts the closing zero: so mbedTLS tells PEM from DER.
#if MBEDTLS_VERSION_MAJOR >= 3
    return mbedtls_pk_parse_key(&key, text, pem.size() + 1, nullptr, 0, blind, nullptr);
#else
    return mbedtls_pk_parse_key(&key, text, pem.size() + 1, nullptr, 0);
#endif
}

bool is_p256(const mbedtls_pk_context& key) {
    return mbedtls_pk_get_type(&key) == MBEDTLS_PK_ECKEY && mbedtls_pk_get_bitlen(&key) == 256;
}

std::string to_pem(const char* begin, const char* end, ByteView der) {
    unsigned char text[kPemBytesMax];
    std::size_t length = 0;
    const int code =
        mbedtls_pem_write_buffer(begin, end, der.data(), der.size(), text, sizeof text, &length);
    TRIBUTARY_CHECK(code == 0);
    std::string pem(reinterpret_cast<const char*>(text));
    mbedtls_platform_zeroize(text, sizeof text);
    return pem;
}

}  // namespace

struct PrivateKey::State {
    Group group;
    Number secret;
    Bytes public_key;

    // Computes the public half from the secret. `said`: what a file says it is.
    static Result<std::unique_ptr<State>> from(std::unique_ptr<State> state,
                                               const Point* said = nullptr) {
        Point point;
        mbedtls_ecp_group& group = state->group.value;
        if (const int code = mbedtls_ecp_mul(&group, &point.value, &state->secret.value, &group.G,
                                             blind, nullptr))
            return library_failed("computing a public key", code);
        if (said && mbedtls_ecp_point_cmp(&point.value, &said->value) != 0)
            return fail(Errc::invalid,
                        "its private and its public half do not belong together: it is damaged; "
                        "put a sound copy in its place");
        Bytes& der = state->public_key;
        der.assign(kPublicKeyPrefix.begin(), kPublicKeyPrefix.end());
        der.resize(kPublicKeyBytes);
        std::size_t length = 0;
        const int code = mbedtls_ecp_point_write_binary(
            &group, &point.value, MBEDTLS_ECP_PF_UNCOMPRESSED, &length,
            der.data() + kPublicKeyPrefix.size(), kPointBytes);
        if (code != 0) return library_failed("writing a public key", code);
        TRIBUTARY_CHECK(length == kPointBytes);
        return state;
    }

    static Result<std::unique_ptr<State>> empty() {
        auto state = std::make_unique<State>();
        if (const int code = mbedtls_ecp_group_load(&state->group.value, MBEDTLS_ECP_DP_SECP256R1))
            return library_failed("loading the curve P-256", code);
        return state;
    }
};

PrivateKey::PrivateKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::~PrivateKey() = default;

Result<PrivateKey> PrivateKey::generate(Entropy& entropy) {
    TRIBUTARY_ASSIGN(auto state, State::empty());
    if (const int code =
            mbedtls_ecp_gen_privkey(&state->group.value, &state->secret.value, fill_from, &entropy))
        return library_failed("making a key", code);
    TRIBUTARY_ASSIGN(state, State::from(std::move(state)));
    return PrivateKey(std::move(state));
}

Result<PrivateKey> PrivateKey::parse_pem(std::string_view pem) {
    std::string text(pem);
    KeyFile file;
    const int parsed = parse_key(file.value, text);
    mbedtls_platform_zeroize(text.data(), text.size());
    if (parsed == MBEDTLS_ERR_PK_PASSWORD_REQUIRED || parsed == MBEDTLS_ERR_PK_PASSWORD_MISMATCH)
        return fail(Errc::invalid, "the key is encrypted; give one that is not", parsed);
    if (parsed != 0)
        return fail(Errc::invalid, "it holds no private key in PEM that can be read", parsed);
    if (!is_p256(file.value))
        return fail(Errc::invalid, "the key is not of the curve P-256; make a new one");
    TRIBUTARY_ASSIGN(auto state, State::empty());
    Point said;
    if (const int code = halves_of(file.value, state->secret, said))
        return library_failed("reading a key", code);
    if (mbedtls_ecp_check_privkey(&state->group.value, &state->secret.value) != 0)
        return fail(Errc::invalid, "the private key is out of the curve's range");
    TRIBUTARY_ASSIGN(state, State::from(std::move(state), &said));
    return PrivateKey(std::move(state));
}

const Bytes& PrivateKey::public_key() const { return state_->public_key; }

Result<Bytes> PrivateKey::sign(const Digest& hash) const {
    Number r, s;
    if (const int code = mbedtls_ecdsa_sign_det_ext(
            &state_->group.value, &r.value, &s.value, &state_->secret.value, hash.bytes.data(),
            hash.bytes.size(), MBEDTLS_MD_SHA256, blind, nullptr))
        return library_failed("signing", code);
    Bytes signature(kSignatureBytes);
    int code = mbedtls_mpi_write_binary(&r.value, signature.data(), kScalarBytes);
    if (code == 0)
        code = mbedtls_mpi_write_binary(&s.value, signature.data() + kScalarBytes, kScalarBytes);
    if (code != 0) return library_failed("writing a signature", code);
    return signature;
}

std::string PrivateKey::pem() const {
    std::array<std::uint8_t,
               kPrivateHead.size() + kScalarBytes + kPrivateMiddle.size() + kPointBytes>
        der;
    auto to = std::copy(kPrivateHead.begin(), kPrivateHead.end(), der.begin());
    TRIBUTARY_CHECK(mbedtls_mpi_write_binary(&state_->secret.value, &*to, kScalarBytes) == 0);
    to = std::copy(kPrivateMiddle.begin(), kPrivateMiddle.end(), to + kScalarBytes);
    std::copy(state_->public_key.end() - kPointBytes, state_->public_key.end(), to);
    std::string text = to_pem(kPrivateBegin, kPrivateEnd, der);
    mbedtls_platform_zeroize(der.data(), der.size());
    return text;
}

Result<ByteView> point_of(ByteView der) {
    if (der.size() != kPublicKeyBytes ||
        !std::equal(kPublicKeyPrefix.begin(), kPublicKeyPrefix.end(), der.begin()) ||
        der[kPublicKeyPrefix.size()] != 0x04)
        return fail(Errc::invalid,
                    "the public key is not a P-256 key (SubjectPublicKeyInfo, 91 bytes)");
    return der.subspan(kPublicKeyPrefix.size());
}

Status verify(ByteView public_key, const Digest& hash, ByteView signature) {
    TRIBUTARY_ASSIGN(const ByteView binary, point_of(public_key));
    Group group;
    if (const int code = mbedtls_ecp_group_load(&group.value, MBEDTLS_ECP_DP_SECP256R1))
        return library_failed("loading the curve P-256", code);
    Point point;
    if (mbedtls_ecp_point_read_binary(&group.value, &point.value, binary.data(), binary.size()) !=
            0 ||
        mbedtls_ecp_check_pubkey(&group.value, &point.value) != 0)
        return fail(Errc::invalid, "the public key is not a point of the curve P-256");
    const auto denied = [] {
        return fail(Errc::denied, "the signature is not this key's over these bytes");
    };
    if (signature.size() != kSignatureBytes) return denied();
    Number r, s;
    int code = mbedtls_mpi_read_binary(&r.value, signature.data(), kScalarBytes);
    if (code == 0)
        code = mbedtls_mpi_read_binary(&s.value, signature.data() + kScalarBytes, kScalarBytes);
    if (code == 0)
        code = mbedtls_ecdsa_verify(&group.value, hash.bytes.data(), hash.bytes.size(),
                                    &point.value, &r.value, &s.value);
    if (code == MBEDTLS_ERR_MPI_ALLOC_FAILED) return library_failed("checking a signature", code);
    if (code != 0) return denied();
    return {};
}

std::string public_key_pem(ByteView der) { return to_pem(kPublicBegin, kPublicEnd, der); }

Result<Bytes> parse_public_key_pem(std::string_view pem) {
    const std::string text(pem);
    PemText parsed;
    std::size_t used = 0;
    // Without the line's end, which a file may write as CR LF.
    const std::string begin(kPublicBegin, sizeof kPublicBegin - 2);
    const std::string end(kPublicEnd, sizeof kPublicEnd - 2);
    const int code = mbedtls_pem_read_buffer(&parsed.value, begin.c_str(), end.c_str(),
                                             reinterpret_cast<const unsigned char*>(text.c_str()),
                                             nullptr, 0, &used);
    if (code != 0)
        return fail(Errc::invalid, "there is no public key in PEM that can be read", code);
#if MBEDTLS_VERSION_MAJOR >= 3
    std::size_t length = 0;
    const unsigned char* der = mbedtls_pem_get_buffer(&parsed.value, &length);
    Bytes key(der, der + length);
#else
    Bytes key(parsed.value.buf, parsed.value.buf + parsed.value.buflen);
#endif
    TRIBUTARY_TRY(point_of(key));
    return key;
}

void wipe(ByteSpan secret) { mbedtls_platform_zeroize(secret.data(), secret.size()); }

}  // namespace tributary::trust::p256
