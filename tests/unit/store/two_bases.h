// Weights of which each version lies near where the two before it lead.
#pragma once

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

// Numbers of eight bits in rows of 64, and the same on scales that moved: coded against them, as
// the encoding rescaled.
struct Rescaled {
    explicit Rescaled(std::uint64_t seed) {
        Random random(seed);
        for (std::size_t i = 0; i < 4096; ++i) {
            const int number = static_cast<int>(random.below(200u)) - 100;
            base.push_back(static_cast<std::uint8_t>(number));
            plain.push_back(static_cast<std::uint8_t>(number * (i < 2048 ? 7 : 9) / 8));
        }
    }
    // Either of them.
    static codec::Piece piece(ByteView of) { return {of, codec::ElementType::i8, 0, {64, 0}}; }
    Status stage(Store& store) const {
        TRIBUTARY_TRY(store.stage_piece(piece(base), std::nullopt, codec::Level::standard));
        const Store::PieceBase on{PieceId{sha256(base)}, {}};
        TRIBUTARY_TRY(store.stage_piece(piece(plain), on, codec::Level::standard));
        return {};
    }
    Bytes base, plain;
};
inline constexpr auto kRescaled = static_cast<std::uint8_t>(codec::Encoding::rescaled);

}  // namespace tributary::test
