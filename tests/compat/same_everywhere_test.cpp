// The same input gives the same bytes on every machine, whatever the width of its pointers, the
// sign of its `char`, or how it likes its words aligned. Unlike the other goldens these are not for
// ever: a better codec or a newer zstd may change them, on all machines at once. Then put in the
// new digests, made on one machine, and see them hold on the others (cross/build.sh).
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "agent/record/recorder.h"
#include "common/codec/codec.h"
#include "common/codec/layout.h"
#include "common/hash/hash.h"
#include "tests/support/store_builder.h"

namespace tributary {
namespace {

using codec::ElementType;
using codec::Level;
using test::Random;

// Elements of `width` bytes that a step of training moves a little: the last bytes of each are
// new, the first ones seldom change.
Bytes elements(std::uint64_t seed, std::size_t count, std::size_t width, std::uint32_t moved) {
    Random values(1);  // the same for every seed, so that one is a base for another
    Random steps(seed);
    Bytes bytes(count * width);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const bool fine = i % width < (width + 1) / 2;
        const auto value = static_cast<std::uint8_t>(fine ? values.next() : 60 + values.below(5u));
        const auto step = static_cast<std::uint8_t>(fine ? steps.below(moved) : 0);
        bytes[i] = static_cast<std::uint8_t>(value + step);
    }
    return bytes;
}

Bytes text(std::uint64_t seed, std::size_t lines) {
    Random random(seed);
    std::string out = "time_ms,sensor,value\n";
    for (std::size_t i = 0; i < lines; ++i)
        out += std::to_string(1'769'817'600'000 + i * 40) + ",s" + std::to_string(i % 7) + "," +
               std::to_string(random.below(900u)) + "\n";
    const ByteView view = as_bytes(out);
    return Bytes(view.begin(), view.end());
}

// Neither numbers nor rows.
Bytes words(std::uint64_t seed, std::size_t count) {
    Random random(seed);
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        const auto letter = static_cast<char>('a' + random.below(9u));  // drawn before the length
        out.append(1 + random.below(4u), letter);
        out += ' ';
    }
    const ByteView view = as_bytes(out);
    return Bytes(view.begin(), view.end());
}

// Numbers of two kinds, which no header tells.
Bytes mixture(std::uint64_t seed) {
    Bytes bytes = elements(seed, 20'001, 4, 9);
    const Bytes more = elements(seed, 40'000, 2, 9);
    bytes.push_back(7);
    bytes.insert(bytes.end(), more.begin(), more.end());
    return bytes;
}

// All payloads of some pieces that are coded as `type`, alone and against a base, at all levels.
// Adds the encodings they have to `seen`.
std::string payloads_of(ElementType type, std::set<codec::Encoding>& seen) {
    const std::size_t width = codec::element_bytes(type);
    codec::Coder coder;
    Bytes all;
    const auto add = [&](ByteView plain, ByteView base, std::uint8_t phase) {
        for (const Level level : {Level::fast, Level::standard, Level::max}) {
            const codec::Encoded encoded = coder.encode({plain, type, phase}, base, level);
            seen.insert(encoded.encoding);
            all.push_back(static_cast<std::uint8_t>(encoded.encoding));
            all.insert(all.end(), encoded.payload.begin(), encoded.payload.end());
        }
    };
    const Bytes base = elements(2, 65'536 / width, width, 3);
    for (const std::uint32_t moved : {2u, 9u, 200u}) {
        const Bytes plain = elements(moved, 65'536 / width, width, moved);
        const auto phase = static_cast<std::uint8_t>(width - 1);
        add(plain, base, 0);
        add(plain, {}, 0);
        // begins and ends inside an element, at an address that is not a multiple of anything
        add(ByteView(plain).subspan(1, plain.size() - 2), ByteView(base).subspan(1), phase);
    }
    const Bytes lines = text(3, 2000);
    add(lines, {}, 0);
    add(lines, ByteView(lines).subspan(4000), 0);
    add(Bytes(5000, 7), base, 0);
    add(Random(5).bytes(3000), {}, 0);
    if (type != ElementType::bytes) return to_hex(sha256(all).bytes);
    const Bytes prose = words(6, 4000);
    add(prose, {}, 0);
    add(prose, ByteView(prose).subspan(4000), 0);
    add(mixture(7), {}, 0);
    add(mixture(8), mixture(9), 0);
    return to_hex(sha256(all).bytes);
}

TEST(SameEverywhere, AreThePayloadsOfEveryTypeAndLevel) {
    const std::vector<std::pair<ElementType, std::string>> expected = {
        {ElementType::bytes, "cd8bca4de79efdfeda5fae2ca711e973605322c8a90569e1d6b75eeb3a5f0501"},
        {ElementType::f32, "24995176407a8df41dc4400cb7f0d1f35f340faa2b004de10d7735556a43786c"},
        {ElementType::f16, "c97f0f1460a1f712723cac7ee50b885e1c664cf666ada1df75216e4bf17f3c52"},
        {ElementType::bf16, "c5553550a36770374eabf418fb56256f3905ed05e76226f028192bf4ff221fca"},
        {ElementType::i8, "a51fc77e42220cbc65b7933f43e175105d1adfbe04666a67b1b934f67acadb9b"},
        {ElementType::u8, "3e51b05987d261a1d6a54848d2213368d5673fdd2df66d18bf79ceebb8f4aad6"},
        {ElementType::i16, "884deffb5556b558b414c3d07c6d8f225d8dc8bc4eb50bf41642c38c2ff6742e"},
        {ElementType::i32, "fbfef2d91c28a48f853b8b5d8312869374f6cdf074837af691808deefa2b5b9f"},
        {ElementType::i64, "bcbf8df824e3efeedad1b6c1b36917cdca40fa641e8a8a63d44494023051d28c"},
        {ElementType::f64, "e5b6828cfedc12155158215ff41599263f74c7f1d41e767b1ccd15577d845f87"},
        {ElementType::boolean, "84de11e09c7ee66cf69707262f8e7936102429cd043cc4147d3f225b9afed751"},
        {ElementType::q8_0, "71974b4e5504603e41e504854dd4884b7a936bc80addb37ae6ddab90fe088b9d"},
        {ElementType::q6_k, "107b5dab0f4bef85a8e4d6e5fb5ff2bb19a15a6e468363b935064fb2e73d74c1"},
    };
    std::set<codec::Encoding> seen;
    for (const auto& [type, digest] : expected)
        EXPECT_EQ(payloads_of(type, seen), digest) << "type " << static_cast<int>(type);
    EXPECT_EQ(seen.size(), 14u) << "not every encoding was met";
}

// Bytes of two numbers of four bits, of which one in eight is one more than it was in `before`.
Bytes grown(std::uint64_t seed, ByteView before) {
    Random random(seed);
    Bytes bytes(before.begin(), before.end());
    for (std::uint8_t& byte : bytes) {
        const unsigned low = (byte & 15u) + (random.below(8u) == 0 ? 1u : 0u);
        const unsigned high = (byte >> 4) + (random.below(8u) == 0 ? 1u : 0u);
        byte = static_cast<std::uint8_t>((low & 15u) | (high & 15u) << 4);
    }
    return bytes;
}

TEST(SameEverywhere, AreThePayloadsOfNumbersOfFourBits) {
    const Bytes base = Random(1).bytes(36 * 18 * 40);
    const Bytes plain = grown(2, base);
    codec::Coder coder;
    Bytes all;
    std::set<codec::Encoding> seen;
    for (const ElementType type : {ElementType::u8, ElementType::i32, ElementType::q4_0,
                                   ElementType::q4_1, ElementType::q4_k}) {
        const codec::Encoded encoded = coder.encode({plain, type}, base, Level::standard);
        seen.insert(encoded.encoding);
        all.insert(all.end(), encoded.payload.begin(), encoded.payload.end());
    }
    EXPECT_EQ(seen, (std::set{codec::Encoding::fields, codec::Encoding::delta_nibbles}));
    EXPECT_EQ(to_hex(sha256(all).bytes),
              "ff5c550f0f45afcbcfc7cc1603c94ef171d9d125e3b21d8f349cbb36fffe6ca5");
}

TEST(SameEverywhere, AreTheCutsOfAFile) {
    const auto cuts_of = [](const Bytes& file) {
        Bytes places;
        ByteWriter out(places);
        const auto read = [&](std::uint64_t offset, ByteSpan into) -> Result<std::size_t> {
            const auto from =
                static_cast<std::size_t>(std::min<std::uint64_t>(offset, file.size()));
            const std::size_t count = std::min(into.size(), file.size() - from);
            std::copy_n(file.data() + from, count, into.begin());
            return count;
        };
        EXPECT_TRUE(codec::cut(file.size(), read, [&](const codec::Span& span) {
            out.put(span.offset);
            out.put(span.length);
            out.put(static_cast<std::uint8_t>(span.type));
            out.put(span.phase);
            out.put(span.place);
            return Status{};
        }));
        return to_hex(sha256(places).bytes);
    };
    EXPECT_EQ(cuts_of(text(5, 100'000)),
              "b85fc85c9fc253160a5f2680fc1ccbf3e9482298489ea1cf0f7400c8913785f6");
    EXPECT_EQ(cuts_of(elements(6, 400'000, 4, 9)),
              "92781c60d123a5e149883c42030356ba491fe6b74bf28efd35957f36bde1e242");
}

TEST(SameEverywhere, IsAStoreWithItsVersions) {
    test::StoreMachine machine;
    auto store = machine.open();
    ASSERT_TRUE(store) << store.error().what;
    ASSERT_TRUE((*store)->start_journal(test::start_body()));
    ASSERT_TRUE(machine.files.make_directories("/in"));
    std::vector<std::string> versions;
    for (std::uint32_t number = 1; number <= 3; ++number) {
        ASSERT_TRUE(replace_file(machine.files, "/in/log.csv", text(7, 4000 * number)));
        ASSERT_TRUE(replace_file(machine.files, "/in/weights", elements(number, 300'000, 4, 9)));
        machine.clock.advance(1000);
        agent::CommitRequest request;
        request.repo = "lab/model";
        request.paths = {"/in/log.csv", "/in/weights"};
        request.notes = Notes{"step " + std::to_string(number), {{"rate", "0.1"}}};
        const auto made = agent::Recorder(machine.files, machine.clock, **store).commit(request);
        ASSERT_TRUE(made) << made.error().what;
        versions.push_back(to_hex(made->version.digest.bytes));
    }
    EXPECT_EQ(versions, (std::vector<std::string>{
                            "ad61db4492d4a8f473d7d0cca028c9a2c1fc5c0969cd7e7a96a5ff0bea30987a",
                            "dc42fa91998efc77ad92eeb46714edfb15ae22b3d2184801fdabe9dd90acb583",
                            "7901e2984dc0a49cba2980f5f662a0884f9240ca02ace55c91b37fb569a2be69"}));

    const auto segment = read_file(machine.files, "/data/store/segments/000001.seg", 8 << 20);
    ASSERT_TRUE(segment) << segment.error().what;
    EXPECT_EQ(to_hex(sha256(*segment).bytes),
              "646b1d46c310a9c0d56a38cf36619577707ae879f4caf6faacf175625d3b4c0c")
        << segment->size();
}

}  // namespace
}  // namespace tributary
