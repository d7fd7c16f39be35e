#include "common/codec/nibbles.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "common/codec/estimate.h"
#include "common/codec/rans.h"

namespace tributary::codec {
namespace {

constexpr unsigned kValues = 16;
// The tables are made anew after so many numbers, then after twice as many, and so on.
constexpr std::size_t kFirstRun = 64;
constexpr std::size_t kLastRun = 8192;

// Expected numbers, in 1 / kOne.
constexpr unsigned kOneBits = 15;
constexpr std::int64_t kOne = std::int64_t{1} << kOneBits;

// A float16 in units of the least one; 0 for what is no number.
std::int64_t whole(const std::uint8_t* half) {
    const unsigned bits = load_le<std::uint16_t>(half);
    const unsigned exponent = bits >> 10 & 31;
    std::int64_t size = bits & 1023;
    if (exponent == 31) return 0;
    if (exponent != 0) size = (size | 1024) << (exponent - 1);
    return (bits >> 15) != 0 ? -size : size;
}

// What numbers stand for: scale * number + least, in units of float16's least.
struct Scale {
    std::int64_t scale = 0;
    std::int64_t least = 0;
};

// How ggml packs eight scales and eight least values of six bits each.
unsigned packed_scale(const std::uint8_t* from, std::size_t i) {
    if (i < 4) return from[i] & 63u;
    return (from[i + 4] & 15u) | (from[i - 4] & 0xc0u) >> 2;
}
unsigned packed_least(const std::uint8_t* from, std::size_t i) {
    if (i < 4) return from[i + 4] & 63u;
    return unsigned{from[i + 4]} >> 4 | (from[i] & 0xc0u) >> 2;
}

// How blocks of a kind are laid out.
struct Shape {
    std::size_t block = 0;         // its bytes
    std::size_t number_bytes = 0;  // those of its numbers, at its end
    std::size_t stretch = 32;      // bytes whose low numbers have one scale, and the high ones
};
constexpr Shape shape_of(NibbleScales scales) {
    switch (scales) {
        case NibbleScales::one: return {18, 16, 16};
        case NibbleScales::one_and_least: return {20, 16, 16};
        case NibbleScales::of_eight: return {144, 128, 32};
        case NibbleScales::none: break;
    }
    return {};
}

Scale scale_in(NibbleScales scales, const std::uint8_t* block, std::size_t part) {
    const std::int64_t scale = whole(block);
    if (scales == NibbleScales::one) return {scale, -8 * scale};
    const std::int64_t least = whole(block + 2);
    if (scales == NibbleScales::one_and_least) return {scale, least};
    return {scale * packed_scale(block + 4, part), -least * packed_least(block + 4, part)};
}

// What a number is expected to be from the base's, and in which context its symbol is coded: how
// far it is above that, modulo 16, or below when the expectation was rounded up.
struct Expected {
    std::uint8_t value = 0;
    std::uint8_t context = 0;
    bool turned = false;

    unsigned symbol_of(unsigned number) const {
        return (turned ? value - number : number - value) % kValues;
    }
    unsigned number_of(unsigned symbol) const {
        return (turned ? value - symbol : value + symbol) % kValues;
    }
};
using Table = std::array<Expected, kValues>;  // by the base's number

// Where the base's number p lies is (p * growth + shift) / kOne.
Table expected_at(std::int64_t growth, std::int64_t shift) {
    Table table;
    for (unsigned p = 0; p < kValues; ++p) {
        const std::int64_t at = p * growth + shift;
        const std::int64_t nearest = (at + kOne / 2) >> kOneBits;
        const std::int64_t off = at - nearest * kOne;
        const std::int64_t value = std::clamp<std::int64_t>(nearest, 0, kValues - 1);
        const bool at_end = value == 0 || value == kValues - 1;
        const auto distance = static_cast<unsigned>(std::abs(off) >> (kOneBits - 4));
        table[p] = {static_cast<std::uint8_t>(value),
                    static_cast<std::uint8_t>(std::min(distance, 7u) + (at_end ? 8 : 0)), off < 0};
    }
    return table;
}

Table expected_on(const Scale& from, const Scale& to) {
    if (to.scale == 0 || from.scale == 0) return expected_at(kOne, 0);
    constexpr std::int64_t kFar = 64 * kOne;
    return expected_at(std::clamp(from.scale * kOne / to.scale, -kFar, kFar),
                       std::clamp((from.least - to.least) * kOne / to.scale, -kFar, kFar));
}

// What to expect, stretch by stretch.
class Expectations {
public:
    explicit Expectations(const NibbleBlocks& blocks)
        : blocks_(blocks), shape_(shape_of(blocks.scales)) {
        if (blocks.scales != NibbleScales::none) return;
        for (unsigned p = 0; p < kValues; ++p)
            tables_[0][p] = {static_cast<std::uint8_t>(p), static_cast<std::uint8_t>(p), false};
        tables_[1] = tables_[0];
    }
    std::size_t stretch() const { return shape_.stretch; }
    // `at`: of the first byte of a stretch among the numbers.
    void move_to(std::size_t at) {
        if (blocks_.scales == NibbleScales::none) return;
        const std::size_t block = at / shape_.number_bytes;
        const std::size_t part = at % shape_.number_bytes / shape_.stretch * 2;
        tables_[0] = expected(block, part);
        tables_[1] =
            blocks_.scales == NibbleScales::of_eight ? expected(block, part + 1) : tables_[0];
    }
    const Expected& of(std::size_t half, unsigned base) const { return tables_[half][base]; }

private:
    Table expected(std::size_t block, std::size_t part) const {
        const std::size_t offset = block * shape_.block;
        if (offset >= blocks_.base.size()) return expected_at(kOne, 0);
        return expected_on(scale_in(blocks_.scales, blocks_.base.data() + offset, part),
                           scale_in(blocks_.scales, blocks_.plain.data() + offset, part));
    }
    const NibbleBlocks& blocks_;
    Shape shape_;
    std::array<Table, 2> tables_;  // of low numbers and high ones
};

unsigned half_of(unsigned byte, std::size_t half) { return byte >> (4 * half) & 15; }

// Calls `visit(i, expected)` for both numbers of each byte from `begin` to before `end`, number i
// in all; `begin` is where a stretch begins.
template <class Visit>
void for_numbers(std::size_t begin, std::size_t end, ByteView base, Expectations& expectations,
                 Visit&& visit) {
    while (begin < end) {
        expectations.move_to(begin);
        const std::size_t stop = std::min(end, begin + expectations.stretch());
        for (; begin < stop; ++begin) {
            const unsigned from = begin < base.size() ? base[begin] : 0u;
            visit(2 * begin, expectations.of(0, half_of(from, 0)));
            visit(2 * begin + 1, expectations.of(1, half_of(from, 1)));
        }
    }
}

Status damaged() {
    return fail(Errc::corrupt, "the numbers of four bits of a piece do not decode; fetch it again");
}

// As if each symbol had been seen once and more often, the nearer to what was expected: none is
// ever spelled out.
void begin(ClassModel& model) {
    constexpr std::array<std::uint8_t, kValues> kSeen = {16, 3, 1, 1, 1, 1, 1, 1,
                                                         1,  1, 1, 1, 1, 1, 1, 3};
    model.reset(kValues, ClassModel::Kinship::same);
    for (std::uint8_t symbol = 0; symbol < kValues; ++symbol)
        for (std::uint8_t i = 0; i < kSeen[symbol]; ++i) model.count(0, symbol);
}

}  // namespace

std::optional<NibbleScales> nibble_scales(std::span<const Field> fields, std::size_t index) {
    if (index + 1 != fields.size()) return std::nullopt;
    const auto same = [fields](std::span<const Field> others) {
        return std::ranges::equal(fields, others, {}, &Field::bytes, &Field::bytes);
    };
    if (same(fields_of(ElementType::q4_0))) return NibbleScales::one;
    if (same(fields_of(ElementType::q4_1))) return NibbleScales::one_and_least;
    if (same(fields_of(ElementType::q4_k))) return NibbleScales::of_eight;
    return std::nullopt;
}

NibbleBlocks nibble_blocks(std::span<const Field> fields, std::size_t index, const Blocks& to,
                           const Blocks& from) {
    const auto scales = nibble_scales(fields, index);
    return scales ? NibbleBlocks{*scales, to.body, from.body} : NibbleBlocks{};
}

std::size_t NibbleCoder::write(ByteView plain, ByteView base, const NibbleBlocks& blocks,
                               ByteSpan out) {
    if (plain.empty() || plain.size() > kBytesMax) return 0;
    const std::size_t count = 2 * plain.size();
    const std::size_t stream_bytes_max = 2 * count + rans::kStateBytes + 2;
    std::vector<ClassModel::Slot>& slots = buffers_.slots;
    Bytes& words = buffers_.stream;
    if (slots.size() < count) slots.resize(count);
    if (words.size() < stream_bytes_max) words.resize(stream_bytes_max);

    Expectations expectations(blocks);
    begin(model_);
    std::size_t run = kFirstRun;
    for (std::size_t at = 0; at < plain.size(); run = std::min(2 * run, kLastRun)) {
        model_.learn(false);
        const std::size_t end = std::min(plain.size(), at + run / 2);
        for_numbers(at, end, base, expectations, [&](std::size_t i, const Expected& expected) {
            const auto symbol =
                static_cast<std::uint8_t>(expected.symbol_of(half_of(plain[i / 2], i % 2)));
            slots[i] = model_.table(expected.context).slots[symbol];
            model_.count(expected.context, symbol);
        });
        at = end;
    }
    rans::Encoder encoder(words.data() + words.size());  // from the end
    rans::for_lanes_backwards(
        count, [&](std::size_t i, std::size_t lane) { encoder.put(lane, slots[i]); });
    const ByteView stream = encoder.finish();
    if (out.size() < 1 + stream.size()) return 0;
    out[0] = static_cast<std::uint8_t>(blocks.scales);
    std::copy(stream.begin(), stream.end(), out.begin() + 1);
    return 1 + stream.size();
}

Status NibbleCoder::read(ByteView payload, ByteView base, const NibbleBlocks& blocks,
                         ByteSpan out) {
    if (payload.size() < 1 + rans::kStateBytes || out.empty()) return damaged();
    NibbleBlocks used;
    if (payload[0] != 0) used = blocks;
    if (payload[0] != static_cast<std::uint8_t>(used.scales)) return damaged();

    rans::Decoder symbols(payload.subspan(1));
    Expectations expectations(used);
    bool known = true;
    begin(model_);
    std::size_t run = kFirstRun;
    for (std::size_t at = 0; at < out.size() && known; run = std::min(2 * run, kLastRun)) {
        model_.learn(true);
        const std::size_t end = std::min(out.size(), at + run / 2);
        for_numbers(at, end, base, expectations, [&](std::size_t i, const Expected& expected) {
            std::uint8_t symbol = symbols.take(i % rans::kStates, model_.table(expected.context));
            known = known && symbol < kValues;
            symbol %= kValues;
            model_.count(expected.context, symbol);
            const unsigned number = expected.number_of(symbol);
            std::uint8_t& byte = out[i / 2];
            byte = static_cast<std::uint8_t>(i % 2 == 0 ? number : byte | number << 4);
        });
        at = end;
    }
    if (!known || !symbols.done()) return damaged();
    return {};
}

std::uint64_t estimate_nibbles(ByteView plain, ByteView base, const NibbleBlocks& blocks) {
    constexpr std::size_t kRuns = 64;      // as many as of planes, since the two are compared
    constexpr std::size_t kRunBytes = 32;  // whole stretches, of any kind
    std::array<std::array<std::uint32_t, kValues>, ClassModel::kContexts> counts{};
    std::size_t sampled = 0;
    Expectations expectations(blocks);
    sample(plain.size() / kRunBytes, kRuns, 1, [&](std::size_t first, std::size_t length) {
        for_numbers(
            first * kRunBytes, (first + length) * kRunBytes, base, expectations,
            [&](std::size_t i, const Expected& expected) {
                ++counts[expected.context][expected.symbol_of(half_of(plain[i / 2], i % 2))];
                ++sampled;
            });
    });
    if (sampled == 0) return ~std::uint64_t{0};
    std::uint64_t bits = 0;
    for (const auto& of_context : counts) {
        std::uint64_t seen = 0;
        for (const std::uint32_t count : of_context) seen += count;
        bits += entropy_of_sampled(of_context, 2 * plain.size() * seen / sampled);
    }
    return bits;
}

}  // namespace tributary::codec
