// That coding and decoding take no memory piece by piece: buffers and contexts grow to what a piece
// of a kind needs, and the next one finds them.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "common/codec/codec.h"
#include "tests/unit/codec/samples.h"

// Sanitizers have an allocator of their own, and other C libraries no second name for theirs.
#if TRIBUTARY_PATIENCE == 1 && defined(__GLIBC__)
#define TRIBUTARY_COUNTS_ALLOCATIONS

namespace {
std::atomic<std::uint64_t> allocations = 0;
}

// In front of the C library's, for every library of this program. NOLINTBEGIN(*-identifier*)
extern "C" void* __libc_malloc(std::size_t bytes);
extern "C" void* __libc_calloc(std::size_t count, std::size_t bytes);
extern "C" void* __libc_realloc(void* old, std::size_t bytes);
// NOLINTEND(*-identifier*)
extern "C" void* malloc(std::size_t bytes) noexcept {
    ++allocations;
    return __libc_malloc(bytes);
}
extern "C" void* calloc(std::size_t count, std::size_t bytes) noexcept {
    ++allocations;
    return __libc_calloc(count, bytes);
}
extern "C" void* realloc(void* old, std::size_t bytes) noexcept {
    ++allocations;
    return __libc_realloc(old, bytes);
}

namespace tributary::codec {
namespace {

struct Sample {
    std::string name;
    ElementType type = ElementType::bytes;
    Bytes plain;
    Bytes base;
    Bytes before;  // of the base's place
};

// The numbers of four bits, two to a byte, of which every fourth moved by one.
Bytes move_nibbles(Random& random, ByteView from) {
    Bytes bytes(from.begin(), from.end());
    for (std::uint8_t& byte : bytes) {
        const auto low = static_cast<unsigned>((byte + (random.below(4u) == 0 ? 1 : 0)) & 15);
        const auto high =
            static_cast<unsigned>(((byte >> 4) + (random.below(4u) == 0 ? 1 : 0)) & 15);
        byte = static_cast<std::uint8_t>(low | high << 4);
    }
    return bytes;
}

Bytes move_bytes(Random& random, ByteView from) {
    Bytes bytes(from.begin(), from.end());
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(byte + random.below(9u));
    return bytes;
}

Bytes words(Random& random, std::size_t bytes) {
    Bytes text;
    while (text.size() < bytes)
        text.insert(
            text.end(), 1 + random.below(9u),
            random.below(7u) == 0 ? ' ' : static_cast<std::uint8_t>('a' + random.below(26u)));
    return text;
}

Bytes table(Random& random, std::size_t rows) {
    std::string text;
    for (std::size_t i = 0; i < rows; ++i)
        text +=
            std::to_string(1795186960000 + 50 * i) + "," + std::to_string(random.below(9u)) + "\n";
    return {text.begin(), text.end()};
}

// What makes, at some level, each encoding the smallest.
std::vector<Sample> samples() {
    Random random(31);
    const Bytes first = weights(random, 12'000);
    const Bytes second = train(random, first);
    const Bytes third = go_on(random, second, first);
    const Bytes random_bytes = noise(random, 48'000);
    const Bytes prose = words(random, 48'000);
    Bytes longer = prose;
    longer.insert(longer.end(), first.begin(), first.begin() + 100);
    const Bytes rows = table(random, 3'000);
    const Bytes more_rows = table(random, 3'500);
    // Numbers behind bytes that are none, and other numbers behind these.
    Bytes mixture = prose;
    Bytes mixture_base = prose;
    mixture.insert(mixture.end(), second.begin(), second.end());
    mixture_base.insert(mixture_base.end(), first.begin(), first.end());
    Bytes changed = move_bytes(random, random_bytes);
    mixture.insert(mixture.end(), changed.begin(), changed.end());
    mixture_base.insert(mixture_base.end(), random_bytes.begin(), random_bytes.end());
    // Sparse steps.
    Bytes touched = first;
    for (std::size_t i = 0; i < touched.size(); i += 400) ++touched[i];

    using enum ElementType;
    return {
        {"noise", f32, random_bytes, {}, {}},
        {"one value", f32, Bytes(40'000, 63), first, {}},
        {"prose", bytes, prose, {}, {}},
        {"longer prose", bytes, longer, prose, {}},
        {"weights", f32, first, {}, {}},
        {"trained weights", f32, second, first, {}},
        {"weights of a trend", f32, third, second, first},
        {"weights of which few moved", f32, touched, first, {}},
        {"weights as float16", f16, move_bytes(random, first), first, {}},
        {"quantised weights", i8, changed, random_bytes, {}},
        {"quantised weights and scales", q8_0, changed, random_bytes, {}},
        {"numbers of four bits", u8, move_nibbles(random, random_bytes), random_bytes, {}},
        {"a file of many kinds", bytes, mixture, mixture_base, {}},
        {"rows", bytes, rows, {}, {}},
        {"more rows", bytes, more_rows, rows, {}},
    };
}

TEST(Coder, TakesNoMemoryForAPieceAfterOthersOfItsKind) {
    const std::vector<Sample> all = samples();
    std::set<Encoding> seen;
    for (const Level level : {Level::fast, Level::standard, Level::max}) {
        Coder coder;
        Bytes payload(limits::kPieceBytesMax);
        Bytes out(limits::kPieceBytesMax);
        for (const bool first : {true, false}) {
            for (const Sample& each : all) {
                const std::uint64_t before = allocations;
                const Encoded coded =
                    coder.encode({each.plain, each.type}, each.base, level, each.before);
                const std::uint64_t after_coding = allocations;
                std::copy(coded.payload.begin(), coded.payload.end(), payload.begin());
                const bool decoded =
                    coder
                        .decode(static_cast<std::uint8_t>(coded.encoding),
                                ByteView(payload).first(coded.payload.size()), each.base,
                                ByteSpan(out).first(each.plain.size()), each.before)
                        .has_value();
                const std::uint64_t after = allocations;
                ASSERT_TRUE(decoded) << each.name;
                seen.insert(coded.encoding);
                if (first) continue;
                EXPECT_EQ(after_coding - before, 0u)
                    << each.name << " at level " << static_cast<int>(level);
                EXPECT_EQ(after - after_coding, 0u)
                    << each.name << " at level " << static_cast<int>(level) << ", decoded";
            }
        }
    }
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(Encoding::trend) + 1)
        << "an encoding that none of the samples has";
}

}  // namespace
}  // namespace tributary::codec

#endif
