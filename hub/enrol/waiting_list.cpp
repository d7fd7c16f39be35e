#include "hub/enrol/waiting_list.h"

#include <algorithm>
#include <tuple>

namespace tributary::hub {
namespace {

constexpr std::string_view kPrefix = "sha256:";

}  // namespace

void WaitingList::ask(WaitingBoard board) {
    if (const auto known = boards_.find(board.key); known != boards_.end()) {
        board.since = known->second.since;
        board.asked = known->second.asked;
    } else if (boards_.size() == kMost) {
        boards_.erase(std::ranges::min_element(boards_, {}, [](const auto& one) {
            return std::tie(one.second.last, one.second.since, one.first);
        }));
        ++dropped_;
    }
    ++board.asked;
    boards_[board.key] = std::move(board);
}

std::vector<WaitingBoard> WaitingList::boards() const {
    std::vector<WaitingBoard> boards;
    for (const auto& [key, board] : boards_) boards.push_back(board);
    std::ranges::stable_sort(boards, {}, &WaitingBoard::since);
    return boards;
}

Result<Digest> WaitingList::find(std::string_view fingerprint,
                                 const std::set<Digest>& others) const {
    if (fingerprint.starts_with(kPrefix)) fingerprint.remove_prefix(kPrefix.size());
    const std::string digits(fingerprint);
    Digest whole;
    if (from_hex(digits, whole.bytes)) return whole;
    const bool hex = digits.find_first_not_of("0123456789abcdef") == digits.npos;
    if (digits.size() < 4 || digits.size() > 2 * kDigestBytes || !hex)
        return fail(Errc::invalid, "'" + digits +
                                       "' is no fingerprint: 64 hexadecimal digits, or the first 4 "
                                       "and more of a board that waits");
    std::set<Digest> keys = others;
    for (const auto& [key, board] : boards_) keys.insert(key);
    std::erase_if(keys, [&](const Digest& key) { return !to_hex(key.bytes).starts_with(digits); });
    if (keys.size() == 1) return *keys.begin();
    if (keys.empty())
        return fail(Errc::not_found, "no board waits whose fingerprint begins with " + digits +
                                         "; `tributary device waiting` shows who does. To decide "
                                         "ahead of time, give all 64 digits");
    return fail(Errc::conflict, std::to_string(keys.size()) +
                                    " boards have a fingerprint that begins with " + digits +
                                    "; give more digits");
}

}  // namespace tributary::hub
