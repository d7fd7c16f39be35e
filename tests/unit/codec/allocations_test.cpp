// What memory coding and decoding take: none piece by piece, since buffers and contexts grow to
// what a piece of a kind needs and the next one finds them; and no more than codec.h says.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "common/codec/codec.h"
#include "tests/unit/codec/samples.h"

// Sanitizers have an allocator of their own, and other C libraries no second name for theirs.
#if TRIBUTARY_PATIENCE == 1 && defined(__GLIBC__)

namespace {

std::atomic<std::uint64_t> allocations = 0;
std::atomic<std::uint64_t> held_bytes = 0;

void* counted(void* block) {
    ++allocations;
    held_bytes += ::malloc_usable_size(block);
    return block;
}

}  // namespace

// In front of the C library's, for every library of this program. NOLINTBEGIN(*-identifier*)
extern "C" void* __libc_malloc(std::size_t bytes);
extern "C" void* __libc_calloc(std::size_t count, std::size_t bytes);
extern "C" void* __libc_realloc(void* old, std::size_t bytes);
extern "C" void __libc_free(void* block);
// NOLINTEND(*-identifier*)
extern "C" void* malloc(std::size_t bytes) noexcept { return counted(__libc_malloc(bytes)); }
extern "C" void* calloc(std::size_t count, std::size_t bytes) noexcept {
    return counted(__libc_calloc(count, bytes));
}
extern "C" void* realloc(void* old, std::size_t bytes) noexcept {
    held_bytes -= ::malloc_usable_size(old);
    return counted(__libc_realloc(old, bytes));
}
extern "C" void free(void* block) noexcept {
    held_bytes -= ::malloc_usable_size(block);
    __libc_free(block);
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

Bytes table(Random& random, std::size_t bytes) {
    std::string text;
    for (std::size_t i = 0; text.size() < bytes; ++i)
        text +=
            std::to_string(1795186960000 + 50 * i) + "," + std::to_string(random.below(9u)) + "\n";
    return {text.begin(), text.end()};
}

// About so many bytes each. What makes, at some level, each encoding the smallest.
std::vector<Sample> samples(std::size_t size) {
    Random random(31);
    const Bytes first = weights(random, size / 4);
    const Bytes second = train(random, first);
    const Bytes third = go_on(random, second, first);
    const Bytes random_bytes = noise(random, size);
    const Bytes prose = words(random, size);
    Bytes longer = prose;
    longer.insert(longer.end(), first.begin(), first.begin() + 100);
    const Bytes rows = table(random, size);
    const Bytes more_rows = table(random, size);
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
        {"one value", f32, Bytes(size, 63), first, {}},
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
    const std::vector<Sample> all = samples(48'000);
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

// Codes and decodes pieces of `size` at most.
void meet(Coder& coder, Level level, std::vector<Sample> all, std::size_t size) {
    for (Sample& each : all) {
        each.plain.resize(std::min(each.plain.size(), size));
        const Encoded coded = coder.encode({each.plain, each.type}, each.base, level, each.before);
        const Bytes payload(coded.payload.begin(), coded.payload.end());
        Bytes out(each.plain.size());
        EXPECT_TRUE(coder.decode(static_cast<std::uint8_t>(coded.encoding), payload, each.base, out,
                                 each.before))
            << each.name;
    }
}

// Only bytes of no known type come in pieces of 1 MiB.
TEST(Coder, HoldsNoMoreThanItSays) {
    for (const Level level : {Level::standard, Level::max}) {
        const std::uint64_t more = level == Level::max ? 5 * limits::MiB : 0;
        const std::uint64_t before = held_bytes;
        Coder coder;
        meet(coder, level, samples(256 * limits::KiB), 256 * limits::KiB);
        EXPECT_LE(held_bytes - before, 10 * limits::MiB + more);

        std::vector<Sample> unknown = samples(limits::MiB);
        std::erase_if(unknown, [](const Sample& each) { return each.type != ElementType::bytes; });
        meet(coder, level, std::move(unknown), limits::MiB);
        EXPECT_LE(held_bytes - before, 16 * limits::MiB + more);
    }
}

}  // namespace
}  // namespace tributary::codec

#endif
