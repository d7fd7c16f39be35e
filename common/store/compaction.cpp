#include "common/store/compaction.h"

#include <algorithm>
#include <memory>
#include <string>

#include "common/record/eviction.h"
#include "common/record/recipe.h"
#include "common/record/tree.h"

namespace tributary {
namespace {

constexpr std::size_t kPage = 64;
constexpr std::size_t kSeenMax = 64 * 1024;

// Content: what only versions that stay keep alive. The rest is small and stays.
bool is_content(RecordKind kind) {
    return kind == RecordKind::piece || kind == RecordKind::recipe || kind == RecordKind::tree;
}

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

CompactionImpl::~CompactionImpl() { store_.objects_->set_space_winner(nullptr); }

Status CompactionImpl::begin() {
    const auto all = store_.log_->segments();
    for (const Log::SegmentInfo& info : all) {
        report_.bytes_before += info.bytes;
        // The newest stays: what follows it is known to be there.
        if (!info.open && info.whole && info.number != all.back().number)
            segments_.push_back({info, 0});
    }
    if (plan_.dry_run) return {};
    if (!evict_.empty()) {
        const Bytes said = encode_eviction({evict_.begin(), evict_.end()});
        TRIBUTARY_TRY(store_.stage_object(RecordKind::eviction, said, std::nullopt));
        TRIBUTARY_TRY(store_.commit());
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
            case Phase::settling: {
                TRIBUTARY_ASSIGN(const bool more, walk_next());
                if (more) return {};
                TRIBUTARY_TRY(flush());
                walk_again();
                phase_ = phase_ == Phase::marking ? Phase::settling : Phase::choosing;
                return {};
            }
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

// Walks through one version that stays; false when there is none left.
Result<bool> CompactionImpl::walk_next() {
    for (;;) {
        if (at_row_ == page_.size() && at_other_ == 0) {
            TRIBUTARY_ASSIGN(page_, store_.ask([&](Index& index) {
                return index.versions_in_order(behind_, kPage);
            }));
            at_row_ = 0;
            if (!page_.empty()) behind_ = {page_.back().incarnation, page_.back().sequence};
        }
        const bool from_journal = at_row_ < page_.size();
        if (!from_journal && at_other_ == plan_.also_keep.size()) return false;
        const VersionId version = from_journal ? page_[at_row_++].id : plan_.also_keep[at_other_++];
        TRIBUTARY_ASSIGN(const bool kept, is_kept(version));
        if (!kept) continue;
        TRIBUTARY_TRY(walk(version));
        return true;
    }
}

void CompactionImpl::walk_again() {
    page_.clear();
    at_row_ = at_other_ = 0;
    behind_ = {};
    seen_.clear();
}

Result<bool> CompactionImpl::is_kept(const VersionId& version) {
    if (also_keep_.contains(version)) return true;
    if (evict_.contains(version)) return false;
    return store_.evicted(version).map([](bool evicted) { return !evicted; });
}

Status CompactionImpl::walk(const VersionId& id) {
    const auto walked = [&]() -> Status {
        TRIBUTARY_ASSIGN(const Version version, read_version(store_, id));
        return walk_node(version.tree, 0);
    }();
    if (walked || !is_loss(walked.error())) return walked;
    // Of what is still coming in, what is here stays. Of a version that was whole once, not all
    // that is left of it can be found: it must not go.
    if (also_keep_.contains(id)) return {};
    return fail(Errc::corrupt, "version " + id.text() + " is damaged (" + walked.error().what +
                                   "): while it is to stay, no space can be won; fetch it again "
                                   "from the hub, or give it up");
}

Status CompactionImpl::walk_node(const TreeId& id, std::size_t depth) {
    if (depth >= limits::kTreeDepthMax) return {};  // nobody can read it
    if (seen_.size() >= kSeenMax) seen_.clear();
    if (seen_.contains(id.digest)) return {};
    const RecordKey key{RecordKind::tree, id.digest};
    TRIBUTARY_TRY(visit(key, {}));
    TRIBUTARY_ASSIGN(const Bytes plain, store_.read_plain(key));
    TRIBUTARY_ASSIGN(const TreeNode node, parse_tree_node(plain));
    for (const TreeItem& item : node.items) {
        if (node.level > 0) {
            TRIBUTARY_TRY(walk_node({item.target}, depth));
        } else if (item.is_tree()) {
            TRIBUTARY_TRY(walk_node({item.target}, depth + 1));
        } else {
            TRIBUTARY_TRY(walk_file(item));
        }
    }
    seen_.insert(id.digest);  // all below was found
    return {};
}

Status CompactionImpl::walk_file(const TreeItem& file) {
    if (file.size == 0) return {};
    if (seen_.size() >= kSeenMax) seen_.clear();
    if (seen_.contains(file.target)) return {};
    const RecordKey recipe_key{RecordKind::recipe, file.target};
    const RecordKey piece_key{RecordKind::piece, file.target};
    TRIBUTARY_ASSIGN(const auto recipe_place, store_.objects_->locate(recipe_key));
    TRIBUTARY_ASSIGN(const auto piece_place, store_.objects_->locate(piece_key));
    if (piece_place || !recipe_place) TRIBUTARY_TRY(visit(piece_key, {}));
    if (recipe_place) {
        TRIBUTARY_TRY(visit(recipe_key, {}));
        TRIBUTARY_ASSIGN(const Bytes plain, store_.read_plain(recipe_key));
        TRIBUTARY_ASSIGN(const Recipe recipe, parse_recipe(plain));
        for (const RecipePiece& piece : recipe.pieces) {
            // A recipe may be left over that the file, one piece, does without.
            auto visited =
                visit({RecordKind::piece, piece.id.digest}, {type_of(piece), piece.phase});
            if (!visited && !(piece_place && is_loss(visited.error()))) return visited;
        }
    }
    seen_.insert(file.target);
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

// Versions are walked through in the order of their journals, so what a record stands on was
// settled before it.
Status CompactionImpl::settle(const RecordKey& key, const Place& place, View view) {
    if (place.depth == 0 || batch_.find(key)) return {};
    std::vector<RecordKey> bases;
    std::uint64_t dead_bytes = 0, plain_bytes = 0;
    for (auto [top, at] = std::pair(key, place);;) {
        TRIBUTARY_ASSIGN(const RecordHeader header, store_.log_->read_header(top, at));
        if (top == key) plain_bytes = header.plain_length;
        if (header.base_count == 0) break;
        if (header.base_count > 1 || bases.size() > limits::kChainDepthMaxHub)
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
    if (!spares) {
        for (const RecordKey& base : bases) live_.add(base);
        return {};
    }
    report_.copied_bytes += plain_bytes;
    if (plan_.dry_run) {
        recoded_.insert(key.name);
        return {};
    }
    const auto plain = store_.read_plain(key);
    if (!plain) return is_loss(plain.error()) ? Status() : tl::unexpected(plain.error());
    TRIBUTARY_TRY(store_.objects_->code_anew(
        key, {.plain = *plain, .type = view.type, .phase = view.phase}, batch_));
    if (batch_.bytes.size() >= Store::kBatchBytes) return flush();
    return {};
}

// ---- choosing ----

// Counts what is dead in one segment.
Status CompactionImpl::choose_next() {
    if (at_segment_ == segments_.size()) {
        choose_victims();
        return {};
    }
    Segment& segment = segments_[at_segment_++];
    TRIBUTARY_ASSIGN(const auto entries, store_.log_->entries(segment.info.number));
    std::uint64_t living = 0;
    for (const segment::Entry& entry : entries) {
        TRIBUTARY_ASSIGN(const bool alive, lives(segment.info.number, entry));
        if (alive) living += entry.length;
    }
    segment.dead_bytes = segment.info.bytes - std::min(segment.info.bytes, living);
    return {};
}

Result<bool> CompactionImpl::lives(std::uint32_t segment, const segment::Entry& entry) {
    TRIBUTARY_ASSIGN(const auto newest, store_.log_->find(entry.key));
    if (!newest || newest->segment != segment || newest->offset != entry.offset) return false;
    if (is_content(entry.key.kind))
        return live_.may_contain(entry.key) && !recoded_.contains(entry.key.name);
    if (entry.key.kind != RecordKind::receipt) return true;
    return store_.latest(RecordKind::receipt).map([&](const auto& latest) {
        return latest == entry.key.name;
    });
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
    const std::uint32_t number = segments_[at_segment_].info.number;
    while (at_entry_ < entries_.size() && batch_.bytes.size() < Store::kBatchBytes) {
        const segment::Entry& entry = entries_[at_entry_];
        TRIBUTARY_ASSIGN(const bool alive, lives(number, entry));
        if (alive) {
            auto copied = copy(entry);
            if (!copied && is_loss(copied.error())) {
                report_.damage.push_back(copied.error().what);
                at_entry_ = entries_.size();
                TRIBUTARY_TRY(flush());
                begun_ = false;
                if (++at_segment_ == segments_.size()) phase_ = Phase::done;
                return {};
            }
            TRIBUTARY_TRY(copied);
        }
        ++at_entry_;
    }
    // Before anything else is recorded: what is the newest of its kind must stay so.
    TRIBUTARY_TRY(flush());
    if (at_entry_ < entries_.size()) return {};
    return end_victim();
}

Status CompactionImpl::begin_victim() {
    TRIBUTARY_ASSIGN(entries_, store_.log_->entries(segments_[at_segment_].info.number));
    at_entry_ = 0;
    begun_ = true;
    const bool has_entries = std::ranges::any_of(
        entries_, [](const segment::Entry& entry) { return entry.key.kind == RecordKind::entry; });
    return has_entries && !head_copied_ ? copy_head() : Status();
}

// The head of our own journal goes before older entries are copied: whatever is lost behind it
// later may have been newer (StoreImpl::find_own_head), whatever stands before it was not.
Status CompactionImpl::copy_head() {
    head_copied_ = true;
    if (store_.own_committed_.sequence == 0) return {};
    const RecordKey key{RecordKind::entry, store_.own_committed_.hash.digest};
    TRIBUTARY_ASSIGN(const auto place, store_.log_->find(key));
    if (!place) return {};
    segment::Entry entry;
    entry.key = key;
    entry.offset = place->offset;
    entry.length = place->length;
    const auto frame = store_.log_->read(key, *place);
    if (!frame) return is_loss(frame.error()) ? Status() : tl::unexpected(frame.error());
    return copy(entry);
}

Status CompactionImpl::copy(const segment::Entry& entry) {
    TRIBUTARY_ASSIGN(const auto place, store_.log_->find(entry.key));
    if (!place) return {};
    const std::size_t start = batch_.bytes.size();
    TRIBUTARY_TRY(store_.objects_->copy(entry.key, *place, batch_));
    report_.copied_bytes += batch_.bytes.size() - start;
    if (entry.key.kind != RecordKind::entry) return {};
    const Place at{0, static_cast<std::uint32_t>(start),
                   static_cast<std::uint32_t>(batch_.bytes.size() - start), 0};
    const auto row = index_entry_of(entry.key, ByteView(batch_.bytes).subspan(start), at);
    if (row) rows_.push_back(*row);
    return {};
}

Status CompactionImpl::flush() {
    if (batch_.empty()) return {};
    TRIBUTARY_TRY(store_.log_->admits(batch_.bytes.size()));
    TRIBUTARY_TRY(store_.append_batch(batch_, rows_, store_.log_->state()));
    rows_.clear();
    return {};
}

Status CompactionImpl::end_victim() {
    const Segment& segment = segments_[at_segment_++];
    begun_ = false;
    TRIBUTARY_TRY(store_.log_->remove({segment.info.number}));
    if (store_.index_ && !store_.index_->forget(segment.info.number)) store_.index_.reset();
    ++report_.segments_removed;
    report_.removed_bytes += segment.info.bytes;
    if (at_segment_ == segments_.size() || stored_bytes() <= plan_.target_bytes)
        phase_ = Phase::done;
    return {};
}

// ---- the store's door ----

Result<std::unique_ptr<Compaction>> StoreImpl::compact(CompactionPlan plan) {
    if (plan.evict.size() > kEvictedMax)
        return fail(Errc::invalid,
                    "at most " + std::to_string(kEvictedMax) + " versions are given up at a time");
    TRIBUTARY_CHECK(objects_->staged.empty() && objects_->staged_entries.empty());
    auto compaction = std::make_unique<CompactionImpl>(*this, std::move(plan));
    TRIBUTARY_TRY(compaction->begin());
    return compaction;
}

}  // namespace tributary
