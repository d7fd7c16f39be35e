// How many bytes of content all boards together may have under way to this hub: promised to them,
// in the broker's queue, or received and not stored yet. What is more than the broker keeps would
// drop there in silence and be sent again, and memory here must not grow with the fleet.
//
// Who asks when there is none left waits in line, and keeps its place while its link is down: else
// one whose link breaks often would never come to the front. What is small has a line and a part of
// its own, so a board that has little to send does not wait for those that have much.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/base/limits.h"

namespace tributary::hub {

class CreditPool {
    struct Lane;
    struct State;  // shared by all shares, which may outlive this

public:
    static constexpr std::uint64_t kSmallBytesMax = 64 * limits::KiB;
    // For what is small.
    static constexpr std::uint64_t kSmallPart = 8;

    // Some bytes, until it is gone: then they are the next one's.
    class Share {
    public:
        Share() = default;  // none
        Share(Share&& other) noexcept { swap(other); }
        Share& operator=(Share&& other) noexcept {
            Share(std::move(other)).swap(*this);
            return *this;
        }
        ~Share();
        std::uint64_t bytes() const { return bytes_; }
        bool is_wanted() const;  // others wait for the like

    private:
        friend class CreditPool;
        Share(std::shared_ptr<State> state, Lane* lane, std::uint64_t bytes)
            : state_(std::move(state)), lane_(lane), bytes_(bytes) {}
        void swap(Share& other) noexcept {
            std::swap(state_, other.state_);
            std::swap(lane_, other.lane_);
            std::swap(bytes_, other.bytes_);
        }

        std::shared_ptr<State> state_;
        Lane* lane_ = nullptr;  // of it
        std::uint64_t bytes_ = 0;
    };

    explicit CreditPool(std::uint64_t bytes);
    ~CreditPool();
    CreditPool(const CreditPool&) = delete;
    CreditPool& operator=(const CreditPool&) = delete;

    // `begin` is called with so many bytes, or with all that there are for the like: at once, or
    // while another one's share goes; so what takes long is for later.
    using Begin = std::function<void(Share share)>;
    void ask(const std::string& device, std::uint64_t bytes, Begin begin);
    // It waits no more for now; when it asks again, it has the place that it had.
    void step_aside(const std::string& device);
    void forget(const std::string& device);
    std::uint64_t given_bytes() const;
    std::size_t waiting() const;

private:
    std::shared_ptr<State> state_;
};

}  // namespace tributary::hub
