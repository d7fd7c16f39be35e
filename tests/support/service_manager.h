// The other end of sd_notify(3): what systemd would hear.
#pragma once

#include <string>

namespace tributary::test {

class ServiceManager {
public:
    // A path, or '@' and an abstract name: the text for NOTIFY_SOCKET.
    explicit ServiceManager(std::string address);
    ~ServiceManager();
    ServiceManager(const ServiceManager&) = delete;
    ServiceManager& operator=(const ServiceManager&) = delete;

    const std::string& address() const { return address_; }
    // The oldest datagram that was not taken yet; empty when there is none. Never waits.
    std::string next();

private:
    std::string address_;
    int socket_ = -1;
};

}  // namespace tributary::test
