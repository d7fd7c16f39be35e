#include "common/codec/trend.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "common/codec/blocks.h"
#include "common/codec/classes.h"
#include "common/codec/elements.h"
#include "common/codec/estimate.h"
#include "common/codec/planes.h"

namespace tributary::codec {
namespace {

constexpr std::size_t kSampleRuns = 16;
constexpr std::size_t kSampleRun = 32;
constexpr std::size_t kSampled = kSampleRuns * kSampleRun;
// To name a second base costs 70 bytes, in the record and in its segment's footer.
constexpr std::uint64_t kSavedBytesMin = 128;

// `step` is a signed number; its part is rounded down. Nothing leaves the element's own width.
template <class T>
T part_of(T step, unsigned share) {
    const auto sixty_fourths = static_cast<T>(static_cast<std::make_signed_t<T>>(step) >> 6);
    const auto whole = static_cast<T>(sixty_fourths * static_cast<T>(share));
    const auto rest = static_cast<T>(static_cast<T>(step & 63) * share >> 6);
    return static_cast<T>(whole + rest);
}

template <class Kind, class T = typename Kind::Word>
void move_loop(const std::uint8_t* __restrict base, const std::uint8_t* __restrict before,
               std::size_t count, unsigned share, std::uint8_t* __restrict out) {
    for (std::size_t i = 0; i < count; ++i) {
        const T from = Kind::to_order(load<T>(before + i * sizeof(T)));
        const T to = Kind::to_order(load<T>(base + i * sizeof(T)));
        const T step = static_cast<T>(to - from);
        store<T>(out + i * sizeof(T), Kind::from_order(static_cast<T>(to + part_of(step, share))));
    }
}

}  // namespace

void move_on(ElementType type, std::uint8_t phase, unsigned share, ByteView base, ByteView before,
             ByteSpan out) {
    const Elements e = elements_of(type, phase, base.size());
    const BaseElements earlier = base_elements(e, before);
    const std::size_t moved = e.head + earlier.count * e.width;
    std::copy_n(base.begin(), e.head, out.begin());
    with_kind(type, [&](auto kind) {
        move_loop<decltype(kind)>(base.data() + e.head, earlier.at, earlier.count, share,
                                  out.data() + e.head);
    });
    std::copy(base.begin() + static_cast<std::ptrdiff_t>(moved), base.end(),
              out.begin() + static_cast<std::ptrdiff_t>(moved));
}

unsigned choose_share(const Piece& piece, ByteView base, ByteView before, Level level) {
    if (piece.type == ElementType::bytes || !fields_of(piece.type).empty()) return 0;
    const Elements e = elements_of(piece.type, piece.phase, piece.plain.size());
    const BaseElements to = base_elements(e, base);
    const BaseElements from = base_elements(e, before);
    const std::size_t count = std::min(to.count, from.count);
    if (count < kSampled) return 0;

    std::array<std::uint8_t, 8 * kSampled> plain_sample, base_sample, before_sample, expected;
    std::size_t bytes = 0;
    sample(count, kSampleRuns, kSampleRun, [&](std::size_t first, std::size_t length) {
        const auto take = [&](const std::uint8_t* elements, auto& into) {
            std::memcpy(into.data() + bytes, elements + first * e.width, length * e.width);
        };
        take(piece.plain.data() + e.head, plain_sample);
        take(to.at, base_sample);
        take(from.at, before_sample);
        bytes += length * e.width;
    });
    const auto cost_of = [&](unsigned share) {
        const ByteView sampled_base = ByteView(base_sample).first(bytes);
        const ByteSpan moved = ByteSpan(expected).first(bytes);
        if (share != 0)
            move_on(piece.type, 0, share, sampled_base, ByteView(before_sample).first(bytes),
                    moved);
        return estimate_classes({ByteView(plain_sample).first(bytes), piece.type},
                                share == 0 ? sampled_base : ByteView(moved), kSampled);
    };

    // Where a quarter of the step gains nothing more does not either.
    const std::uint64_t without = cost_of(0);
    unsigned best = 16;
    std::uint64_t least = cost_of(best);
    if (least >= without) return 0;
    const auto attempt = [&](unsigned share) {
        const std::uint64_t cost = cost_of(share);
        if (cost < least) least = cost, best = share;
    };
    for (const unsigned share : {32u, 48u}) attempt(share);
    for (const unsigned near : {8u, 4u}) {
        const unsigned middle = best;
        attempt(middle - near);
        attempt(middle + near);
    }
    // Rows that are predicted (level max) take part of the same gain.
    const std::uint64_t percent = level == Level::max ? 6 : 3;
    const std::uint64_t saved_bytes = (without - least) * count / kSampled >> 19;
    const bool pays = saved_bytes >= kSavedBytesMin && (without - least) * 100 >= without * percent;
    return pays ? best : 0;
}

}  // namespace tributary::codec
