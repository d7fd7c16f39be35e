// Which records live: the phases of a compaction up to choosing (compaction.h).
#include <algorithm>
#include <string>

#include "common/record/recipe.h"
#include "common/record/tree.h"
#include "common/store/chain.h"
#include "common/store/compaction.h"

namespace tributary {
namespace {

constexpr std::size_t kSeenMax = 64 * 1024;
constexpr std::size_t kPassedOverMax = 1024;  // versions that do not stay, in one step

codec::ElementType type_of(const RecipePiece& piece) {
    return codec::element_type(piece.element_type).value_or(codec::ElementType::bytes);
}

}  // namespace

// Walks through one version that stays, or a part of it that is as much as a step may do.
Status CompactionImpl::walk_some() {
    decoded_bytes_ = 0;
    for (std::size_t passed_over = 0; passed_over < kPassedOverMax;) {
        if (at_version_ == versions_.size()) {
            TRIBUTARY_ASSIGN(const bool more, next_segment_of_versions());
            if (more) continue;
            end_round();
            return {};
        }
        const VersionId version = versions_[at_version_];
        TRIBUTARY_ASSIGN(const bool kept, is_kept(version));
        if (kept) {
            const Status walked = walk(version);
            // Whoever records between two steps must see what a record stands on.
            TRIBUTARY_TRY(flush());
            if (!walked && walked.error().code == Errc::cancelled) return {};
            TRIBUTARY_TRY(walked);
        }
        ++at_version_;
        if (kept) return {};
        ++passed_over;
    }
    return {};
}

void CompactionImpl::end_round() {
    switch (phase_) {
        case Phase::marking: phase_ = Phase::pairing; break;
        case Phase::settling: phase_ = Phase::keeping; break;
        default: phase_ = Phase::choosing;
    }
    begin_round();
}

void CompactionImpl::begin_round() {
    at_number_ = at_version_ = 0;
    versions_.clear();
    for (const auto& [key, place] : store_.log_->found_of(RecordKind::version))
        versions_.push_back({key.name});
    for (auto& seen : seen_) seen.clear();
}

Result<bool> CompactionImpl::next_segment_of_versions() {
    if (at_number_ == numbers_.size()) return false;
    TRIBUTARY_ASSIGN(const auto entries, store_.log_->entries(numbers_[at_number_]));
    ++at_number_;
    at_version_ = 0;
    versions_.clear();
    for (const segment::Entry& entry : entries)
        if (entry.key.kind == RecordKind::version) versions_.push_back({entry.key.name});
    return true;
}

Result<bool> CompactionImpl::is_kept(const VersionId& version) {
    if (also_keep_.contains(version)) return true;
    if (evict_.contains(version)) return false;
    return store_.evicted(version).map([](bool evicted) { return !evicted; });
}

Result<bool> CompactionImpl::is_committed(const VersionId& version) {
    return store_.versions_by_prefix(to_hex(version.digest.bytes), 1).map([](const auto& rows) {
        return !rows.empty();
    });
}

Status CompactionImpl::walk(const VersionId& id) {
    TRIBUTARY_ASSIGN(strict_, is_committed(id));
    const auto walked = [&]() -> Status {
        TRIBUTARY_ASSIGN(const Version version, read_version(store_, id));
        return walk_node(version.tree, std::nullopt, 0);
    }();
    if (walked || !is_loss(walked.error())) return walked;
    // Of what somebody sent, what is here stays. Of a version that was whole once, not all that is
    // left of it can be found: it must not go.
    if (!strict_) return {};
    return fail(Errc::corrupt, "version " + id.text() + " is damaged (" + walked.error().what +
                                   "): while it is to stay, no space can be won; fetch it again "
                                   "from the hub, or give it up");
}

// What is missing is passed over in a version that nobody committed here.
Status CompactionImpl::passed_over(Status status) const {
    if (!status && !strict_ && is_loss(status.error())) return {};
    return status;
}

// `level`: what the node above says of this one; none for the root of a directory.
Status CompactionImpl::walk_node(const TreeId& id, std::optional<std::uint8_t> level,
                                 std::size_t depth) {
    if (depth >= limits::kTreeDepthMax) return {};  // nobody can read it
    auto& seen = seen_[strict_ ? 1 : 0];
    if (seen.size() >= kSeenMax) seen.clear();
    if (const auto before = seen.find(id.digest); before != seen.end() && before->second <= depth)
        return {};
    const RecordKey key{RecordKind::tree, id.digest};
    TRIBUTARY_TRY(passed_over(visit(key, {})));
    const auto plain = store_.read_plain(key);
    if (!plain) return passed_over(tl::unexpected(plain.error()));
    const auto node = parse_tree_node(*plain);
    if (!node) return passed_over(tl::unexpected(node.error()));
    if (level && node->level != *level)
        return passed_over(fail(Errc::corrupt, "tree " + id.text() + " is of another level"));
    for (const TreeItem& item : node->items) {
        if (node->level > 0) {
            TRIBUTARY_TRY(
                walk_node({item.target}, static_cast<std::uint8_t>(node->level - 1), depth));
        } else if (item.is_tree()) {
            TRIBUTARY_TRY(walk_node({item.target}, std::nullopt, depth + 1));
        } else {
            TRIBUTARY_TRY(walk_file(item));
        }
    }
    seen[id.digest] = depth;  // all below was walked through
    return {};
}

Status CompactionImpl::walk_file(const TreeItem& file) {
    if (file.size == 0) return {};
    auto& seen = seen_[strict_ ? 1 : 0];
    if (seen.size() >= kSeenMax) seen.clear();
    if (seen.contains(file.target)) return {};
    // As readers do (read_recipe): a piece of the file's own name is the file.
    const RecordKey piece_key{RecordKind::piece, file.target};
    const RecordKey recipe_key{RecordKind::recipe, file.target};
    if (file.size <= limits::kPieceBytesMax && store_.has(piece_key)) {
        TRIBUTARY_TRY(visit(piece_key, {}));
    } else {
        TRIBUTARY_TRY(passed_over(visit(recipe_key, {})));
        const auto plain = store_.read_plain(recipe_key);
        if (!plain) return passed_over(tl::unexpected(plain.error()));
        const auto recipe = parse_recipe(*plain);
        if (!recipe) return passed_over(tl::unexpected(recipe.error()));
        for (const RecipePiece& piece : recipe->pieces)
            TRIBUTARY_TRY(passed_over(
                visit({RecordKind::piece, piece.id.digest}, {type_of(piece), piece.phase})));
    }
    seen[file.target] = 0;
    return {};
}

Status CompactionImpl::visit(const RecordKey& key, View view) {
    TRIBUTARY_ASSIGN(const auto place, store_.objects_->locate(key));
    if (!place)
        return fail(Errc::not_found,
                    std::string(name_of(key.kind)) + " " + key.name.text() + " is missing");
    if (phase_ == Phase::settling) return settle(key, *place, view);
    if (phase_ == Phase::keeping) return keep_bases(key, *place);
    live_.add(key);
    return {};
}

// ---- bases ----

// Of one segment. What stands on two bases is decoded through one chain only where the first stands
// on the second, or on nothing: so that first is not put onto anything else.
Status CompactionImpl::note_pairs() {
    if (at_number_ == numbers_.size()) {
        for (const auto& [key, place] : store_.log_->found_of(RecordKind::piece))
            TRIBUTARY_TRY(note_pair(key, place));
        phase_ = Phase::settling;
        begin_round();
        return {};
    }
    const std::uint32_t number = numbers_[at_number_];
    TRIBUTARY_ASSIGN(const auto entries, store_.log_->entries(number));
    for (const segment::Entry& entry : entries) {
        if (entry.base_count < 2) continue;
        const Place place{number, entry.offset, entry.length, entry.depth};
        TRIBUTARY_TRY(note_pair(entry.key, place));
    }
    ++at_number_;
    return {};
}

Status CompactionImpl::note_pair(const RecordKey& key, const Place& place) {
    const auto header = store_.log_->read_header(key, place);
    if (!header) return is_loss(header.error()) ? Status() : tl::unexpected(header.error());
    if (header->base_count > 1) firsts_.add({key.kind, header->base[0]});
    return {};
}

// As it is, or as it was coded anew in this step or would have been in a dry run.
Result<Link> CompactionImpl::link(const RecordKey& key) {
    TRIBUTARY_ASSIGN(const auto at, store_.objects_->locate(key));
    if (!at) return fail(Errc::not_found, "base " + key.name.text() + " is missing");
    TRIBUTARY_ASSIGN(RecordHeader header, store_.log_->read_header(key, *at));
    if (const auto frame = batch_.find(key)) {
        TRIBUTARY_ASSIGN(header, parse_record_header(*frame));
    } else if (const auto said = recoded_.find(key.name); said != recoded_.end()) {
        header.base_count = 0;
        if (said->second) header.base[header.base_count++] = *said->second;
    }
    return Link{key, header, at};
}

Result<std::vector<Link>> CompactionImpl::chain_to(const RecordKey& key) {
    return links_to({&key, 1}, [this](const RecordKey& each) { return link(each); });
}

// Versions are walked through in the order of the log, so what a record stands on was settled
// before it, mostly.
Status CompactionImpl::settle(const RecordKey& key, const Place& place, View view) {
    if (place.depth == 0) return {};
    TRIBUTARY_ASSIGN(const auto chain, chain_to(key));
    const RecordHeader& header = chain.back().header;
    Settling settling{key, place, view, header.plain_length};
    if (!firsts_.may_contain(key)) settling.base = nearest_that_stays(chain);
    std::vector<Link> kept;
    if (settling.base) {
        TRIBUTARY_ASSIGN(kept, chain_to(*settling.base));
    }
    std::vector<RecordKey> dead;
    std::uint64_t dead_bytes = 0;
    for (const Link& each : chain) {
        if (each.key == key || live_.may_contain(each.key)) continue;
        if (std::ranges::find(kept, each.key, &Link::key) != kept.end()) continue;
        dead.push_back(each.key);
        dead_bytes += each.place->length;
    }
    if (dead.empty()) return {};
    settling.longest = 2 * (dead_bytes + place.length) / 3;
    TRIBUTARY_ASSIGN(const bool freed, code_without_dead(settling));
    // For whoever else stands on them, at once.
    if (!freed)
        for (const RecordKey& each : dead) live_.add(each);
    if (decoded_bytes_ < Store::kBatchBytes) return {};
    return fail(Errc::cancelled, "enough for one step");
}

// From base to base, of two the first.
std::optional<RecordKey> CompactionImpl::nearest_that_stays(const std::vector<Link>& chain) const {
    const Link* at = &chain.back();
    while (at->header.base_count != 0) {
        const RecordKey next{at->key.kind, at->header.base[0]};
        if (live_.may_contain(next)) return next;
        at = &*std::ranges::find(chain, next, &Link::key);
    }
    return std::nullopt;
}

// Codes it anew on the nearest base that stays, or on none, when that takes at most two thirds of
// what it and the dead bases take. Answers whether it does.
Result<bool> CompactionImpl::code_without_dead(const Settling& settling) {
    // A guess until it is coded: two steps of a model take little more than one.
    const std::uint64_t guess = settling.base ? settling.place.length : settling.plain_bytes;
    if (guess > settling.longest) return false;
    if (plan_.dry_run) {
        report_.copied_bytes += std::min(settling.longest, settling.plain_bytes);
        auto& base = recoded_[settling.key.name];
        if (settling.base) base = settling.base->name;
        return true;
    }
    // Room must be left for the copies of a segment, or nothing would ever be freed.
    const std::uint64_t room =
        batch_.bytes.size() + settling.plain_bytes + store_.options_.segment_bytes;
    if (!store_.log_->admits(static_cast<std::size_t>(room))) return false;
    const auto anew = coded_anew(settling);
    decoded_bytes_ += 2 * static_cast<std::size_t>(settling.plain_bytes);  // it, and its base
    if (!anew) {
        if (!is_loss(anew.error())) return tl::unexpected(anew.error());
        return false;
    }
    if (anew->bytes.size() > settling.longest) return false;
    report_.copied_bytes += anew->bytes.size();
    batch_.append(*anew);
    return true;
}

Result<Batch> CompactionImpl::coded_anew(const Settling& settling) {
    TRIBUTARY_ASSIGN(const Bytes plain, store_.read_plain(settling.key));
    Bytes base_plain;
    std::optional<Objects::Base> base;
    if (settling.base) {
        TRIBUTARY_ASSIGN(base_plain, store_.read_plain(*settling.base));
        base = Objects::Base{settling.base->name, base_plain};
    }
    const codec::Piece piece{
        .plain = plain, .type = settling.view.type, .phase = settling.view.phase};
    Batch coded;
    TRIBUTARY_TRY(store_.objects_->code_anew(settling.key, piece, base, coded));
    return coded;
}

// What all of this stands on by now stays with it.
Status CompactionImpl::keep_bases(const RecordKey& key, const Place& place) {
    if (place.depth == 0) return {};
    TRIBUTARY_ASSIGN(const auto chain, chain_to(key));
    for (const Link& each : chain) live_.add(each.key);
    return {};
}

}  // namespace tributary
