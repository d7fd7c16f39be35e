#include "common/store/removed.h"

#include <algorithm>
#include <utility>

namespace tributary {
namespace {

constexpr std::uint8_t kForm = 1;

}  // namespace

Result<Removed> Removed::open(Files& files, std::string path) {
    TRIBUTARY_ASSIGN(StateFile file, StateFile::open(files, std::move(path)));
    Removed removed(std::move(file));
    const auto& value = removed.file_.value();
    if (!value) return removed;

    ByteReader in(*value);
    const auto form = in.take<std::uint8_t>();
    if (form != kForm)
        return fail(Errc::unsupported,
                    "the list of removed segments is a newer program's: upgrade");
    const auto count = in.take<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
        Range range;
        range.first = in.take<std::uint32_t>();
        range.last = in.take<std::uint32_t>();
        removed.ranges_.push_back(range);
    }
    if (!in.done()) return fail(Errc::corrupt, "the list of removed segments is damaged");
    return removed;
}

bool Removed::contains(std::uint32_t number) const {
    const auto after = std::ranges::upper_bound(ranges_, number, {}, &Range::first);
    return after != ranges_.begin() && number <= std::prev(after)->last;
}

std::vector<Removed::Range> Removed::joined(std::vector<Range> ranges) {
    std::ranges::sort(ranges, {}, &Range::first);
    std::vector<Range> joined;
    for (const Range& range : ranges) {
        if (!joined.empty() && range.first <= std::uint64_t{joined.back().last} + 1) {
            joined.back().last = std::max(joined.back().last, range.last);
        } else {
            joined.push_back(range);
        }
    }
    return joined;
}

Status Removed::add(const std::vector<std::uint32_t>& numbers) {
    std::vector<Range> ranges = ranges_;
    for (const std::uint32_t number : numbers) ranges.push_back({number, number});
    ranges = joined(std::move(ranges));
    Bytes payload;
    ByteWriter out(payload);
    out.put(kForm);
    out.put(static_cast<std::uint32_t>(ranges.size()));
    for (const Range& range : ranges) {
        out.put(range.first);
        out.put(range.last);
    }
    TRIBUTARY_TRY(file_.save(std::move(payload)));
    ranges_ = std::move(ranges);
    return {};
}

}  // namespace tributary
