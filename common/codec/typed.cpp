#include "common/codec/typed.h"

#include <algorithm>
#include <cstring>

#include "common/codec/element_coder.h"
#include "common/codec/elements.h"
#include "common/codec/estimate.h"
#include "common/codec/planes.h"

namespace tributary::codec {
namespace {

// A sample is this many evenly spread runs: a piece may hold several tensors.
constexpr std::size_t kSampleRuns = 64;
constexpr std::size_t kSampledMin = 512;  // elements, to compare two codings
constexpr std::size_t kSampledMax = 2048;
constexpr std::size_t kPlaneRun = 64;  // to see what a plane is worth
constexpr std::size_t kPlaneRunFast = 32;

// How a plane is stored: two bits of the payload's mode field.
enum class PlaneMode : std::uint8_t { raw = 0, constant = 1, zstd = 2 };
constexpr std::size_t kFrameLengthBytes = 3;

std::size_t mode_bytes(std::size_t width) { return width == 8 ? 2 : 1; }

bool is_constant(ByteView bytes) {
    return std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

bool is_float(ElementType type) {
    return type == ElementType::f32 || type == ElementType::f16 || type == ElementType::bf16 ||
           type == ElementType::f64;
}

// Whether zstd would keep `count` bytes like those in `sampled` raw: their codes together with the
// table must gain 1/64.
bool is_dense(const Histogram& sampled, std::size_t count) {
    const std::size_t table = std::min<std::size_t>(96, count / 8);
    return (sampled.cost_of(count) >> 19) + table > count - count / 64;
}

// Writes one plane's frame with its length in front and returns the size of both, or 0 when raw is
// not larger. What a sample costs says which efforts are worth a try.
std::size_t write_plane_frame(ByteView plane, bool patterns, Level level, FrameWriter& frames,
                              ByteSpan out) {
    const bool fast = level == Level::fast;
    Histogram histogram;
    sample(plane.size(), kSampleRuns, fast ? kPlaneRunFast : kPlaneRun,
           [&](std::size_t first, std::size_t length) {
               histogram.add(plane.subspan(first, length));
           });
    const std::uint32_t millibits = histogram.millibits_per_byte();

    const bool dense = is_dense(histogram, plane.size());
    const bool sparse = millibits < 500;
    const bool try_repeats =
        sparse || (fast ? millibits < 1000 || (patterns && dense) : millibits < 2000 || patterns);
    const bool try_entropy = !dense && (fast ? !try_repeats : !sparse);

    const std::size_t room = std::min(plane.size(), out.size());
    if (room <= kFrameLengthBytes + 1) return 0;
    ByteSpan body = out.first(room - 1).subspan(kFrameLengthBytes);
    std::size_t length = 0;
    if (try_entropy) length = frames.write(Effort::entropy, plane, {}, body);
    if (try_repeats) {
        // Behind the first frame, when there is one; it must be smaller than that.
        ByteSpan rest = body.subspan(length);
        if (length != 0) rest = rest.first(std::min(rest.size(), length - 1));
        const std::size_t other = frames.write(Effort::repeats, plane, {}, rest);
        if (other != 0) {
            std::memmove(body.data(), rest.data(), other);
            length = other;
        }
    }
    if (length == 0) return 0;
    for (std::size_t i = 0; i < kFrameLengthBytes; ++i)
        out[i] = static_cast<std::uint8_t>(length >> (8 * i));
    return kFrameLengthBytes + length;
}

}  // namespace

std::uint64_t estimate_planes(const Piece& piece, ByteView base) {
    const Elements e = elements_of(piece.type, piece.phase, piece.plain.size());
    const BaseElements b = base_elements(e, base);
    // Those that are looked at, one run behind the other.
    std::array<std::uint8_t, kPlanesMax * kSampledMax> plain, from, planes;
    std::size_t sampled = 0;
    const std::size_t most = std::clamp(e.count / 8, kSampledMin, kSampledMax);
    sample(e.count, kSampleRuns, most / kSampleRuns, [&](std::size_t first, std::size_t length) {
        const std::size_t at = sampled * e.width;
        std::memcpy(plain.data() + at, piece.plain.data() + e.head + first * e.width,
                    length * e.width);
        const std::size_t common = std::min(length, b.count - std::min(first, b.count));
        if (common != 0) std::memcpy(from.data() + at, b.at + first * e.width, common * e.width);
        std::memset(from.data() + at + common * e.width, 0, (length - common) * e.width);
        sampled += length;
    });
    if (base.empty())
        split(piece.type, plain.data(), sampled, planes.data(), sampled);
    else
        split_delta(piece.type, plain.data(), sampled, from.data(), sampled, planes.data(),
                    sampled);
    std::uint64_t bits = 0;
    for (std::size_t k = 0; k < e.width && sampled != 0; ++k) {
        Histogram histogram;
        histogram.add(ByteView(planes).subspan(k * sampled, sampled));
        bits += is_dense(histogram, e.count) ? std::uint64_t{e.count} << 19
                                             : histogram.cost_of(e.count);
    }
    return bits;
}

std::size_t write_planes(const Piece& piece, ByteView base, Level level, FrameWriter& frames,
                         Bytes& scratch, ByteSpan out) {
    const Elements e = elements_of(piece.type, piece.phase, piece.plain.size());
    if (e.count == 0) return 0;
    const BaseElements b = base_elements(e, base);
    if (scratch.size() < e.count * e.width) scratch.resize(e.count * e.width);
    const std::uint8_t* elements = piece.plain.data() + e.head;
    if (base.empty())
        split(piece.type, elements, e.count, scratch.data(), e.count);
    else
        split_delta(piece.type, elements, e.count, b.at, b.count, scratch.data(), e.count);

    const std::size_t prelude = 1 + mode_bytes(e.width);
    if (out.size() <= prelude + e.head + e.tail) return 0;
    out[0] = type_and_phase(piece);
    unsigned modes = 0;
    std::size_t at = prelude;
    for (std::size_t k = 0; k < e.width; ++k) {
        const ByteView plane = ByteView(scratch).subspan(k * e.count, e.count);
        PlaneMode mode = PlaneMode::raw;
        std::size_t length = 0;
        if (is_constant(plane)) {
            if (at == out.size()) return 0;
            mode = PlaneMode::constant;
            out[at] = plane[0];
            length = 1;
        } else if ((length = write_plane_frame(plane, !is_float(piece.type), level, frames,
                                               out.subspan(at))) != 0) {
            mode = PlaneMode::zstd;
        } else {
            if (plane.size() > out.size() - at) return 0;
            std::memcpy(out.data() + at, plane.data(), plane.size());
            length = plane.size();
        }
        modes |= static_cast<unsigned>(mode) << (2 * k);
        at += length;
    }
    for (std::size_t i = 1; i < prelude; ++i) {
        out[i] = static_cast<std::uint8_t>(modes);
        modes >>= 8;
    }
    if (e.head + e.tail > out.size() - at) return 0;
    put_ends(e, piece.plain, out.subspan(at));
    return at + e.head + e.tail;
}

Status read_planes(ByteView payload, bool delta, ByteView base, FrameReader& frames, Bytes& scratch,
                   ByteSpan out) {
    const auto damaged = [] {
        return fail(Errc::corrupt, "the planes of a piece do not decode; fetch it again");
    };
    ByteReader in(payload);
    const auto of = take_type_and_phase(in);
    if (!of) return damaged();
    const Elements e = elements_of(of->type, of->phase, out.size());
    unsigned modes = in.take<std::uint8_t>();
    if (mode_bytes(e.width) == 2) modes |= static_cast<unsigned>(in.take<std::uint8_t>()) << 8;
    if (modes >> (2 * e.width) != 0) return damaged();

    if (scratch.size() < e.count * e.width) scratch.resize(e.count * e.width);
    std::array<const std::uint8_t*, kPlanesMax> planes{};
    for (std::size_t k = 0; k < e.width; ++k, modes >>= 2) {
        const ByteSpan plane = ByteSpan(scratch).subspan(k * e.count, e.count);
        planes[k] = plane.data();
        switch (static_cast<PlaneMode>(modes & 3)) {
            case PlaneMode::raw: planes[k] = in.take(e.count).data(); break;
            case PlaneMode::constant:
                std::fill(plane.begin(), plane.end(), in.take<std::uint8_t>());
                break;
            case PlaneMode::zstd: {
                std::uint32_t length = in.take<std::uint16_t>();
                length |= std::uint32_t{in.take<std::uint8_t>()} << 16;
                if (!frames.read(in.take(length), {}, plane)) return damaged();
                break;
            }
            default: return damaged();
        }
    }
    if (!take_ends(in, e, out)) return damaged();

    const BaseElements b = base_elements(e, base);
    if (delta)
        join_delta(of->type, planes, e.count, b.at, b.count, out.data() + e.head);
    else
        join(of->type, planes, e.count, out.data() + e.head);
    return {};
}

}  // namespace tributary::codec
