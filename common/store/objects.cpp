#include "common/store/objects.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/base/limits.h"
#include "common/env/parallel.h"
#include "common/hash/hash.h"
#include "common/record/entry.h"
#include "common/record/recipe.h"
#include "common/store/decoding.h"

namespace tributary {
namespace {

// Whether a link may take ten times as long to decode as at other levels than max: what is mixed,
// or may have parts that are.
bool takes_long(const RecordHeader& link) {
    using enum codec::Encoding;
    const auto is = static_cast<codec::Encoding>(link.encoding);
    return link.base_count != 0 && (is == delta_mixed || is == runs || is == fields || is == trend);
}

// Links of a chain that take long to decode. Beyond them, level max is done without, so that the
// end of a chain of 16 is read in little more than half the time.
constexpr std::size_t kSlowLinksMax = 9;

// What is asked for again and again while versions are taken in.
bool is_kept_known(RecordKind kind) {
    return kind == RecordKind::version || kind == RecordKind::tree;
}

tl::unexpected<Error> makes_up_another(const RecordKey& key) {
    return fail(Errc::corrupt, "the pieces of " + text_of(key) + " do not make up its blob");
}

}  // namespace

// ---- Batch ----

// Room for what comes and for the mark that ends a batch, so that a batch of one large record is
// not copied once more for its mark.
void Batch::make_room(std::size_t more) {
    const std::size_t needed = bytes.size() + more + segment::BatchMark::kBytes;
    if (needed > bytes.capacity()) bytes.reserve(std::max(needed, 2 * bytes.capacity()));
}

void Batch::add(const RecordHeader& header, ByteView payload, std::uint8_t depth) {
    make_room(header.record_bytes());
    const std::size_t start = bytes.size();
    append_record(bytes, header, payload);
    table.add(header.key(), static_cast<std::uint32_t>(start),
              static_cast<std::uint32_t>(bytes.size() - start), depth, header.bases());
}

void Batch::add_frame(const RecordHeader& header, ByteView frame, std::uint8_t depth) {
    table.add(header.key(), static_cast<std::uint32_t>(bytes.size()),
              static_cast<std::uint32_t>(frame.size()), depth, header.bases());
    make_room(frame.size());
    bytes.insert(bytes.end(), frame.begin(), frame.end());
}

void Batch::append(const Batch& other) {
    const auto start = static_cast<std::uint32_t>(bytes.size());
    for (const segment::Entry& entry : other.table.entries())
        table.add(entry.key, start + entry.offset, entry.length, entry.depth,
                  other.table.bases(entry));
    make_room(other.bytes.size());
    bytes.insert(bytes.end(), other.bytes.begin(), other.bytes.end());
}

void Batch::restart() {
    bytes.clear();
    table = {};
}

std::optional<ByteView> Batch::find(const RecordKey& key) const {
    const segment::Entry* entry = table.find(key);
    if (!entry) return std::nullopt;
    return ByteView(bytes).subspan(entry->offset, entry->length);
}

// ---- reading ----

std::optional<ByteView> Objects::find_staged(const RecordKey& key) const {
    if (const auto frame = staged.find(key)) return frame;
    return staged_entries.find(key);
}

tl::unexpected<Error> Objects::not_here(const RecordKey& key) const {
    if (log_.known_damaged(key))
        return fail(Errc::corrupt, text_of(key) +
                                       " is damaged here: record it again, or fetch it from the "
                                       "hub");
    return fail(Errc::not_found, text_of(key) + " is not in this store");
}

Result<std::optional<Place>> Objects::locate(const RecordKey& key) {
    TRIBUTARY_ASSIGN(const auto place, log_.find(key));
    if (place) return place;
    for (const Place& found : log_.found(key)) {
        const std::pair at{found.segment, found.offset};
        const auto judged = judged_.emplace(at, false);
        if (judged.second) judged_[at] = bears_out(key, found);
        if (judged_[at]) return found;
    }
    return std::nullopt;
}

// Whether what stands there decodes, over bases that are here, to what `key` names. Bases may be
// found among damaged bytes too, where hostile ones may form a chain without end.
bool Objects::bears_out(const RecordKey& key, const Place& place) {
    if (judging_ == kChainReadMax) return false;
    ++judging_;
    const auto checked = [&]() -> Status {
        TRIBUTARY_ASSIGN(const auto frame, log_.read_if_there(key, place));
        if (!frame) return fail(Errc::corrupt, "gone");
        TRIBUTARY_ASSIGN(const RecordHeader header, parse_record_header(*frame));
        TRIBUTARY_ASSIGN(const auto bases, plains_of_bases(header));
        TRIBUTARY_ASSIGN(const Bytes bytes, decode_frame(key, *frame, views_of(bases), coder_));
        if (!is_named(key, bytes)) return fail(Errc::corrupt, "named otherwise");
        if (key.kind == RecordKind::recipe) return makes_up_its_blob(key, bytes);
        if (key.kind == RecordKind::entry) return parse_entry(bytes).map([](const EntryView&) {});
        return {};
    }();
    --judging_;
    return checked.has_value();
}

bool Objects::has(const RecordKey& key) {
    if (find_staged(key)) return true;
    const auto place = locate(key);
    return place && *place && stands(key, **place);
}

// Whether all its bases are here and it does not go. What compaction left of a version that was
// given up may lack a base, and then it is as if it were not here: it is recorded again.
bool Objects::stands(const RecordKey& key, const Place& place) {
    if (!winner_ && !log_.may_lack_bases()) return true;
    if (!winner_ && place.depth == 0 && key.kind != RecordKind::recipe) return true;
    const auto below = links({&key, 1});
    if (!below) return false;
    if (winner_) {
        const auto goes = [this](const Link& link) {
            return link.place && winner_->goes(link.key, *link.place);
        };
        if (std::ranges::any_of(*below, goes)) return false;
        for (const Link& each : *below) winner_->stays(each.key);
    }
    return key.kind != RecordKind::recipe || has_pieces(key);
}

// A recipe may outlive its pieces. Whoever cuts the same file anew may cut it otherwise.
bool Objects::has_pieces(const RecordKey& recipe) {
    const auto bytes = plain(recipe);
    return bytes && has_pieces_of(*bytes);
}

bool Objects::has_pieces_of(ByteView recipe_plain) {
    const auto parsed = parse_recipe(recipe_plain);
    return parsed && std::ranges::all_of(parsed->pieces, [&](const RecipePiece& piece) {
               return has({RecordKind::piece, piece.id.digest});
           });
}

Result<Bytes> Objects::record(const RecordKey& key) {
    if (const auto frame = find_staged(key)) return Bytes(frame->begin(), frame->end());
    TRIBUTARY_ASSIGN(const auto place, locate(key));
    if (!place) return not_here(key);
    return log_.read(key, *place);
}

Result<RecordHeader> Objects::header(const RecordKey& key) {
    if (const auto frame = find_staged(key)) return parse_record_header(*frame);
    TRIBUTARY_ASSIGN(const auto place, locate(key));
    if (!place) return not_here(key);
    return log_.read_header(key, *place);
}

Result<Link> Objects::link(const RecordKey& key) {
    if (const auto frame = find_staged(key)) {
        TRIBUTARY_ASSIGN(const RecordHeader header, parse_record_header(*frame));
        return Link{key, header, std::nullopt};
    }
    TRIBUTARY_ASSIGN(const auto place, locate(key));
    if (!place) return not_here(key);
    TRIBUTARY_ASSIGN(const RecordHeader header, log_.read_header(key, *place));
    return Link{key, header, place};
}

Result<std::vector<Link>> Objects::links(std::span<const RecordKey> tops) {
    return links_to(tops, [this](const RecordKey& key) { return link(key); });
}

Result<std::uint8_t> Objects::depth(const RecordKey& key) {
    if (const segment::Entry* entry = staged.table.find(key)) return entry->depth;
    TRIBUTARY_ASSIGN(const auto place, locate(key));
    if (!place) return not_here(key);
    return place->depth;
}

std::uint8_t Objects::depth_over(const RecordHeader& header) {
    std::uint8_t depth_here = 0;
    for (const Digest& base : header.bases()) {
        const auto below = depth({header.kind, base});
        if (!below || *below >= Place::kDepthUnknown - 1) return Place::kDepthUnknown;
        depth_here = std::max(depth_here, static_cast<std::uint8_t>(*below + 1));
    }
    return depth_here;
}

Result<std::vector<RecordKey>> Objects::chain(const RecordKey& key) {
    TRIBUTARY_ASSIGN(const auto below, links({&key, 1}));
    std::vector<RecordKey> keys;
    for (auto at = below.rbegin() + 1; at != below.rend(); ++at) keys.push_back(at->key);
    return keys;
}

Result<Bytes> Objects::plain(const RecordKey& key) {
    if (const auto known = known_.find(key)) return *known;
    TRIBUTARY_ASSIGN(Bytes plain, decoded(key));
    if (!is_named(key, plain)) return named_otherwise(key);
    if (is_kept_known(key.kind)) known_.add(key, plain);
    return plain;
}

Result<Bytes> Objects::decoded(const RecordKey& key) {
    Bytes read;
    ByteView top;
    if (const auto frame = find_staged(key)) {
        top = *frame;
    } else {
        TRIBUTARY_ASSIGN(read, record(key));
        top = read;
    }
    TRIBUTARY_ASSIGN(const RecordHeader head, parse_record_header(top));
    if (head.base_count == 0) return decode_frame(key, top, {}, coder_);
    TRIBUTARY_ASSIGN(auto below, links({&key, 1}));
    Climb climb(std::move(below), {key});
    while (!climb.done()) {
        const RecordKey next = climb.next();
        if (next == key) {
            TRIBUTARY_TRY(climb.step(top, coder_));
        } else if (const auto frame = find_staged(next)) {
            TRIBUTARY_TRY(climb.step(*frame, coder_));
        } else {
            TRIBUTARY_ASSIGN(const Bytes frame_read, record(next));
            TRIBUTARY_TRY(climb.step(frame_read, coder_));
        }
    }
    return climb.take(key);
}

// The bases of a record that is not held itself, in one climb: one of two stands on the other.
Result<std::vector<Bytes>> Objects::plains_of_bases(const RecordHeader& header) {
    TRIBUTARY_TRY(check_bases(header));
    std::vector<RecordKey> keys;
    for (const Digest& name : header.bases()) keys.push_back({header.kind, name});
    std::vector<Bytes> plains;
    if (keys.empty()) return plains;
    if (keys.size() == 1) {
        TRIBUTARY_ASSIGN(Bytes only, plain(keys[0]));
        plains.push_back(std::move(only));
        return plains;
    }
    TRIBUTARY_ASSIGN(auto below, links(keys));
    Climb climb(std::move(below), keys);
    while (!climb.done()) {
        TRIBUTARY_ASSIGN(const Bytes frame, record(climb.next()));
        TRIBUTARY_TRY(climb.step(frame, coder_));
    }
    for (const RecordKey& key : keys) {
        plains.push_back(climb.take(key));
        if (!is_named(key, plains.back())) return named_otherwise(key);
    }
    return plains;
}

// ---- staging ----

// Whether `key` may be coded against `base`: held, not too deep, and not itself built on `key`
// (which only damage makes possible: then an older record may stand on the one staged anew).
bool Objects::may_stand_on(const RecordKey& key, const RecordKey& base) {
    const auto below = depth(base);
    if (!below || *below >= depth_max_ || key == base || !has(base)) return false;
    if (!log_.may_lack_bases()) return true;
    const auto keys = chain(base);
    return keys && keys->size() < depth_max_ &&
           std::find(keys->begin(), keys->end(), key) == keys->end();
}

// Whether a peer's record may be kept with the bases that it names. A second base must be one of
// those of the first: then what is to be decoded for it stays one chain, whoever wrote it.
bool Objects::may_stand_as_it_is(const RecordHeader& header) {
    for (const Digest& name : header.bases())
        if (!may_stand_on(header.key(), {header.kind, name})) return false;
    if (header.base_count < 2) return true;
    const auto first = this->header({header.kind, header.base[0]});
    return first && std::ranges::find(first->bases(), header.base[1]) != first->bases().end();
}

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

Status Objects::code_anew(const RecordKey& key, const codec::Piece& piece, Batch& batch) {
    Coding coding{key, piece, codec::Level::standard};
    encode(coding, coder_);
    return add(coding, batch);
}

Status Objects::copy(const RecordKey& key, const Place& place, Batch& batch) {
    TRIBUTARY_ASSIGN(const Bytes frame, log_.read(key, place));
    TRIBUTARY_ASSIGN(const RecordHeader header, parse_record_header(frame));
    batch.add_frame(header, frame, depth_over(header));
    return {};
}

// A recipe that a peer sent: without this one peer could spoil a blob for all others. The pieces'
// own names were checked when they came; the blob's covers them all.
Status Objects::makes_up_its_blob(const RecordKey& key, ByteView recipe_plain) {
    TRIBUTARY_ASSIGN(const Recipe recipe, parse_recipe(recipe_plain));
    Sha256 hash;
    for (const RecipePiece& piece : recipe.pieces) {
        const RecordKey piece_key{RecordKind::piece, piece.id.digest};
        auto bytes = fresh_.find(piece_key);
        if (!bytes) {
            TRIBUTARY_ASSIGN(Bytes read, decoded(piece_key));
            bytes = std::make_shared<const Bytes>(std::move(read));
        }
        if (bytes->size() != piece.length) break;
        hash.update(*bytes);
    }
    if (hash.finish() != key.name) return makes_up_another(key);
    return {};
}

Status Objects::stage_frame(ByteView frame) {
    TRIBUTARY_ASSIGN(IncomingRecord record, receive(frame));
    if (!record.held_ && !record.checked_) record.check(coder_);
    return stage(std::move(record));
}

Result<IncomingRecord> Objects::receive(ByteView frame) {
    IncomingRecord record;
    record.frame_ = frame;
    TRIBUTARY_ASSIGN(record.header_, parse_record_header(frame));
    const RecordHeader& header = record.header_;
    const RecordKey key = header.key();
    if (header.record_bytes() != frame.size())
        return fail(Errc::corrupt, text_of(key) + " is of another length than it says");
    if (key.kind == RecordKind::entry)
        return fail(Errc::invalid, "an entry is staged as an entry of its journal");
    if (key.kind == RecordKind::eviction)
        return fail(Errc::denied, text_of(key) + " is another store's own statement");
    record.held_ = has(key);
    if (record.held_) return record;
    TRIBUTARY_ASSIGN(record.bases_, plains_of_bases(header));
    if (key.kind == RecordKind::recipe) {
        record.check(coder_);
        if (record.sound_) find_fresh_pieces(record);
    }
    return record;
}

// All of them, or none.
void Objects::find_fresh_pieces(IncomingRecord& record) const {
    const auto recipe = parse_recipe(record.plain_);
    if (!recipe) return;
    for (const RecipePiece& piece : recipe->pieces) {
        auto bytes = fresh_.find({RecordKind::piece, piece.id.digest});
        if (!bytes || bytes->size() != piece.length) return record.pieces_.clear();
        record.pieces_.push_back(std::move(bytes));
    }
}

Status Objects::stage(IncomingRecord record) {
    TRIBUTARY_CHECK(record.held_ || record.checked_);
    const RecordHeader& header = record.header_;
    const RecordKey key = header.key();
    if (record.held_ || has(key)) return {};
    TRIBUTARY_TRY(record.sound_);
    if (key.kind == RecordKind::recipe) {
        if (!has_pieces_of(record.plain_)) return {};
        if (!record.makes_up_blob_) TRIBUTARY_TRY(makes_up_its_blob(key, record.plain_));
    }
    bool as_it_is = may_stand_as_it_is(header);
    for (std::size_t i = 0; key.kind == RecordKind::recipe && i < record.bases_.size(); ++i) {
        // Its name does not say which bytes it was.
        TRIBUTARY_ASSIGN(const Bytes now, plain({key.kind, header.base[i]}));
        as_it_is = as_it_is && now == record.bases_[i];
    }
    if (!as_it_is)  // our chains are shorter than the sender's, or others
        return stage(key, {.plain = record.plain_}, std::nullopt, codec::Level::standard);
    staged.add_frame(header, record.frame_, depth_over(header));
    if (key.kind == RecordKind::piece)
        fresh_.add(key, std::move(record.plain_));
    else if (is_kept_known(key.kind))
        known_.add(key, std::move(record.plain_));
    return {};
}

}  // namespace tributary
