// A real mosquitto on a free loopback port, ended with the test.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/support/process.h"

namespace tributary::test {

class Mosquitto {
public:
    // Starts it and waits until it listens; aborts the test program when it does not within 5 s.
    // `more` is added to its configuration after the listener, so that it can set the listener's
    // certificates. Without `start_now` only the port is chosen.
    explicit Mosquitto(const std::string& more = "allow_anonymous true\n", bool start_now = true);
    ~Mosquitto();

    void start();
    void kill();  // SIGKILL, and waits for it
    std::uint16_t port() const { return port_; }
    std::string url(const std::string& scheme = "mqtt") const {
        return scheme + "://127.0.0.1:" + std::to_string(port_);
    }

private:
    TempDir directory_;
    std::uint16_t port_;
    std::unique_ptr<Process> process_;
};

}  // namespace tributary::test
