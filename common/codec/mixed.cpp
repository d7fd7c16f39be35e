#include "common/codec/mixed.h"

#include <algorithm>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "common/codec/bits.h"
#include "common/codec/elements.h"
#include "common/codec/matrices.h"
#include "common/codec/mixed_model.h"
#include "common/codec/mixed_pass.h"
#include "common/codec/planes.h"
#include "common/codec/range_coder.h"
#include "common/codec/row_predictor.h"

namespace tributary::codec {
namespace {

struct Writer {
    RangeEncoder modelled;
    BitWriter bits;
    bool code(bool bit, std::uint32_t one) {
        modelled.put(bit, one);
        return bit;
    }
    std::uint64_t raw(std::uint64_t value, unsigned count) {
        bits.put_long(value, count);
        return value;
    }
};

struct Reader {
    RangeDecoder modelled;
    BitReader bits;
    bool code(bool, std::uint32_t one) { return modelled.take(one); }
    std::uint64_t raw(std::uint64_t, unsigned count) {
        const unsigned low = std::min(count, 32u);
        const std::uint64_t value = bits.take(low);
        return value | std::uint64_t{bits.take(count - low)} << low;
    }
};

// Calls `use` with the kind of the elements and whether they have no base; false when such are not
// coded so.
template <class Use>
bool with_elements(ElementType type, bool alone, Use&& use) {
    return with_kind(type, [&](auto kind) {
        using Named = decltype(kind);
        using Kind = std::conditional_t<std::is_same_v<Named, Byte>, Integer<std::uint8_t>, Named>;
        if (!alone) {
            use(Kind{}, std::false_type{});
            return true;
        }
        if constexpr (Kind::kSigned) use(Kind{}, std::true_type{});
        return Kind::kSigned;
    });
}

// To steps of integers it does not matter.
template <class Kind>
unsigned high_of(const BaseElements& elements) {
    if constexpr (Kind::kSigned) return high_magnitude<Kind>(elements.at, elements.count);
    return 0;
}

Status damaged() {
    return fail(Errc::corrupt, "the mixed classes of a piece do not decode; fetch it again");
}

}  // namespace

struct MixedCoder::State {
    MixedModel model;
    RowPredictor rows;
    MatrixFinder finder;
    std::vector<Matrix> matrices;  // of all elements
    Bytes prelude;
    Bytes modelled;
    Bytes raw_bits;

    template <class Kind, class Coder, class Visit>
    void pass(std::bool_constant<false>, Coder& coder, unsigned high, const BaseElements& base,
              Visit&& visit) {
        model.reset();
        pass_elements<Kind, StepPass>(coder, model, rows, high, base, matrices, visit);
    }
    template <class Kind, class Coder, class Visit>
    void pass(std::bool_constant<true>, Coder& coder, unsigned high, const BaseElements& base,
              Visit&& visit) {
        model.reset();
        pass_elements<Kind, AlonePass>(coder, model, rows, high, base, matrices, visit);
    }

    template <class Kind>
    void find_matrices(const std::uint8_t* elements, std::size_t count, const BaseElements& base,
                       unsigned high);
    std::size_t described() const;
    void put_matrices(ByteWriter& out) const;
    bool take_matrices(ByteReader& in, std::size_t count);
};

MixedCoder::MixedCoder() : state_(std::make_unique<State>()) {}
MixedCoder::~MixedCoder() = default;

// ---- matrices ----

template <class Kind>
void MixedCoder::State::find_matrices(const std::uint8_t* elements, std::size_t count,
                                      const BaseElements& base, unsigned high) {
    using T = typename Kind::Word;
    const FixedPoint<Kind> fixed(high);
    const auto steps = [&](std::size_t first, std::span<std::int64_t> out) {
        for (std::size_t i = 0; i < out.size(); ++i) {
            const std::size_t at = (first + i) * sizeof(T);
            const T from = first + i < base.count ? load<T>(base.at + at) : T{0};
            out[i] = fixed.step(from, load<T>(elements + at));
        }
    };
    finder.find(count, steps, rows, matrices);
}

// What follows the last rows need not be.
std::size_t MixedCoder::State::described() const {
    std::size_t count = matrices.size();
    while (count > 0 && matrices[count - 1].row == 0) --count;
    return count;
}

void MixedCoder::State::put_matrices(ByteWriter& out) const {
    const std::size_t count = described();
    out.put(static_cast<std::uint8_t>(count));
    for (const Matrix& matrix : std::span(matrices).first(count)) {
        out.put(static_cast<std::uint16_t>(matrix.count));
        out.put(static_cast<std::uint8_t>(matrix.count >> 16));
        out.put(matrix.row);
        if (matrix.row == 0) continue;
        out.put(matrix.column);
        out.put(matrix.shift);
    }
}

// False when they do not fit `count` elements.
bool MixedCoder::State::take_matrices(ByteReader& in, std::size_t count) {
    matrices.clear();
    for (std::size_t left = in.take<std::uint8_t>(); left > 0; --left) {
        Matrix matrix;
        matrix.count = in.take<std::uint16_t>();
        matrix.count |= std::uint32_t{in.take<std::uint8_t>()} << 16;
        matrix.row = in.take<std::uint16_t>();
        if (matrix.row != 0) {
            matrix.column = in.take<std::uint16_t>();
            matrix.shift = in.take<std::uint8_t>();
        }
        if (!in.ok() || matrix.count > count ||
            matrix.row > std::min<std::size_t>(matrix.count, kRowElementsMax) ||
            matrix.column >= std::max<std::uint16_t>(1, matrix.row) ||
            matrix.shift > kMatrixShiftMax)
            return false;
        count -= matrix.count;
        matrices.push_back(matrix);
    }
    if (count > 0) matrices.push_back({.count = static_cast<std::uint32_t>(count)});
    return in.ok();
}

// ---- payload ----

std::size_t MixedCoder::write(const Piece& piece, ByteView base, ByteSpan out) {
    const Elements e = elements_of(piece.type, piece.phase, piece.plain.size());
    if (e.count == 0) return 0;
    State& s = *state_;
    const std::size_t raw_bytes_max = e.count * (e.width + 1) + 8;
    if (s.raw_bits.size() < raw_bytes_max) s.raw_bits.resize(raw_bytes_max);
    if (s.modelled.size() < out.size()) s.modelled.resize(out.size());
    Writer writer{RangeEncoder(ByteSpan(s.modelled).first(out.size())),
                  BitWriter(s.raw_bits.data())};

    const BaseElements b = base_elements(e, base);
    const std::uint8_t* const elements = piece.plain.data() + e.head;
    unsigned high = 0;
    const bool possible = with_elements(piece.type, base.empty(), [&](auto kind, auto alone) {
        using Kind = decltype(kind);
        using T = typename Kind::Word;
        high = high_of<Kind>(alone ? BaseElements{elements, e.count} : b);
        s.find_matrices<Kind>(elements, e.count, b, high);
        s.pass<Kind>(alone, writer, high, b,
                     [&](std::size_t i, auto&& code) { code(load<T>(elements + i * sizeof(T))); });
    });
    if (!possible) return 0;
    const std::size_t modelled_bytes = writer.modelled.finish();
    const std::size_t raw_bytes = writer.bits.finish();
    if (modelled_bytes == 0) return 0;

    s.prelude.clear();
    ByteWriter prelude(s.prelude);
    prelude.put(
        static_cast<std::uint8_t>(static_cast<unsigned>(piece.type) | unsigned{piece.phase} << 4));
    if (base.empty()) prelude.put(static_cast<std::uint16_t>(high));
    s.put_matrices(prelude);
    prelude.put(static_cast<std::uint16_t>(modelled_bytes));
    prelude.put(static_cast<std::uint8_t>(modelled_bytes >> 16));
    const std::size_t size = s.prelude.size() + modelled_bytes + raw_bytes + e.head + e.tail;
    if (size > out.size()) return 0;
    std::uint8_t* at = out.data();
    const auto put = [&](ByteView bytes) { at = std::copy(bytes.begin(), bytes.end(), at); };
    put(s.prelude);
    put(ByteView(s.modelled).first(modelled_bytes));
    put(ByteView(s.raw_bits).first(raw_bytes));
    put(piece.plain.first(e.head));
    put(piece.plain.last(e.tail));
    return size;
}

Status MixedCoder::read(ByteView payload, ByteView base, ByteSpan out) {
    ByteReader in(payload);
    const auto first = in.take<std::uint8_t>();
    const std::optional<ElementType> type = value_type(first & 15);
    const auto phase = static_cast<std::uint8_t>(first >> 4);
    if (!type || *type == ElementType::bytes || phase >= element_bytes(*type)) return damaged();
    const Elements e = elements_of(*type, phase, out.size());
    unsigned high = base.empty() ? in.take<std::uint16_t>() : 0u;
    State& s = *state_;
    if (!s.take_matrices(in, e.count)) return damaged();
    std::size_t modelled_bytes = in.take<std::uint16_t>();
    modelled_bytes |= std::size_t{in.take<std::uint8_t>()} << 16;
    const ByteView modelled = in.take(modelled_bytes);
    if (!in.ok() || in.remaining() < e.head + e.tail) return damaged();
    const ByteView raw = in.take(in.remaining() - e.head - e.tail);
    const ByteView head = in.take(e.head);
    const ByteView tail = in.take(e.tail);
    std::copy(head.begin(), head.end(), out.begin());
    std::copy(tail.begin(), tail.end(), out.end() - static_cast<std::ptrdiff_t>(e.tail));

    Reader reader{RangeDecoder(modelled), BitReader(raw)};
    const BaseElements b = base_elements(e, base);
    const bool possible = with_elements(*type, base.empty(), [&](auto kind, auto alone) {
        using Kind = decltype(kind);
        using T = typename Kind::Word;
        if (!alone) high = high_of<Kind>(b);
        s.pass<Kind>(alone, reader, high, b, [&](std::size_t i, auto&& code) {
            store<T>(out.data() + e.head + i * sizeof(T), code(T{0}));
        });
    });
    if (!possible || !reader.modelled.done() || !reader.bits.done()) return damaged();
    return {};
}

}  // namespace tributary::codec
