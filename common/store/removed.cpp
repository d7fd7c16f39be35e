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

Status Removed::add(std::uint32_t number) {
    std::vector<Range> ranges;
    Range added{number, number};
    for (const Range& range : ranges_) {
        if (std::uint64_t{range.last} + 1 < added.first ||
            std::uint64_t{added.last} + 1 < range.first) {
            ranges.push_back(range);
        } else {
            added = {std::min(range.first, added.first), std::max(range.last, added.last)};
        }
    }
    ranges.push_back(added);
    std::ranges::sort(ranges, {}, &Range::first);
    Bytes payload;
    ByteWriter out(payload);
    out.put(kForm);
    out.put(static_cast<std::uint32_t>(ranges.size()));
    for (const Range& range : ranges) {
        out.put(range.first);
        out.put(range.last);
    }
    TRIBUTARY_TRY(file_.save(payload));
    TRIBUTARY_TRY(file_.save(std::move(payload)));
    ranges_ = std::move(ranges);
    return {};
}

}  // namespace tributary
