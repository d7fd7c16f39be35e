// Weights of which each version lies near where the two before it lead.
#pragma once

#include <array>
#include <optional>
#include <utility>

#include "common/hash/hash.h"
#include "common/store/store.h"
#include "tests/unit/codec/samples.h"

namespace tributary::test {

class Trending {
public:
    explicit Trending(std::uint64_t seed, std::size_t count = 1024)
        : random_(seed),
          before_(codec::weights(random_, count)),
          last_(codec::step(random_, before_, 12)) {}

    // The version that comes next.
    Bytes next() {
        Bytes now = std::exchange(before_, last_);
        last_ = codec::go_on(random_, last_, now);
        return now;
    }

private:
    Random random_;
    Bytes before_, last_;
};

inline RecordKey piece_key(ByteView plain) { return {RecordKind::piece, sha256(plain)}; }

// Stages such a version against the one before, if there is one.
inline Status stage_weights(Store& store, ByteView plain, ByteView before = {},
                            codec::Level level = codec::Level::standard) {
    std::optional<Store::PieceBase> base;
    if (!before.empty()) base = Store::PieceBase{PieceId{sha256(before)}, {}};
    return store.stage_piece({plain, codec::ElementType::f32}, base, level).map([](const PieceId&) {
    });
}

// Two versions of a piece, of which the second is coded against the first in an encoding that older
// releases do not know.
struct LaterCoding {
    codec::Encoding encoding;
    codec::ElementType type;
    codec::Rows rows;
    codec::Level level;
    Bytes base, plain;

    // Numbers of eight bits in rows of 64, and the same on scales that moved.
    static LaterCoding rescaled(std::uint64_t seed) {
        LaterCoding made{codec::Encoding::rescaled,
                         codec::ElementType::i8,
                         {64, 0},
                         codec::Level::standard,
                         {},
                         {}};
        Random random(seed);
        for (std::size_t i = 0; i < 4096; ++i) {
            const int number = static_cast<int>(random.below(200u)) - 100;
            made.base.push_back(static_cast<std::uint8_t>(number));
            made.plain.push_back(static_cast<std::uint8_t>(number * (i < 2048 ? 7 : 9) / 8));
        }
        return made;
    }
    // Of which one in eight moves.
    static LaterCoding sparse(std::uint64_t seed) {
        LaterCoding made{
            codec::Encoding::delta_sparse, codec::ElementType::i8, {}, codec::Level::fast, {}, {}};
        Random random(seed);
        for (std::size_t i = 0; i < 4096; ++i) {
            made.base.push_back(static_cast<std::uint8_t>(random.next()));
            made.plain.push_back(made.base.back());
            if (random.below(8u) == 0) made.plain.back() = static_cast<std::uint8_t>(random.next());
        }
        return made;
    }
    static std::array<LaterCoding, 2> all(std::uint64_t seed) {
        return {rescaled(seed), sparse(seed)};
    }

    codec::Piece piece(ByteView of) const { return {of, type, 0, rows}; }
    Status stage(Store& store) const {
        TRIBUTARY_TRY(store.stage_piece(piece(base), std::nullopt, level));
        const Store::PieceBase on{PieceId{sha256(base)}, {}};
        TRIBUTARY_TRY(store.stage_piece(piece(plain), on, level));
        return {};
    }
};

}  // namespace tributary::test
