// What an operator hands to a new board: how to reach the hub, a secret that lets it enrol once,
// and by what it knows that it is this hub, so that both sides are sure of each other.
//
//   text  = "tributary1." + base64url, without padding, of
//   bytes = u8 form (1), secret (32), SHA-256 of the authority's certificate in DER (32), SHA-256
//           of the root document's payload (32), u64 expires (wall time, ms), u16 length of the
//           URL, URL, u32 CRC-32C of all before it; little-endian
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace tributary::trust {

inline constexpr std::size_t kTokenSecretBytes = 32;
inline constexpr std::size_t kTokenUrlBytesMax = 512;

struct EnrolmentToken {
    std::array<std::uint8_t, kTokenSecretBytes> secret{};
    Digest authority;
    Digest root;  // root_digest()
    WallTime expires;
    std::string url;  // https://HOST[:PORT] of the hub's door for boards
    bool operator==(const EnrolmentToken&) const = default;
};

// By what the hub knows a token; it does not keep the secret.
Digest token_id(ByteView secret);

// CHECKs that the URL is neither empty nor longer than kTokenUrlBytesMax.
std::string encode_token(const EnrolmentToken& token);
// invalid, saying what to do, for anything else than that; spaces around it do not matter.
Result<EnrolmentToken> parse_token(std::string_view text);

}  // namespace tributary::trust
