#include "common/trust/token.h"

#include <algorithm>
#include <optional>

#include "common/hash/hash.h"

namespace tributary::trust {
namespace {

constexpr std::string_view kPrefix = "tributary1.";
constexpr std::uint8_t kForm = 1;
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t kFixedBytes = 1 + 3 * kDigestBytes + 8 + 2 + 4;
constexpr std::size_t kTextBytesMax = (kFixedBytes + kTokenUrlBytesMax) * 4 / 3 + 4;

std::string base64url(ByteView bytes) {
    std::string text;
    std::uint32_t bits = 0;
    int held = 0;
    for (const std::uint8_t byte : bytes) {
        bits = bits << 8 | byte;
        for (held += 8; held >= 6; held -= 6) text.push_back(kDigits[bits >> (held - 6) & 63]);
    }
    if (held > 0) text.push_back(kDigits[bits << (6 - held) & 63]);
    return text;
}

// Nothing when it is not the one form of its bytes.
std::optional<Bytes> from_base64url(std::string_view text) {
    Bytes bytes;
    std::uint32_t bits = 0;
    int held = 0;
    for (const char c : text) {
        const auto digit = kDigits.find(c);
        if (digit == kDigits.npos) return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        held += 6;
        if (held < 8) continue;
        held -= 8;
        bytes.push_back(static_cast<std::uint8_t>(bits >> held));
    }
    const bool canonical = held < 6 && (bits & ((1u << held) - 1)) == 0;
    return canonical ? std::optional(std::move(bytes)) : std::nullopt;
}

tl::unexpected<Error> wrong(const std::string& what) {
    return fail(Errc::invalid, "the token " + what +
                                   "; copy it whole, as `tributary device token` "
                                   "printed it");
}

}  // namespace

Digest token_id(ByteView secret) { return sha256(secret); }

std::string encode_token(const EnrolmentToken& token) {
    TRIBUTARY_CHECK(!token.url.empty() && token.url.size() <= kTokenUrlBytesMax);
    Bytes bytes;
    ByteWriter out(bytes);
    out.put(kForm);
    out.put(token.secret);
    out.put(token.authority.bytes);
    out.put(token.root.bytes);
    out.put(token.expires.ms);
    out.put_short_text(token.url);
    out.put(crc32c(bytes));
    return std::string(kPrefix) + base64url(bytes);
}

Result<EnrolmentToken> parse_token(std::string_view text) {
    constexpr std::string_view kSpaces = " \t\r\n";
    const auto first = text.find_first_not_of(kSpaces);
    if (first == text.npos) return wrong("is empty");
    text = text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
    if (!text.starts_with(kPrefix)) return wrong("does not begin with " + std::string(kPrefix));
    if (text.size() > kPrefix.size() + kTextBytesMax) return wrong("is too long");
    const auto bytes = from_base64url(text.substr(kPrefix.size()));
    if (!bytes) return wrong("has letters that no token has");
    if (bytes->size() <= kFixedBytes) return wrong("is cut short");
    const ByteView said = ByteView(*bytes).first(bytes->size() - 4);
    if (load_le<std::uint32_t>(bytes->data() + said.size()) != crc32c(said))
        return wrong("is cut short or has a slip in it");

    ByteReader in(said);
    if (in.take<std::uint8_t>() != kForm)
        return fail(Errc::unsupported, "the token is of a newer hub; update this program");
    EnrolmentToken token;
    for (auto* part : {&token.secret, &token.authority.bytes, &token.root.bytes})
        std::ranges::copy(in.take(part->size()), part->begin());
    token.expires.ms = in.take<std::uint64_t>();
    token.url = in.take_short_text();
    if (!in.done() || token.url.empty() || token.url.size() > kTokenUrlBytesMax)
        return wrong("names no address of a hub");
    return token;
}

}  // namespace tributary::trust
