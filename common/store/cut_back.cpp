// How what a commit had appended before it failed is taken out of the log again: the newest segment
// first, each step durable before the next one. Wherever the power is cut, the log ends somewhere
// between the two ends, after a whole batch; all that was acknowledged stands before both.
#include <memory>
#include <utility>

#include "common/store/log.h"
#include "common/store/store_impl.h"

namespace tributary {

// ---- the log ----

Log::End Log::end() const {
    End end{{}, next_segment_, next_batch_, state_};
    if (open_) end.open = {open_->info.number, open_->info.salt, open_->info.bytes};
    return end;
}

// Whether it is the same log, only longer, and what it is longer by is sound.
bool Log::goes_on_from(const End& end) const {
    const Position from =
        end.open ? Position{end.open->segment, end.open->bytes} : Position{end.next_segment, 0};
    if (!writable() || next_batch_ <= end.next_batch || last_damage_ >= from) return false;
    // A number that is said to be removed is not given again, and the newest segment is not one.
    std::uint32_t newest = 0;
    for (const SegmentInfo& segment : segments())
        if (segment.number < end.next_segment) newest = segment.number;
    if (!removed_ || (!removed_->empty() && removed_->greatest() >= newest)) return false;
    if (!end.open) return true;
    const SegmentInfo* const segment = info_of(end.open->segment);
    return segment && segment->salt == end.open->salt && segment->bytes > end.open->bytes;
}

Status Log::cut_back(const End& end, const std::function<Status()>& let_go) {
    if (!goes_on_from(end)) return fail(Errc::conflict, "the log does not go on from there");
    std::unique_ptr<Open> open;
    if (end.open) {
        TRIBUTARY_ASSIGN(open, reopened(end));
    }
    TRIBUTARY_TRY(let_go());
    if (auto gone = remove_from(end.next_segment); !gone)
        return close_for_writing(std::move(gone).error());
    next_segment_ = end.next_segment;
    next_batch_ = end.next_batch;
    state_ = end.state;
    if (!open) return {};
    if (!open_) forget(open->info.number);  // it had been sealed
    open_ = std::move(open);
    auto cut = open_->file->truncate(open_->info.bytes);
    if (cut) cut = open_->file->sync();
    if (cut) return {};
    drop_unsynced();
    return close_for_writing(std::move(cut).error());
}

// The segment that was open at `end`, as it was then. Nothing is changed yet.
Result<std::unique_ptr<Log::Open>> Log::reopened(const End& end) {
    auto open = std::make_unique<Open>();
    open->info = {.number = end.open->segment,
                  .salt = end.open->salt,
                  .bytes = end.open->bytes,
                  .records = 0,
                  .open = true,
                  .whole = true};
    TRIBUTARY_ASSIGN(open->file, files_.open_append(path_of(open->info.number)));
    TRIBUTARY_ASSIGN(const auto scan, scan_into(open->table, *open->file, open->info.bytes, true));
    if (!scan.damage.empty() || scan.end != open->info.bytes ||
        scan.last_batch + 1 != end.next_batch)
        return fail(Errc::corrupt, segment_name(open->info.number) + " is damaged");
    open->info.records = open->table.entries().size();
    return open;
}

// The newest segments, from that number on. A gap would be a loss, so each is gone for good before
// the next one goes.
Status Log::remove_from(std::uint32_t first) {
    for (;;) {
        const auto all = segments();
        if (all.empty() || all.back().number < first) return {};
        const std::uint32_t newest = all.back().number;
        open_.reset();
        forget(newest);
        TRIBUTARY_TRY(files_.remove(path_of(newest)));
        TRIBUTARY_TRY(files_.sync_directory(join_path(directory_, "segments")));
    }
}

// ---- the store ----

// Drops the parts that went to the log for a commit that will not be. The index must let go of
// them first, or it would miss them when it is opened next. What cannot be dropped is dead, and
// left to compaction.
void StoreImpl::drop_parts() {
    const auto parts = std::exchange(parts_, std::nullopt);
    const bool peers_count_on_them = std::exchange(peers_staged_, false);
    if (!parts || peers_count_on_them || !index_) return;
    std::optional<Index::Kept> open;
    if (const auto& at = parts->log.open) open = Index::Kept{{at->segment, at->salt}, at->bytes};
    (void)log_->cut_back(parts->log, [&]() -> Status {
        const Status cut = index_->cut_back(parts->begun, parts->log.next_segment, open);
        begun_ = parts->begun;  // it may say so even if it failed; what follows says more
        return cut;
    });
}

}  // namespace tributary
