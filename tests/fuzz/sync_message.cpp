// Any payload parses or answers an error; what parses is encoded and parses to the same.
//
// Input: a payload without its CRC-32C, which is added here so that mutations reach the parser.
#include "common/hash/hash.h"
#include "common/record/message.h"
#include "tests/fuzz/fuzz.h"

using namespace tributary;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes payload(data, data + size);
    ByteWriter(payload).put(crc32c({data, size}));
    const auto parsed = sync::parse_message(payload);
    if (!parsed) {
        TRIBUTARY_CHECK(parsed.error().code == Errc::corrupt ||
                        parsed.error().code == Errc::unsupported);
        return 0;
    }
    // What fills a frame with padding may not fit when it is written anew.
    const auto encoded = sync::encode_message(*parsed);
    TRIBUTARY_CHECK(encoded || payload.size() > limits::kFrameBytesMax / 2);
    if (encoded) TRIBUTARY_CHECK(sync::parse_message(*encoded) == *parsed);
    return 0;
}
