#include "hub/store/catalog.h"

#include <algorithm>
#include <set>

namespace tributary::hub {

Result<Catalog> Catalog::rebuild(Store& store) {
    Catalog catalog;
    // The hub's own journal first: it says whose the others are. The rest in a fixed order.
    TRIBUTARY_ASSIGN(std::vector<JournalHead> heads, store.heads());
    const Incarnation own = store.head().incarnation;
    std::ranges::sort(heads, [&](const JournalHead& a, const JournalHead& b) {
        const bool a_other = a.incarnation != own;
        const bool b_other = b.incarnation != own;
        return std::tie(a_other, a.incarnation) < std::tie(b_other, b.incarnation);
    });
    for (const JournalHead& head : heads) {
        Status applied;
        TRIBUTARY_TRY(store.read_entries(head.incarnation, 1, [&](ByteView plain) {
            const auto entry = parse_entry(plain);
            applied =
                entry ? catalog.apply(store, *entry) : Status(tl::make_unexpected(entry.error()));
            return applied.has_value();
        }));
        TRIBUTARY_TRY(applied);
    }
    return catalog;
}

Status Catalog::apply(Store& store, const EntryView& entry) {
    TRIBUTARY_ASSIGN(const EntryBody body, parse_body(entry.header.kind, entry.body));
    const Incarnation& by = entry.header.incarnation;
    const HybridTime time = entry.header.time;

    if (const auto* start = std::get_if<StartBody>(&body)) {
        key_of_.try_emplace(by, start->public_key);
    } else if (const auto* commit = std::get_if<CommitBody>(&body)) {
        journals_[by].heads[{commit->repo, commit->branch}] = {commit->version,
                                                               entry.header.sequence};
        know_version(store, commit->version, commit->repo, commit->branch);
    } else if (const auto* bound = std::get_if<DeviceBoundBody>(&body)) {
        Device& device = devices_[bound->device];
        if (device.id.empty()) device.bound = time;
        device.id = bound->device;
        device.public_key = bound->public_key;
        device.incarnations.push_back(bound->incarnation);
        device_of_[bound->incarnation] = bound->device;
        key_of_[bound->incarnation] = bound->public_key;
    } else if (const auto* moved = std::get_if<RefMovedBody>(&body)) {
        refs_[moved->repo][moved->ref].push_back(
            {moved->from, moved->to, moved->reason, moved->actor, time});
        if (!moved->to.is_none()) know_version(store, moved->to, moved->repo, moved->ref);
    } else if (const auto* approved = std::get_if<ApprovedBody>(&body)) {
        approvals_[approved->version].push_back({approved->version, approved->document, time});
    } else if (const auto* assigned = std::get_if<AssignedBody>(&body)) {
        last_assignment_ = std::max(last_assignment_, assigned->number);
        InstallState& state = devices_[assigned->device].models[assigned->model];
        if (assigned->number > state.number) {
            state.number = assigned->number;
            state.repo = assigned->repo;
            state.wanted = assigned->version;
            state.document = assigned->document;
            state.state = "assigned";
            state.detail.clear();
            state.time = time;
        }
    } else if (const auto* install = std::get_if<InstallBody>(&body)) {
        apply_install(by, *install, time);
    }
    return {};
}

void Catalog::apply_install(const Incarnation& by, const InstallBody& body, HybridTime time) {
    const auto owner = device_of_.find(by);
    if (owner == device_of_.end()) return;
    InstallState& state = devices_[owner->second].models[body.model];
    move_deployment(owner->second, body.model, state.running, body.running);
    state.running = body.running;
    state.running_content = TreeId{body.running_content};
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

void Catalog::know_version(Store& store, const VersionId& id, const std::string& repo,
                           const std::string& branch) {
    if (const auto known = versions_.find(id); known != versions_.end()) {
        if (std::tie(repo, branch) < std::tie(known->second.repo, known->second.branch)) {
            known->second.repo = repo;
            known->second.branch = branch;
        }
        return;
    }
    auto version = read_version(store, id);
    if (!version) return;  // refused or damaged: it has no place in the graph until it can be read
    KnownVersion known{id, *std::move(version), repo, branch};
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

const Bytes* Catalog::key_of(const Incarnation& incarnation) const {
    const auto found = key_of_.find(incarnation);
    return found == key_of_.end() ? nullptr : &found->second;
}

std::vector<std::string> Catalog::repositories() const {
    std::set<std::string> names;
    for (const auto& [repo, refs] : refs_) names.insert(repo);
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
