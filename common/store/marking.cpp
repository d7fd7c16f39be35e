// Which records live: the first two phases of a compaction (compaction.h).
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
    if (batch_.bytes.size() >= Store::kBatchBytes) TRIBUTARY_TRY(flush());
    for (std::size_t passed_over = 0; passed_over < kPassedOverMax;) {
        if (at_version_ == versions_.size()) {
            TRIBUTARY_ASSIGN(const bool more, next_segment_of_versions());
            if (more) continue;
            TRIBUTARY_TRY(flush());
            phase_ = phase_ == Phase::marking ? Phase::settling : Phase::choosing;
            return begin_round();
        }
        const VersionId version = versions_[at_version_];
        TRIBUTARY_ASSIGN(const bool kept, is_kept(version));
        if (kept) {
            const Status walked = walk(version);
            if (!walked && walked.error().code == Errc::cancelled) return {};
            TRIBUTARY_TRY(walked);
        }
        ++at_version_;
        if (kept) return {};
        ++passed_over;
    }
    return {};
}

Status CompactionImpl::begin_round() {
    at_number_ = at_version_ = 0;
    versions_.clear();
    for (const auto& [key, place] : store_.log_->found_of(RecordKind::version))
        versions_.push_back({key.name});
    for (auto& seen : seen_) seen.clear();
    return {};
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
    live_.add(key);
    return {};
}

// Versions are walked through in the order of the log, so what a record stands on was settled
// before it, mostly.
Status CompactionImpl::settle(const RecordKey& key, const Place& place, View view) {
    if (place.depth == 0 || batch_.find(key)) return {};
    const auto find = [&](const RecordKey& each) -> Result<Link> {
        TRIBUTARY_ASSIGN(const auto at, store_.objects_->locate(each));
        if (!at) return fail(Errc::not_found, "base " + each.name.text() + " is missing");
        TRIBUTARY_ASSIGN(RecordHeader header, store_.log_->read_header(each, *at));
        const bool recoded = batch_.find(each) || recoded_.contains(each.name);
        if (recoded) header.base_count = 0;
        return Link{each, header, at};
    };
    TRIBUTARY_ASSIGN(auto below, links_to({&key, 1}, find));
    Settling settling{key, place, view, below.back().header.plain_length, {}};
    below.pop_back();
    std::uint64_t dead_bytes = 0;
    while (!below.empty() && !live_.may_contain(below.back().key)) {
        dead_bytes += below.back().place->length;
        settling.dead.push_back(below.back().key);
        below.pop_back();
    }
    // What the nearest that stays stands on stays with it.
    for (const Link& base : below) live_.add(base.key);
    if (settling.dead.empty()) return {};
    if (!below.empty()) settling.base = below.back().key;
    settling.longest = 2 * (dead_bytes + place.length) / 3;

    TRIBUTARY_ASSIGN(const bool freed, code_without_dead(settling));
    if (!freed)
        for (const RecordKey& base : settling.dead) live_.add(base);
    if (batch_.bytes.size() < Store::kBatchBytes) return {};
    TRIBUTARY_TRY(flush());
    return fail(Errc::cancelled, "enough for one step");
}

// Codes it anew on the nearest base that stays, or on none, when that takes at most two thirds of
// what it and the dead bases take. Answers whether it does.
Result<bool> CompactionImpl::code_without_dead(const Settling& settling) {
    const auto& [key, place, view, plain_bytes, dead, base, longest] = settling;
    // A guess until it is coded: a few steps of a model take little more than one.
    const std::uint64_t guess = base ? place.length : plain_bytes;
    if (guess > longest) return false;
    if (plan_.dry_run) {
        report_.copied_bytes += guess;
        recoded_.insert(key.name);
        return true;
    }
    // Room must be left for the copies of a segment, or nothing would ever be freed.
    const std::uint64_t room = batch_.bytes.size() + plain_bytes + store_.options_.segment_bytes;
    if (!store_.log_->admits(static_cast<std::size_t>(room))) return false;

    const auto anew = [&]() -> Result<Batch> {
        Batch coded;
        TRIBUTARY_ASSIGN(const Bytes plain, store_.read_plain(key));
        Bytes base_plain;
        std::optional<Objects::Base> on;
        if (base) {
            TRIBUTARY_ASSIGN(base_plain, store_.read_plain(*base));
            on = Objects::Base{base->name, base_plain};
        }
        const codec::Piece piece{.plain = plain, .type = view.type, .phase = view.phase};
        TRIBUTARY_TRY(store_.objects_->code_anew(key, piece, on, coded));
        return coded;
    }();
    if (!anew) {
        if (!is_loss(anew.error())) return tl::unexpected(anew.error());
        return false;
    }
    if (anew->bytes.size() > longest) return false;
    report_.copied_bytes += anew->bytes.size();
    batch_.append(*anew);
    return true;
}

}  // namespace tributary
