#include "agent/space/retention.h"

#include <algorithm>

#include "common/record/entry.h"
#include "common/record/eviction.h"

namespace tributary::agent {

Result<std::vector<JournalHead>> own_journals(Store& store) {
    std::vector<JournalHead> journals{store.head()};
    TRIBUTARY_ASSIGN(const auto heads, store.heads());
    while (journals.size() <= heads.size()) {
        std::optional<StartBody> start;
        const Status read = store.read_entries(journals.back().incarnation, 1, [&](ByteView plain) {
            const auto entry = parse_entry(plain);
            if (!entry || entry->header.sequence != 1) return false;
            const auto body = parse_body(entry->header.kind, entry->body);
            if (const auto* found = body ? std::get_if<StartBody>(&*body) : nullptr) start = *found;
            return false;
        });
        // What is not known to be ours stays.
        if (!read && !is_damage(read.error())) return tl::unexpected(read.error());
        if (!start) break;
        const auto before = std::ranges::find(heads, start->continues, &JournalHead::incarnation);
        if (before == heads.end()) break;
        journals.push_back(*before);
    }
    std::ranges::reverse(journals);
    return journals;
}

RetentionSurvey::RetentionSurvey(Store& store, RetentionRule rule)
    : store_(store), rule_(std::move(rule)) {}

Status RetentionSurvey::begin() {
    TRIBUTARY_ASSIGN(journals_, own_journals(store_));
    for (const Receipt& receipt : rule_.receipts)
        for (const Receipt::Refused& item : receipt.refused) rule_.refused.insert({item.id});
    // A list that is full may have left something out.
    std::erase_if(rule_.receipts, [](const Receipt& receipt) {
        return receipt.refused.size() >= limits::kRefusedItemsMax;
    });
    begun_ = true;
    return {};
}

Result<bool> RetentionSurvey::step() {
    if (!begun_) TRIBUTARY_TRY(begin());
    if (at_journal_ == journals_.size()) {
        if (std::exchange(counted_, true)) {
            // Said in two journals, it may be old in one and among the newest in the other.
            found_.may_go -= std::erase_if(
                found_.oldest, [&](const VersionId& id) { return newest_.contains(id); });
            return true;
        }
        at_journal_ = 0;
    }
    const JournalHead& journal = journals_[at_journal_];
    if (next_ <= journal.sequence) TRIBUTARY_TRY(read_some(journal));
    if (next_ > journal.sequence) {
        ++at_journal_;
        next_ = 1;
    }
    return false;
}

Status RetentionSurvey::read_some(const JournalHead& journal) {
    std::vector<Bytes> entries;  // they are judged after the reading, which asks the store, too
    const std::uint64_t end = std::min(next_ + kEntriesInStep, journal.sequence + 1);
    const Status read = store_.read_entries(journal.incarnation, next_, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        if (!entry || entry->header.sequence >= end) return false;
        next_ = entry->header.sequence + 1;
        entries.emplace_back(plain.begin(), plain.end());
        return next_ < end;
    });
    if (!read && !is_damage(read.error())) return read;
    // What a damaged entry says is not known, so it goes on behind it: its version stays.
    if (next_ < end) ++next_;

    for (const Bytes& plain : entries) {
        TRIBUTARY_ASSIGN(const EntryView entry, parse_entry(plain));
        TRIBUTARY_TRY(judge(entry));
    }
    return {};
}

Status RetentionSurvey::judge(const EntryView& entry) {
    const auto body = parse_body(entry.header.kind, entry.body);
    if (!body) return {};
    if (const auto* commit = std::get_if<CommitBody>(&*body)) {
        if (is_said_again(entry, commit->version)) return {};
        if (counted_) return judge(entry, *commit);
        ++branches_[{commit->repo, commit->branch}].versions;
    } else if (const auto* install = std::get_if<InstallBody>(&*body)) {
        if (counted_) return judge(*install);
    }
    return {};
}

bool RetentionSurvey::is_receipted(const EntryView& entry, const VersionId& version) const {
    if (rule_.refused.contains(version) || rule_.refused.contains({entry.hash.digest}))
        return false;
    return std::ranges::any_of(rule_.receipts, [&](const Receipt& receipt) {
        return receipt.incarnation == entry.header.incarnation &&
               entry.header.sequence <= receipt.sequence;
    });
}

// What an earlier journal said without a receipt was said again in the present one; or the hub
// refused it, and it stays.
bool RetentionSurvey::is_said_again(const EntryView& entry, const VersionId& version) const {
    return entry.header.incarnation != journals_.back().incarnation &&
           !is_receipted(entry, version);
}

Status RetentionSurvey::judge(const EntryView& entry, const CommitBody& commit) {
    Branch& branch = branches_[{commit.repo, commit.branch}];
    const bool newest = ++branch.passed + rule_.keep_versions > branch.versions;
    TRIBUTARY_ASSIGN(const bool evicted, store_.evicted(commit.version));
    if (evicted) {
        found_.last_given_up = commit.version;
        return {};
    }
    ++found_.held;
    if (newest) newest_.insert(commit.version);
    if (!is_receipted(entry, commit.version)) {
        ++found_.unreceipted;
        const bool refused = rule_.refused.contains(commit.version);
        if (!newest && !refused && !rule_.in_use.contains(commit.version))
            may_be_thinned(branch, commit.version);
    } else if (rule_.in_use.contains(commit.version)) {
        ++found_.in_use;
    } else if (newest) {
        ++found_.newest;
    } else {
        may_go(commit.version);
    }
    return {};
}

// The hub sent it: it is needed here as long as it is in a slot. What a journal here names is
// judged where it is named.
Status RetentionSurvey::judge(const InstallBody& install) {
    const VersionId& version = install.version;
    if (version.is_none() || !installed_.insert(version).second) return {};
    if (!store_.has({RecordKind::version, version.digest})) return {};
    TRIBUTARY_ASSIGN(const auto named, store_.versions_by_prefix(to_hex(version.digest.bytes), 1));
    TRIBUTARY_ASSIGN(const bool evicted, store_.evicted(version));
    if (!named.empty() || evicted) return {};
    ++found_.held;
    if (rule_.in_use.contains(version))
        ++found_.in_use;
    else
        may_go(version, install.running != version);
    return {};
}

void RetentionSurvey::may_be_thinned(Branch& branch, const VersionId& version) {
    if (++branch.unreceipted % 2 == 0 && found_.middle.size() < kThinnedMax &&
        !rule_.given_up.contains(version))
        found_.middle.push_back(version);
}

void RetentionSurvey::may_go(const VersionId& version, bool never_ran) {
    if (rule_.given_up.contains(version) || listed_.contains(version)) return;
    ++found_.may_go;
    if (found_.oldest.size() == kEvictedMax) return;
    const auto end = found_.oldest.end();
    found_.oldest.insert(never_ran ? found_.oldest.begin() + never_ran_++ : end, version);
    listed_.insert(version);
}

}  // namespace tributary::agent
