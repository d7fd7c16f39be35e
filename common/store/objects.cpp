#include "common/store/objects.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/base/limits.h"
#include "common/hash/hash.h"
#include "common/record/entry.h"
#include "common/record/recipe.h"
#include "common/store/decoding.h"

namespace tributary {
namespace {

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
    Sha256 blob;
    for (const RecipePiece& piece : recipe.pieces) TRIBUTARY_TRY(add_to_blob(key, piece, blob));
    return blob.finish() == key.name ? Status() : makes_up_another(key);
}

Status Objects::add_to_blob(const RecordKey& recipe, const RecipePiece& piece, Sha256& blob) {
    const RecordKey key{RecordKind::piece, piece.id.digest};
    auto bytes = fresh_.find(key);
    if (!bytes) {
        TRIBUTARY_ASSIGN(Bytes read, decoded(key));
        bytes = std::make_shared<const Bytes>(std::move(read));
    }
    if (bytes->size() != piece.length) return makes_up_another(recipe);
    blob.update(*bytes);
    return {};
}

Status Objects::stage_frame(ByteView frame) {
    TRIBUTARY_ASSIGN(IncomingRecord record, receive(frame, IfHeld::skip));
    if (!record.held_ && !record.checked_) record.check(coder_);
    return stage(std::move(record));
}

Result<IncomingRecord> Objects::receive(ByteView frame, IfHeld if_held) {
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
    record.held_ = if_held == IfHeld::skip && has(key);
    if (record.held_) return record;
    TRIBUTARY_ASSIGN(record.bases_, plains_of_bases(header));
    if (key.kind == RecordKind::recipe || key.kind == RecordKind::version) record.check(coder_);
    if (key.kind != RecordKind::recipe || !record.sound_) return record;
    if (auto recipe = parse_recipe(record.plain_)) {
        record.recipe_ = *std::move(recipe);
        find_fresh_pieces(record);
    }
    return record;
}

// All of them, or none.
void Objects::find_fresh_pieces(IncomingRecord& record) const {
    for (const RecipePiece& piece : record.recipe_->pieces) {
        auto bytes = fresh_.find({RecordKind::piece, piece.id.digest});
        if (!bytes || bytes->size() != piece.length) return record.in_ram_.clear();
        record.in_ram_.push_back(std::move(bytes));
    }
}

bool Objects::look_at_pieces(IncomingRecord& record, std::size_t pieces, std::size_t bytes) {
    if (record.held_ || !record.sound_ || record.header_.kind != RecordKind::recipe) return true;
    // What was here may be gone.
    if (!record.looking_ || record.looking_->losses != losses())
        record.looking_.emplace(IncomingRecord::Looking{losses()});
    IncomingRecord::Looking& looking = *record.looking_;
    std::size_t looked_at = 0;  // bytes of what they name: what is in RAM takes as many turns
    for (; !looking.over && pieces > 0 && looked_at < bytes; --pieces) {
        if (record.recipe_ && looking.at < record.recipe_->pieces.size())
            looked_at += record.recipe_->pieces[looking.at].length;
        if (Status looked = look_at_next_piece(record, looking); !looked) {
            record.sound_ = std::move(looked);
            looking.over = true;
        }
    }
    return looking.over;
}

// One that cannot be checked is absent as a whole.
Status Objects::look_at_next_piece(IncomingRecord& record, IncomingRecord::Looking& looking) {
    const RecordKey key = record.header_.key();
    if (record.recipe_ && looking.at == record.recipe_->pieces.size()) {
        looking.over = true;
        const bool makes_it_up = record.makes_up_blob_ || looking.blob.finish() == key.name;
        return makes_it_up ? Status() : makes_up_another(key);
    }
    if (record.recipe_) {
        const RecipePiece& piece = record.recipe_->pieces[looking.at++];
        if (has({RecordKind::piece, piece.id.digest}))
            return record.makes_up_blob_ ? Status() : add_to_blob(key, piece, looking.blob);
    }
    looking.over = looking.absent = true;
    return {};
}

Status Objects::stage(IncomingRecord record) {
    TRIBUTARY_CHECK(record.held_ || record.checked_);
    const RecordHeader& header = record.header_;
    const RecordKey key = header.key();
    if (record.held_) return {};
    if (winner_) record.looking_.reset();  // what goes may have been looked at
    while (!look_at_pieces(record, SIZE_MAX, SIZE_MAX)) {
    }
    TRIBUTARY_TRY(record.sound_);
    if (record.looking_ && record.looking_->absent) return {};
    if (has(key)) {
        // As if it were new: a recipe that follows is compared as fast.
        if (key.kind == RecordKind::piece) fresh_.add(key, std::move(record.plain_));
        return {};
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
