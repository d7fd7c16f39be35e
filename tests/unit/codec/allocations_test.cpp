// What memory coding and decoding take: none piece by piece, since buffers and contexts grow to
// what a piece of a kind needs and the next one finds them; and no more than codec.h says.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <optional>
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
std::atomic<std::uint64_t> most_held_bytes = 0;

void* counted(void* block) {
    ++allocations;
    held_bytes += ::malloc_usable_size(block);
    most_held_bytes = std::max(most_held_bytes.load(), held_bytes.load());
    return block;
}

}  // namespace

// In front of the C library's, for every library of this program. NOLINTBEGIN(*-identifier*)
extern "C" void* __libc_malloc(std::size_t bytes);
extern "C" void* __libc_calloc(std::size_t count, std::size_t bytes);
extern "C" void* __libc_realloc(void* old, std::size_t bytes);
extern "C" void* __libc_memalign(std::size_t alignment, std::size_t bytes);
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
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
    return counted(__libc_memalign(alignment, bytes));
}
extern "C" int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) noexcept {
    *block = counted(__libc_memalign(alignment, bytes));
    return *block == nullptr ? ENOMEM : 0;
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
    Rows rows = {};
};

// As on scales that doubled.
Bytes half_as_large(ByteView from) {
    Bytes bytes(from.begin(), from.end());
    for (std::uint8_t& byte : bytes)
        byte = static_cast<std::uint8_t>(static_cast<std::int8_t>(byte) / 2);
    return bytes;
}

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
    text.resize(bytes);
    return text;
}

Bytes table(Random& random, std::size_t bytes) {
    std::string text;
    for (std::size_t i = 0; text.size() < bytes; ++i)
        text +=
            std::to_string(1795186960000 + 50 * i) + "," + std::to_string(random.below(9u)) + "\n";
    text.resize(bytes);
    return {text.begin(), text.end()};
}

// As many bytes: a quarter text, then numbers of four bytes, and the last quarter of one byte.
Bytes of_many_kinds(const Bytes& text, const Bytes& weights, const Bytes& quantised) {
    const auto quarter = static_cast<std::ptrdiff_t>(text.size() / 4);
    Bytes bytes = text;
    std::copy(weights.begin() + quarter, weights.end() - quarter, bytes.begin() + quarter);
    std::copy(quantised.end() - quarter, quantised.end(), bytes.end() - quarter);
    return bytes;
}

// So many bytes each, a multiple of 16. What makes, at some level, each encoding the smallest.
std::vector<Sample> samples(std::size_t size) {
    Random random(31);
    const Bytes first = weights(random, size / 4);
    const Bytes second = train(random, first);
    const Bytes third = go_on(random, second, first);
    const Bytes random_bytes = noise(random, size);
    const Bytes prose = words(random, size);
    Bytes longer = prose;
    std::copy(first.begin(), first.begin() + 100, longer.end() - 100);
    const Bytes rows = table(random, size);
    const Bytes more_rows = table(random, size);
    const Bytes changed = move_bytes(random, random_bytes);
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
        {"quantised weights on other scales",
         i8,
         half_as_large(random_bytes),
         random_bytes,
         {},
         {144, 0}},
        {"numbers of four bits", u8, move_nibbles(random, random_bytes), random_bytes, {}},
        {"weights of no known type", bytes, second, first, {}},
        {"quantised weights of no known type", bytes, changed, random_bytes, {}},
        {"a file of many kinds",
         bytes,
         of_many_kinds(prose, second, changed),
         of_many_kinds(prose, first, random_bytes),
         {}},
        {"rows", bytes, rows, {}, {}},
        {"more rows", bytes, more_rows, rows, {}},
    };
}

// Codes a sample and decodes it into room of its own.
class Meeting {
public:
    Meeting(Coder& coder, Level level) : coder_(coder), level_(level) {}

    // Nullopt when it does not come back as it was.
    std::optional<Encoding> meet(const Sample& sample) {
        const Encoded coded = coder_.encode({sample.plain, sample.type, 0, sample.rows},
                                            sample.base, level_, sample.before);
        const ByteSpan payload = ByteSpan(payload_).first(coded.payload.size());
        const ByteSpan out = ByteSpan(out_).first(sample.plain.size());
        std::ranges::copy(coded.payload, payload.begin());
        const Status decoded = coder_.decode(static_cast<std::uint8_t>(coded.encoding), payload,
                                             sample.base, out, sample.before);
        if (!decoded || !std::ranges::equal(out, sample.plain)) return std::nullopt;
        return coded.encoding;
    }

private:
    Coder& coder_;
    Level level_;
    Bytes payload_ = Bytes(limits::kPieceBytesMax);
    Bytes out_ = Bytes(limits::kPieceBytesMax);
};

constexpr std::array kLevels = {Level::fast, Level::standard, Level::max};

TEST(Coder, TakesNoMemoryForAPieceAfterOthersOfItsKind) {
    const std::vector<Sample> all = samples(64 * limits::KiB);
    std::set<Encoding> seen;
    for (const Level level : kLevels) {
        Coder coder;
        Meeting meeting(coder, level);
        for (const bool first : {true, false}) {
            for (const Sample& each : all) {
                const std::uint64_t before = allocations;
                const std::optional<Encoding> encoding = meeting.meet(each);
                const std::uint64_t after = allocations;
                ASSERT_TRUE(encoding) << each.name;
                seen.insert(*encoding);
                if (first) continue;
                EXPECT_EQ(after - before, 0u)
                    << each.name << " at level " << static_cast<int>(level);
            }
        }
    }
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(Encoding::delta_sparse) + 1)
        << "an encoding that none of the samples has";
}

// Pieces of 1 MiB are of no known type, but numbers of any may be found in them.
TEST(Coder, HoldsNoMoreThanItSays) {
    const std::vector<Sample> small = samples(256 * limits::KiB);
    std::vector<Sample> large = samples(limits::MiB);
    std::erase_if(large, [](const Sample& each) { return each.type != ElementType::bytes; });
    for (const Level level : kLevels) {
        const std::uint64_t more = level == Level::max ? 6 * limits::MiB : 0;
        std::set<Encoding> seen;
        Coder coder;
        Meeting meeting(coder, level);
        const std::uint64_t before = held_bytes;
        most_held_bytes = before;
        for (const Sample& each : small) ASSERT_TRUE(meeting.meet(each)) << each.name;
        EXPECT_LE(most_held_bytes - before, 11 * limits::MiB + more);

        for (const Sample& each : large) {
            const std::optional<Encoding> encoding = meeting.meet(each);
            ASSERT_TRUE(encoding) << each.name;
            seen.insert(*encoding);
        }
        EXPECT_LE(most_held_bytes - before, 20 * limits::MiB + more);
        EXPECT_TRUE(seen.contains(Encoding::runs)) << "none of many kinds";
    }
}

}  // namespace
}  // namespace tributary::codec

#else

namespace tributary::codec {
namespace {

TEST(Coder, TakesNoMemoryForAPieceAfterOthersOfItsKind) {
    GTEST_SKIP() << "allocations can be counted with glibc alone, and without sanitizers";
}

TEST(Coder, HoldsNoMoreThanItSays) {
    GTEST_SKIP() << "allocations can be counted with glibc alone, and without sanitizers";
}

}  // namespace
}  // namespace tributary::codec

#endif
