#include "common/store/compaction.h"

#include <algorithm>
#include <memory>
#include <string>

#include "common/record/eviction.h"
#include "common/record/recipe.h"
#include "common/record/tree.h"

namespace tributary {
namespace {

constexpr std::size_t kSeenMax = 64 * 1024;
constexpr std::size_t kPassedOverMax = 1024;  // versions that do not stay, in one step
// No chain of bases that is read is longer (objects.cpp).
constexpr std::size_t kChainMax = 2 * limits::kChainDepthMaxHub;
// What a record takes in its segment's footer, filter and fence included, and each of its bases.
constexpr std::uint64_t kFooterBytes = 52;

// Damage costs what it costs; other errors end the compaction.
bool is_loss(const Error& error) {
    return error.code == Errc::not_found || error.code == Errc::corrupt ||
           error.code == Errc::unsupported;
}

codec::ElementType type_of(const RecipePiece& piece) {
    return codec::element_type(piece.element_type).value_or(codec::ElementType::bytes);
}

}  // namespace

CompactionImpl::CompactionImpl(StoreImpl& store, CompactionPlan plan)
    : store_(store),
      plan_(std::move(plan)),
      live_(store.counters().records),
      evict_(plan_.evict.begin(), plan_.evict.end()),
      also_keep_(plan_.also_keep.begin(), plan_.also_keep.end()) {
    for (const VersionId& version : also_keep_) evict_.erase(version);
}

CompactionImpl::~CompactionImpl() {
    if (store_.compaction_ != this) return;
    store_.compaction_ = nullptr;
    store_.objects_->set_space_winner(nullptr);
}

Status CompactionImpl::begin() {
    const auto all = store_.log_->segments();
    for (const Log::SegmentInfo& info : all) {
        report_.bytes_before += info.bytes;
        numbers_.push_back(info.number);
        // The newest stays: what follows it is known to be there.
        if (!info.open && info.whole && info.number != all.back().number)
            segments_.push_back({info, 0});
    }
    store_.compaction_ = this;
    TRIBUTARY_TRY(begin_round());
    if (plan_.dry_run) return {};
    TRIBUTARY_TRY(store_.log_->can_remove());
    if (!evict_.empty()) {
        const Bytes said = encode_eviction({evict_.begin(), evict_.end()});
        const RecordKey key{RecordKind::eviction, name_of_plain(RecordKind::eviction, said)};
        if (!store_.has(key))
            TRIBUTARY_TRY(store_.objects_->code_anew(key, {.plain = said}, batch_));
        TRIBUTARY_TRY(flush());
    }
    store_.objects_->set_space_winner(this);
    return {};
}

Result<bool> CompactionImpl::step() {
    if (!plan_.dry_run) TRIBUTARY_TRY(store_.log_->writable());
    store_.objects_->set_space_winner(nullptr);  // our own questions keep nothing alive
    const auto stepped = [&]() -> Status {
        switch (phase_) {
            case Phase::marking:
            case Phase::settling: return walk_some();
            case Phase::choosing: return choose_next();
            case Phase::sweeping: return sweep();
            case Phase::done: return {};
        }
        return {};
    }();
    if (phase_ != Phase::done && !plan_.dry_run) store_.objects_->set_space_winner(this);
    if (!stepped) return tl::unexpected(stepped.error());
    return phase_ == Phase::done;
}

// ---- marking and settling ----

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
    std::vector<RecordKey> bases;
    std::uint64_t dead_bytes = 0, plain_bytes = 0;
    for (auto [top, at] = std::pair(key, place);;) {
        TRIBUTARY_ASSIGN(const RecordHeader header, store_.log_->read_header(top, at));
        if (top == key) plain_bytes = header.plain_length;
        if (header.base_count == 0) break;
        if (header.base_count > 1 || bases.size() > kChainMax)
            return fail(Errc::corrupt, "a chain of bases without end");
        top.name = header.base[0];
        TRIBUTARY_ASSIGN(const auto below, store_.objects_->locate(top));
        if (!below) return fail(Errc::not_found, "base " + top.name.text() + " is missing");
        at = *below;
        if (!live_.may_contain(top)) dead_bytes += at.length;
        bases.push_back(top);
        if (batch_.find(top) || recoded_.contains(top.name)) break;
    }
    if (dead_bytes == 0) return {};

    const std::uint64_t growth = plain_bytes - std::min<std::uint64_t>(plain_bytes, place.length);
    const bool spares = dead_bytes > growth && 2 * (dead_bytes - growth) >= plain_bytes;
    if (spares && plan_.dry_run) {
        report_.copied_bytes += plain_bytes;
        recoded_.insert(key.name);
        return {};
    }
    // Room must be left for the copies of a segment, or nothing would ever be freed.
    const std::size_t room = batch_.bytes.size() + static_cast<std::size_t>(plain_bytes) +
                             static_cast<std::size_t>(store_.options_.segment_bytes);
    if (spares && store_.log_->admits(room)) {
        const auto plain = store_.read_plain(key);
        if (plain) {
            const std::size_t before = batch_.bytes.size();
            const codec::Piece piece{.plain = *plain, .type = view.type, .phase = view.phase};
            TRIBUTARY_TRY(store_.objects_->code_anew(key, piece, batch_));
            report_.copied_bytes += batch_.bytes.size() - before;
            if (batch_.bytes.size() < Store::kBatchBytes) return {};
            TRIBUTARY_TRY(flush());
            return fail(Errc::cancelled, "enough for one step");
        }
        if (!is_loss(plain.error())) return tl::unexpected(plain.error());
    }
    for (const RecordKey& base : bases) live_.add(base);
    return {};
}

// ---- choosing ----

// Counts what is dead in one segment.
Status CompactionImpl::choose_next() {
    if (at_segment_ == segments_.size()) {
        choose_victims();
        return {};
    }
    Segment& segment = segments_[at_segment_];
    TRIBUTARY_ASSIGN(const auto entries, store_.log_->entries(segment.info.number));
    std::uint64_t living = 0;
    for (const segment::Entry& entry : entries) {
        const auto alive = lives(segment.info.number, entry);
        if (!alive && !is_loss(alive.error())) return tl::unexpected(alive.error());
        if (!alive) living = segment.info.bytes;  // it holds what stands nowhere else, damaged
        if (!alive || *alive)
            living += entry.length + kFooterBytes + std::uint64_t{kDigestBytes} * entry.base_count;
    }
    segment.dead_bytes = segment.info.bytes - std::min(segment.info.bytes, living);
    ++at_segment_;
    return {};
}

// An error that is a loss: it would live, and cannot be read.
Result<bool> CompactionImpl::lives(std::uint32_t segment, const segment::Entry& entry) {
    const RecordKey& key = entry.key;
    if (is_content(key.kind) && (!live_.may_contain(key) || recoded_.contains(key.name)))
        return false;
    if (key.kind == RecordKind::receipt) {
        TRIBUTARY_ASSIGN(const auto latest, store_.latest_receipt());
        if (latest != key.name) return false;
    }
    TRIBUTARY_ASSIGN(const auto newest, store_.log_->find(key));
    if (!newest)
        return fail(Errc::corrupt, std::string(name_of(key.kind)) + " " + key.name.text() +
                                       " is damaged in " + segment_name(segment));
    return newest->segment == segment && newest->offset == entry.offset;
}

// Those that give back most come first, until the store is small enough.
void CompactionImpl::choose_victims() {
    std::erase_if(segments_, [&](const Segment& segment) {
        return segment.dead_bytes * 100 < segment.info.bytes * plan_.dead_percent_min;
    });
    std::ranges::stable_sort(segments_, std::ranges::greater{}, [](const Segment& segment) {
        return segment.dead_bytes * 1000 / segment.info.bytes;
    });
    std::uint64_t left = stored_bytes();
    std::size_t enough = 0;
    while (enough < segments_.size() && left > plan_.target_bytes) {
        const Segment& segment = segments_[enough++];
        left -= std::min(left, segment.dead_bytes);
        victims_.push_back(segment.info.number);
        if (!plan_.dry_run) continue;
        ++report_.segments_removed;
        report_.removed_bytes += segment.info.bytes;
        report_.copied_bytes += segment.info.bytes - segment.dead_bytes;
    }
    segments_.resize(enough);
    std::ranges::sort(victims_);
    at_segment_ = 0;
    phase_ = plan_.dry_run || enough == 0 ? Phase::done : Phase::sweeping;
}

std::uint64_t CompactionImpl::stored_bytes() const {
    std::uint64_t bytes = 0;
    for (const Log::SegmentInfo& info : store_.log_->segments()) bytes += info.bytes;
    return bytes;
}

// ---- sweeping ----

bool CompactionImpl::goes(const RecordKey& key, const Place& place) const {
    return phase_ == Phase::sweeping && is_content(key.kind) && !live_.may_contain(key) &&
           std::ranges::binary_search(victims_, place.segment);
}

// Copies one batch of what lives in the segment at hand, and removes it when that was the last.
Status CompactionImpl::sweep() {
    if (!begun_) TRIBUTARY_TRY(begin_victim());
    if (!begun_) return {};
    const std::size_t first = at_entry_;
    auto copied = copy_some();
    // Before anything else is recorded: what is the newest of its kind must stay so.
    if (copied) copied = flush();
    if (!copied) {
        batch_.clear();
        rows_.clear();
        at_entry_ = first;
        if (!is_loss(copied.error())) return copied;
        report_.damage.push_back(copied.error().what);
        next_victim();  // this one stays as it is
        return {};
    }
    return at_entry_ < entries_.size() ? Status() : end_victim();
}

Status CompactionImpl::begin_victim() {
    if (!found_copied_) TRIBUTARY_TRY(copy_found_entries());
    const std::uint32_t number = segments_[at_segment_].info.number;
    TRIBUTARY_ASSIGN(entries_, store_.log_->entries(number));
    // Its footer may have turned out to be damaged since.
    const auto all = store_.log_->segments();
    if (!std::ranges::find(all, number, &Log::SegmentInfo::number)->whole) {
        report_.damage.push_back(segment_name(number) + " is damaged and stays");
        next_victim();
        return {};
    }
    at_entry_ = 0;
    begun_ = true;
    return {};
}

Status CompactionImpl::copy_some() {
    const std::uint32_t number = segments_[at_segment_].info.number;
    for (; at_entry_ < entries_.size() && batch_.bytes.size() < Store::kBatchBytes; ++at_entry_) {
        const segment::Entry& entry = entries_[at_entry_];
        TRIBUTARY_ASSIGN(const bool alive, lives(number, entry));
        if (!alive) continue;
        const Place place{number, entry.offset, entry.length, entry.depth};
        TRIBUTARY_TRY(copy(entry.key, place));
    }
    return copy_head();
}

// A batch that copies entries ends with the head of our own journal: when it is lost, damage stands
// behind all that was copied, and the journal is known to be in doubt (StoreImpl::find_own_head).
Status CompactionImpl::copy_head() {
    const JournalHead& head = store_.own_committed_;
    if (rows_.empty() || head.sequence == 0) return {};
    const RecordKey key{RecordKind::entry, head.hash.digest};
    TRIBUTARY_ASSIGN(const auto place, store_.objects_->locate(key));
    if (!place) return fail(Errc::corrupt, "the head of the journal is damaged");
    return copy(key, *place);
}

// Entries that stand among damaged bytes are believed because of entries beside them. They are
// copied before these may move.
Status CompactionImpl::copy_found_entries() {
    for (const auto& [key, place] : store_.log_->found_entries()) {
        TRIBUTARY_ASSIGN(const auto frame, store_.log_->read_if_there(key, place));
        if (!frame) continue;
        const auto row = index_entry_of(key, *frame, place);
        if (!row) continue;
        TRIBUTARY_ASSIGN(const auto held, store_.ask([&](Index& index) {
            return index.entries(row->at.incarnation, row->at.sequence, 1);
        }));
        if (!held.empty() && held.front().hash == row->at.hash) TRIBUTARY_TRY(copy(key, place));
    }
    TRIBUTARY_TRY(copy_head());
    TRIBUTARY_TRY(flush());
    found_copied_ = true;
    return {};
}

Status CompactionImpl::copy(const RecordKey& key, const Place& place) {
    const std::size_t start = batch_.bytes.size();
    TRIBUTARY_TRY(store_.objects_->copy(key, place, batch_));
    report_.copied_bytes += batch_.bytes.size() - start;
    if (key.kind != RecordKind::entry) return {};
    const Place at{0, static_cast<std::uint32_t>(start),
                   static_cast<std::uint32_t>(batch_.bytes.size() - start), 0};
    const auto row = index_entry_of(key, ByteView(batch_.bytes).subspan(start), at);
    if (row) rows_.push_back(*row);
    return {};
}

Status CompactionImpl::flush() {
    if (batch_.empty()) return {};
    TRIBUTARY_TRY(store_.log_->admits(batch_.bytes.size(), Log::Use::winning_space));
    TRIBUTARY_TRY(store_.append_batch(batch_, rows_, store_.log_->state()));
    rows_.clear();
    return {};
}

Status CompactionImpl::end_victim() {
    const Log::SegmentInfo& info = segments_[at_segment_].info;
    TRIBUTARY_TRY(store_.log_->remove(info.number));
    if (store_.index_ && !store_.index_->forget(info.number)) store_.index_.reset();
    ++report_.segments_removed;
    report_.removed_bytes += info.bytes;
    next_victim();
    if (stored_bytes() <= plan_.target_bytes) phase_ = Phase::done;
    return {};
}

void CompactionImpl::next_victim() {
    begun_ = false;
    if (++at_segment_ == segments_.size()) phase_ = Phase::done;
}

// ---- the store's door ----

Result<std::unique_ptr<Compaction>> StoreImpl::compact(CompactionPlan plan) {
    if (plan.evict.size() > kEvictedMax)
        return fail(Errc::invalid,
                    "at most " + std::to_string(kEvictedMax) + " versions are given up at a time");
    if (std::ranges::any_of(plan.evict, [](const VersionId& id) { return id.is_none(); }))
        return fail(Errc::invalid, "none is not a version that could be given up");
    if (compaction_) return fail(Errc::conflict, "space is being won already");
    if (!objects_->staged.empty() || !objects_->staged_entries.empty())
        return fail(Errc::conflict,
                    "something is staged: commit it, or abandon it, before space "
                    "is won");
    auto compaction = std::make_unique<CompactionImpl>(*this, std::move(plan));
    TRIBUTARY_TRY(compaction->begin());
    return compaction;
}

}  // namespace tributary
