#include "hub/store/catalog.h"

#include <algorithm>
#include <limits>
#include <ranges>

#include "common/record/security_event.h"
#include "hub/store/judging.h"

namespace tributary::hub {

namespace {

// Nodes whose extent is remembered, about 25 MB: each version then reads only what is new in it.
constexpr std::size_t kExtentsMax = 256 * 1024;

// The hub's own journals, oldest first: each but the first says which one it continues.
Result<std::vector<Incarnation>> journals_of_this_hub(Store& store) {
    std::vector<Incarnation> journals;
    Incarnation journal = store.head().incarnation;
    while (!journal.is_none() && std::ranges::find(journals, journal) == journals.end()) {
        journals.push_back(journal);
        Incarnation before;
        TRIBUTARY_TRY(store.read_entries(journal, 1, [&](ByteView plain) {
            if (const auto entry = parse_entry(plain))
                if (const auto body = parse_body(entry->header.kind, entry->body))
                    if (const auto* start = std::get_if<StartBody>(&*body))
                        before = start->continues;
            return false;  // the first entry says it
        }));
        journal = before;
    }
    std::ranges::reverse(journals);
    return journals;
}

void add(EventTallies& tallies, const SecurityEventBody& body, HybridTime time) {
    const bool known = tallies.contains(body.event) || tallies.size() < Catalog::kEventsMax;
    EventTally& tally = tallies[known ? body.event : std::string(name_of(SecurityEvent::other))];
    tally.count += std::min(body.count, UINT64_MAX - tally.count);
    if (time < tally.last) return;
    tally.last = time;
    tally.detail = body.detail;
    tally.address = body.address;
}

void follow(RootFollowedBody& newest, const RootFollowedBody& next) {
    if (next.version > newest.version) newest = next;
}

}  // namespace

Result<RootFollowedBody> read_root_followed(Store& store) {
    RootFollowedBody newest;
    TRIBUTARY_ASSIGN(const std::vector<Incarnation> journals, journals_of_this_hub(store));
    for (const Incarnation& journal : journals)
        TRIBUTARY_TRY(store.read_entries(journal, 1, [&](ByteView plain) {
            const auto entry = parse_entry(plain);
            if (!entry || entry->header.kind != EntryKind::root_followed) return true;
            const auto body = parse_body(entry->header.kind, entry->body);
            if (body) follow(newest, std::get<RootFollowedBody>(*body));
            return true;
        }));
    return newest;
}

Result<Catalog> Catalog::rebuild(Store& store) {
    Catalog catalog;
    catalog.rebuilding_ = true;
    // The hub's own journals first: they say whose the others are. The rest in a fixed order.
    TRIBUTARY_ASSIGN(std::vector<Incarnation> order, journals_of_this_hub(store));
    catalog.own_ = {order.begin(), order.end()};
    TRIBUTARY_ASSIGN(const std::vector<JournalHead> heads, store.heads());
    const auto others = static_cast<std::ptrdiff_t>(order.size());
    for (const JournalHead& head : heads)
        if (!catalog.own_.contains(head.incarnation)) order.push_back(head.incarnation);
    std::sort(order.begin() + others, order.end());
    for (const Incarnation& journal : order) {
        TRIBUTARY_TRY(store.read_entries(journal, 1, [&](ByteView plain) {
            if (const auto entry = parse_entry(plain)) catalog.apply(store, *entry);
            return true;
        }));
    }
    catalog.rebuilding_ = false;
    return catalog;
}

void Catalog::apply(Store& store, const EntryView& entry, const Verdicts& judged) {
    const Incarnation& by = entry.header.incarnation;
    const auto body = parse_body(entry.header.kind, entry.body);
    journals_[by].last = entry.header.sequence;
    if (!body)
        journals_[by].refused[entry.hash.digest] = {
            {}, "its body cannot be read: " + body.error().what};
    else if (own_.contains(by))
        apply_own(store, *body, entry.header.time);
    else if (const auto* commit = std::get_if<CommitBody>(&*body))
        apply_commit(store, entry.header, *commit, judged);
    else if (const auto* install = std::get_if<InstallBody>(&*body))
        apply_install(by, *install, entry.header.time);
    else if (const auto* thinned = std::get_if<ThinnedBody>(&*body))
        apply_thinned(by, *thinned);
    else if (const auto* refused = std::get_if<SecurityEventBody>(&*body))
        apply_refused_by(by, *refused, entry.header.time);
    else if (const auto* changed = std::get_if<KeyChangedBody>(&*body))
        keys_.change(by, *changed);
    else if (const auto* start = std::get_if<StartBody>(&*body);
             start && !start->continues.is_none())
        journals_[by].origin = {start->continues, start->continues_sequence, start->continues_hash};
}

void Catalog::apply_own(Store& store, const EntryBody& body, HybridTime time) {
    members_.apply(body, time);
    if (const auto* bound = std::get_if<DeviceBoundBody>(&body)) {
        Device& device = devices_[bound->device];
        if (device.id.empty()) device.bound = time;
        device.id = bound->device;
        device.public_key = bound->public_key;
        // Bound again, for its group, it is the present one again.
        std::erase(device.incarnations, bound->incarnation);
        device.incarnations.push_back(bound->incarnation);
        device_of_[bound->incarnation] = bound->device;
        keys_.bind(bound->incarnation, bound->public_key);
    } else if (const auto* moved = std::get_if<RefMovedBody>(&body)) {
        refs_[moved->repo][moved->ref].push_back(
            {moved->from, moved->to, moved->reason, moved->actor, time});
        // It was whole when the hub named it.
        if (!moved->to.is_none()) know_version(store, moved->to, {moved->repo, moved->ref}, {});
    } else if (const auto* approved = std::get_if<ApprovedBody>(&body)) {
        approvals_[approved->version].push_back({approved->version, approved->document, time});
    } else if (const auto* assigned = std::get_if<AssignedBody>(&body)) {
        apply_assigned(*assigned, time);
    } else if (const auto* retired = std::get_if<RetiredBody>(&body)) {
        if (const auto device = devices_.find(retired->device); device != devices_.end())
            device->second.retired = retired->retired;
    } else if (const auto* said = std::get_if<QuarantinedBody>(&body)) {
        if (const auto device = devices_.find(said->device); device != devices_.end())
            device->second.quarantine = said->quarantined ? said->reason : std::string();
    } else if (const auto* refused = std::get_if<SecurityEventBody>(&body)) {
        const auto device = devices_.find(refused->device);
        add(device == devices_.end() ? strangers_ : device->second.refused_here, *refused, time);
    } else if (const auto* followed = std::get_if<RootFollowedBody>(&body)) {
        follow(root_followed_, *followed);
    } else if (const auto* start = std::get_if<StartBody>(&body)) {
        // Boards refuse a number that is not above their last one, and numbers given since the
        // backup are forgotten here: far fewer than milliseconds have passed since.
        if (!start->continues.is_none())
            last_assignment_ = std::max(last_assignment_, time.wall_ms);
    }
}

void Catalog::apply_refused_by(const Incarnation& by, const SecurityEventBody& body,
                               HybridTime time) {
    if (const auto device = devices_.find(device_of(by)); device != devices_.end())
        add(device->second.refused_by_it, body, time);
}

void Catalog::apply_assigned(const AssignedBody& body, HybridTime time) {
    last_assignment_ = std::max(last_assignment_, body.number);
    devices_[body.device].given.insert(body.version);
    InstallState& state = devices_[body.device].models[body.model];
    if (body.number <= state.number) return;
    state.number = body.number;
    state.repo = body.repo;
    state.wanted = body.version;
    state.document = body.document;
    state.state = kAssigned;
    state.detail.clear();
    state.time = time;
}

Status check_place(const CommitBody& commit) {
    TRIBUTARY_TRY(check_repo_name(commit.repo));
    return check_branch_name(commit.branch);
}

void Catalog::apply_commit(Store& store, const EntryHeader& header, const CommitBody& commit,
                           const Verdicts& judged) {
    Journal& journal = journals_[header.incarnation];
    if (const Status place = check_place(commit); !place) {
        journal.refused[commit.version.digest] = {commit, place.error().what};
        return;
    }
    if (!judged.contains(commit.version)) {
        Judging judging(*this, store, header.incarnation, {commit.version});
        const auto known = judging.step(std::numeric_limits<std::size_t>::max());
        Verdicts found = judging.take_verdicts();
        if (!known) found[commit.version] = {false, false, known.error().what};
        return apply_commit(store, header, commit, found);
    }
    if (const Verdict& verdict = judged.at(commit.version); verdict.whole) {
        know_version(store, commit.version, {commit.repo, commit.branch}, header.incarnation);
        take_again(store, journal, commit.version, header.incarnation, judged);
    } else {
        journal.refused[commit.version.digest] = {commit, verdict.why, verdict.missing};
    }
    journal.heads[{commit.repo, commit.branch}] = {commit.version, header.sequence};
}

Status Catalog::check_tree(const TreeId& tree, const LoadTreeNode& load) const {
    return check_tree_extent(tree, load, extents());
}

TreeExtents& Catalog::extents() const {
    if (extents_.size() >= kExtentsMax) extents_.clear();
    return extents_;
}

// A version that has become whole may have brought what its parents lacked.
void Catalog::take_again(Store& store, Journal& journal, const VersionId& child,
                         const Incarnation& by, const Verdicts& judged) {
    journal.refused.erase(child.digest);
    std::vector<VersionId> whole{child};
    while (!whole.empty() && !journal.refused.empty()) {
        const KnownVersion* known = version(whole.back());
        whole.pop_back();
        if (!known) continue;
        const std::vector<VersionId> parents = known->version.parents;
        for (const VersionId& parent : parents) {
            const auto refusal = journal.refused.find(parent.digest);
            if (refusal == journal.refused.end() || !refusal->second.commit) continue;
            const CommitBody commit = *refusal->second.commit;
            const auto verdict = judged.find(parent);
            if (verdict == judged.end() || !verdict->second.whole || !check_place(commit)) continue;
            know_version(store, parent, {commit.repo, commit.branch}, by);
            journal.refused.erase(refusal);
            whole.push_back(parent);
        }
    }
}

// One that came whole all the same stays as it is.
void Catalog::apply_thinned(const Incarnation& by, const ThinnedBody& body) {
    Journal& journal = journals_[by];
    const auto refusal = journal.refused.find(body.version.digest);
    if (refusal == journal.refused.end()) return;
    refusal->second.why = "the board dropped it to make room, before it was sent";
    journal.thinned.insert(body.version);
}

void Catalog::apply_install(const Incarnation& by, const InstallBody& body, HybridTime time) {
    const auto owner = device_of_.find(by);
    if (owner == device_of_.end() || body.state == kAssigned) return;  // that is the hub's to say
    InstallState& state = devices_[owner->second].models[body.model];
    move_deployment(owner->second, body.model, state.running, body.running);
    state.running = body.running;
    state.running_content = TreeId{body.running_content};
    state.configured = body.state != "rejected" || body.detail != "model";
    if (body.number < state.number) return;  // an answer to an older order; what runs is still true
    state.number = body.number;
    state.wanted = body.version;
    state.state = body.state;
    state.detail = body.detail;
    state.time = time;
}

void Catalog::move_deployment(const std::string& device, const std::string& model,
                              const VersionId& from, const VersionId& to) {
    if (const auto left = deployments_.find(from); left != deployments_.end()) {
        left->second.erase({device, model});
        if (left->second.empty()) deployments_.erase(left);
    }
    if (!to.is_none()) deployments_[to].emplace(device, model);
}

// The hub says who it is by `none`, of whichever of its journals a version is.
bool Catalog::is_author(const Incarnation& by, const Incarnation& author) const {
    return by == author || (by.is_none() && own_.contains(author));
}

// Whoever else commits a version cannot move it to another place: its author's word counts, and of
// several words of equal weight the smallest, whatever the order in which they came.
void Catalog::know_version(Store& store, const VersionId& id, Place place, const Incarnation& by) {
    if (const auto known = versions_.find(id); known != versions_.end()) {
        KnownVersion& there = known->second;
        const bool by_author = is_author(by, there.version.incarnation);
        if (std::tie(there.by_author, place.repo, place.branch) <
            std::tie(by_author, there.repo, there.branch)) {
            there.repo = std::move(place.repo);
            there.branch = std::move(place.branch);
            there.by_author = by_author;
        }
        return;
    }
    auto version = read_version(store, id);
    if (!version) return;  // damaged since: it has no place in the graph until it can be read
    const bool by_author = is_author(by, version->incarnation);
    KnownVersion known{id, *std::move(version), std::move(place.repo), std::move(place.branch),
                       by_author};
    for (const VersionId& parent : known.version.parents)
        down_[parent.digest].push_back({id.digest, parent.digest, "parent", {}});
    for (const Input& input : known.version.inputs)
        down_[input.id].push_back({id.digest, input.id, "used", input.role});
    versions_.emplace(id, std::move(known));
}

}  // namespace tributary::hub
