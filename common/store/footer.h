// What is in one segment and where: a table in RAM while the segment is open, a footer of sorted
// blocks behind fences and a Bloom filter once it is sealed. Pure; schemas/STORAGE.md, section 7.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/record/record.h"
#include "common/store/segment.h"

namespace tributary::segment {

// ---- the records of one segment ----

struct Entry {
    RecordKey key;
    std::uint32_t offset = 0;  // of the record, in the segment
    std::uint32_t length = 0;  // of the whole record
    std::uint8_t depth = 0;    // 0: needs no base
    std::uint8_t base_count = 0;
    std::uint32_t base_at = 0;  // index of its first base in Table::bases
    bool operator==(const Entry&) const = default;

    static constexpr std::size_t kBytes = 48;
};

// Records in log order, found by key: the index of the open segment, and of one whose footer is
// lost.
class Table {
public:
    void add(const RecordKey& key, std::uint32_t offset, std::uint32_t length, std::uint8_t depth,
             std::span<const Digest> bases);
    const Entry* find(const RecordKey& key) const;  // the last one added
    std::span<const Entry> entries() const { return entries_; }
    std::span<const Digest> bases() const { return bases_; }
    std::span<const Digest> bases(const Entry& entry) const {
        return std::span<const Digest>(bases_).subspan(entry.base_at, entry.base_count);
    }
    void clear();

private:
    struct KeyHash {
        std::size_t operator()(const RecordKey& k) const noexcept {
            return std::hash<Digest>{}(k.name) ^ static_cast<std::size_t>(k.kind);
        }
    };
    std::vector<Entry> entries_;
    std::vector<Digest> bases_;
    std::unordered_map<RecordKey, std::uint32_t, KeyHash> by_key_;
};

// ---- footer ----
//
//   footer = head, blocks of up to 64 entries sorted by (name, kind) each with its CRC, bases with
//            their CRC, fences (first 8 bytes of each block's first name), Bloom filter, tail
//
// A lookup asks the filter and the fences in RAM, then reads one block. The tail, at the end of the
// file, says where all begins.

inline constexpr std::uint32_t kBlockEntries = 64;
// A footer is checked whole in RAM, so it must fit one object of a 32-bit machine. A segment's
// footer has about the size of its content at worst, and that is 64 MiB.
inline constexpr std::uint64_t kFooterBytesMax = 0x7FFF'FFFF;

struct Tail {
    std::uint64_t salt = 0;
    std::uint64_t last_batch = 0;
    State state;
    std::uint32_t footer_offset = 0;
    std::uint32_t records = 0;
    std::uint32_t bases = 0;
    std::uint32_t filter_bytes = 0;
    std::uint32_t lookup_crc = 0;  // of fences and filter together
    bool operator==(const Tail&) const = default;

    static constexpr std::size_t kBytes = 76;
    static constexpr std::size_t kMagicBytes = 4;

    std::uint32_t blocks() const { return (records + kBlockEntries - 1) / kBlockEntries; }
    std::uint32_t entries_in(std::uint32_t block) const;
    std::uint64_t block_offset(std::uint32_t block) const;  // in the file
    std::size_t block_bytes(std::uint32_t block) const;
    std::uint64_t bases_offset() const;
    std::uint64_t lookup_offset() const;  // fences, then filter
    std::size_t lookup_bytes() const;
    std::uint64_t end_offset() const;  // of the file
    std::size_t footer_bytes() const;  // tail included; at most kFooterBytesMax
};

std::optional<Tail> parse_tail(ByteView last_bytes, std::uint64_t file_bytes);

// The footer of a segment whose content ends at `offset`.
Bytes encode_footer(const Table& table, std::uint32_t offset, std::uint64_t salt,
                    std::uint64_t last_batch, const State& state);

// Whether every part of a whole footer passes its checksum.
bool footer_is_sound(const Tail& tail, ByteView footer);

// Whole block in, CRC checked; nullopt when damaged.
std::optional<std::vector<Entry>> parse_block(ByteView block);
// All bases, in the order of base_at, CRC checked.
std::optional<std::vector<Digest>> parse_bases(ByteView bytes);

// Fences and filter of one footer, in RAM.
class Lookup {
public:
    // nullopt when damaged.
    static std::optional<Lookup> parse(const Tail& tail, Bytes bytes);
    // First and one past the last block that may hold `key`; equal when it is not in the segment.
    struct Blocks {
        std::uint32_t first = 0;
        std::uint32_t end = 0;
    };
    Blocks find(const RecordKey& key) const;
    std::size_t ram_bytes() const { return bytes_.size(); }

private:
    Bytes bytes_;
    std::uint32_t blocks_ = 0;
};

}  // namespace tributary::segment
