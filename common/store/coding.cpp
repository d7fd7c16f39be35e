// Coding pieces and objects on their way into a batch, several at once, and finding the plain bytes
// of what they are coded against.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/base/limits.h"
#include "common/env/parallel.h"
#include "common/store/decoding.h"
#include "common/store/objects.h"

namespace tributary {
namespace {

// Whether a link may take ten times as long to decode as at other levels than max: what is mixed,
// or may have parts that are.
bool takes_long(const RecordHeader& link) {
    using enum codec::Encoding;
    const auto is = static_cast<codec::Encoding>(link.encoding);
    return link.base_count != 0 &&
           (is == delta_mixed || is == runs || is == fields || is == trend || is == rescaled);
}

// Links of a chain that take long to decode. Beyond them, level max is done without, so that the
// end of a chain of 16 is read in little more than half the time.
constexpr std::size_t kSlowLinksMax = 9;

}  // namespace

// Whether its chain has as many links that take long to decode as a chain may have.
bool Objects::is_slow_to_read(const RecordKey& key) {
    const auto below = links({&key, 1});
    if (!below) return false;
    const auto slow = std::ranges::count_if(*below, takes_long, &Link::header);
    return static_cast<std::size_t>(slow) >= kSlowLinksMax;
}

Result<std::optional<Objects::Coding>> Objects::prepare(const Wanted& wanted, codec::Level level) {
    const RecordKey& key = wanted.key;
    if (wanted.piece.plain.size() > limits::kPieceBytesMax)
        return fail(Errc::invalid, text_of(key) + " is larger than a record may be (1 MiB)");
    if (has(key)) return std::nullopt;
    Coding coding{key, wanted.piece, level, wanted.base};
    if (!coding.base) return coding;
    if (!may_stand_on(key, coding.base_key()))
        coding.base.reset();
    else if (level == codec::Level::max && is_slow_to_read(coding.base_key()))
        coding.level = codec::Level::standard;
    return coding;
}

// Keeps the bytes that were given as the base's only if they have its name. A recipe's name says
// nothing of its own bytes.
void Objects::check_given(Coding& coding) {
    if (!coding.base || coding.base->plain.empty()) return;
    const RecordKey key = coding.base_key();
    coding.was_other = key.kind == RecordKind::recipe || !is_named(key, coding.base->plain);
    if (coding.was_other) coding.base->plain = {};
}

// Whether each of these records can be read, by its checksums alone: to tell takes a fraction of
// what decoding them would. Nothing new is to stand on what is damaged.
bool Objects::is_whole(std::span<const Link> all) {
    return std::ranges::all_of(all,
                               [this](const Link& each) { return record(each.key).has_value(); });
}

// What the base stands on, where it may pay to stand on that, too. Nobody knows without its bytes,
// which are decoded on the way to the base's. When those are given, it takes most of what that
// spares: so then it is tried where a chain begins, and from there on as long as it pays.
std::optional<RecordKey> Objects::worth_a_try(const Coding& coding, std::span<const Link> below) {
    const RecordHeader& base = below.back().header;
    const bool fits = coding.key.kind == RecordKind::piece && coding.level != codec::Level::fast &&
                      coding.piece.type != codec::ElementType::bytes && base.base_count > 0;
    if (!fits) return std::nullopt;
    const RecordKey before{coding.key.kind, base.base[0]};
    const bool given = !coding.base->plain.empty();
    const bool begins = std::ranges::find(below, before, &Link::key)->header.base_count == 0;
    const bool paid = base.encoding == static_cast<std::uint8_t>(codec::Encoding::trend);
    return !given || begins || paid ? std::optional(before) : std::nullopt;
}

// What is to be decoded for it, if anything is. Without a base, when that cannot be read.
std::optional<Climb> Objects::climb_to_bases(Coding& coding) {
    const RecordKey base = coding.base_key();
    const bool given = !coding.base->plain.empty();
    auto below = links({&base, 1});
    if (!below || (given && !is_whole(*below))) {
        coding.base.reset();
        return std::nullopt;
    }
    coding.before = worth_a_try(coding, *below);
    std::vector<RecordKey> wanted;
    if (!given) wanted.push_back(base);
    if (coding.before) wanted.push_back(*coding.before);
    if (wanted.empty()) return std::nullopt;
    if (given) below->pop_back();  // the base itself
    return Climb(*std::move(below), std::move(wanted));
}

// The bases' plain bytes: those given, when they are what they should be, or else decoded. A base
// that cannot be read is done without, which only makes the record larger.
void Objects::find_bases(std::span<Coding> codings) {
    in_parallel(codings.size(), [&](std::size_t i) { check_given(codings[i]); });
    std::vector<BaseClimb> climbs;
    for (Coding& coding : codings) {
        if (!coding.base) continue;
        if (auto climb = climb_to_bases(coding)) climbs.push_back({&coding, *std::move(climb), {}});
    }
    climb_all(climbs);
}

// All at once, a link of each at a time: only this thread may read the log, and no more than one
// frame of each chain is held.
void Objects::climb_all(std::vector<BaseClimb>& climbs) {
    const auto given_up = [](const BaseClimb& each) { return !each.coding->base; };
    while (!climbs.empty()) {
        for (BaseClimb& each : climbs) {
            auto frame = record(each.climb.next());
            if (frame)
                each.frame = *std::move(frame);
            else
                each.coding->base.reset();
        }
        std::erase_if(climbs, given_up);
        in_parallel(climbs.size(), [&](std::size_t i) {
            auto& [coding, climb, frame] = climbs[i];
            if (!climb.step(frame, coder_of(i))) return coding->base.reset();
            if (climb.done()) take_bases(*coding, climb);
        });
        std::erase_if(climbs,
                      [&](const BaseClimb& each) { return given_up(each) || each.climb.done(); });
    }
}

void Objects::take_bases(Coding& coding, Climb& climb) {
    if (coding.before) coding.before_decoded = climb.take(*coding.before);
    if (!coding.base->plain.empty()) return;
    coding.decoded = climb.take(coding.base_key());
    if (!is_named(coding.base_key(), coding.decoded)) coding.base.reset();
}

codec::Coder& Objects::coder_of(std::size_t thread) {
    return thread == 0 ? coder_ : *more_coders_[thread - 1];
}

void Objects::encode(Coding& coding, codec::Coder& coder) {
    if (coding.piece.plain.empty()) return;
    ByteView base;
    if (coding.base) base = coding.decoded.empty() ? coding.base->plain : ByteView(coding.decoded);
    const ByteView before = coding.base ? ByteView(coding.before_decoded) : ByteView{};
    coding.encoded = coder.encode(coding.piece, base, coding.level, before);
    // That the base is what it should be says little of what it stands on.
    if (coding.encoded.encoding == codec::Encoding::trend && !is_named(*coding.before, before))
        coding.encoded = coder.encode(coding.piece, base, coding.level);
}

Status Objects::add(const Coding& coding, Batch& batch) {
    RecordHeader header;
    header.kind = coding.key.kind;
    header.name = coding.key.name;
    header.encoding = static_cast<std::uint8_t>(coding.encoded.encoding);
    header.stored_length = static_cast<std::uint32_t>(coding.encoded.payload.size());
    header.plain_length = static_cast<std::uint32_t>(coding.piece.plain.size());
    if (coding.base && coding.encoded.uses_base)
        header.base[header.base_count++] = coding.base->name;
    if (coding.encoded.encoding == codec::Encoding::trend)
        header.base[header.base_count++] = coding.before->name;
    batch.add(header, coding.encoded.payload, depth_over(header));
    return {};
}

Status Objects::stage(const RecordKey& key, const codec::Piece& piece, std::optional<Base> base,
                      codec::Level level) {
    TRIBUTARY_ASSIGN(auto coding, prepare({key, piece, base}, level));
    if (!coding) return {};
    find_bases({&*coding, 1});
    encode(*coding, coder_);
    return add(*coding, staged);
}

// Whether it is one of these or has one below it. Only where bases may be missing can a record that
// is held stand on one that is being coded anew.
bool Objects::rests_on(const RecordKey& key, std::span<const Coding> codings) {
    const auto is_coded = [&](const RecordKey& each) {
        return std::ranges::find(codings, each, &Coding::key) != codings.end();
    };
    if (is_coded(key)) return true;
    if (!log_.may_lack_bases()) return false;
    bool found = false;
    const auto below = links_to({&key, 1}, [&](const RecordKey& each) -> Result<Link> {
        if (!is_coded(each)) return link(each);
        found = true;
        return Link{each, {}, {}};
    });
    return found || (!below && below.error().code == Errc::corrupt);
}

Result<std::size_t> Objects::stage_together(std::span<const Wanted> wanted, codec::Level level,
                                            const std::function<Status()>& staged_one) {
    std::size_t given_others = 0;
    while (!wanted.empty()) {
        std::vector<Coding> codings;
        // What is the same as one of these, or stands on it, comes after them.
        const auto needs_these = [&](const Wanted& next) {
            return rests_on(next.key, codings) ||
                   (next.base && rests_on({next.key.kind, next.base->name}, codings));
        };
        do {
            TRIBUTARY_ASSIGN(auto coding, prepare(wanted.front(), level));
            if (coding) codings.push_back(*std::move(coding));
            wanted = wanted.subspan(1);
        } while (!wanted.empty() && !needs_these(wanted.front()));

        while (more_coders_.size() + 1 < codings.size())
            more_coders_.push_back(std::make_unique<codec::Coder>());
        find_bases(codings);
        in_parallel(codings.size(), [&](std::size_t i) { encode(codings[i], coder_of(i)); });
        for (const Coding& coding : codings) {
            if (coding.was_other) ++given_others;
            TRIBUTARY_TRY(add(coding, staged));
            TRIBUTARY_TRY(staged_one());
        }
    }
    return given_others;
}

Status Objects::code_anew(const RecordKey& key, const codec::Piece& piece, std::optional<Base> base,
                          Batch& batch) {
    Coding coding{key, piece, codec::Level::standard, base};
    encode(coding, coder_);
    return add(coding, batch);
}

}  // namespace tributary
