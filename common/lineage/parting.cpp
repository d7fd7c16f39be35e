#include "common/lineage/parting.h"

#include <algorithm>
#include <bit>
#include <map>
#include <string>
#include <unordered_map>

namespace tributary::lineage {
namespace {

constexpr std::uint32_t kNobody = UINT32_MAX;
constexpr std::uint32_t kShared = UINT32_MAX - 1;

using Nodes = std::vector<std::uint32_t>;

// For each head the shared nodes that it reaches by nodes that no other head reaches; sorted. A
// head that another reaches is its own.
std::vector<Nodes> last_private(const ParentTable& parents, std::span<const std::uint32_t> heads) {
    std::vector<Nodes> left_at(heads.size());
    const std::uint32_t top = *std::max_element(heads.begin(), heads.end());
    std::vector<std::uint32_t> owner(std::size_t{top} + 1, kNobody);
    std::size_t open = 0;  // nodes of one owner that were not passed yet
    const auto claim = [&](std::uint32_t node, std::uint32_t by) {
        std::uint32_t& whose = owner[node];
        if (whose == by && by != kShared) return;
        if (by != kShared && whose != kNobody) left_at[by].push_back(node);
        if (whose == kNobody) {
            if (by != kShared) ++open;
            whose = by;
        } else if (whose != kShared) {
            left_at[whose].push_back(node);
            whose = kShared;
            --open;
        }
    };
    for (std::size_t i = 0; i < heads.size(); ++i) claim(heads[i], static_cast<std::uint32_t>(i));
    for (std::uint32_t node = top + 1; open > 0 && node-- > 0;) {
        if (owner[node] == kNobody) continue;
        if (owner[node] != kShared) --open;
        for (const std::uint32_t parent : parents.of(node)) claim(parent, owner[node]);
    }
    for (Nodes& nodes : left_at) {
        std::sort(nodes.begin(), nodes.end());
        nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    }
    return left_at;
}

// Sets of classes, each kept once under a number.
class Sets {
public:
    static constexpr std::uint32_t kEmpty = 0;
    static constexpr std::uint64_t kKept = 16;  // steps: what is kept costs more than a look
    using Bits = std::vector<std::uint64_t>;

    Sets(std::size_t classes, std::uint64_t steps) : words_((classes + 63) / 64), steps_(steps) {
        number(Bits(words_));
    }
    const Bits& bits(std::uint32_t set) const { return *bits_[set]; }
    std::size_t words() const { return words_; }

    std::uint32_t of(const Nodes& classes) {
        Bits bits(words_);
        for (const std::uint32_t c : classes) bits[c / 64] |= std::uint64_t{1} << (c % 64);
        return number(std::move(bits));
    }
    std::uint32_t unite(std::uint32_t a, std::uint32_t b) {
        if (a == b || b == kEmpty) return a;
        if (a == kEmpty) return b;
        Bits both = bits(a);
        for (std::size_t w = 0; w < words_; ++w) both[w] |= bits(b)[w];
        spend(words_);
        return number(std::move(both));
    }
    bool holds(std::uint32_t set, std::uint32_t c) const {
        return (bits(set)[c / 64] >> (c % 64) & 1) != 0;
    }
    template <typename Each>
    void each(const Bits& bits, const Each& each) const {
        for (std::size_t w = 0; w < words_; ++w)
            for (std::uint64_t left = bits[w]; left != 0; left &= left - 1)
                each(static_cast<std::uint32_t>(64 * w) +
                     static_cast<std::uint32_t>(std::countr_zero(left)));
    }
    void spend(std::uint64_t steps) { steps_ -= std::min(steps_, steps); }
    bool spent() const { return steps_ == 0; }

private:
    std::uint32_t number(Bits bits) {
        const auto [at, fresh] =
            numbers_.try_emplace(std::move(bits), static_cast<std::uint32_t>(bits_.size()));
        if (fresh) {
            bits_.push_back(&at->first);
            spend(kKept * words_);
        }
        return at->second;
    }
    std::size_t words_;
    std::uint64_t steps_;
    std::map<Bits, std::uint32_t> numbers_;
    std::vector<const Bits*> bits_;
};

// One pass from the youngest place down, with the set of classes that reach each node.
class Meeting {
public:
    Meeting(const ParentTable& parents, const std::vector<Nodes>& left_at, const Nodes& sizes,
            std::uint64_t steps)
        : parents_(parents), sizes_(sizes), sets_(sizes.size(), steps) {
        std::uint32_t end = 0;
        for (std::uint32_t c = 0; c < left_at.size(); ++c)
            for (const std::uint32_t node : left_at[c]) {
                begin_at_[node].push_back(c);
                end = std::max(end, node + 1);
            }
        from_.assign(end, kNobody);
        for (const auto& [node, classes] : begin_at_) from_[node] = Sets::kEmpty;
        open_ = begin_at_.size();
    }

    // False when it took more steps than it may.
    bool run() {
        for (std::size_t node = from_.size(); open_ > 0 && node-- > 0;) {
            if (from_[node] == kNobody) continue;
            const bool alone = open_ == 1;
            pass(static_cast<std::uint32_t>(node));
            if (sets_.spent()) return false;
            // All that is below is reached by it alone, so nobody meets there for the first time.
            if (alone) break;
        }
        return true;
    }

    // The merge bases of two classes.
    Nodes bases(std::uint32_t a, std::uint32_t b) const {
        const auto found = bases_.find(key(a, b));
        return found == bases_.end() ? Nodes{} : found->second;
    }

private:
    static std::uint64_t key(std::uint32_t a, std::uint32_t b) {
        return std::uint64_t{a} << 32 | b;
    }

    void pass(std::uint32_t node) {
        --open_;
        std::uint32_t all = from_[node];
        Nodes children{all};  // the distinct sets that come from them
        if (const auto more = more_from_.extract(node)) {
            for (const std::uint32_t set : more.mapped()) all = sets_.unite(all, set);
            children.insert(children.end(), more.mapped().begin(), more.mapped().end());
        }
        const auto begins = begin_at_.find(node);
        if (begins != begin_at_.end()) all = sets_.unite(all, sets_.of(begins->second));
        if (begins != begin_at_.end() || children.size() > 1) meet(node, all, children);
        for (const std::uint32_t parent : parents_.of(node)) reach(parent, all);
    }

    void reach(std::uint32_t node, std::uint32_t set) {
        std::uint32_t& first = from_[node];
        if (first == kNobody) ++open_;
        if (first == kNobody || first == Sets::kEmpty) {
            first = set;
        } else if (first != set) {
            Nodes& more = more_from_[node];
            if (std::find(more.begin(), more.end(), set) == more.end()) more.push_back(set);
            sets_.spend(more.size());
        }
    }

    // Two classes that both reach the node, and do not both reach any of its children.
    void meet(std::uint32_t node, std::uint32_t all, const Nodes& children) {
        sets_.each(sets_.bits(all), [&](std::uint32_t a) {
            if (sets_.spent()) return;
            Sets::Bits fresh = sets_.bits(all);
            for (const std::uint32_t set : children) {
                sets_.spend(sets_.words());
                if (!sets_.holds(set, a)) continue;
                for (std::size_t w = 0; w < fresh.size(); ++w) fresh[w] &= ~sets_.bits(set)[w];
            }
            sets_.each(fresh, [&](std::uint32_t b) {
                if (a > b || (a == b && sizes_[a] == 1)) return;
                bases_[key(a, b)].push_back(node);
                sets_.spend(Sets::kKept);
            });
        });
    }

    const ParentTable& parents_;
    const Nodes& sizes_;
    Sets sets_;
    std::unordered_map<std::uint32_t, Nodes> begin_at_;  // node to the classes that left at it
    Nodes from_;  // what reaches each node from the first of its children; kNobody: nothing
    std::unordered_map<std::uint32_t, Nodes> more_from_;  // from further ones, where it differs
    std::size_t open_ = 0;                                // nodes that wait to be passed
    std::unordered_map<std::uint64_t, Nodes> bases_;
};

}  // namespace

Result<Partings> partings(const ParentTable& parents, std::span<const std::uint32_t> heads,
                          const PartingBudget& budget) {
    Partings answer;
    if (heads.empty()) return answer;
    std::map<Nodes, std::uint32_t> classes;
    std::vector<Nodes> left_at;  // by class
    Nodes sizes;
    for (Nodes& nodes : last_private(parents, heads)) {
        const auto [at, fresh] = classes.try_emplace(std::move(nodes), answer.classes);
        if (fresh) {
            ++answer.classes;
            left_at.push_back(at->first);
            sizes.push_back(0);
        }
        ++sizes[at->second];
        answer.class_of.push_back(at->second);
    }
    const auto too_much = [] {
        return fail(
            Errc::exhausted,
            "the heads part at too many places; let the boards go on from the shared branch");
    };
    if (answer.classes > budget.classes) return too_much();
    Meeting meeting(parents, left_at, sizes, budget.steps);
    if (!meeting.run()) return too_much();

    std::map<Nodes, std::uint32_t> base_sets;
    for (std::uint32_t a = 0; a < answer.classes; ++a)
        for (std::uint32_t b = a; b < answer.classes; ++b) {
            if (a == b && sizes[a] == 1) continue;
            const auto [at, fresh] = base_sets.try_emplace(
                meeting.bases(a, b), static_cast<std::uint32_t>(base_sets.size()));
            if (fresh) answer.base_sets.push_back(at->first);
            answer.pairs.push_back({a, b, at->second});
        }
    return answer;
}

}  // namespace tributary::lineage
