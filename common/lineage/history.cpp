#include "common/lineage/history.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace tributary::lineage {

bool is_merge(const Version& version) {
    return version.incarnation.is_none() && version.author.empty() && version.parents.size() >= 2;
}

Result<const History::Node*> History::node(const VersionId& id) {
    if (const auto known = nodes_.find(id); known != nodes_.end()) return &known->second;
    // Depth first with a stack of our own: histories are longer than the call stack is deep. A
    // version cannot be its own ancestor, for its id covers its parents'.
    struct Open {
        VersionId id;
        Node node;
    };
    std::vector<Open> open;
    const auto enter = [&](const VersionId& next) -> Status {
        auto version = load_(next);
        if (!version) return with_context("history of " + id.text(), version.error());
        const bool merge = is_merge(*version);
        open.push_back({next, {std::move(version->parents), 0, merge}});
        return {};
    };
    TRIBUTARY_TRY(enter(id));
    while (!open.empty()) {
        const std::vector<VersionId>& parents = open.back().node.parents;
        const auto unknown = std::find_if(parents.begin(), parents.end(),
                                          [&](const VersionId& p) { return !nodes_.contains(p); });
        if (unknown != parents.end()) {
            const VersionId next = *unknown;
            TRIBUTARY_TRY(enter(next));
            continue;
        }
        Node& done = open.back().node;
        for (const VersionId& parent : done.parents)
            done.generation = std::max(done.generation, nodes_.at(parent).generation);
        ++done.generation;
        const VersionId name = open.back().id;
        nodes_.emplace(name, std::move(done));
        open.pop_back();
    }
    return &nodes_.at(id);
}

Result<std::vector<History::Reached>> History::walk(std::span<const VersionId> heads,
                                                    std::uint32_t floor) {
    const std::size_t words = (heads.size() + 63) / 64;
    struct Youngest {
        bool operator()(const std::pair<std::uint32_t, VersionId>& a,
                        const std::pair<std::uint32_t, VersionId>& b) const {
            return a.first != b.first ? a.first > b.first : a.second < b.second;
        }
    };
    // All that reach a version are younger than it, so its bits are complete when it comes up.
    std::map<std::pair<std::uint32_t, VersionId>, std::vector<std::uint64_t>, Youngest> waiting;
    for (std::size_t i = 0; i < heads.size(); ++i) {
        TRIBUTARY_ASSIGN(const Node* head, node(heads[i]));
        auto& bits = waiting[{head->generation, heads[i]}];
        bits.resize(words);
        bits[i / 64] |= std::uint64_t{1} << (i % 64);
    }
    std::vector<Reached> reached;
    while (!waiting.empty() && waiting.begin()->first.first >= floor) {
        const auto first = waiting.extract(waiting.begin());
        const auto& [generation, id] = first.key();
        for (const VersionId& parent : nodes_.at(id).parents) {
            auto& bits = waiting[{nodes_.at(parent).generation, parent}];
            bits.resize(words);
            for (std::size_t w = 0; w < words; ++w) bits[w] |= first.mapped()[w];
        }
        reached.push_back({id, generation, first.mapped()});
    }
    return reached;
}

Result<bool> History::is_ancestor(const VersionId& ancestor, const VersionId& of) {
    if (ancestor == of) return true;
    TRIBUTARY_ASSIGN(const Node* low, node(ancestor));
    const std::uint32_t floor = low->generation;
    TRIBUTARY_ASSIGN(const auto reached, walk(std::span(&of, 1), floor));
    return std::any_of(reached.begin(), reached.end(),
                       [&](const Reached& r) { return r.id == ancestor; });
}

Result<std::vector<VersionId>> History::independent(std::span<const VersionId> heads) {
    std::vector<VersionId> sorted(heads.begin(), heads.end());
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    if (sorted.size() < 2) return sorted;
    std::uint32_t floor = UINT32_MAX;
    for (const VersionId& head : sorted) {
        TRIBUTARY_ASSIGN(const Node* known, node(head));
        floor = std::min(floor, known->generation);
    }
    TRIBUTARY_ASSIGN(const auto reached, walk(sorted, floor));
    std::set<VersionId> covered;
    for (const Reached& r : reached)
        if (const auto it = std::lower_bound(sorted.begin(), sorted.end(), r.id);
            it != sorted.end() && *it == r.id) {
            const auto own = static_cast<std::size_t>(it - sorted.begin());
            for (std::size_t w = 0; w < r.from.size(); ++w) {
                const std::uint64_t self = own / 64 == w ? std::uint64_t{1} << (own % 64) : 0;
                if ((r.from[w] & ~self) != 0) covered.insert(r.id);
            }
        }
    std::erase_if(sorted, [&](const VersionId& id) { return covered.contains(id); });
    return sorted;
}

Result<std::vector<VersionId>> History::merge_bases(const VersionId& a, const VersionId& b) {
    if (a == b) return std::vector<VersionId>{a};
    const std::array<VersionId, 2> heads{a, b};
    TRIBUTARY_ASSIGN(const auto reached, walk(heads, 0));
    std::vector<VersionId> common;
    std::set<VersionId> below;  // ancestors of a common ancestor
    for (const Reached& r : reached) {
        if (r.from[0] != 3) continue;
        if (!below.contains(r.id)) common.push_back(r.id);
        for (const VersionId& parent : nodes_.at(r.id).parents) below.insert(parent);
    }
    std::sort(common.begin(), common.end());
    return common;
}

Result<std::vector<VersionId>> History::stated_heads(std::span<const VersionId> heads) {
    std::vector<VersionId> open(heads.begin(), heads.end());
    std::set<VersionId> seen(open.begin(), open.end());
    std::vector<VersionId> stated;
    while (!open.empty()) {
        const VersionId id = open.back();
        open.pop_back();
        TRIBUTARY_ASSIGN(const Node* known, node(id));
        if (!known->merge) {
            stated.push_back(id);
            continue;
        }
        for (const VersionId& parent : known->parents)
            if (seen.insert(parent).second) open.push_back(parent);
    }
    return independent(stated);
}

Result<std::vector<std::vector<bool>>> History::related(std::span<const VersionId> heads) {
    std::vector<std::vector<bool>> answer(heads.size(), std::vector<bool>(heads.size()));
    TRIBUTARY_ASSIGN(const auto reached, walk(heads, 0));
    std::set<std::vector<std::uint64_t>> groups;
    for (const Reached& r : reached) groups.insert(r.from);
    for (const auto& group : groups) {
        std::vector<std::size_t> members;
        for (std::size_t i = 0; i < heads.size(); ++i)
            if ((group[i / 64] >> (i % 64) & 1) != 0) members.push_back(i);
        for (const std::size_t i : members)
            for (const std::size_t j : members) answer[i][j] = i != j;
    }
    return answer;
}

}  // namespace tributary::lineage
