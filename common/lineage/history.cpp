#include "common/lineage/history.h"

#include <algorithm>
#include <array>
#include <bit>
#include <queue>
#include <set>
#include <unordered_set>

namespace tributary::lineage {

bool is_merge(const Version& version) {
    return version.incarnation.is_none() && version.author.empty() && version.parents.size() >= 2;
}

Result<std::uint32_t> History::node(const VersionId& id) {
    if (const auto known = numbers_.find(id); known != numbers_.end()) return known->second;
    // Depth first with a stack of our own: histories are longer than the call stack is deep. A
    // version cannot be its own ancestor, for its id covers its parents'.
    struct Open {
        VersionId id;
        std::vector<VersionId> parents;
        bool merge = false;
    };
    std::vector<Open> open;
    const auto enter = [&](const VersionId& next) -> Status {
        auto version = load_(next);
        if (!version) return with_context("history of " + id.text(), version.error());
        const bool merge = is_merge(*version);
        open.push_back({next, std::move(version->parents), merge});
        return {};
    };
    TRIBUTARY_TRY(enter(id));
    while (!open.empty()) {
        const std::vector<VersionId>& parents = open.back().parents;
        const auto unknown = std::find_if(parents.begin(), parents.end(), [&](const VersionId& p) {
            return !numbers_.contains(p);
        });
        if (unknown != parents.end()) {
            const VersionId next = *unknown;
            TRIBUTARY_TRY(enter(next));
            continue;
        }
        Node done{open.back().id, {}, 0, open.back().merge};
        for (const VersionId& parent : parents) {
            done.parents.push_back(numbers_.at(parent));
            done.generation = std::max(done.generation, nodes_[done.parents.back()].generation);
        }
        ++done.generation;
        numbers_.emplace(done.id, static_cast<std::uint32_t>(nodes_.size()));
        nodes_.push_back(std::move(done));
        open.pop_back();
    }
    return numbers_.at(id);
}

Result<std::vector<std::uint32_t>> History::nodes_of(std::span<const VersionId> heads) {
    std::vector<std::uint32_t> nodes;
    nodes.reserve(heads.size());
    for (const VersionId& head : heads) {
        TRIBUTARY_ASSIGN(const std::uint32_t number, node(head));
        nodes.push_back(number);
    }
    return nodes;
}

History::Reach History::walk(std::span<const std::uint32_t> heads, std::uint32_t floor) const {
    Reach reach;
    reach.words = (heads.size() + 63) / 64;
    std::unordered_map<std::uint32_t, std::vector<std::uint64_t>> waiting;
    // All that reach a version are younger than it, so its bits are complete when it comes up.
    std::priority_queue<std::pair<std::uint32_t, std::uint32_t>> youngest;  // generation, number
    const auto bits_of = [&](std::uint32_t number) -> std::vector<std::uint64_t>& {
        const auto [at, fresh] = waiting.try_emplace(number, reach.words);
        if (fresh) youngest.emplace(nodes_[number].generation, number);
        return at->second;
    };
    for (std::size_t i = 0; i < heads.size(); ++i)
        bits_of(heads[i])[i / 64] |= std::uint64_t{1} << (i % 64);
    while (!youngest.empty() && youngest.top().first >= floor) {
        const std::uint32_t number = youngest.top().second;
        youngest.pop();
        const std::vector<std::uint64_t> from = std::move(waiting.extract(number).mapped());
        for (const std::uint32_t parent : nodes_[number].parents) {
            std::vector<std::uint64_t>& bits = bits_of(parent);
            for (std::size_t w = 0; w < reach.words; ++w) bits[w] |= from[w];
        }
        reach.nodes.push_back(number);
        reach.bits.insert(reach.bits.end(), from.begin(), from.end());
    }
    return reach;
}

Result<bool> History::is_ancestor(const VersionId& ancestor, const VersionId& of) {
    if (ancestor == of) return true;
    TRIBUTARY_ASSIGN(const std::uint32_t low, node(ancestor));
    TRIBUTARY_ASSIGN(const std::uint32_t high, node(of));
    const Reach reach = walk({&high, 1}, nodes_[low].generation);
    return std::ranges::find(reach.nodes, low) != reach.nodes.end();
}

Result<std::vector<VersionId>> History::independent(std::span<const VersionId> heads) {
    std::vector<VersionId> sorted(heads.begin(), heads.end());
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    if (sorted.size() < 2) return sorted;
    TRIBUTARY_ASSIGN(const auto nodes, nodes_of(sorted));
    std::uint32_t floor = UINT32_MAX;
    std::unordered_map<std::uint32_t, std::size_t> place;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        floor = std::min(floor, nodes_[nodes[i]].generation);
        place.emplace(nodes[i], i);
    }
    const Reach reach = walk(nodes, floor);
    std::vector<bool> covered(sorted.size());
    for (std::size_t r = 0; r < reach.nodes.size(); ++r) {
        const auto own = place.find(reach.nodes[r]);
        if (own == place.end()) continue;
        int others = -1;  // its own bit is set
        for (const std::uint64_t word : reach.from(r)) others += std::popcount(word);
        covered[own->second] = others > 0;
    }
    std::vector<VersionId> left;
    for (std::size_t i = 0; i < sorted.size(); ++i)
        if (!covered[i]) left.push_back(sorted[i]);
    return left;
}

Result<std::vector<VersionId>> History::merge_bases(const VersionId& a, const VersionId& b) {
    if (a == b) return std::vector<VersionId>{a};
    const std::array<VersionId, 2> heads{a, b};
    TRIBUTARY_ASSIGN(const auto nodes, nodes_of(heads));
    const Reach reach = walk(nodes, 0);
    std::vector<VersionId> common;
    std::unordered_set<std::uint32_t> below;  // ancestors of a common ancestor
    for (std::size_t r = 0; r < reach.nodes.size(); ++r) {
        if (reach.from(r)[0] != 3) continue;
        const Node& shared = nodes_[reach.nodes[r]];
        if (!below.contains(reach.nodes[r])) common.push_back(shared.id);
        below.insert(shared.parents.begin(), shared.parents.end());
    }
    std::sort(common.begin(), common.end());
    return common;
}

Result<std::vector<VersionId>> History::stated_heads(std::span<const VersionId> heads) {
    TRIBUTARY_ASSIGN(std::vector<std::uint32_t> open, nodes_of(heads));
    std::unordered_set<std::uint32_t> seen(open.begin(), open.end());
    std::vector<VersionId> stated;
    while (!open.empty()) {
        const Node& known = nodes_[open.back()];
        open.pop_back();
        if (!known.merge) {
            stated.push_back(known.id);
            continue;
        }
        for (const std::uint32_t parent : known.parents)
            if (seen.insert(parent).second) open.push_back(parent);
    }
    return independent(stated);
}

Result<std::vector<std::vector<bool>>> History::related(std::span<const VersionId> heads) {
    std::vector<std::vector<bool>> answer(heads.size(), std::vector<bool>(heads.size()));
    TRIBUTARY_ASSIGN(const auto nodes, nodes_of(heads));
    const Reach reach = walk(nodes, 0);
    std::set<std::vector<std::uint64_t>> groups;
    for (std::size_t r = 0; r < reach.nodes.size(); ++r) {
        const auto from = reach.from(r);
        groups.emplace(from.begin(), from.end());
    }
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
