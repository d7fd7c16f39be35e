// Whether the disk has room for what boards would send. It is asked before content is asked for: a
// board whose content could not be kept would send it in vain, over a link that may cost, again and
// again. One that was told that there is no room waits, and is called when there is.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/limits.h"
#include "common/store/store.h"

namespace tributary::hub {

class Room {
public:
    // Kept free of content: for what the hub decides, for what boards say without content, and for
    // content that was asked for while there was room.
    static constexpr std::uint64_t kReserveBytes = limits::kSegmentBytesHub;

    // The store must outlive it. `waits` is called when a board waits and none did before.
    Room(Store& store, std::function<void()> waits) : store_(store), waits_(std::move(waits)) {}

    // exhausted, as a sentence for the board's people, when so much does not fit: then it waits.
    Status admits(const std::string& device, std::uint64_t bytes);
    void forget(const std::string& device);  // it waits no more: what it brings needs no room
    // Those for which there is room by now, for all of them together; they wait no more. Neither do
    // those that are not heard, which are not called.
    std::vector<std::string> call(const std::function<bool(const std::string& device)>& is_heard);

    struct Waiting {
        std::string device;
        std::uint64_t bytes = 0;  // of the page that it offered
    };
    const std::vector<Waiting>& waiting() const { return waiting_; }

private:
    bool fits(std::uint64_t bytes) const;

    Store& store_;
    std::function<void()> waits_;
    std::vector<Waiting> waiting_;  // the one that came first comes first
};

}  // namespace tributary::hub
