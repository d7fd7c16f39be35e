#include "tests/support/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <utility>

#include "common/base/result.h"

namespace tributary::test {

ServiceManager::ServiceManager(std::string address) : address_(std::move(address)) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    TRIBUTARY_CHECK(address_.size() < sizeof name.sun_path);
    std::memcpy(name.sun_path, address_.data(), address_.size());
    std::size_t length = offsetof(sockaddr_un, sun_path) + address_.size();
    if (name.sun_path[0] == '@')
        name.sun_path[0] = '\0';
    else
        ++length;
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    TRIBUTARY_CHECK(socket_ >= 0);
    TRIBUTARY_CHECK(::bind(socket_, reinterpret_cast<const sockaddr*>(&name),
                           static_cast<socklen_t>(length)) == 0);
}

ServiceManager::~ServiceManager() { ::close(socket_); }

std::string ServiceManager::next() {
    char text[4096];
    const ssize_t got = ::recv(socket_, text, sizeof text, 0);
    return got > 0 ? std::string(text, static_cast<std::size_t>(got)) : "";
}

}  // namespace tributary::test
