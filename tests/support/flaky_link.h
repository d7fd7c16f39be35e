// A TCP proxy on loopback: a link that is slow, breaks, or goes silent.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace tributary::test {

class FlakyLink {
public:
    // Leads to `to_port` of the loopback. Connections are taken at once, whether anybody is there
    // or not.
    explicit FlakyLink(std::uint16_t to_port);
    ~FlakyLink();
    FlakyLink(const FlakyLink&) = delete;
    FlakyLink& operator=(const FlakyLink&) = delete;

    std::string url(const std::string& scheme = "mqtt") const {
        return scheme + "://127.0.0.1:" + std::to_string(port_);
    }
    // Each way; 0: as fast as it goes.
    void limit(std::uint64_t bytes_per_second) { bytes_per_second_ = bytes_per_second; }
    // Every connection there is is reset, with all that is on it.
    void cut() { ++cuts_wanted_; }
    // Nothing passes, and nobody is told.
    void be_silent(bool silent) { silent_ = silent; }

    // Both ways, since it was made.
    std::uint64_t passed_bytes() const { return passed_; }

private:
    void serve();

    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::uint16_t to_port_;
    std::atomic<std::uint64_t> bytes_per_second_{0};
    std::atomic<std::uint64_t> cuts_wanted_{0};
    std::atomic<bool> silent_{false};
    std::atomic<std::uint64_t> passed_{0};
    std::atomic<bool> ending_{false};
    std::thread thread_;
};

}  // namespace tributary::test
