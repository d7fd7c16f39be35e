#include "common/codec/classes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/codec/bits.h"
#include "common/codec/class_model.h"
#include "common/codec/elements.h"
#include "common/codec/estimate.h"
#include "common/codec/planes.h"
#include "common/codec/rans.h"

namespace tributary::codec {
namespace {

// The tables are made anew after so many elements, then after twice as many, and so on up to the
// longest run of the kind of steps.
constexpr std::size_t kFirstRun = 64;

constexpr std::size_t kPreludeBytes = 4;  // type and phase, length of the rANS stream
constexpr unsigned kEscapeBits = 8;
constexpr std::size_t kSampleRuns = 8;

// The class of a step of more than 8 bits and size s (0 and up) is 4 r + 2 (s >> r) + (1 if it goes
// down), r being the bits of s below its two leading ones. Of a float, down is towards zero.
template <class Kind>
class WideSteps {
public:
    using T = typename Kind::Word;
    static constexpr auto kKinship = ClassModel::Kinship::shifted;
    static constexpr std::size_t kLastRun = 8192;
    static constexpr std::size_t kSymbols = 4 * static_cast<std::size_t>(kBits<T>) - 2;
    static_assert(kSymbols <= ClassModel::kEscape);

    struct Step {
        std::uint8_t symbol;
        unsigned raw_bits;
        T raw;
    };

    // Looks at the base's first `count` elements.
    WideSteps(const std::uint8_t* base, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            largest_ = std::max(largest_, Kind::magnitude(load<T>(base + i * sizeof(T))));
    }

    std::size_t context(T from) const {
        return std::min<std::size_t>(largest_ - std::min(largest_, Kind::magnitude(from)),
                                     ClassModel::kContexts - 1);
    }
    static Step step(T from, T to) {
        const T difference =
            negate_if(static_cast<T>(Kind::to_order(to) - Kind::to_order(from)), mirrored(from));
        const T down = sign_mask(difference);
        const T size = negate_if(difference, down);
        const auto length = static_cast<unsigned>(std::bit_width(static_cast<T>(size | 2)));
        const unsigned raw_bits = length - 2;
        const auto leading = static_cast<unsigned>(size >> raw_bits);
        return {static_cast<std::uint8_t>(4 * raw_bits + 2 * leading + (down & 1)), raw_bits,
                static_cast<T>(size & static_cast<T>((T{1} << raw_bits) - 1))};
    }
    static void put_raw(const Step& step, BitWriter& bits) {
        if constexpr (sizeof(T) == 8) {
            const unsigned low = std::min(step.raw_bits, 32u);
            bits.put(static_cast<std::uint32_t>(step.raw & ((std::uint64_t{1} << low) - 1)), low);
            bits.put(static_cast<std::uint32_t>(step.raw >> low), step.raw_bits - low);
        } else {
            bits.put(step.raw, step.raw_bits);
        }
    }
    static T apply(T from, std::uint8_t symbol, BitReader& bits) {
        const unsigned quarter = symbol / 4u;
        const unsigned raw_bits = quarter - (quarter != 0 ? 1 : 0);
        const unsigned leading = symbol / 2u - 2 * raw_bits;
        T size = static_cast<T>(static_cast<T>(leading) << raw_bits);
        if constexpr (sizeof(T) == 8) {
            const unsigned low = std::min(raw_bits, 32u);
            size |= bits.take(low);
            size |= static_cast<T>(bits.take(raw_bits - low)) << low;
        } else {
            size = static_cast<T>(size | bits.take(raw_bits));
        }
        const T down = static_cast<T>(T{0} - (symbol & 1));
        const T difference = negate_if(size, static_cast<T>(down ^ mirrored(from)));
        return Kind::from_order(static_cast<T>(Kind::to_order(from) + difference));
    }
    static void seen(T, T) {}

private:
    // All ones for a negative float.
    static T mirrored(T from) { return Kind::kSigned ? sign_mask(from) : T{0}; }
    static T negate_if(T value, T mask) {
        return static_cast<T>(static_cast<T>(value ^ mask) - mask);
    }
    unsigned largest_ = 0;
};

// Single bytes: the zigzag-coded step itself; 255 is spelled out.
class ByteSteps {
public:
    using T = std::uint8_t;
    static constexpr auto kKinship = ClassModel::Kinship::same;
    static constexpr std::size_t kLastRun = 4096;
    static constexpr std::size_t kSymbols = ClassModel::kEscape;

    ByteSteps(const std::uint8_t*, std::size_t) {}

    // Four classes for each doubling of the mean size.
    std::size_t context(T) const {
        const std::uint32_t x = mean_ + kUnit;
        const auto octave = static_cast<unsigned>(std::bit_width(x) - 1);
        const std::uint32_t quarter = (x >> (octave - 2)) & 3;
        return std::min<std::size_t>(4 * (octave - kUnitBits) + quarter, ClassModel::kContexts - 1);
    }
    struct Step {
        std::uint8_t symbol;
    };
    static Step step(T from, T to) { return {zigzag(static_cast<T>(to - from))}; }
    static void put_raw(const Step&, BitWriter&) {}
    static T apply(T from, std::uint8_t symbol, BitReader&) {
        return static_cast<T>(from + unzigzag(symbol));
    }
    void seen(T from, T to) {
        const auto step = static_cast<std::int8_t>(static_cast<T>(to - from));
        const auto size = static_cast<std::uint32_t>(step < 0 ? -step : step);
        mean_ += size * (kUnit / kMemory);
        mean_ -= mean_ / kMemory;
    }

private:
    static constexpr unsigned kUnitBits = 8;
    static constexpr std::uint32_t kUnit = 1u << kUnitBits;
    static constexpr std::uint32_t kMemory = 16;
    std::uint32_t mean_ = 0;  // of the last sizes, in units of 1 / kUnit
};

// Calls `use` with the steps that elements of `type` take.
template <class Use>
auto with_steps(ElementType type, Use&& use) {
    return with_kind(type, [&](auto kind) {
        using Kind = decltype(kind);
        if constexpr (sizeof(typename Kind::Word) == 1)
            return use(std::type_identity<ByteSteps>{});
        else
            return use(std::type_identity<WideSteps<Kind>>{});
    });
}

// Where the base's elements lie, for a target with this division.
struct BaseElements {
    const std::uint8_t* at = nullptr;
    std::size_t count = 0;
};
BaseElements base_elements(const Elements& e, ByteView base) {
    if (base.size() <= e.head) return {};
    return {base.data() + e.head, std::min(e.count, (base.size() - e.head) / e.width)};
}

// A step's symbol in the units of the base's largest exponent would be alike in all contexts; which
// one is the largest does not matter to a histogram that goes round.
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
        const std::uint8_t* const elements = piece.plain.data() + e.head;
        for (std::size_t i = first; i < first + length; ++i) {
            const T from = i < b.count ? load_le<T>(b.at + i * sizeof(T)) : T{0};
            const auto step = Steps::step(from, load_le<T>(elements + i * sizeof(T)));
            const std::size_t shifted = (step.symbol + 4 * Kind::magnitude(from)) & 255;
            ++counts[step.symbol == 0 ? kNoStep : shifted];
            raw_bits += step.raw_bits;
        }
        total += length;
    });
    if (total == 0) return 0;
    return entropy_of_sampled(counts, e.count) + (raw_bits * e.count / total << 16);
}

Status damaged() {
    return fail(Errc::corrupt, "the classes of a piece do not decode; fetch it again");
}

}  // namespace

// Of single bytes as well, the classes tell more from a small sample than the steps do.
std::uint64_t estimate_classes(const Piece& piece, ByteView base, std::size_t sampled) {
    return with_kind(piece.type, [&](auto kind) {
        using Kind = std::conditional_t<std::is_same_v<decltype(kind), Byte>, Integer<std::uint8_t>,
                                        decltype(kind)>;
        return estimate_steps<Kind>(piece, base, sampled / kSampleRuns);
    });
}

struct ClassCoder::State {
    ClassModel model;
    std::vector<ClassModel::Slot> slots;  // of each element, in order
    Bytes raw_bits;
    Bytes words;  // of the rANS stream, from the end

    template <class Steps>
    std::size_t take_steps(const Elements& e, ByteView plain, const BaseElements& base);
    template <class Steps>
    bool make_elements(const Elements& e, ByteView stream, ByteView raw, const BaseElements& base,
                       std::uint8_t* out);
};

ClassCoder::ClassCoder() : state_(std::make_unique<State>()) {}
ClassCoder::~ClassCoder() = default;

// Fills `slots` and `raw_bits`; the bytes of the latter.
template <class Steps>
std::size_t ClassCoder::State::take_steps(const Elements& e, ByteView plain,
                                          const BaseElements& base) {
    using T = typename Steps::T;
    BitWriter bits(raw_bits.data());
    Steps steps(base.at, base.count);
    ClassModel::Slot* const out = slots.data();
    const std::uint8_t* const elements = plain.data() + e.head;
    std::uint32_t changed = ClassModel::kAllContexts;
    model.reset(Steps::kSymbols, Steps::kKinship);
    std::size_t run = kFirstRun;
    for (std::size_t i = 0; i < e.count; run = std::min(2 * run, Steps::kLastRun)) {
        model.learn(std::exchange(changed, 0), false);
        for (const std::size_t end = std::min(e.count, i + run); i < end; ++i) {
            const T from = i < base.count ? load<T>(base.at + i * sizeof(T)) : T{0};
            const T to = load<T>(elements + i * sizeof(T));
            const std::size_t context = steps.context(from);
            const auto step = steps.step(from, to);
            ClassModel::Slot slot = model.table(context).slots[step.symbol];
            if (slot.frequency == 0 || step.symbol == ClassModel::kEscape) {
                slot = model.table(context).slots[ClassModel::kEscape];
                bits.put(step.symbol, kEscapeBits);
            }
            out[i] = slot;
            steps.put_raw(step, bits);
            model.count(context, step.symbol);
            changed |= 1u << context;
            steps.seen(from, to);
        }
    }
    return bits.finish();
}

std::size_t ClassCoder::write(const Piece& piece, ByteView base, ByteSpan out) {
    const Elements e = elements_of(piece.type, piece.phase, piece.plain.size());
    if (e.count == 0) return 0;
    State& s = *state_;
    const std::size_t stream_bytes_max = 2 * e.count + rans::kStateBytes + 2;
    const std::size_t raw_bytes_max = e.count * (e.width + 1) + 8;
    if (s.slots.size() < e.count) s.slots.resize(e.count);
    if (s.words.size() < stream_bytes_max) s.words.resize(stream_bytes_max);
    if (s.raw_bits.size() < raw_bytes_max) s.raw_bits.resize(raw_bytes_max);

    const std::size_t raw_bytes = with_steps(piece.type, [&](auto steps) {
        return s.take_steps<typename decltype(steps)::type>(e, piece.plain, base_elements(e, base));
    });
    rans::Encoder encoder(s.words.data() + s.words.size());
    rans::for_lanes_backwards(e.count,
                              [&, slots = s.slots.data()](std::size_t i, std::size_t lane) {
                                  encoder.put(lane, slots[i]);
                              });
    const ByteView stream = encoder.finish();

    const std::size_t size = kPreludeBytes + stream.size() + raw_bytes + e.head + e.tail;
    if (size > out.size()) return 0;
    std::uint8_t* at = out.data();
    *at++ = static_cast<std::uint8_t>(static_cast<std::uint8_t>(piece.type) | piece.phase << 4);
    for (std::size_t i = 0; i < kPreludeBytes - 1; ++i)
        *at++ = static_cast<std::uint8_t>(stream.size() >> (8 * i));
    const auto put = [&](ByteView bytes) { at = std::copy(bytes.begin(), bytes.end(), at); };
    put(stream);
    put(ByteView(s.raw_bits).first(raw_bytes));
    put(piece.plain.first(e.head));
    put(piece.plain.last(e.tail));
    return size;
}

// False when a symbol is spelled out that there is not.
template <class Steps>
bool ClassCoder::State::make_elements(const Elements& e, ByteView stream, ByteView raw,
                                      const BaseElements& base, std::uint8_t* out) {
    using T = typename Steps::T;
    // Nobody else has their address, so that they can live in registers.
    rans::Decoder symbols(stream);
    BitReader bits(raw);
    Steps steps(base.at, base.count);
    bool known = true;
    std::uint32_t changed = ClassModel::kAllContexts;
    const auto make = [&](std::size_t i, std::size_t lane) __attribute__((always_inline)) {
        const T from = i < base.count ? load<T>(base.at + i * sizeof(T)) : T{0};
        const std::size_t context = steps.context(from);
        std::uint8_t symbol = symbols.take(lane, model.table(context));
        if (symbol == ClassModel::kEscape) {
            symbol = static_cast<std::uint8_t>(bits.take(kEscapeBits));
            if (sizeof(T) > 1 && symbol >= Steps::kSymbols) {
                known = false;
                symbol = 0;
            }
        }
        const T to = steps.apply(from, symbol, bits);
        store<T>(out + i * sizeof(T), to);
        model.count(context, symbol);
        changed |= 1u << context;
        steps.seen(from, to);
    };
    model.reset(Steps::kSymbols, Steps::kKinship);
    std::size_t run = kFirstRun;
    for (std::size_t i = 0; i < e.count && known; run = std::min(2 * run, Steps::kLastRun)) {
        model.learn(std::exchange(changed, 0), true);
        const std::size_t end = std::min(e.count, i + run);
        rans::for_lanes(i, end, make);
        i = end;
    }
    return known && symbols.done() && bits.done();
}

Status ClassCoder::read(ByteView payload, ByteView base, ByteSpan out) {
    ByteReader in(payload);
    const auto first = in.take<std::uint8_t>();
    std::size_t stream_bytes = in.take<std::uint16_t>();
    stream_bytes |= std::size_t{in.take<std::uint8_t>()} << 16;
    const std::optional<ElementType> type = value_type(first & 15);
    const auto phase = static_cast<std::uint8_t>(first >> 4);
    if (!type || *type == ElementType::bytes || phase >= element_bytes(*type)) return damaged();
    const Elements e = elements_of(*type, phase, out.size());
    const ByteView stream = in.take(stream_bytes);
    if (!in.ok() || stream.size() < rans::kStateBytes || in.remaining() < e.head + e.tail)
        return damaged();
    const ByteView raw = in.take(in.remaining() - e.head - e.tail);
    const ByteView head = in.take(e.head);
    const ByteView tail = in.take(e.tail);
    std::copy(head.begin(), head.end(), out.begin());
    std::copy(tail.begin(), tail.end(), out.end() - static_cast<std::ptrdiff_t>(e.tail));
    const bool made = with_steps(*type, [&](auto steps) {
        using Steps = typename decltype(steps)::type;
        return state_->make_elements<Steps>(e, stream, raw, base_elements(e, base),
                                            out.data() + e.head);
    });
    if (!made) return damaged();
    return {};
}

}  // namespace tributary::codec
