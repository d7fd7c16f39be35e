#include "agent/space/retention.h"

#include "common/record/entry.h"
#include "common/record/eviction.h"

namespace tributary::agent {

RetentionSurvey::RetentionSurvey(Store& store, RetentionRule rule)
    : store_(store), rule_(std::move(rule)), head_(store.head()) {
    auto& receipt = rule_.receipt;
    if (!receipt) return;
    for (const Receipt::Refused& item : receipt->refused) rule_.refused.insert({item.id});
    // A list that is full may have left something out.
    const bool says_all = receipt->refused.size() < limits::kRefusedItemsMax;
    if (!says_all || receipt->incarnation != head_.incarnation) receipt.reset();
}

Result<bool> RetentionSurvey::step() {
    if (next_ > head_.sequence) {
        if (std::exchange(counted_, true)) return true;
        next_ = 1;
        return head_.sequence == 0;
    }
    std::vector<Bytes> entries;  // they are judged after the reading, which asks the store, too
    const std::uint64_t end = std::min(next_ + kEntriesInStep, head_.sequence + 1);
    const Status read = store_.read_entries(head_.incarnation, next_, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        if (!entry || entry->header.sequence >= end) return false;
        next_ = entry->header.sequence + 1;
        entries.emplace_back(plain.begin(), plain.end());
        return next_ < end;
    });
    const bool damaged =
        !read && (read.error().code == Errc::corrupt || read.error().code == Errc::not_found);
    if (!read && !damaged) return tl::unexpected(read.error());
    // What a damaged entry says is not known, so it goes on behind it: its version stays.
    if (next_ < end) ++next_;

    for (const Bytes& plain : entries) {
        TRIBUTARY_ASSIGN(const EntryView entry, parse_entry(plain));
        TRIBUTARY_TRY(judge(entry));
    }
    return false;
}

Status RetentionSurvey::judge(const EntryView& entry) {
    const auto body = parse_body(entry.header.kind, entry.body);
    if (!body) return {};
    if (const auto* commit = std::get_if<CommitBody>(&*body)) {
        if (counted_) return judge(entry.header.sequence, entry.hash, *commit);
        ++branches_[{commit->repo, commit->branch}].versions;
    } else if (const auto* install = std::get_if<InstallBody>(&*body)) {
        if (counted_) return judge(*install);
    }
    return {};
}

bool RetentionSurvey::is_receipted(std::uint64_t sequence, const EntryHash& entry,
                                   const VersionId& version) const {
    return rule_.receipt && sequence <= rule_.receipt->sequence &&
           !rule_.refused.contains(version) && !rule_.refused.contains({entry.digest});
}

Status RetentionSurvey::judge(std::uint64_t sequence, const EntryHash& entry,
                              const CommitBody& commit) {
    Branch& branch = branches_[{commit.repo, commit.branch}];
    const bool newest = ++branch.passed + rule_.keep_versions > branch.versions;
    TRIBUTARY_ASSIGN(const bool evicted, store_.evicted(commit.version));
    if (evicted) {
        found_.last_given_up = commit.version;
        return {};
    }
    ++found_.held;
    if (!is_receipted(sequence, entry, commit.version)) {
        ++found_.unreceipted;
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
        may_go(version);
    return {};
}

void RetentionSurvey::may_go(const VersionId& version) {
    ++found_.may_go;
    if (found_.oldest.size() < kEvictedMax) found_.oldest.push_back(version);
}

}  // namespace tributary::agent
