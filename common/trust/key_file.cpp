#include "common/trust/key_file.h"

#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "common/trust/certificate.h"
#include "common/trust/encrypted_key.h"
#include "common/trust/p256.h"

namespace tributary::trust {
namespace {

constexpr std::size_t kMasterFileBytesMax = 2 * MasterKey::kBytes + 2;  // digits and a line's end

Bytes hmac(ByteView key, ByteView message) {
    Bytes out(kDigestBytes);
    unsigned int length = 0;
    const auto* made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(),
                            message.size(), out.data(), &length);
    TRIBUTARY_CHECK(made != nullptr && length == out.size());
    return out;
}

// Without leaving a copy of the first behind.
SecretText joined(std::string_view secret, std::string_view rest) {
    std::string text;
    text.reserve(secret.size() + rest.size());
    text.append(secret).append(rest);
    return SecretText(std::move(text));
}

std::string_view without_line_end(std::string_view text) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    return text;
}

// The lines of the first block whose label ends with "PRIVATE KEY"; empty when there is none.
std::string_view private_key_block(std::string_view text) {
    constexpr std::string_view kBegin = "-----BEGIN ";
    constexpr std::string_view kDashes = "-----";
    for (std::size_t from = text.find(kBegin); from != text.npos;
         from = text.find(kBegin, from + 1)) {
        const std::size_t label_at = from + kBegin.size();
        const std::size_t label_end = text.find(kDashes, label_at);
        if (label_end == text.npos) return {};
        const std::string_view label = text.substr(label_at, label_end - label_at);
        if (!label.ends_with("PRIVATE KEY") || label.size() > 32) continue;
        const std::string end = "-----END " + std::string(label) + "-----";
        const std::size_t last = text.find(end, label_end);
        if (last == text.npos) return {};
        return text.substr(from, last + end.size() - from);
    }
    return {};
}

}  // namespace

// ---- passphrase ----

Passphrase::Passphrase(Bytes text, std::uint32_t iterations)
    : text_(std::move(text)), iterations_(iterations) {}
Passphrase::Passphrase(Passphrase&& other) noexcept = default;
Passphrase& Passphrase::operator=(Passphrase&& other) noexcept {
    std::swap(text_, other.text_);  // the other one wipes ours
    std::swap(iterations_, other.iterations_);
    return *this;
}
Passphrase::~Passphrase() { p256::wipe(text_); }

Result<Passphrase> Passphrase::of_person(std::string_view text) {
    if (text.empty() || text.size() > kBytesMax)
        return fail(Errc::invalid, "a passphrase has 1 to " + std::to_string(kBytesMax) + " bytes");
    return Passphrase(Bytes(text.begin(), text.end()), kIterationsOfAPerson);
}

Result<Passphrase> Passphrase::load(Files& files, const std::string& path) {
    auto content = read_file(files, path, kBytesMax + 2);
    if (!content) return with_context("load the passphrase " + path, std::move(content).error());
    std::string_view line = as_text(*content);
    line = line.substr(0, line.find('\n'));
    if (line.ends_with('\r')) line.remove_suffix(1);
    auto passphrase = of_person(line);
    p256::wipe(*content);
    if (!passphrase)
        return with_context("load the passphrase " + path, std::move(passphrase).error());
    return passphrase;
}

std::string_view Passphrase::text() const { return as_text(text_); }

// ---- master key ----

MasterKey::MasterKey(Bytes key) : key_(std::move(key)) {}
MasterKey::MasterKey(MasterKey&& other) noexcept = default;
MasterKey& MasterKey::operator=(MasterKey&& other) noexcept {
    std::swap(key_, other.key_);
    return *this;
}
MasterKey::~MasterKey() { p256::wipe(key_); }

Result<MasterKey> MasterKey::load(Files& files, const std::string& path) {
    auto content = read_file(files, path, kMasterFileBytesMax);
    if (!content) return with_context("load the master key " + path, std::move(content).error());
    Bytes key(kBytes);
    const bool read = from_hex(without_line_end(as_text(*content)), key);
    p256::wipe(*content);
    MasterKey made(std::move(key));
    if (!read)
        return fail(Errc::invalid, "the master key " + path + " is not one: it is one line of " +
                                       std::to_string(2 * kBytes) +
                                       " hexadecimal digits; put a sound copy in its place");
    return made;
}

Result<MasterKey> MasterKey::create(Files& files, Entropy& entropy, const std::string& path) {
    const auto there = files.stat(path);
    if (there) return fail(Errc::conflict, "the master key " + path + " is already there");
    if (there.error().code != Errc::not_found)
        return with_context("make the master key " + path, there.error());
    Bytes key(kBytes);
    entropy.fill(key);
    MasterKey made(std::move(key));
    const SecretText digits(to_hex(made.key_));
    const SecretText line = joined(digits.text(), "\n");
    const Status written = replace_file(files, path, as_bytes(line.text()));
    if (!written) return with_context("make the master key " + path, written.error());
    return made;
}

Passphrase MasterKey::passphrase(std::string_view role) const {
    Bytes derived = hkdf_sha256(key_, {}, as_bytes(role), kBytes);
    const SecretText digits(to_hex(derived));
    p256::wipe(derived);
    return {Bytes(digits.text().begin(), digits.text().end()), Passphrase::kIterationsOfAMasterKey};
}

Bytes hkdf_sha256(ByteView key, ByteView salt, ByteView info, std::size_t length) {
    TRIBUTARY_CHECK(length <= 255 * kDigestBytes);
    const Bytes no_salt(kDigestBytes, 0);
    Bytes extracted = hmac(salt.empty() ? ByteView(no_salt) : salt, key);
    Bytes out, block;
    for (std::uint8_t number = 1; out.size() < length; ++number) {
        block.insert(block.end(), info.begin(), info.end());
        block.push_back(number);
        Bytes next = hmac(extracted, block);
        p256::wipe(block);
        block = std::move(next);
        out.insert(out.end(), block.begin(),
                   block.begin() +
                       static_cast<std::ptrdiff_t>(std::min(block.size(), length - out.size())));
    }
    p256::wipe(extracted);
    p256::wipe(block);
    return out;
}

// ---- certificates beside keys ----

Status put_certificate(Files& files, const std::string& path, ByteView certificate) {
    TRIBUTARY_TRY(check_key_path(path));
    auto content = read_file(files, path, p256::kKeyFileBytesMax);
    if (!content) return with_context("read the key " + path, std::move(content).error());
    const SecretText text{std::string(as_text(*content))};
    p256::wipe(*content);
    const std::string_view key = private_key_block(text.text());
    if (key.empty()) return fail(Errc::invalid, path + " holds no private key in PEM");
    const SecretText both = joined(key, "\n" + to_pem(kCertificateLabel, certificate));
    return replace_file(files, path, as_bytes(both.text()));
}

Result<Bytes> load_certificate(Files& files, const std::string& path) {
    auto content = read_file(files, path, p256::kKeyFileBytesMax);
    if (!content) return with_context("read the certificate " + path, std::move(content).error());
    auto certificate = from_pem(kCertificateLabel, as_text(*content));
    p256::wipe(*content);
    if (!certificate) return fail(Errc::not_found, path + " holds no certificate");
    return certificate;
}

}  // namespace tributary::trust
