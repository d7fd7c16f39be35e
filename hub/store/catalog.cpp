#include "hub/store/catalog.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <ranges>
#include <set>

#include "common/record/security_event.h"
#include "common/trust/trust.h"
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

std::map<Digest, std::string> Catalog::refused(const Incarnation& incarnation) const {
    std::map<Digest, std::string> refused;
    if (const auto journal = journals_.find(incarnation); journal != journals_.end())
        for (const auto& [name, refusal] : journal->second.refused)
            if (!versions_.contains(VersionId{name})) refused[name] = refusal.why;
    return refused;
}

std::string Catalog::lack(const Incarnation& incarnation, const VersionId& version) const {
    const auto journal = journals_.find(incarnation);
    if (journal == journals_.end()) return {};
    const auto refusal = journal->second.refused.find(version.digest);
    if (refusal == journal->second.refused.end() || !refusal->second.missing) return {};
    const RecordKey& missing = *refusal->second.missing;
    if (missing.kind == RecordKind::version)
        return "its statement, which is taken when its board has sent or may read all that it "
               "names";
    return std::string(name_of(missing.kind)) + " " + missing.name.text();
}

bool Catalog::is_refused(const Incarnation& incarnation, const VersionId& version) const {
    const auto journal = journals_.find(incarnation);
    return journal != journals_.end() && journal->second.refused.contains(version.digest);
}

bool Catalog::is_thinned(const Incarnation& incarnation, const VersionId& version) const {
    const auto journal = journals_.find(incarnation);
    return journal != journals_.end() && journal->second.thinned.contains(version);
}

bool Catalog::may_read(const std::string& device, const KnownVersion& version) const {
    if (device_of(version.version.incarnation) == device) return true;
    const Device* known = this->device(device);
    return known && known->given.contains(version.id);
}

std::vector<VersionId> Catalog::nearest_to(const std::string& device) const {
    std::vector<VersionId> nearest;
    const Device* known = this->device(device);
    if (!known) return nearest;
    const auto add = [&](const VersionId& id) {
        const KnownVersion* held = version(id);
        if (held && may_read(device, *held) && std::ranges::find(nearest, id) == nearest.end())
            nearest.push_back(id);
    };
    for (const auto& [model, state] : known->models) {
        add(state.running);
        add(state.wanted);
    }
    for (const Incarnation& incarnation : std::views::reverse(known->incarnations)) {
        const auto journal = journals_.find(incarnation);
        if (journal == journals_.end()) continue;
        std::vector<BranchHead> heads;
        for (const auto& [branch, head] : journal->second.heads) heads.push_back(head);
        std::ranges::sort(heads, std::ranges::greater(), &BranchHead::sequence);
        for (const BranchHead& head : heads) add(head.version);
    }
    return nearest;
}

VersionId Catalog::base_of(const std::string& device, const InstallState& state) const {
    const KnownVersion* held = version(state.running);
    return held && may_read(device, *held) ? state.running : VersionId();
}

std::size_t Catalog::not_whole(const Device& device) const {
    std::size_t count = 0;
    for (const Incarnation& incarnation : device.incarnations) count += refused(incarnation).size();
    return count;
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

const Device* Catalog::device(const std::string& id) const {
    const auto found = devices_.find(id);
    return found == devices_.end() ? nullptr : &found->second;
}

std::string Catalog::device_of(const Incarnation& incarnation) const {
    const auto found = device_of_.find(incarnation);
    return found == device_of_.end() ? std::string() : found->second;
}

std::string Catalog::device_with_key(const Bytes& public_key) const {
    const Digest key = trust::key_id(public_key);
    const Device* found = device(members_.device_of(key));
    if (!found || found->incarnations.empty()) return {};
    if (*key_of(found->incarnations.back()) == public_key) return found->id;
    const Member* member = members_.member(found->id);
    const bool newest = !member->certificates.empty() && member->certificates.back().key == key;
    return newest ? found->id : std::string();
}

std::optional<Catalog::Origin> Catalog::origin(Store& store, const Incarnation& incarnation) const {
    const auto journal = journals_.find(incarnation);
    if (journal == journals_.end() || !journal->second.origin) return std::nullopt;
    Origin origin = *journal->second.origin;
    const auto before = journals_.find(origin.journal);
    const std::uint64_t last = before == journals_.end() ? 0 : before->second.last;
    const bool held = store.has({RecordKind::entry, origin.hash.digest});
    origin.forked = last > origin.sequence || (last == origin.sequence && !held);
    return origin;
}

std::vector<std::string> Catalog::repositories() const {
    std::set<std::string> names;
    for (const auto& [repo, refs] : refs_)
        for (const auto& [name, moves] : refs)
            if (!moves.back().to.is_none()) names.insert(repo);
    for (const auto& [incarnation, journal] : journals_)
        for (const auto& [key, head] : journal.heads) names.insert(key.first);
    return {names.begin(), names.end()};
}

std::vector<NamedRef> Catalog::refs(const std::string& repo) const {
    std::vector<NamedRef> refs;
    if (const auto shared = refs_.find(repo); shared != refs_.end())
        for (const auto& [name, moves] : shared->second)
            if (!moves.back().to.is_none()) refs.push_back({name, moves.back().to});
    const std::size_t shared_count = refs.size();
    for (const auto& [id, device] : devices_) {
        for (const Incarnation& incarnation : device.incarnations) {
            const auto journal = journals_.find(incarnation);
            if (journal == journals_.end()) continue;
            const bool current = incarnation == device.incarnations.back();
            for (const auto& [key, head] : journal->second.heads) {
                if (key.first != repo) continue;
                const std::string old = current ? "" : "@" + incarnation.text();
                refs.push_back({"device/" + id + "/" + key.second + old, head.version});
            }
        }
    }
    std::sort(refs.begin() + static_cast<std::ptrdiff_t>(shared_count), refs.end(),
              [](const NamedRef& a, const NamedRef& b) { return a.name < b.name; });
    return refs;
}

std::optional<VersionId> Catalog::ref(const std::string& repo, const std::string& name) const {
    if (const auto* shared = moves(repo, name)) {
        const VersionId& now = shared->back().to;
        return now.is_none() ? std::nullopt : std::optional(now);
    }
    const auto wanted = device_ref(name);
    if (!wanted) return std::nullopt;
    const auto journal = journals_.find(wanted->journal);
    if (journal == journals_.end()) return std::nullopt;
    const auto head = journal->second.heads.find({repo, wanted->branch});
    return head == journal->second.heads.end() ? std::nullopt : std::optional(head->second.version);
}

std::optional<Catalog::DeviceRef> Catalog::device_ref(std::string_view name) const {
    constexpr std::string_view kPrefix = "device/";
    if (!name.starts_with(kPrefix)) return std::nullopt;
    name.remove_prefix(kPrefix.size());
    const std::size_t id_end = name.find('/');
    if (id_end == name.npos) return std::nullopt;
    const Device* found = device(std::string(name.substr(0, id_end)));
    if (!found || found->incarnations.empty()) return std::nullopt;
    name.remove_prefix(id_end + 1);

    const std::size_t at = name.find('@');  // no branch's name has one
    DeviceRef ref{found->incarnations.back(), std::string(name.substr(0, at))};
    if (at == name.npos) return ref;
    const auto older = Incarnation::parse(name.substr(at + 1));
    if (!older || std::ranges::find(found->incarnations, *older) == found->incarnations.end())
        return std::nullopt;
    ref.journal = *older;
    return ref;
}

const std::vector<RefMove>* Catalog::moves(const std::string& repo, const std::string& name) const {
    const auto found = refs_.find(repo);
    if (found == refs_.end()) return nullptr;
    const auto moves = found->second.find(name);
    return moves == found->second.end() ? nullptr : &moves->second;
}

std::map<std::string, VersionId> Catalog::device_heads(const std::string& repo,
                                                       const std::string& branch) const {
    std::map<std::string, VersionId> heads;
    for (const auto& [id, device] : devices_) {
        if (device.incarnations.empty()) continue;
        const auto journal = journals_.find(device.incarnations.back());
        if (journal == journals_.end()) continue;
        if (const auto head = journal->second.heads.find({repo, branch});
            head != journal->second.heads.end())
            heads[id] = head->second.version;
    }
    return heads;
}

const KnownVersion* Catalog::version(const VersionId& id) const {
    const auto found = versions_.find(id);
    return found == versions_.end() ? nullptr : &found->second;
}

std::vector<const KnownVersion*> Catalog::versions_by_prefix(std::string_view hex,
                                                             std::size_t limit) const {
    std::vector<const KnownVersion*> found;
    std::string lowest(hex);
    VersionId from;
    if (lowest.size() > 2 * kDigestBytes) return found;
    lowest.resize(2 * kDigestBytes, '0');
    if (!from_hex(lowest, from.digest.bytes)) return found;
    for (auto at = versions_.lower_bound(from); at != versions_.end() && found.size() < limit;
         ++at) {
        if (!to_hex(at->first.digest.bytes).starts_with(hex)) break;
        found.push_back(&at->second);
    }
    return found;
}

std::vector<const KnownVersion*> Catalog::history(const VersionId& head, std::size_t limit) const {
    const auto younger = [](const KnownVersion* a, const KnownVersion* b) {
        return std::tie(b->version.time, b->id) < std::tie(a->version.time, a->id);
    };
    std::set<const KnownVersion*, decltype(younger)> open(younger);
    std::set<VersionId> seen;
    const auto add = [&](const VersionId& id) {
        const KnownVersion* known = version(id);
        if (known && seen.insert(id).second) open.insert(known);
    };
    std::vector<const KnownVersion*> found;
    add(head);
    while (!open.empty() && found.size() < limit) {
        const KnownVersion* next = *open.begin();
        open.erase(open.begin());
        found.push_back(next);
        for (const VersionId& parent : next->version.parents) add(parent);
    }
    return found;
}

std::vector<Catalog::Edge> Catalog::edges_up(const Digest& id) const {
    std::vector<Edge> edges;
    const KnownVersion* known = version(VersionId{id});
    if (!known) return edges;
    for (const VersionId& parent : known->version.parents)
        edges.push_back({id, parent.digest, "parent", {}});
    for (const Input& input : known->version.inputs)
        edges.push_back({id, input.id, "used", input.role});
    return edges;
}

std::vector<Catalog::Edge> Catalog::edges_down(const Digest& id) const {
    const auto found = down_.find(id);
    if (found == down_.end()) return {};
    std::vector<Edge> edges = found->second;
    std::ranges::sort(edges, {},
                      [](const Edge& edge) { return std::tie(edge.kind, edge.role, edge.from); });
    return edges;
}

const Catalog::Deployments& Catalog::deployments_of(const VersionId& id) const {
    static const Deployments kNone;
    const auto found = deployments_.find(id);
    return found == deployments_.end() ? kNone : found->second;
}

const std::vector<Approval>* Catalog::approvals(const VersionId& id) const {
    const auto found = approvals_.find(id);
    return found == approvals_.end() ? nullptr : &found->second;
}

}  // namespace tributary::hub
