#include "common/lineage/history.h"

#include <algorithm>

namespace tributary::lineage {

bool is_merge(const Version& version) {
    return version.incarnation.is_none() && version.author.empty() && version.parents.size() >= 2;
}

Result<std::uint32_t> History::number(const VersionId& id) {
    if (const auto known = numbers_.find(id); known != numbers_.end()) return known->second;
    // Depth first with a stack of our own: histories are longer than the call stack is deep. A
    // version cannot be its own ancestor, for its id covers its parents'.
    struct Open {
        VersionId id;
        std::vector<VersionId> parents;
        std::size_t next = 0;  // of them
        bool merge = false;
    };
    std::vector<Open> open;
    const auto enter = [&](const VersionId& next) -> Status {
        auto version = load_(next);
        if (!version) return with_context("history of " + id.text(), version.error());
        const bool merge = is_merge(*version);
        open.push_back({next, std::move(version->parents), 0, merge});
        return {};
    };
    TRIBUTARY_TRY(enter(id));
    while (!open.empty()) {
        Open& last = open.back();
        while (last.next < last.parents.size() && numbers_.contains(last.parents[last.next]))
            ++last.next;
        if (last.next < last.parents.size()) {
            const VersionId next = last.parents[last.next];
            TRIBUTARY_TRY(enter(next));
            continue;
        }
        std::vector<std::uint32_t> parents;
        for (const VersionId& parent : last.parents) parents.push_back(numbers_.at(parent));
        const auto [named, fresh] = numbers_.emplace(last.id, parents_.size());
        TRIBUTARY_CHECK(fresh);
        ids_.push_back(&named->first);
        merges_.push_back(last.merge);
        parents_.add(parents);
        open.pop_back();
    }
    return numbers_.at(id);
}

Result<std::vector<std::uint32_t>> History::numbers(std::span<const VersionId> heads) {
    std::vector<std::uint32_t> numbers;
    numbers.reserve(heads.size());
    for (const VersionId& head : heads) {
        TRIBUTARY_ASSIGN(const std::uint32_t known, number(head));
        numbers.push_back(known);
    }
    return numbers;
}

Result<std::vector<VersionId>> History::independent(std::span<const VersionId> heads) {
    TRIBUTARY_ASSIGN(auto sorted, numbers(heads));
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    std::vector<VersionId> left;
    if (sorted.empty()) return left;
    const std::uint32_t floor = sorted.front();
    std::vector<bool> reached(sorted.back() - floor + 1);  // from above, by some head
    for (std::uint32_t node = sorted.back() + 1; node-- > floor;) {
        const bool head = !sorted.empty() && sorted.back() == node;
        if (head) {
            sorted.pop_back();
            if (!reached[node - floor]) left.push_back(id(node));
        }
        if (!head && !reached[node - floor]) continue;
        for (const std::uint32_t parent : parents_.of(node))
            if (parent >= floor) reached[parent - floor] = true;
    }
    std::sort(left.begin(), left.end());
    return left;
}

Result<std::vector<VersionId>> History::stated_heads(std::span<const VersionId> heads) {
    std::vector<VersionId> stated;
    TRIBUTARY_ASSIGN(const auto asked, numbers(heads));
    if (asked.empty()) return stated;
    const std::uint32_t top = *std::max_element(asked.begin(), asked.end());
    std::vector<bool> wanted(std::size_t{top} + 1);
    for (const std::uint32_t head : asked) wanted[head] = true;
    for (std::uint32_t node = top + 1; node-- > 0;) {
        if (!wanted[node]) continue;
        if (!merges_[node]) {
            stated.push_back(id(node));
            continue;
        }
        for (const std::uint32_t parent : parents_.of(node)) wanted[parent] = true;
    }
    return independent(stated);
}

Result<Partings> History::partings(std::span<const VersionId> heads) {
    TRIBUTARY_ASSIGN(const auto known, numbers(heads));
    return lineage::partings(parents_, known);
}

}  // namespace tributary::lineage
