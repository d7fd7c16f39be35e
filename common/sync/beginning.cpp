#include "common/sync/beginning.h"

#include <algorithm>

#include "common/hash/hash.h"

namespace tributary::sync {
namespace {

// kind, based, name, bytes; CRC-32C of the owner and all that.
constexpr std::size_t kNameAt = 2;
constexpr std::size_t kBytesAt = kNameAt + kDigestBytes;
constexpr std::size_t kCrcBytes = 4;

std::uint32_t checksum(std::string_view owner, ByteView said) {
    return crc32c(said, crc32c(as_bytes(owner)));
}

}  // namespace

Bytes encode_beginning(const Beginning& beginning, std::string_view owner) {
    Bytes encoded(kBytesAt);
    encoded[0] = static_cast<std::uint8_t>(beginning.key.kind);
    encoded[1] = beginning.based ? 1 : 0;
    std::ranges::copy(beginning.key.name.bytes, encoded.begin() + kNameAt);
    encoded.insert(encoded.end(), beginning.bytes.begin(), beginning.bytes.end());
    const std::uint32_t crc = checksum(owner, encoded);
    encoded.resize(encoded.size() + kCrcBytes);
    store_le(encoded.data() + encoded.size() - kCrcBytes, crc);
    return encoded;
}

Result<Beginning> parse_beginning(ByteView bytes, std::string_view owner) {
    if (bytes.size() < kBytesAt + kCrcBytes)
        return fail(Errc::corrupt, "too short for the beginning of a record");
    const ByteView said = bytes.first(bytes.size() - kCrcBytes);
    if (checksum(owner, said) != load_le<std::uint32_t>(bytes.data() + said.size()))
        return fail(Errc::corrupt, "the beginning of a record is damaged");
    Beginning beginning;
    beginning.key.kind = static_cast<RecordKind>(said[0]);
    beginning.based = said[1] != 0;
    std::ranges::copy(said.subspan(kNameAt, kDigestBytes), beginning.key.name.bytes.begin());
    beginning.bytes.assign(said.begin() + kBytesAt, said.end());
    return beginning;
}

}  // namespace tributary::sync
