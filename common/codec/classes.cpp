#include "common/codec/classes.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <vector>

#include "common/codec/bits.h"
#include "common/codec/class_model.h"
#include "common/codec/elements.h"
#include "common/codec/estimate.h"
#include "common/codec/planes.h"
#include "common/codec/rans.h"
#include "common/codec/steps.h"

namespace tributary::codec {
namespace {

// The tables are made anew after so many elements, then after twice as many, and so on up to the
// longest run of the kind of steps.
constexpr std::size_t kFirstRun = 64;

constexpr unsigned kEscapeBits = 8;
constexpr std::size_t kSampleRuns = 8;

// Takes the steps of a batch; where the base ends, from 0.
template <class Steps>
class Batches {
public:
    using T = typename Steps::T;
    static constexpr std::size_t kElements = 256;

    Batches(const std::uint8_t* elements, const BaseElements& base, const Steps& first)
        : steps(first), elements_(elements), base_(base) {}

    // For the elements from `first` on, `count` of them, at most kElements, in order.
    void take(std::size_t first, std::size_t count) {
        const std::uint8_t* const to = elements_ + first * sizeof(T);
        steps.compare(Steps::kAlone ? to : base_from(first, count), to, count, changes.data(),
                      contexts.data());
    }
    Steps steps;
    std::array<T, kElements> changes;
    std::array<std::uint16_t, kElements> contexts;

private:
    const std::uint8_t* base_from(std::size_t first, std::size_t count) {
        const std::size_t common = std::min(count, base_.count - std::min(first, base_.count));
        const std::uint8_t* const from = base_.at + (common != 0 ? first * sizeof(T) : 0);
        if (common == count) return from;
        padded_.fill(0);
        std::copy_n(from, common * sizeof(T), padded_.begin());
        return padded_.data();
    }
    const std::uint8_t* elements_;
    BaseElements base_;
    std::array<std::uint8_t, kElements * sizeof(T)> padded_;
};

// Bits of several elements go out together: fewer steps that wait for the one before.
template <class T>
inline constexpr std::size_t kPutTogether = sizeof(T) <= 2   ? 4
                                            : sizeof(T) == 4 ? 2
                                                             : 1;

// A step's symbol in the units of one exponent would be alike in all contexts; which
// one does not matter to a histogram that goes round.
template <class Kind>
std::uint64_t estimate_steps(const Piece& piece, ByteView base, std::size_t run) {
    using T = typename Kind::Word;
    using Steps = WideSteps<Kind>;
    const Elements e = elements_of(piece.type, piece.phase, piece.plain.size());
    const BaseElements b = base_elements(e, base);
    constexpr std::size_t kNoStep = 256;
    std::array<std::uint32_t, kNoStep + 1> counts{};
    std::uint64_t raw_bits = 0;
    std::uint64_t total = 0;
    sample(e.count, kSampleRuns, run, [&](std::size_t first, std::size_t length) {
        const std::uint8_t* const to = piece.plain.data() + e.head + first * sizeof(T);
        const std::size_t common = std::min(length, b.count - std::min(first, b.count));
        const std::uint8_t* const from = b.at + (common != 0 ? first * sizeof(T) : 0);
        const auto count = [&](T before, T after) {
            const Step step = Steps::step(Steps::change(before, after));
            const std::size_t shifted = (step.symbol + 4 * Kind::magnitude(before)) & 255;
            ++counts[step.symbol == 0 ? kNoStep : shifted];
            raw_bits += step.raw_bits;
        };
        for (std::size_t i = 0; i < common; ++i)
            count(load<T>(from + i * sizeof(T)), load<T>(to + i * sizeof(T)));
        for (std::size_t i = common; i < length; ++i) count(T{0}, load<T>(to + i * sizeof(T)));
        total += length;
    });
    if (total == 0) return 0;
    return entropy_of_sampled(counts, e.count) + (raw_bits * e.count / total << 16);
}

Status damaged() {
    return fail(Errc::corrupt, "the classes of a piece do not decode; fetch it again");
}

class ClassCoder final : public ElementCoder {
public:
    explicit ClassCoder(CodingBuffers& buffers) : buffers_(buffers) {}
    std::size_t write(const Piece& piece, ByteView base, ByteSpan out) override;
    Status read(ByteView payload, ByteView base, ByteSpan out) override;

private:
    template <class Steps>
    std::size_t take_steps(const Elements& e, ByteView plain, const BaseElements& base,
                           const Steps& steps);
    template <class Steps>
    void code_batch(const Batches<Steps>& batch, std::size_t count, ClassModel::Slot* out,
                    BitWriter& writer);
    template <class Steps>
    bool make_elements(std::size_t count, ByteView stream, ByteView raw, const BaseElements& base,
                       Steps steps, std::uint8_t* out);

    ClassModel model_;
    CodingBuffers& buffers_;
    Bytes prelude_;
};

// Fills slots and raw bits; the bytes of the latter.
template <class Steps>
std::size_t ClassCoder::take_steps(const Elements& e, ByteView plain, const BaseElements& base,
                                   const Steps& steps) {
    BitWriter bits(buffers_.raw_bits.data());
    Batches<Steps> batch(plain.data() + e.head, base, steps);
    model_.reset(Steps::kSymbols, Steps::kKinship);
    std::size_t run = kFirstRun;
    for (std::size_t i = 0; i < e.count; run = std::min(2 * run, Steps::kLastRun)) {
        model_.learn(false);
        for (const std::size_t end = std::min(e.count, i + run); i < end;) {
            const std::size_t count = std::min(batch.kElements, end - i);
            batch.take(i, count);
            code_batch<Steps>(batch, count, buffers_.slots.data() + i, bits);
            i += count;
        }
    }
    return bits.finish();
}

template <class Steps>
void ClassCoder::code_batch(const Batches<Steps>& batch, std::size_t count, ClassModel::Slot* out,
                            BitWriter& writer) {
    using T = typename Steps::T;
    BitWriter bits = writer;
    const auto code = [&](std::size_t i) __attribute__((always_inline)) {
        Step step = batch.steps.step(batch.changes[i]);
        const std::size_t context = batch.contexts[i];
        const auto& slots_here = model_.table(context).slots;
        model_.count(context, step.symbol);
        out[i] = slots_here[step.symbol];
        if (out[i].frequency == 0 ||
            (Steps::kSymbols == ClassModel::kEscape && step.symbol == ClassModel::kEscape)) {
            out[i] = slots_here[ClassModel::kEscape];
            if constexpr (sizeof(T) == 8) {
                bits.put(step.symbol, kEscapeBits);
            } else {
                step.raw = step.raw << kEscapeBits | step.symbol;
                step.raw_bits += kEscapeBits;
            }
        }
        return step;
    };
    constexpr std::size_t kTogether = kPutTogether<T>;
    std::size_t i = 0;
    for (; i + kTogether <= count; i += kTogether) {
        std::array<Step, kTogether> steps;
        unsigned sum = 0;
        for (std::size_t k = 0; k < kTogether; ++k) {
            steps[k] = code(i + k);
            sum += steps[k].raw_bits;
        }
        if (sum <= BitWriter::kBitsMax) {
            std::uint64_t raw = 0;
            unsigned shift = 0;
            for (const Step& step : steps) {
                raw |= step.raw << shift;
                shift += step.raw_bits;
            }
            bits.put(raw, sum);
        } else {
            for (const Step& step : steps) bits.put_long(step.raw, step.raw_bits);
        }
    }
    for (; i < count; ++i) {
        const Step step = code(i);
        bits.put_long(step.raw, step.raw_bits);
    }
    writer = bits;
}

std::size_t ClassCoder::write(const Piece& piece, ByteView base, ByteSpan out) {
    const Elements e = elements_of(piece.type, piece.phase, piece.plain.size());
    if (e.count == 0) return 0;
    const std::size_t stream_bytes_max = 2 * e.count + rans::kStateBytes + 2;
    const std::size_t raw_bytes_max = e.count * (e.width + 1) + 8;
    auto& [slots, stream, raw_bits] = buffers_;
    if (slots.size() < e.count) slots.resize(e.count);
    if (stream.size() < stream_bytes_max) stream.resize(stream_bytes_max);
    if (raw_bits.size() < raw_bytes_max) raw_bits.resize(raw_bytes_max);

    prelude_.clear();
    ByteWriter prelude(prelude_);
    prelude.put(type_and_phase(piece));
    const BaseElements b = base_elements(e, base);
    std::size_t raw_bytes = 0;
    if (base.empty()) {
        const bool possible = with_floats(piece.type, [&](auto kind) {
            using Kind = decltype(kind);
            const unsigned high = high_magnitude<Kind>(piece.plain.data() + e.head, e.count);
            prelude.put(static_cast<std::uint16_t>(high));
            raw_bytes = take_steps(e, piece.plain, b, AloneSteps<Kind>(high));
        });
        if (!possible) return 0;
    } else {
        with_steps(piece.type, [&](auto steps) {
            using Steps = typename decltype(steps)::type;
            raw_bytes = take_steps(e, piece.plain, b, Steps(b.at, b.count));
        });
    }
    rans::Encoder encoder(stream.data() + stream.size());  // from the end
    rans::for_lanes_backwards(e.count, [&, slots = slots.data()](std::size_t i, std::size_t lane) {
        encoder.put(lane, slots[i]);
    });
    return put_coded(prelude_, {encoder.finish(), ByteView(raw_bits).first(raw_bytes)}, e,
                     piece.plain, out);
}

// False when a symbol is spelled out that there is not.
template <class Steps>
bool ClassCoder::make_elements(std::size_t count, ByteView stream, ByteView raw,
                               const BaseElements& base, Steps steps, std::uint8_t* out) {
    using T = typename Steps::T;
    // Nobody else has their address, so that they can live in registers.
    rans::Decoder symbols(stream);
    BitReader bits(raw);
    bool known = true;
    const auto make = [&](std::size_t i, std::size_t lane) __attribute__((always_inline)) {
        const T from = i < base.count ? load<T>(base.at + i * sizeof(T)) : T{0};
        const std::size_t context = steps.context(from);
        std::uint8_t symbol = symbols.take(lane, model_.table(context));
        if (symbol == ClassModel::kEscape) {
            symbol = static_cast<std::uint8_t>(bits.take(kEscapeBits));
            if (sizeof(T) > 1 && symbol >= Steps::kSymbols) {
                known = false;
                symbol = 0;
            }
        }
        const T to = steps.apply(from, symbol, bits);
        store<T>(out + i * sizeof(T), to);
        model_.count(context, symbol);
        steps.seen(from, to);
    };
    model_.reset(Steps::kSymbols, Steps::kKinship);
    std::size_t run = kFirstRun;
    for (std::size_t i = 0; i < count && known; run = std::min(2 * run, Steps::kLastRun)) {
        model_.learn(true);
        const std::size_t end = std::min(count, i + run);
        rans::for_lanes(i, end, make);
        i = end;
    }
    return known && symbols.done() && bits.done();
}

Status ClassCoder::read(ByteView payload, ByteView base, ByteSpan out) {
    ByteReader in(payload);
    const auto of = take_type_and_phase(in);
    if (!of) return damaged();
    const unsigned high = base.empty() ? in.take<std::uint16_t>() : 0u;
    const Elements e = elements_of(of->type, of->phase, out.size());
    const auto coded = take_coded(in, e, out);
    if (!coded || coded->stream.size() < rans::kStateBytes) return damaged();
    const BaseElements b = base_elements(e, base);
    bool made = false;
    const auto make = [&](const auto& steps) {
        made = make_elements(e.count, coded->stream, coded->raw, b, steps, out.data() + e.head);
    };
    if (base.empty()) {
        with_floats(of->type, [&](auto kind) { make(AloneSteps<decltype(kind)>(high)); });
    } else {
        with_steps(of->type, [&](auto steps) {
            using Steps = typename decltype(steps)::type;
            make(Steps(b.at, b.count));
        });
    }
    if (!made) return damaged();
    return {};
}

}  // namespace

std::unique_ptr<ElementCoder> make_class_coder(CodingBuffers& buffers) {
    return std::make_unique<ClassCoder>(buffers);
}

// Of single bytes as well, the classes tell more from a small sample than the steps do.
std::uint64_t estimate_classes(const Piece& piece, ByteView base, std::size_t sampled) {
    return with_kind(piece.type, [&](auto kind) {
        using Kind = std::conditional_t<std::is_same_v<decltype(kind), Byte>, Integer<std::uint8_t>,
                                        decltype(kind)>;
        return estimate_steps<Kind>(piece, base, sampled / kSampleRuns);
    });
}

}  // namespace tributary::codec
