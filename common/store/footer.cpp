#include "common/store/footer.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string_view>
#include <utility>

#include "common/base/limits.h"
#include "common/base/result.h"
#include "common/hash/hash.h"

namespace tributary::segment {
namespace {

constexpr std::string_view kFooterMagic = "TRBF";
constexpr std::string_view kTailMagic = "TRBE";
constexpr std::size_t kFenceBytes = 8;
constexpr std::size_t kCrcBytes = 4;

// Bloom filter: 10 bits and 7 probes per record, under 1 % false answers. Names are hashes already,
// so their bytes serve as the two hashes of double hashing.
constexpr std::uint32_t kFilterBitsPerRecord = 10;
constexpr std::uint32_t kFilterProbes = 7;

std::uint32_t filter_bytes_for(std::uint32_t records) {
    return (records * kFilterBitsPerRecord + 7) / 8;
}

template <class Visit>  // bool(byte of the filter, mask of the bit in it); stops at false
bool each_probe(const RecordKey& key, std::size_t filter_bytes, Visit visit) {
    const std::uint64_t bits = std::uint64_t{filter_bytes} * 8;
    std::uint64_t h = load_le<std::uint64_t>(key.name.bytes.data() + 8) +
                      static_cast<std::uint64_t>(key.kind) * 0x9E3779B97F4A7C15U;
    const std::uint64_t step = load_le<std::uint64_t>(key.name.bytes.data() + 16) | 1U;
    for (std::uint32_t i = 0; i < kFilterProbes; ++i, h += step) {
        const std::uint64_t bit = h % bits;
        if (!visit(static_cast<std::size_t>(bit / 8), static_cast<std::uint8_t>(1U << (bit % 8))))
            return false;
    }
    return true;
}

bool in_footer_order(const RecordKey& a, const RecordKey& b) {
    return std::pair(a.name, a.kind) < std::pair(b.name, b.kind);
}

void put_entry(ByteWriter& out, const Entry& entry) {
    out.put(ByteView(entry.key.name.bytes));
    out.put(static_cast<std::uint8_t>(entry.key.kind));
    out.put(entry.depth);
    out.put(entry.base_count);
    out.put(std::uint8_t{0});
    out.put(entry.offset);
    out.put(entry.length);
    out.put(entry.base_at);
}

Entry take_entry(ByteReader& in) {
    Entry entry;
    const ByteView name = in.take(kDigestBytes);
    std::copy(name.begin(), name.end(), entry.key.name.bytes.begin());
    entry.key.kind = static_cast<RecordKind>(in.take<std::uint8_t>());
    entry.depth = in.take<std::uint8_t>();
    entry.base_count = in.take<std::uint8_t>();
    in.take<std::uint8_t>();
    entry.offset = in.take<std::uint32_t>();
    entry.length = in.take<std::uint32_t>();
    entry.base_at = in.take<std::uint32_t>();
    return entry;
}

// A CRC-32C over what `out` holds from `start`.
void put_crc_since(Bytes& out, std::size_t start) {
    ByteWriter(out).put(crc32c(ByteView(out).subspan(start)));
}

bool crc_fits(ByteView with_crc) {
    const std::size_t body = with_crc.size() - kCrcBytes;
    return crc32c(with_crc.first(body)) == load_le<std::uint32_t>(with_crc.data() + body);
}

void put_filter(Bytes& out, std::span<const Entry> entries, std::uint32_t filter_bytes) {
    const std::size_t start = out.size();
    out.resize(start + filter_bytes);
    for (const Entry& entry : entries) {
        each_probe(entry.key, filter_bytes, [&](std::size_t byte, std::uint8_t mask) {
            out[start + byte] |= mask;
            return true;
        });
    }
}

}  // namespace

// ---- Table ----

void Table::add(const RecordKey& key, std::uint32_t offset, std::uint32_t length,
                std::uint8_t depth, std::span<const Digest> bases) {
    by_key_[key] = static_cast<std::uint32_t>(entries_.size());
    entries_.push_back({key, offset, length, depth, static_cast<std::uint8_t>(bases.size()),
                        static_cast<std::uint32_t>(bases_.size())});
    bases_.insert(bases_.end(), bases.begin(), bases.end());
}

const Entry* Table::find(const RecordKey& key) const {
    const auto at = by_key_.find(key);
    return at == by_key_.end() ? nullptr : &entries_[at->second];
}

void Table::clear() {
    *this = Table();  // gives the memory back
}

// ---- Tail ----

std::uint32_t Tail::entries_in(std::uint32_t block) const {
    return std::min(kBlockEntries, records - block * kBlockEntries);
}
std::uint64_t Tail::block_offset(std::uint32_t block) const {
    return std::uint64_t{footer_offset} + kMagicBytes +
           std::uint64_t{block} * (kBlockEntries * Entry::kBytes + kCrcBytes);
}
std::size_t Tail::block_bytes(std::uint32_t block) const {
    return std::size_t{entries_in(block)} * Entry::kBytes + kCrcBytes;
}
std::uint64_t Tail::bases_offset() const {
    return std::uint64_t{footer_offset} + kMagicBytes + std::uint64_t{records} * Entry::kBytes +
           std::uint64_t{blocks()} * kCrcBytes;
}
std::uint64_t Tail::lookup_offset() const {
    return bases_offset() + std::uint64_t{bases} * kDigestBytes + kCrcBytes;
}
std::size_t Tail::lookup_bytes() const {
    return std::size_t{blocks()} * kFenceBytes + filter_bytes;
}
std::uint64_t Tail::end_offset() const { return lookup_offset() + lookup_bytes() + kBytes; }
std::size_t Tail::footer_bytes() const {
    return static_cast<std::size_t>(end_offset() - footer_offset);
}

std::optional<Tail> parse_tail(ByteView last_bytes, std::uint64_t file_bytes) {
    if (last_bytes.size() != Tail::kBytes || !crc_fits(last_bytes)) return std::nullopt;
    ByteReader r(last_bytes);
    if (as_text(r.take(kTailMagic.size())) != kTailMagic) return std::nullopt;
    Tail tail;
    tail.salt = r.take<std::uint64_t>();
    tail.last_batch = r.take<std::uint64_t>();
    tail.state = take_state(r);
    tail.footer_offset = r.take<std::uint32_t>();
    tail.records = r.take<std::uint32_t>();
    tail.bases = r.take<std::uint32_t>();
    tail.filter_bytes = r.take<std::uint32_t>();
    tail.lookup_crc = r.take<std::uint32_t>();
    // Counts that the file cannot hold would only be multiplied into nonsense.
    if (tail.records > file_bytes / Entry::kBytes || tail.bases > file_bytes / kDigestBytes ||
        tail.filter_bytes != filter_bytes_for(tail.records) || tail.end_offset() != file_bytes ||
        file_bytes - tail.footer_offset > kFooterBytesMax)
        return std::nullopt;
    return tail;
}

// ---- footer ----

Bytes encode_footer(const Table& table, std::uint32_t offset, std::uint64_t salt,
                    std::uint64_t last_batch, const State& state) {
    std::vector<Entry> sorted(table.entries().begin(), table.entries().end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Entry& a, const Entry& b) { return in_footer_order(a.key, b.key); });
    Tail tail{.salt = salt,
              .last_batch = last_batch,
              .state = state,
              .footer_offset = offset,
              .records = static_cast<std::uint32_t>(sorted.size()),
              .bases = static_cast<std::uint32_t>(table.bases().size()),
              .filter_bytes = filter_bytes_for(static_cast<std::uint32_t>(sorted.size()))};

    Bytes out;
    out.reserve(tail.footer_bytes());
    ByteWriter w(out);
    w.put(as_bytes(kFooterMagic));
    for (std::uint32_t block = 0; block < tail.blocks(); ++block) {
        const std::size_t start = out.size();
        for (std::uint32_t i = 0; i < tail.entries_in(block); ++i)
            put_entry(w, sorted[block * kBlockEntries + i]);
        put_crc_since(out, start);
    }
    const std::size_t bases_start = out.size();
    for (const Digest& base : table.bases()) w.put(ByteView(base.bytes));
    put_crc_since(out, bases_start);

    const std::size_t lookup_start = out.size();
    for (std::uint32_t block = 0; block < tail.blocks(); ++block)
        w.put(ByteView(sorted[block * kBlockEntries].key.name.bytes).first(kFenceBytes));
    put_filter(out, sorted, tail.filter_bytes);
    tail.lookup_crc = crc32c(ByteView(out).subspan(lookup_start));

    const std::size_t tail_start = out.size();
    w.put(as_bytes(kTailMagic));
    w.put(tail.salt);
    w.put(tail.last_batch);
    put_state(w, tail.state);
    w.put(tail.footer_offset);
    w.put(tail.records);
    w.put(tail.bases);
    w.put(tail.filter_bytes);
    w.put(tail.lookup_crc);
    put_crc_since(out, tail_start);
    return out;
}

bool footer_is_sound(const Tail& tail, ByteView footer) {
    if (footer.size() != tail.footer_bytes() ||
        as_text(footer.first(Tail::kMagicBytes)) != kFooterMagic)
        return false;
    const auto part = [&](std::uint64_t offset, std::size_t bytes) {
        return footer.subspan(static_cast<std::size_t>(offset - tail.footer_offset), bytes);
    };
    for (std::uint32_t block = 0; block < tail.blocks(); ++block)
        if (!crc_fits(part(tail.block_offset(block), tail.block_bytes(block)))) return false;
    return crc_fits(part(tail.bases_offset(),
                         static_cast<std::size_t>(tail.lookup_offset() - tail.bases_offset()))) &&
           crc32c(part(tail.lookup_offset(), tail.lookup_bytes())) == tail.lookup_crc;
}

std::optional<std::vector<Entry>> parse_block(ByteView block) {
    if (block.size() < kCrcBytes || (block.size() - kCrcBytes) % Entry::kBytes != 0 ||
        !crc_fits(block))
        return std::nullopt;
    ByteReader r(block.first(block.size() - kCrcBytes));
    std::vector<Entry> entries;
    entries.reserve(r.remaining() / Entry::kBytes);
    while (r.remaining() > 0) entries.push_back(take_entry(r));
    return entries;
}

std::optional<std::vector<Digest>> parse_bases(ByteView bytes) {
    if (bytes.size() < kCrcBytes || (bytes.size() - kCrcBytes) % kDigestBytes != 0 ||
        !crc_fits(bytes))
        return std::nullopt;
    std::vector<Digest> bases((bytes.size() - kCrcBytes) / kDigestBytes);
    for (std::size_t i = 0; i < bases.size(); ++i)
        std::memcpy(bases[i].bytes.data(), bytes.data() + i * kDigestBytes, kDigestBytes);
    return bases;
}

// ---- Lookup ----

std::optional<Lookup> Lookup::parse(const Tail& tail, Bytes bytes) {
    if (bytes.size() != tail.lookup_bytes() || crc32c(bytes) != tail.lookup_crc)
        return std::nullopt;
    Lookup lookup;
    lookup.bytes_ = std::move(bytes);
    lookup.blocks_ = tail.blocks();
    return lookup;
}

Lookup::Blocks Lookup::find(const RecordKey& key) const {
    const std::size_t fences_bytes = std::size_t{blocks_} * kFenceBytes;
    const ByteView filter = ByteView(bytes_).subspan(fences_bytes);
    if (filter.empty()) return {};
    if (!each_probe(key, filter.size(), [&](std::size_t byte, std::uint8_t mask) {
            return (filter[byte] & mask) != 0;
        }))
        return {};

    const auto fence_compared = [&](std::uint32_t block) {
        return std::memcmp(bytes_.data() + std::size_t{block} * kFenceBytes, key.name.bytes.data(),
                           kFenceBytes);
    };
    // First block whose fence is at or past the name (the one before may reach into it), and the
    // first one past it.
    const auto partition = [&](auto before) {
        std::uint32_t low = 0, high = blocks_;
        while (low < high) {
            const std::uint32_t middle = low + (high - low) / 2;
            if (before(fence_compared(middle))) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    };
    const std::uint32_t at_or_past = partition([](int c) { return c < 0; });
    const std::uint32_t past = partition([](int c) { return c <= 0; });
    return {at_or_past == 0 ? 0 : at_or_past - 1, past};
}

}  // namespace tributary::segment
