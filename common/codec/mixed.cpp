#include "common/codec/mixed.h"

#include <algorithm>
#include <functional>
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

class MixedCoder final : public ElementCoder {
public:
    explicit MixedCoder(CodingBuffers& buffers) : buffers_(buffers) {}
    std::size_t write(const Piece& piece, ByteView base, ByteSpan out) override;
    Status read(ByteView payload, ByteView base, ByteSpan out) override;

private:
    template <class Kind, class Coder, class Visit>
    void pass(std::bool_constant<false>, Coder& coder, unsigned high, const BaseElements& base,
              Visit&& visit) {
        model_.reset();
        pass_elements<Kind, StepPass>(coder, model_, rows_, high, base, matrices_, visit);
    }
    template <class Kind, class Coder, class Visit>
    void pass(std::bool_constant<true>, Coder& coder, unsigned high, const BaseElements& base,
              Visit&& visit) {
        model_.reset();
        pass_elements<Kind, AlonePass>(coder, model_, rows_, high, base, matrices_, visit);
    }

    template <class Kind>
    void find_matrices(const std::uint8_t* elements, std::size_t count, const BaseElements& base,
                       unsigned high);
    std::size_t described() const;
    void put_matrices(ByteWriter& out) const;
    bool take_matrices(ByteReader& in, std::size_t count);

    MixedModel model_;
    RowPredictor rows_;
    MatrixFinder finder_;
    std::vector<Matrix> matrices_;  // of all elements
    CodingBuffers& buffers_;
    Bytes prelude_;
};

// ---- matrices ----

template <class Kind>
void MixedCoder::find_matrices(const std::uint8_t* elements, std::size_t count,
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
    // By reference: a copy would not fit into a std::function without an allocation.
    finder_.find(count, std::cref(steps), rows_, matrices_);
}

// What follows the last rows need not be.
std::size_t MixedCoder::described() const {
    std::size_t count = matrices_.size();
    while (count > 0 && matrices_[count - 1].row == 0) --count;
    return count;
}

void MixedCoder::put_matrices(ByteWriter& out) const {
    const std::size_t count = described();
    out.put(static_cast<std::uint8_t>(count));
    for (const Matrix& matrix : std::span(matrices_).first(count)) {
        out.put(static_cast<std::uint16_t>(matrix.count));
        out.put(static_cast<std::uint8_t>(matrix.count >> 16));
        out.put(matrix.row);
        if (matrix.row == 0) continue;
        out.put(matrix.column);
        out.put(matrix.shift);
    }
}

// False when they do not fit `count` elements.
bool MixedCoder::take_matrices(ByteReader& in, std::size_t count) {
    matrices_.clear();
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
        matrices_.push_back(matrix);
    }
    if (count > 0) matrices_.push_back({.count = static_cast<std::uint32_t>(count)});
    return in.ok();
}

// ---- payload ----

std::size_t MixedCoder::write(const Piece& piece, ByteView base, ByteSpan out) {
    const Elements e = elements_of(piece.type, piece.phase, piece.plain.size());
    if (e.count == 0) return 0;
    const std::size_t raw_bytes_max = e.count * (e.width + 1) + 8;
    Bytes& modelled = buffers_.stream;
    Bytes& raw_bits = buffers_.raw_bits;
    if (raw_bits.size() < raw_bytes_max) raw_bits.resize(raw_bytes_max);
    if (modelled.size() < out.size()) modelled.resize(out.size());
    Writer writer{RangeEncoder(ByteSpan(modelled).first(out.size())), BitWriter(raw_bits.data())};

    const BaseElements b = base_elements(e, base);
    const std::uint8_t* const elements = piece.plain.data() + e.head;
    unsigned high = 0;
    const bool possible = with_elements(piece.type, base.empty(), [&](auto kind, auto alone) {
        using Kind = decltype(kind);
        using T = typename Kind::Word;
        high = high_of<Kind>(alone ? BaseElements{elements, e.count} : b);
        find_matrices<Kind>(elements, e.count, b, high);
        pass<Kind>(alone, writer, high, b,
                   [&](std::size_t i, auto&& code) { code(load<T>(elements + i * sizeof(T))); });
    });
    if (!possible) return 0;
    const std::size_t modelled_bytes = writer.modelled.finish();
    const std::size_t raw_bytes = writer.bits.finish();
    if (modelled_bytes == 0) return 0;

    prelude_.clear();
    ByteWriter prelude(prelude_);
    prelude.put(type_and_phase(piece));
    if (base.empty()) prelude.put(static_cast<std::uint16_t>(high));
    put_matrices(prelude);
    const CodedElements coded{ByteView(modelled).first(modelled_bytes),
                              ByteView(raw_bits).first(raw_bytes)};
    return put_coded(prelude_, coded, e, piece.plain, out);
}

Status MixedCoder::read(ByteView payload, ByteView base, ByteSpan out) {
    ByteReader in(payload);
    const auto of = take_type_and_phase(in);
    if (!of) return damaged();
    const Elements e = elements_of(of->type, of->phase, out.size());
    unsigned high = base.empty() ? in.take<std::uint16_t>() : 0u;
    if (e.count == 0 || !take_matrices(in, e.count)) return damaged();
    const auto coded = take_coded(in, e, out);
    if (!coded) return damaged();

    Reader reader{RangeDecoder(coded->stream), BitReader(coded->raw)};
    const BaseElements b = base_elements(e, base);
    const bool possible = with_elements(of->type, base.empty(), [&](auto kind, auto alone) {
        using Kind = decltype(kind);
        using T = typename Kind::Word;
        if (!alone) high = high_of<Kind>(b);
        pass<Kind>(alone, reader, high, b, [&](std::size_t i, auto&& code) {
            store<T>(out.data() + e.head + i * sizeof(T), code(T{0}));
        });
    });
    if (!possible || !reader.modelled.done() || !reader.bits.done()) return damaged();
    return {};
}

}  // namespace

std::unique_ptr<ElementCoder> make_mixed_coder(CodingBuffers& buffers) {
    return std::make_unique<MixedCoder>(buffers);
}

}  // namespace tributary::codec
