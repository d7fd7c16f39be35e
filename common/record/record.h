// The frame that every stored and sent thing travels in: one format on flash, over MQTT and in
// packs.
//
//   offset size
//        0    4  magic "TRB1"
//        4    1  kind
//        5    1  encoding (common/codec says what the payload is)
//        6    1  flags, 0
//        7    1  hash algorithm of every digest in this header, 1 = SHA-256
//        8    4  key id, 0 (reserved for payload encryption; a base has its delta's key id)
//       12    4  stored length: bytes of payload
//       16    4  plain length: bytes after decoding
//       20    1  number of bases, 0..3
//       21    3  0
//       24   32  name (which digest: see RecordKind)
//       56 32*n  bases
//        .    4  CRC-32C of all header bytes before it
//        .    m  payload
//        .    4  CRC-32C of the payload
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/limits.h"
#include "common/base/result.h"

namespace tributary {

enum class RecordKind : std::uint8_t {
    piece = 1,    // named by sha256(plain)
    recipe = 2,   // named by the blob it describes; kept honest by the blob's own digest when it is
                  // put together
    tree = 3,     // one tree node, named by sha256_of("tributary/1/tree", plain)
    version = 4,  // sha256_of("tributary/1/version", plain)
    notes = 5,    // sha256_of("tributary/1/notes", plain)
    entry = 6,    // named by its header's hash; plain = header, then body
    seal = 7,     // sha256_of("tributary/1/seal", plain)
    receipt = 8,  // sha256_of("tributary/1/receipt", plain)
    document =
        9,  // a signed document such as an approval: sha256_of("tributary/1/document", plain)
    conflict = 10,  // an open merge conflict: sha256_of("tributary/1/conflict", plain)
    eviction = 11,  // a store's own: versions it no longer holds: sha256_of("tributary/1/eviction",
                    // plain); never sent
};

bool is_known(RecordKind kind);
std::string_view name_of(RecordKind kind);

// The name that `plain` must have as a record of `kind`; none for a recipe, whose name its bytes do
// not determine.
Digest name_of_plain(RecordKind kind, ByteView plain);

// What is looked up in a log.
struct RecordKey {
    RecordKind kind{};
    Digest name;
    auto operator<=>(const RecordKey&) const = default;
};

struct RecordHeader {
    RecordKind kind{};
    std::uint8_t encoding = 0;
    std::uint32_t key_id = 0;
    std::uint32_t stored_length = 0;
    std::uint32_t plain_length = 0;
    Digest name;
    std::uint8_t base_count = 0;
    std::array<Digest, limits::kBasesMax> base{};

    std::span<const Digest> bases() const { return {base.data(), base_count}; }
    RecordKey key() const { return {kind, name}; }
    std::size_t header_bytes() const { return kFixedBytes + kDigestBytes * base_count + 4; }
    std::size_t record_bytes() const { return header_bytes() + stored_length + 4; }

    static constexpr std::size_t kFixedBytes = 56;
    static constexpr std::size_t kBytesMax = kFixedBytes + kDigestBytes * limits::kBasesMax + 4;
};

// Appends the framed record to `out`. The lengths in `header` are CHECKed against the payload and
// the limits.
void append_record(Bytes& out, const RecordHeader& header, ByteView payload);

// Reads a header from the front of `in`; only its own bytes are needed. corrupt: magic, CRC,
// lengths or names are wrong; unsupported: the CRC is right, but the kind, the algorithm or a
// reserved field is not one that this program knows.
Result<RecordHeader> parse_record_header(ByteView in);

struct RecordView {
    RecordHeader header;
    ByteView payload;  // into the parsed buffer
};
// A whole record from the front of `in`, both CRCs checked.
Result<RecordView> parse_record(ByteView in);

}  // namespace tributary
