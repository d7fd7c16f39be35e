#include "agent/record/similar_name.h"

#include <algorithm>

namespace tributary::agent {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A name with one digit in place of each number.
std::string without_numbers(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (!is_digit(c))
            out += c;
        else if (out.empty() || !is_digit(out.back()))
            out += '0';
    }
    return out;
}

// Takes the number at the front of `name`, without its leading zeros.
std::string_view take_number(std::string_view& name) {
    std::size_t end = 0;
    while (end < name.size() && is_digit(name[end])) ++end;
    std::string_view number = name.substr(0, end);
    name.remove_prefix(end);
    while (!number.empty() && number.front() == '0') number.remove_prefix(1);
    return number;
}

// Of two names that are alike without their numbers.
bool comes_before(std::string_view a, std::string_view b) {
    while (!a.empty() && !b.empty()) {
        if (!is_digit(a.front()) || !is_digit(b.front())) {
            a.remove_prefix(1);
            b.remove_prefix(1);
            continue;
        }
        const std::string_view of_a = take_number(a);
        const std::string_view of_b = take_number(b);
        if (of_a.size() != of_b.size()) return of_a.size() < of_b.size();
        if (of_a != of_b) return of_a < of_b;
    }
    return false;
}

}  // namespace

SimilarNames::SimilarNames(const std::vector<TreeItem>& items) {
    for (const TreeItem& item : items)
        alike_[{item.is_tree(), without_numbers(item.name)}].push_back(&item);
    for (auto& [kind, alike] : alike_)
        std::ranges::stable_sort(alike, [](const TreeItem* a, const TreeItem* b) {
            return comes_before(a->name, b->name);
        });
}

const TreeItem* SimilarNames::nearest(std::string_view name, bool is_tree) const {
    const auto found = alike_.find({is_tree, without_numbers(name)});
    if (found == alike_.end()) return nullptr;
    const auto& alike = found->second;
    const auto above = std::ranges::partition_point(
        alike, [&](const TreeItem* item) { return comes_before(item->name, name); });
    return above == alike.begin() ? *above : *(above - 1);
}

}  // namespace tributary::agent
