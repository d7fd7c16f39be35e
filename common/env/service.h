// Telling the service manager how this process is: the datagrams of sd_notify(3), without
// libsystemd. Outside a service every call does nothing.
//
// Source: sd_notify(3) and sd_watchdog_enabled(3) of systemd 252. A datagram that cannot be sent is
// dropped: the manager then acts as if it had heard nothing, which is what it is for.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/env/clock.h"
#include "common/env/loop.h"

namespace tributary {

struct ServiceAddress {
    std::string socket;             // a path, or '@' and an abstract name; empty: nobody listens
    std::uint64_t watchdog_ms = 0;  // silence after which the process is killed; 0: never
};
// From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, which are then removed, so that a command we
// run does not speak for us. Before there is a second thread.
ServiceAddress take_service_address();

// The file of a secret that the service manager handed to this service (LoadCredential= of
// systemd.exec(5)); empty when there is none.
std::string credential_path(std::string_view name);

// From any thread.
class Service {
public:
    Service(ServiceAddress address, Clock& clock);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    // A step of a long start is done: two more minutes, please. Nothing once ready() was said.
    void starting();
    void ready();
    // Nothing before ready().
    void alive();
    void stopping();

    const ServiceAddress& address() const { return address_; }

private:
    void say(std::string_view text);
    bool due(std::uint64_t every_ms);

    ServiceAddress address_;
    Clock& clock_;
    int socket_ = -1;
    std::atomic<bool> ready_ = false;
    std::atomic<std::uint64_t> next_ms_ = 0;
};

// Says ready(), then alive() by a timer of the loop until destroyed: a loop that hangs falls
// silent. On the loop's thread.
class Heartbeat {
public:
    Heartbeat(Loop& loop, Service& service);

private:
    void arm();

    Loop& loop_;
    Service& service_;
    std::unique_ptr<Timer> timer_;
};

}  // namespace tributary
