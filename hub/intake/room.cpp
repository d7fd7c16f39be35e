#include "hub/intake/room.h"

#include <algorithm>
#include <utility>

namespace tributary::hub {

bool Room::fits(std::uint64_t bytes) const {
    const Status admitted = store_.admits(bytes + kReserveBytes);
    // A store that takes no more writes at all says so by itself.
    return admitted || admitted.error().code != Errc::exhausted;
}

Status Room::admits(const std::string& device, std::uint64_t bytes) {
    const auto known = std::ranges::find(waiting_, device, &Waiting::device);
    if (fits(bytes)) {
        if (known != waiting_.end()) waiting_.erase(known);
        return {};
    }
    if (known != waiting_.end()) {
        known->bytes = bytes;
    } else {
        waiting_.push_back({device, bytes});
        if (waiting_.size() == 1) waits_();
    }
    return fail(Errc::exhausted,
                "the hub's disk has no room for it, which its operator is told; nothing is to be "
                "done on this board, and nothing is lost: it keeps what it has, and sends it when "
                "the hub has room again");
}

void Room::forget(const std::string& device) {
    std::erase_if(waiting_, [&](const Waiting& board) { return board.device == device; });
}

std::vector<std::string> Room::call(
    const std::function<bool(const std::string& device)>& is_heard) {
    std::vector<std::string> called;
    std::uint64_t bytes = 0;
    std::erase_if(waiting_, [&](Waiting& board) {
        if (!is_heard(board.device)) return true;
        if (!fits(bytes + board.bytes)) return false;
        bytes += board.bytes;
        called.push_back(std::move(board.device));
        return true;
    });
    return called;
}

}  // namespace tributary::hub
