// What the catalog answers; how it comes by what it knows is in catalog.cpp.
#include "hub/store/catalog.h"

#include <algorithm>
#include <functional>
#include <ranges>
#include <set>

#include "common/trust/trust.h"

namespace tributary::hub {

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
