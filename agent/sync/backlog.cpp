#include "agent/sync/backlog.h"

#include <utility>

#include "common/record/entry.h"

namespace tributary::agent {
namespace {

// Bounds the RAM; longer runs go from the sum later.
constexpr std::size_t kRunsMax = 512;

}  // namespace

Backlog::Size Backlog::size(Store& store, std::uint64_t receipted, std::size_t records) {
    const JournalHead head = store.head();
    const bool other_journal = std::exchange(journal_, head.incarnation) != head.incarnation;
    // A hub that came back from a backup has lost what it gave receipts for.
    const bool goes_back = receipted < std::exchange(receipted_, receipted);
    if (other_journal || goes_back) {
        seen_ = 0;
        runs_.clear();
        walk_.reset();
    }
    forget(receipted);
    // One at a time: how many a step took is not told.
    for (; records != 0 && (walk_ || seen_ < head.sequence); --records) {
        if (!walk_) {
            if (!look_at_next(store)) break;
            continue;
        }
        const auto all = walk_->step(1, [&](const RecordKey& key) -> Status {
            if (const auto record = store.read_header(key))
                runs_.back().bytes += record->stored_length;
            return {};
        });
        // What cannot be read is not sent either.
        if (!all || *all) walk_.reset();
    }
    Size size;
    for (const Run& run : runs_) size.bytes += run.bytes;
    size.all = !walk_ && seen_ == head.sequence;
    return size;
}

void Backlog::forget(std::uint64_t receipted) {
    while (!runs_.empty() && runs_.front().sequence <= receipted) runs_.pop_front();
    if (seen_ > receipted) return;
    seen_ = receipted;
    walk_.reset();
}

// False when it is not in the log yet, or cannot be read.
bool Backlog::look_at_next(Store& store) {
    std::optional<Result<EntryBody>> body;
    const Status read = store.read_entries(journal_, seen_ + 1, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        body = entry ? parse_body(entry->header.kind, entry->body)
                     : tl::make_unexpected(entry.error());
        return false;
    });
    if (!read || !body) return false;
    ++seen_;
    const auto* commit = *body ? std::get_if<CommitBody>(&**body) : nullptr;
    const auto version = commit ? read_version(store, commit->version) : Result<Version>();
    if (!commit || !version) return true;
    walk_.emplace(store, commit->version, version->parents);
    add({seen_, 0});
    return true;
}

void Backlog::add(Run run) {
    runs_.push_back(run);
    if (runs_.size() <= kRunsMax) return;
    // Two and two become one; the last one goes on growing alone.
    std::deque<Run> merged;
    for (std::size_t i = 0; i + 1 < runs_.size(); i += 2)
        merged.push_back({runs_[i + 1].sequence, runs_[i].bytes + runs_[i + 1].bytes});
    if (runs_.size() % 2 != 0) merged.push_back(runs_.back());
    runs_ = std::move(merged);
}

}  // namespace tributary::agent
