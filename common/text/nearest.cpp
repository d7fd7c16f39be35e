#include "common/text/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tributary {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
    const auto best = std::ranges::min_element(
        known, {}, [&](const std::string& candidate) { return edit_distance(word, candidate); });
    return best == known.end() ? std::string() : *best;
}

}  // namespace tributary
