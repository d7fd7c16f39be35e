#include "common/store/compaction.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "common/record/eviction.h"

namespace tributary {
namespace {

// What a record takes in its segment's footer, filter and fence included, and each of its bases.
constexpr std::uint64_t kFooterBytes = 52;

// Of each branch, what the next version builds on: the newest in our own journal; of a branch that
// is in others alone, the newest of all.
Result<std::unordered_set<VersionId>> branch_heads(StoreImpl& store) {
    const Incarnation own = store.head().incarnation;
    std::unordered_set<VersionId> heads;
    TRIBUTARY_ASSIGN(const auto repositories, store.repositories());
    for (const std::string& repo : repositories) {
        TRIBUTARY_ASSIGN(const auto rows, store.branches(repo));
        std::map<std::string, const VersionRow*> newest;
        for (const VersionRow& row : rows) {
            const VersionRow*& best = newest[row.branch];
            if (!best || row.incarnation == own ||
                (best->incarnation != own && row.time > best->time))
                best = &row;
        }
        for (const auto& [branch, row] : newest) heads.insert(row->id);
    }
    return heads;
}

}  // namespace

CompactionImpl::CompactionImpl(StoreImpl& store, CompactionPlan plan)
    : store_(store),
      plan_(std::move(plan)),
      live_(store.counters().records),
      firsts_(store.counters().records),
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
        if (!info.open && info.number != all.back().number) segments_.push_back({info, 0});
    }
    store_.compaction_ = this;
    begin_round();
    if (plan_.dry_run) return {};
    TRIBUTARY_TRY(store_.log_->can_remove());
    if (!evict_.empty()) {
        const Bytes said = encode_eviction({evict_.begin(), evict_.end()});
        const RecordKey key{RecordKind::eviction, name_of_plain(RecordKind::eviction, said)};
        if (!store_.has(key))
            TRIBUTARY_TRY(store_.objects_->code_anew(key, {.plain = said}, {}, batch_));
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
            case Phase::settling:
            case Phase::keeping: return walk_some();
            case Phase::pairing: return note_pairs();
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
        segment.stays |= !alive;  // it holds what stands nowhere else, damaged
        if (!alive || *alive)
            living += entry.length + kFooterBytes + std::uint64_t{kDigestBytes} * entry.base_count;
    }
    if (!segment.info.whole && !segment.stays) {
        TRIBUTARY_ASSIGN(segment.stays, has_lost(segment.info));
    }
    segment.damaged = store_.log_->is_damaged(segment.info.number) && !segment.stays;
    segment.dead_bytes = segment.info.bytes - std::min(segment.info.bytes, living);
    ++at_segment_;
    return {};
}

// Whether a segment that is not whole may have held what is wanted and stands nowhere else.
Result<bool> CompactionImpl::has_lost(const Log::SegmentInfo& segment) {
    const auto lost = store_.log_->lost(segment.number);
    if (!lost) return true;
    for (const RecordKey& key : *lost) {
        if (is_content(key.kind) && !live_.may_contain(key)) continue;
        TRIBUTARY_ASSIGN(const bool stands, store_.log_->stands(key));
        if (!stands) return true;
    }
    return false;
}

// An error that is a loss: it would live, and cannot be read.
Result<bool> CompactionImpl::lives(std::uint32_t segment, const segment::Entry& entry) {
    const RecordKey& key = entry.key;
    if (is_content(key.kind) && (!live_.may_contain(key) || recoded_.contains(key.name)))
        return false;
    if (key.kind == RecordKind::receipt) {
        TRIBUTARY_ASSIGN(const bool counts,
                         store_.ask([&](Index& index) { return index.is_receipt(key.name); }));
        if (!counts) return false;
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
        return segment.stays ||
               (!segment.damaged &&
                segment.dead_bytes * 100 < segment.info.bytes * plan_.dead_percent_min);
    });
    // On a full disk what is all dead must not wait for what has to be copied.
    std::ranges::stable_sort(segments_, std::ranges::greater{}, [](const Segment& segment) {
        return std::tuple(segment.dead_bytes == segment.info.bytes, segment.damaged,
                          segment.dead_bytes * 1000 / segment.info.bytes);
    });
    std::uint64_t left = stored_bytes();
    std::erase_if(segments_, [&](const Segment& segment) {
        if (!segment.damaged && left <= plan_.target_bytes) return true;
        left -= std::min(left, segment.dead_bytes);
        victims_.push_back(segment.info.number);
        if (!plan_.dry_run) return false;
        ++report_.segments_removed;
        report_.removed_bytes += segment.info.bytes;
        report_.copied_bytes += segment.info.bytes - segment.dead_bytes;
        return false;
    });
    std::ranges::sort(victims_);
    at_segment_ = 0;
    phase_ = plan_.dry_run || segments_.empty() ? Phase::done : Phase::sweeping;
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
    if (segments_[at_segment_].info.whole &&
        !std::ranges::find(all, number, &Log::SegmentInfo::number)->whole) {
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
        // Where damage is, another copy is not believed before it was read.
        if (segments_[at_segment_].damaged) TRIBUTARY_TRY(store_.log_->stands(entry.key));
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
    store_.objects_->forget_plains();
    TRIBUTARY_TRY(store_.log_->remove(info.number));
    if (store_.index_ && !store_.index_->forget(info.number)) store_.index_.reset();
    ++report_.segments_removed;
    report_.removed_bytes += info.bytes;
    next_victim();
    if (phase_ != Phase::done && !segments_[at_segment_].damaged &&
        stored_bytes() <= plan_.target_bytes)
        phase_ = Phase::done;
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
    TRIBUTARY_ASSIGN(const auto heads, branch_heads(*this));
    for (const VersionId& id : plan.evict) {
        if (id.is_none())
            return fail(Errc::invalid, "none is not a version that could be given up");
        if (heads.contains(id) && std::ranges::find(plan.also_keep, id) == plan.also_keep.end())
            return fail(Errc::invalid, "version " + id.text() +
                                           " is the newest of its branch, on which the next one "
                                           "builds: it is not given up");
    }
    if (compaction_) return fail(Errc::conflict, "space is being won already");
    if (!objects_->staged.empty() || !objects_->staged_entries.empty())
        return fail(Errc::conflict,
                    "something is staged: commit it, or abandon it, before space "
                    "is won");
    parts_.reset();
    auto compaction = std::make_unique<CompactionImpl>(*this, std::move(plan));
    TRIBUTARY_TRY(compaction->begin());
    return compaction;
}

}  // namespace tributary
