#include "common/lineage/history.h"

#include <algorithm>
#include <bit>
#include <map>
#include <queue>
#include <unordered_set>

namespace tributary::lineage {

// Sets of heads, as bits; each distinct one is kept once. Along a chain it stays the same one,
// which costs nothing.
class History::HeadSets {
public:
    using Bits = std::vector<std::uint64_t>;

    explicit HeadSets(std::size_t heads) : words_((heads + 63) / 64) {
        for (std::size_t i = 0; i < heads; ++i) {
            Bits bits(words_);
            bits[i / 64] = std::uint64_t{1} << (i % 64);
            add(std::move(bits));
        }
    }

    std::uint32_t single(std::size_t head) const { return static_cast<std::uint32_t>(head); }
    // Of distinct sets, one at least.
    std::uint32_t united(std::span<const std::uint32_t> sets) {
        if (sets.size() == 1) return sets.front();
        Bits bits(words_);
        for (const std::uint32_t set : sets) unite(bits, *sets_[set]);
        return add(std::move(bits));
    }
    // Of `all`, those that stand beside `head` in none of the sets.
    Bits apart(std::size_t head, std::span<const std::uint32_t> sets, std::uint32_t all) const {
        Bits bits = *sets_[all];
        for (const std::uint32_t set : sets)
            if (has(*sets_[set], head))
                for (std::size_t w = 0; w < words_; ++w) bits[w] &= ~(*sets_[set])[w];
        return bits;
    }
    static std::vector<std::size_t> members(const Bits& bits) {
        std::vector<std::size_t> members;
        for (std::size_t w = 0; w < bits.size(); ++w)
            for (std::uint64_t left = bits[w]; left != 0; left &= left - 1)
                members.push_back(w * 64 + static_cast<std::size_t>(std::countr_zero(left)));
        return members;
    }
    const Bits& bits(std::uint32_t set) const { return *sets_[set]; }
    std::size_t count(std::uint32_t set) const {
        std::size_t count = 0;
        for (const std::uint64_t word : *sets_[set])
            count += static_cast<std::size_t>(std::popcount(word));
        return count;
    }

private:
    static bool has(const Bits& bits, std::size_t head) {
        return (bits[head / 64] >> (head % 64) & 1) != 0;
    }
    static void unite(Bits& into, const Bits& bits) {
        for (std::size_t w = 0; w < into.size(); ++w) into[w] |= bits[w];
    }
    std::uint32_t add(Bits bits) {
        const auto [at, fresh] =
            numbers_.try_emplace(std::move(bits), static_cast<std::uint32_t>(sets_.size()));
        if (fresh) sets_.push_back(&at->first);
        return at->second;
    }

    std::size_t words_;
    std::vector<const Bits*> sets_;  // the keys of numbers_
    std::map<Bits, std::uint32_t> numbers_;
};

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

void History::walk(std::span<const std::uint32_t> heads, std::uint32_t floor, HeadSets& sets,
                   const Visit& visit) const {
    struct Waiting {
        std::vector<std::uint32_t> from;
        bool wanted = false;
    };
    std::unordered_map<std::uint32_t, Waiting> waiting;
    std::size_t wanted = 0;
    // All that reach a version are younger than it, so what is known of it is complete when it
    // comes up.
    std::priority_queue<std::pair<std::uint32_t, std::uint32_t>> youngest;  // generation, number
    const auto reach = [&](std::uint32_t number, std::uint32_t set, bool is_wanted) {
        const auto [at, fresh] = waiting.try_emplace(number);
        Waiting& version = at->second;
        if (fresh) {
            youngest.emplace(nodes_[number].generation, number);
            version.wanted = is_wanted;
            if (is_wanted) ++wanted;
        } else if (version.wanted && !is_wanted) {
            version.wanted = false;
            --wanted;
        }
        if (std::ranges::find(version.from, set) == version.from.end()) version.from.push_back(set);
    };
    for (std::size_t i = 0; i < heads.size(); ++i) reach(heads[i], sets.single(i), true);
    while (wanted != 0 && youngest.top().first >= floor) {
        const std::uint32_t number = youngest.top().second;
        youngest.pop();
        const Waiting version = std::move(waiting.extract(number).mapped());
        if (version.wanted) --wanted;
        const std::uint32_t set = sets.united(version.from);
        const bool go_on = version.wanted && !visit(number, version.from, set);
        for (const std::uint32_t parent : nodes_[number].parents) reach(parent, set, go_on);
    }
}

Result<bool> History::is_ancestor(const VersionId& ancestor, const VersionId& of) {
    if (ancestor == of) return true;
    TRIBUTARY_ASSIGN(const std::uint32_t low, node(ancestor));
    TRIBUTARY_ASSIGN(const std::uint32_t high, node(of));
    bool found = false;
    HeadSets sets(1);
    walk({&high, 1}, nodes_[low].generation, sets,
         [&](std::uint32_t number, auto, auto) { return found = found || number == low; });
    return found;
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
    std::vector<bool> covered(sorted.size());
    HeadSets sets(nodes.size());
    walk(nodes, floor, sets, [&](std::uint32_t number, auto, std::uint32_t set) {
        const auto own = place.find(number);
        if (own != place.end()) covered[own->second] = sets.count(set) > 1;
        return false;
    });
    std::vector<VersionId> left;
    for (std::size_t i = 0; i < sorted.size(); ++i)
        if (!covered[i]) left.push_back(sorted[i]);
    return left;
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

// Two heads part where they come together for the first time on the way down: at a version that
// both are reached from, and no child of which is.
Result<Partings> History::partings(std::span<const VersionId> heads, std::uint64_t steps_max) {
    TRIBUTARY_ASSIGN(const auto nodes, nodes_of(heads));
    Partings partings(heads.size());
    HeadSets sets(heads.size());
    const auto note = [&](std::size_t i, std::size_t j, std::uint32_t number,
                          std::unordered_map<std::uint32_t, std::uint32_t>& longer) {
        ++partings.steps_;
        std::uint32_t& list = partings.of_[Partings::place(i, j)];
        const auto [next, fresh] =
            longer.try_emplace(list, static_cast<std::uint32_t>(partings.lists_.size()));
        if (fresh) {
            std::vector<VersionId> bases = partings.lists_[list];
            bases.push_back(nodes_[number].id);
            partings.steps_ += bases.size();
            partings.lists_.push_back(std::move(bases));
        }
        list = next->second;
    };
    walk(nodes, 0, sets,
         [&](std::uint32_t number, std::span<const std::uint32_t> from, std::uint32_t set) {
             ++partings.steps_;
             const bool joins = from.size() > 1 && std::ranges::find(from, set) == from.end();
             if (joins) {
                 const std::vector<std::size_t> members = HeadSets::members(sets.bits(set));
                 partings.steps_ += members.size() * from.size();
                 if (partings.steps_ > steps_max) return true;
                 std::unordered_map<std::uint32_t, std::uint32_t> longer;  // list → with this one
                 for (const std::size_t i : members)
                     for (const std::size_t j : HeadSets::members(sets.apart(i, from, set)))
                         if (j < i) note(i, j, number, longer);
             }
             return partings.steps_ > steps_max || sets.count(set) == heads.size();
         });
    if (partings.steps_ > steps_max)
        return fail(Errc::exhausted,
                    "the histories of the heads cross too often to tell where they part; bring the "
                    "heads nearer to each other");
    for (std::vector<VersionId>& list : partings.lists_) std::ranges::sort(list);
    return partings;
}

}  // namespace tributary::lineage
