#include "common/codec/typed.h"

#include <algorithm>
#include <cstring>

#include "common/codec/element_coder.h"
#include "common/codec/elements.h"
#include "common/codec/estimate.h"
#include "common/codec/planes.h"
#include "common/codec/sparse.h"

namespace tributary::codec {
namespace {

// A sample is this many evenly spread runs: a piece may hold several tensors.
constexpr std::size_t kSampleRuns = 64;
constexpr std::size_t kSampledMin = 512;  // elements, to compare two codings
constexpr std::size_t kSampledMax = 2048;
constexpr std::size_t kPlaneRun = 64;  // to see what a plane is worth
constexpr std::size_t kPlaneRunFast = 32;

// How a plane is stored: two bits of the payload's mode field.
enum class PlaneMode : std::uint8_t { raw = 0, constant = 1, zstd = 2, sparse = 3 };
constexpr std::size_t kLengthBytes = 3;
// Fewer bytes than a frame is worth.
constexpr std::size_t kFramedMin = 32;

std::size_t mode_bytes(std::size_t width) { return width == 8 ? 2 : 1; }

bool is_constant(ByteView bytes) {
    return std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

bool is_float(ElementType type) {
    return type == ElementType::f32 || type == ElementType::f16 || type == ElementType::bf16 ||
           type == ElementType::f64;
}

// Whether zstd would keep `count` bytes like those in `sampled` raw: their codes together with the
// table must gain 1/64, or, where few were seen, what chance may show of those.
bool is_dense(const Spread& sampled, std::size_t count) {
    constexpr std::size_t kFew = 1024;
    const std::size_t table = std::min<std::size_t>(96, count / 8);
    const std::size_t gain = count / (sampled.total < kFew ? 24 : 64);
    return (sampled.cost_of(count) >> 19) + table > count - gain;
}

void put_length(std::size_t length, std::uint8_t* out) {
    for (std::size_t i = 0; i < kLengthBytes; ++i)
        out[i] = static_cast<std::uint8_t>(length >> (8 * i));
}

std::size_t take_length(ByteReader& in) {
    const std::size_t low = in.take<std::uint16_t>();
    return low | std::size_t{in.take<std::uint8_t>()} << 16;
}

// What a sample says of a plane: which ways of writing it are worth a try.
struct Worth {
    bool sparse, repeats, entropy;
};

Spread sample_plane(ByteView plane, Level level) {
    Histogram histogram;
    sample(plane.size(), kSampleRuns, level == Level::fast ? kPlaneRunFast : kPlaneRun,
           [&](std::size_t first, std::size_t length) {
               histogram.add(plane.subspan(first, length));
           });
    return histogram.spread();
}

Worth worth_of(const Spread& spread, std::size_t count, bool patterns, bool may_be_sparse,
               Level level) {
    const std::uint32_t millibits = spread.millibits_per_byte();
    const bool dense = is_dense(spread, count);
    Worth worth{};
    if (level == Level::fast) {
        // One of them. Where hardly anything is not 0, stretches of zeros take less than their
        // bits.
        worth.sparse = may_be_sparse && spread.is_mostly_zero() && millibits >= 100;
        worth.repeats = !worth.sparse && (millibits < 1000 || (patterns && dense));
        worth.entropy = !worth.sparse && !worth.repeats && !dense;
    } else {
        worth.repeats = millibits < 2000 || patterns;
        worth.entropy = !dense && millibits >= 500;
    }
    return worth;
}

// Writes one frame with its length in front and returns the size of both, or 0 when `out` has no
// room for it.
std::size_t write_frame(Effort effort, ByteView plain, FrameWriter& frames, ByteSpan out) {
    if (out.size() <= kLengthBytes) return 0;
    const std::size_t length = frames.write(effort, plain, {}, out.subspan(kLengthBytes));
    if (length == 0) return 0;
    put_length(length, out.data());
    return kLengthBytes + length;
}

// Where the plane is not 0, and then what it is there. `scratch` is others_room() and mask_bytes().
std::size_t write_sparse(ByteView plane, FrameWriter& frames, ByteSpan scratch, ByteSpan out) {
    const ByteSpan mask = scratch.subspan(others_room(plane.size()), mask_bytes(plane.size()));
    const ByteView others = scratch.first(split_sparse(plane, mask.data(), scratch.data()));
    std::size_t at = write_frame(Effort::entropy, mask, frames, out);
    if (at == 0) return 0;
    const ByteSpan rest = out.subspan(at);
    // A frame that is no smaller is not written: a length tells them apart.
    const std::size_t framed =
        others.size() < kFramedMin
            ? 0
            : write_frame(Effort::entropy, others, frames,
                          rest.first(std::min(rest.size(), kLengthBytes + others.size() - 1)));
    if (framed != 0) return at + framed;
    if (rest.size() < kLengthBytes + others.size()) return 0;
    put_length(others.size(), rest.data());
    std::copy(others.begin(), others.end(), rest.data() + kLengthBytes);
    return at + kLengthBytes + others.size();
}

// Takes the smallest of what is worth a try; raw when that is none, or nothing is smaller. Returns
// its bytes, or 0 when they do not fit.
std::size_t write_plane(ByteView plane, const Worth& worth, FrameWriter& frames, ByteSpan scratch,
                        ByteSpan out, PlaneMode& mode) {
    std::size_t size = 0;
    const auto offer = [&](PlaneMode as, auto&& write) {
        // Behind the best so far, when there is one, and smaller than that.
        const std::size_t less = (size == 0 ? plane.size() : size) - 1;
        const ByteSpan rest = out.subspan(size);
        const std::size_t other = write(rest.first(std::min(rest.size(), less)));
        if (other == 0) return;
        std::memmove(out.data(), rest.data(), other);
        size = other;
        mode = as;
    };
    if (worth.sparse)
        offer(PlaneMode::sparse,
              [&](ByteSpan to) { return write_sparse(plane, frames, scratch, to); });
    if (worth.entropy)
        offer(PlaneMode::zstd,
              [&](ByteSpan to) { return write_frame(Effort::entropy, plane, frames, to); });
    if (worth.repeats)
        offer(PlaneMode::zstd,
              [&](ByteSpan to) { return write_frame(Effort::repeats, plane, frames, to); });
    if (size != 0) return size;
    if (plane.size() > out.size()) return 0;
    mode = PlaneMode::raw;
    std::memcpy(out.data(), plane.data(), plane.size());
    return plane.size();
}

bool read_sparse(ByteReader& in, FrameReader& frames, ByteSpan scratch, ByteSpan plane) {
    const ByteSpan mask = scratch.subspan(others_room(plane.size()), mask_bytes(plane.size()));
    if (!frames.read(in.take(take_length(in)), {}, mask)) return false;
    const auto count = count_others(mask, plane.size());
    if (!count) return false;
    const ByteSpan others = scratch.first(*count);
    const ByteView stored = in.take(take_length(in));
    if (stored.size() == others.size())
        std::copy(stored.begin(), stored.end(), others.begin());
    else if (!frames.read(stored, {}, others))
        return false;
    join_sparse(mask, others.data(), plane);
    return true;
}

// Of the elements, and behind them, where one may be sparse, what that takes.
ByteSpan room_for_planes(const Elements& e, bool may_be_sparse, Bytes& scratch) {
    std::size_t bytes = e.count * e.width;
    if (may_be_sparse) bytes += others_room(e.count) + mask_bytes(e.count);
    if (scratch.size() < bytes) scratch.resize(bytes);
    return ByteSpan(scratch).first(bytes);
}

}  // namespace

PlanesEstimate estimate_planes(const Piece& piece, ByteView base) {
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
    PlanesEstimate estimate;
    for (std::size_t k = 0; k < e.width && sampled != 0; ++k) {
        Histogram histogram;
        histogram.add(ByteView(planes).subspan(k * sampled, sampled));
        const Spread spread = estimate.planes[k] = histogram.spread();
        estimate.bits +=
            is_dense(spread, e.count) ? std::uint64_t{e.count} << 19 : spread.cost_of(e.count);
    }
    return estimate;
}

PlanesWritten write_planes(const Piece& piece, ByteView base, const HowPlanes& how,
                           FrameWriter& frames, Bytes& scratch, ByteSpan out) {
    const Elements e = elements_of(piece.type, piece.phase, piece.plain.size());
    if (e.count == 0) return {};
    const BaseElements b = base_elements(e, base);
    const ByteSpan planes = room_for_planes(e, how.may_be_sparse, scratch);
    const std::uint8_t* elements = piece.plain.data() + e.head;
    if (base.empty())
        split(piece.type, elements, e.count, planes.data(), e.count);
    else
        split_delta(piece.type, elements, e.count, b.at, b.count, planes.data(), e.count);

    // At the level fast the estimate's sample will do.
    const bool known = how.estimate != nullptr && how.level == Level::fast;
    const auto worth = [&](std::size_t k, ByteView plane) {
        const Spread spread = known ? how.estimate->planes[k] : sample_plane(plane, how.level);
        return worth_of(spread, e.count, !is_float(piece.type), how.may_be_sparse, how.level);
    };
    const std::size_t prelude = 1 + mode_bytes(e.width);
    if (out.size() <= prelude + e.head + e.tail) return {};
    out[0] = type_and_phase(piece);
    PlanesWritten written;
    unsigned modes = 0;
    std::size_t at = prelude;
    for (std::size_t k = 0; k < e.width; ++k) {
        if (at == out.size()) return {};
        const ByteView plane = planes.subspan(k * e.count, e.count);
        PlaneMode mode = PlaneMode::constant;
        std::size_t length = 1;
        if (is_constant(plane))
            out[at] = plane[0];
        else
            length = write_plane(plane, worth(k, plane), frames, planes.subspan(e.width * e.count),
                                 out.subspan(at), mode);
        if (length == 0) return {};
        written.sparse = written.sparse || mode == PlaneMode::sparse;
        modes |= static_cast<unsigned>(mode) << (2 * k);
        at += length;
    }
    for (std::size_t i = 1; i < prelude; ++i) {
        out[i] = static_cast<std::uint8_t>(modes);
        modes >>= 8;
    }
    if (e.head + e.tail > out.size() - at) return {};
    put_ends(e, piece.plain, out.subspan(at));
    written.size = at + e.head + e.tail;
    return written;
}

Status read_planes(ByteView payload, Encoding encoding, ByteView base, FrameReader& frames,
                   Bytes& scratch, ByteSpan out) {
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

    const ByteSpan all = room_for_planes(e, encoding == Encoding::delta_sparse, scratch);
    std::array<const std::uint8_t*, kPlanesMax> planes{};
    for (std::size_t k = 0; k < e.width; ++k, modes >>= 2) {
        const ByteSpan plane = all.subspan(k * e.count, e.count);
        planes[k] = plane.data();
        switch (static_cast<PlaneMode>(modes & 3)) {
            case PlaneMode::raw: planes[k] = in.take(e.count).data(); break;
            case PlaneMode::constant:
                std::fill(plane.begin(), plane.end(), in.take<std::uint8_t>());
                break;
            case PlaneMode::zstd:
                if (!frames.read(in.take(take_length(in)), {}, plane)) return damaged();
                break;
            case PlaneMode::sparse:
                if (encoding != Encoding::delta_sparse ||
                    !read_sparse(in, frames, all.subspan(e.width * e.count), plane))
                    return damaged();
                break;
        }
    }
    if (!take_ends(in, e, out)) return damaged();

    const BaseElements b = base_elements(e, base);
    if (encoding != Encoding::planes)
        join_delta(of->type, planes, e.count, b.at, b.count, out.data() + e.head);
    else
        join(of->type, planes, e.count, out.data() + e.head);
    return {};
}

}  // namespace tributary::codec
