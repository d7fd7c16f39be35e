// How many walks over versions go on beside each other. Each holds lists of what its version names,
// and after an outage of the broker every board may have one to be walked over, and one to be sent.
// The others wait in the order in which they came. Whoever has a place goes on without waiting for
// anything: neither for another place nor for the network.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace tributary::hub {

class Walks {
    struct State;  // shared by all places, which may outlive this

public:
    static constexpr std::size_t kAtOnceMax = 8;

    // The right to walk, until it is gone: then it is the next one's.
    class Place {
    public:
        Place() = default;  // none
        Place(Place&&) noexcept = default;
        Place& operator=(Place&& other) noexcept {
            std::swap(state_, other.state_);
            return *this;
        }
        ~Place();
        explicit operator bool() const { return state_ != nullptr; }

    private:
        friend class Walks;
        explicit Place(std::shared_ptr<State> state) : state_(std::move(state)) {}
        std::shared_ptr<State> state_;
    };

    Walks();
    ~Walks();
    Walks(const Walks&) = delete;
    Walks& operator=(const Walks&) = delete;

    // None when as many go as may.
    Place enter();
    // After that: `begin` is called while another one's place goes, so what takes long is for
    // later.
    using Begin = std::function<void(Place place)>;
    void wait(const std::string& who, Begin begin);
    void forget(const std::string& who);  // waits no more
    std::size_t going() const;
    std::size_t waiting() const;

private:
    std::shared_ptr<State> state_;
};

}  // namespace tributary::hub
