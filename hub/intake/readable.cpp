#include "hub/intake/readable.h"

#include <algorithm>
#include <utility>

namespace tributary::hub {
namespace {

// Parents that a version is compared with; more would only spare reading.
constexpr std::size_t kParentsBeside = 8;

// Names that are kept beside those of the last look: one for each record that it took, and some
// more.
constexpr std::size_t kKeptMore = 64;

}  // namespace

Readable::Readable(std::string device, Ledger& ledger)
    : device_(std::move(device)), ledger_(ledger), in_memo_(ledger.sent().knows(device_)) {}

bool Readable::contains(const RecordKey& key) {
    const ShortName name = shortened(key);
    return sent_.contains(name) || near_.contains(name) ||
           (in_memo_ && ledger_.sent().contains(device_, name));
}

// ---- what versions need ----

void Readable::begin_to_look() {
    look_ends_ = looked_through_ + kLookRecordsMax;
    for (const VersionId& version : ledger_.catalog().nearest_to(device_))
        to_look_.push_back({version, 0});
}

void Readable::look() {
    if (looked_) return;
    if (!looking_ && to_look_.empty()) begin_to_look();
    if (!looking_ && !to_look_.empty()) look_next();
    if (looking_) {
        const std::size_t before = looking_->taken();
        const auto done = looking_->step(kRecordsAStep, [this](const RecordKey& key) -> Status {
            if (near_.size() < kNearNamesMax) near_.insert(shortened(key));
            return {};
        });
        looked_through_ += looking_->taken() - before;
        if (looked_through_ >= look_ends_)
            to_look_.clear();
        else if (done && !*done)
            return;
        looking_.reset();
    }
    looked_ = to_look_.empty();
}

// What it was told to be held stays so.
void Readable::look_anew() {
    looking_.reset();
    to_look_.clear();
    looked_ = false;
}

void Readable::forget_near() {
    near_ = {};
    looked_through_ = since_looked_ = 0;
    look_anew();
}

void Readable::look_next() {
    const ToLook next = to_look_.front();
    to_look_.erase(to_look_.begin());
    looking_.emplace(ledger_.store(), next.version, VersionNames::Pace::even);
    const KnownVersion* known = ledger_.catalog().version(next.version);
    if (!known || next.generation == kGenerationsMax) return;
    for (const VersionId& parent : parents_of(known->version))
        if (std::ranges::find(to_look_, parent, &ToLook::version) == to_look_.end())
            to_look_.push_back({parent, next.generation + 1});
}

// ---- what it sent ----

void Readable::sent(const RecordKey& key, std::uint64_t bytes) {
    sent_.insert(shortened(key));
    sent_bytes_ += bytes;
    if (sent_.size() == kSentNamesMax || sent_bytes_ >= kSentBytesMax) keep_sent();
}

void Readable::keep_sent() {
    if (sent_.empty()) return;
    const std::vector<ShortName> names(sent_.begin(), sent_.end());
    ledger_.sent().add(device_, names);
    in_memo_ = true;
    sent_.clear();
    sent_bytes_ = 0;
}

void Readable::committed() {
    near_.insert(sent_.begin(), sent_.end());
    since_looked_ += sent_.size();
    sent_.clear();
    sent_bytes_ = 0;
    if (in_memo_) ledger_.sent().forget(device_);
    const std::size_t kept_max = std::min(kNearNamesMax, looked_through_ + kKeptMore);
    if (!std::exchange(in_memo_, false) && since_looked_ <= kept_max) return;
    near_.clear();
    looked_through_ = since_looked_ = 0;
    look_anew();
}

std::vector<VersionId> Readable::parents_of(const Version& version) {
    std::vector<VersionId> parents;
    for (const VersionId& parent : version.parents) {
        if (parents.size() == kParentsBeside) break;
        const KnownVersion* known = ledger_.catalog().version(parent);
        const bool may = known ? ledger_.catalog().may_read(device_, *known)
                               : contains({RecordKind::version, parent.digest});
        if (may) parents.push_back(parent);
    }
    return parents;
}

}  // namespace tributary::hub
