#include "common/codec/frame.h"

#include <zstd.h>

#include <array>

#include "common/base/limits.h"
#include "common/base/result.h"

namespace tributary::codec {
namespace {

// These are named in the part of zstd.h that asks for static linking; the library accepts them by
// these public numbers.
constexpr ZSTD_cParameter kWriteFormat = ZSTD_c_experimentalParam2;
constexpr ZSTD_cParameter kLiteralCompression = ZSTD_c_experimentalParam5;
constexpr ZSTD_cParameter kRowMatchFinder = ZSTD_c_experimentalParam14;
constexpr ZSTD_dParameter kReadFormat = ZSTD_d_experimentalParam1;
constexpr int kMagicless = 1;
constexpr int kAlways = 1;
constexpr int kOn = 1;
constexpr int kOff = 2;
constexpr std::size_t kRowMatchesAbove = 16 * limits::KiB;

struct Parameters {
    int window_log;
    int chain_log;
    int hash_log;
    int search_log;
    int min_match;
    int target_length;
    ZSTD_strategy strategy;
};

// A step of 128 KiB between two looks for a match leaves nothing but literals. The text windows
// hold a whole base and a whole piece.
constexpr std::array<Parameters, 5> kParameters = {{
    {20, 6, 6, 1, 7, 131072, ZSTD_fast},     // entropy
    {20, 13, 14, 1, 6, 0, ZSTD_fast},        // repeats
    {21, 16, 17, 1, 5, 0, ZSTD_dfast},       // quick
    {21, 17, 19, 3, 5, 4, ZSTD_lazy},        // thorough
    {21, 19, 18, 8, 3, 256, ZSTD_btultra2},  // exhaustive
}};

void set(ZSTD_CCtx* context, ZSTD_cParameter parameter, int value) {
    TRIBUTARY_CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)));
}

void configure(ZSTD_CCtx* context, const Parameters& p) {
    set(context, ZSTD_c_windowLog, p.window_log);
    set(context, ZSTD_c_chainLog, p.chain_log);
    set(context, ZSTD_c_hashLog, p.hash_log);
    set(context, ZSTD_c_searchLog, p.search_log);
    set(context, ZSTD_c_minMatch, p.min_match);
    set(context, ZSTD_c_targetLength, p.target_length);
    set(context, ZSTD_c_strategy, p.strategy);
}

ZSTD_CCtx* make_writer() {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    TRIBUTARY_CHECK(context != nullptr);
    set(context, kWriteFormat, kMagicless);
    set(context, kLiteralCompression, kAlways);
    set(context, ZSTD_c_contentSizeFlag, 0);
    set(context, ZSTD_c_checksumFlag, 0);
    set(context, ZSTD_c_dictIDFlag, 0);
    set(context, ZSTD_c_enableLongDistanceMatching, 0);
    set(context, ZSTD_c_nbWorkers, 0);
    return context;
}

}  // namespace

// Planes and text have a context each: their tables differ so much in size that a shared one would
// be allocated anew again and again.
struct FrameWriter::State {
    struct Slot {
        ZSTD_CCtx* context = nullptr;
        Effort effort{};
    };
    Slot planes;
    Slot text;
    ~State() {
        ZSTD_freeCCtx(planes.context);
        ZSTD_freeCCtx(text.context);
    }
};

FrameWriter::FrameWriter() : state_(std::make_unique<State>()) {}
FrameWriter::~FrameWriter() = default;

std::size_t FrameWriter::write(Effort effort, ByteView plain, ByteView prefix, ByteSpan out) {
    const bool for_planes = effort == Effort::entropy || effort == Effort::repeats;
    State::Slot& slot = for_planes ? state_->planes : state_->text;
    if (slot.context != nullptr) ZSTD_CCtx_reset(slot.context, ZSTD_reset_session_only);
    if (slot.context == nullptr || slot.effort != effort) {
        if (slot.context == nullptr) slot.context = make_writer();
        configure(slot.context, kParameters[static_cast<std::size_t>(effort)]);
        slot.effort = effort;
    }
    // Left to itself zstd asks for the processor's vector instructions too, and 32-bit ARM would
    // store other bytes than the rest. This is what it chooses where there are some.
    const bool rows = plain.size() + prefix.size() > kRowMatchesAbove;
    set(slot.context, kRowMatchFinder, rows ? kOn : kOff);
    TRIBUTARY_CHECK(!ZSTD_isError(ZSTD_CCtx_refPrefix(slot.context, prefix.data(), prefix.size())));
    const std::size_t written =
        ZSTD_compress2(slot.context, out.data(), out.size(), plain.data(), plain.size());
    return ZSTD_isError(written) ? 0 : written;
}

namespace {

// Whether zstd would take a prefix for a dictionary of its own unless told not to; and to be told
// it takes memory anew for each frame.
bool is_dictionary(ByteView prefix) {
    return prefix.size() >= 4 && load_le<std::uint32_t>(prefix.data()) == ZSTD_MAGIC_DICTIONARY;
}

}  // namespace

struct FrameReader::State {
    ZSTD_DCtx* context = ZSTD_createDCtx();
    ~State() { ZSTD_freeDCtx(context); }
};

FrameReader::FrameReader() : state_(std::make_unique<State>()) {
    TRIBUTARY_CHECK(state_->context != nullptr);
    TRIBUTARY_CHECK(
        !ZSTD_isError(ZSTD_DCtx_setParameter(state_->context, kReadFormat, kMagicless)));
}
FrameReader::~FrameReader() = default;

bool FrameReader::read(ByteView frame, ByteView prefix, ByteSpan out) {
    // The descriptor of a frame with none of the optional fields. Anything else is not ours, and
    // might be taken for a frame of a zstd older than the format.
    if (frame.empty() || frame[0] != 0) return false;
    ZSTD_DCtx* const context = state_->context;
    std::size_t size = 0;
    if (is_dictionary(prefix)) {
        if (ZSTD_isError(ZSTD_DCtx_refPrefix(context, prefix.data(), prefix.size()))) return false;
        size = ZSTD_decompressDCtx(context, out.data(), out.size(), frame.data(), frame.size());
    } else {
        size = ZSTD_decompress_usingDict(context, out.data(), out.size(), frame.data(),
                                         frame.size(), prefix.data(), prefix.size());
    }
    return !ZSTD_isError(size) && size == out.size();
}

}  // namespace tributary::codec
