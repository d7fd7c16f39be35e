#include "common/codec/moved.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/limits.h"
#include "common/codec/gear.h"

namespace tributary::codec {
namespace {

// Each sample of a file is looked for at as many offsets as a step is long, so that every shift is
// found.
constexpr std::uint64_t kSamples = 256;
constexpr std::size_t kStep = 16;
constexpr std::size_t kMatchBytes = 16;
constexpr unsigned kSlotBits = 14;

std::size_t probe_slot(std::uint64_t word) {
    return static_cast<std::size_t>(word * 0x9e3779b97f4a7c15 >> (64 - kSlotBits));
}

// Of every so many bytes one is the end of an anchor, or fewer in a large file.
constexpr unsigned kAnchorBitsMin = 8;
constexpr std::size_t kAnchorsMax = 32768;
constexpr std::size_t kSlotsPerAnchor = 2;
constexpr std::size_t kSlotsLookedAt = 16;

// What is shorter than the first joins its neighbour, or there would be more pieces from version to
// version; but not the rest of what was dropped at the front, of which the next version has less.
constexpr std::uint64_t kShortBytes = 64 * limits::KiB;
constexpr std::uint64_t kFrontBytesMin = 4 * limits::KiB;
// So many more anchors than of all other pieces make a stretch.
constexpr std::size_t kVotes = 8;
// A piece's content may have grown by so much on its way.
constexpr std::uint64_t kGrowth = 256 * limits::KiB;
// Of numbers, as cut() has it too; of bytes as many as a piece may have.
constexpr std::uint32_t kJoinedBytesMax = 320 * limits::KiB;
// Wider are blocks of several fields.
constexpr std::size_t kValueBytesMax = 8;

}  // namespace

MovedProbe::MovedProbe() : slots_(std::size_t{1} << kSlotBits) {}

Status MovedProbe::sample(std::uint64_t bytes, const ReadAt& read) {
    constexpr std::size_t kWindowBytes = std::tuple_size_v<decltype(Window::bytes)>;
    if (bytes < kSamples * kWindowBytes) return {};
    const std::uint64_t step = (bytes - kWindowBytes) / (kSamples - 1);
    windows_.resize(kSamples);
    for (std::size_t i = 0; i < windows_.size(); ++i) {
        Window& window = windows_[i];
        window.offset = i * step;
        TRIBUTARY_TRY(read(window.offset, window.bytes));
        for (std::size_t k = 0; k < kStep; ++k) {
            const auto word = load_le<std::uint64_t>(window.bytes.data() + k);
            // What repeats itself is in every file.
            if (word == load_le<std::uint64_t>(window.bytes.data() + k + 8)) continue;
            slots_[probe_slot(word)] = static_cast<std::uint16_t>(i * kStep + k + 1);
        }
    }
    return {};
}

void MovedProbe::look_at(std::uint64_t offset, ByteView parent) {
    for (std::size_t at = 0; at + kMatchBytes <= parent.size(); at += kStep) {
        std::uint16_t& slot = slots_[probe_slot(load_le<std::uint64_t>(parent.data() + at))];
        if (slot == 0) continue;
        const Window& window = windows_[(slot - 1u) / kStep];
        const std::size_t within = (slot - 1u) % kStep;
        if (std::memcmp(parent.data() + at, window.bytes.data() + within, kMatchBytes) != 0)
            continue;
        ++(window.offset + within == offset + at ? stayed_ : moved_);
        slot = 0;
    }
}

Alignment::Alignment(std::vector<std::uint64_t> begins, std::uint64_t bytes)
    : begins_(std::move(begins)), bytes_(bytes) {
    unsigned bits = kAnchorBitsMin;
    const std::uint64_t most = std::max(begins_.back(), bytes);
    while (most >> bits >= kAnchorsMax) ++bits;
    mask_ = ~std::uint64_t{0} << (64 - bits);
    const auto anchors = static_cast<std::size_t>(begins_.back() >> bits) + 1;
    anchors_.resize(std::bit_ceil(std::min(anchors, kAnchorsMax) * kSlotsPerAnchor));
}

template <class Visit>
void Alignment::scan(ByteView bytes, Visit&& visit) {
    std::uint64_t h = hash_;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        h = (h << 1) + kGear[bytes[i]];
        if ((h & mask_) == 0 && at_ + i + 1 >= kGearWindowBytes) visit(h, at_ + i + 1);
    }
    hash_ = h;
    at_ += bytes.size();
}

// Its own, or the one that it may take; none where too many stand in its way.
Alignment::Anchor* Alignment::slot_of(std::uint64_t hash) {
    const auto first = static_cast<std::size_t>(hash * 0x9e3779b97f4a7c15 >> 32);
    for (std::size_t i = first; i < first + kSlotsLookedAt; ++i) {
        Anchor& anchor = anchors_[i & (anchors_.size() - 1)];
        if (anchor.end == 0 || anchor.hash == hash) return &anchor;
    }
    return nullptr;
}

void Alignment::learn(ByteView parent) {
    scan(parent, [this](std::uint64_t hash, std::uint64_t end) {
        Anchor* const anchor = slot_of(hash);
        if (!anchor) return;
        // At more than one place, it leads to none.
        *anchor = {hash, anchor->end == 0 ? end : UINT64_MAX};
    });
}

void Alignment::follow(ByteView file) {
    if (!following_) {
        following_ = true;
        hash_ = 0;
        at_ = 0;
    }
    scan(file, [this](std::uint64_t hash, std::uint64_t end) {
        const Anchor* const anchor = slot_of(hash);
        if (anchor && anchor->end != 0 && anchor->end != UINT64_MAX) found(end, anchor->end);
    });
}

std::size_t Alignment::piece_of(std::uint64_t parent_end) const {
    const auto after = std::upper_bound(begins_.begin(), begins_.end(), parent_end - 1);
    return static_cast<std::size_t>(after - begins_.begin()) - 1;
}

// An anchor that is at hand in both. The stretch goes on until most of what follows is another
// piece's: the majority vote of Boyer and Moore.
void Alignment::found(std::uint64_t end, std::uint64_t parent_end) {
    const std::size_t piece = piece_of(parent_end);
    const auto belongs_to = [&](const std::optional<Stretch>& to) {
        return to && to->piece == piece &&
               end <= to->end + (begins_[piece + 1] - to->parent_end) + kGrowth;
    };
    if (belongs_to(current_)) {
        current_->end = end;
        current_->parent_end = parent_end;
        if (next_ && --votes_ == 0) next_.reset();
        return;
    }
    if (!belongs_to(next_)) {
        if (next_ && --votes_ > 0) return;
        // Where the piece begins, if all of it is here, but behind what belongs to another one.
        const std::uint64_t before = parent_end - begins_[piece];
        const std::uint64_t taken = current_ ? current_->end : 0;
        next_ = {piece, std::max(taken, end - std::min(end, before)), end, parent_end};
        votes_ = 1;
        return;
    }
    next_->end = end;
    next_->parent_end = parent_end;
    ++votes_;
    if (votes_ < kVotes || (current_ && end - next_->begin < kShortBytes)) return;
    if (current_) close(next_->begin);
    current_ = next_;
    next_.reset();
}

// Ends the stretch where its piece ends, if all of it is here, but before `limit`.
void Alignment::close(std::uint64_t limit) {
    const Stretch& s = *current_;
    const std::uint64_t rest = begins_[s.piece + 1] - s.parent_end;
    const std::uint64_t end =
        std::min(s.end + std::min(rest, limit - std::min(limit, s.end)), limit);
    if (end - s.begin >= kFrontBytesMin)
        matches_.push_back({s.begin, end, s.piece, s.parent_end + (end - s.end)});
    current_.reset();
}

std::vector<Match> Alignment::take() {
    if (current_) close(bytes_);
    // What little lies between two belongs to the one before.
    std::uint64_t behind = bytes_;
    for (std::size_t i = matches_.size(); i-- > 0;) {
        Match& match = matches_[i];
        const std::uint64_t gap = behind - match.end;
        const bool fits = behind - match.begin <= kJoinedBytesMax;
        if (gap < kFrontBytesMin || (gap < kShortBytes && fits)) match.end = behind;
        behind = match.begin;
    }
    if (!matches_.empty() && matches_[0].begin < kShortBytes) matches_[0].begin = 0;
    return std::move(matches_);
}

Status Recut::take(const Span& span) {
    const std::uint64_t end = span.offset + span.length;
    for (std::uint64_t at = span.offset; at < end;) {
        while (next_ < matches_.size() && matches_[next_].end <= at) ++next_;
        const bool any = next_ < matches_.size();
        const bool inside = any && matches_[next_].begin <= at;
        const std::uint64_t until =
            !any ? end : std::min(end, inside ? matches_[next_].end : matches_[next_].begin);
        Span part = span;
        if (inside || until - at != span.length) {
            const std::size_t width = element_bytes(span.type);
            const auto skipped =
                static_cast<std::size_t>((at - span.offset + width - span.phase) % width);
            part.offset = at;
            part.length = static_cast<std::uint32_t>(until - at);
            part.phase = static_cast<std::uint8_t>((width - skipped) % width);
            part.place = 0;
            part.rows = {};
            if (width > kValueBytesMax) part.type = ElementType::bytes, part.phase = 0;
        }
        TRIBUTARY_TRY(put(part, inside ? std::optional(next_) : std::nullopt));
        at = until;
    }
    return {};
}

// Holds it back while the next may belong to it.
Status Recut::put(const Span& part, std::optional<std::size_t> match) {
    if (held_) {
        const std::size_t most =
            part.type == ElementType::bytes ? limits::kPieceBytesMax : kJoinedBytesMax;
        const bool in_step =
            (held_->length + part.phase) % element_bytes(part.type) == held_->phase;
        const bool fits = held_match_ == match && held_->type == part.type && in_step &&
                          held_->place == 0 && part.place == 0 &&
                          held_->length + part.length <= most;
        const bool small = std::min(held_->length, part.length) < kShortBytes;
        if (fits && (match || small)) {
            held_->length += part.length;
            return {};
        }
        TRIBUTARY_TRY(finish());
    }
    held_ = part;
    held_match_ = match;
    return {};
}

Status Recut::finish() {
    if (!held_) return {};
    const Span span = *held_;
    held_.reset();
    return visit_(span);
}

}  // namespace tributary::codec
