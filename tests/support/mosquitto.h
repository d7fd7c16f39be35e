// A real mosquitto on a free loopback port, ended with the test.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

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
    void start_with(const std::string& more);  // from now on, whether it runs or not
    void kill();                               // SIGKILL, and waits for it
    std::uint16_t port() const { return port_; }
    pid_t pid() const { return process_->pid(); }  // while it runs
    std::string url(const std::string& scheme = "mqtt") const {
        return scheme + "://127.0.0.1:" + std::to_string(port_);
    }

private:
    void configure(const std::string& more);

    TempDir directory_;
    std::uint16_t port_;
    std::unique_ptr<Process> process_;
};

// For `more`: everybody may subscribe to these filters, and is refused any other (acl_file grants
// all and then delivers nothing). `file` is written.
std::string subscriptions_to_nothing_but(const std::vector<std::string>& filters,
                                         const std::string& file);
// For `more`: an ACL of these lines, for nobody in particular.
std::string with_acl(const std::string& lines, const std::string& file);

}  // namespace tributary::test
