#include "tests/support/mosquitto.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace tributary::test {
namespace {

bool listens(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool yes =
        ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    ::close(fd);
    return yes;
}

}  // namespace

Mosquitto::Mosquitto(const std::string& more, bool start_now) : port_(free_port()) {
    std::ofstream(directory_ / "mosquitto.conf")
        << "user root\npersistence false\nlog_dest stderr\nlistener " << port_ << " 127.0.0.1\n"
        << more;
    if (start_now) start();
}

Mosquitto::~Mosquitto() = default;

void Mosquitto::start() {
    // Debian keeps it where a normal user's PATH does not look.
    process_ = std::make_unique<Process>(
        std::vector<std::string>{"/usr/sbin/mosquitto", "-c", directory_ / "mosquitto.conf"});
    if (eventually([this] { return listens(port_); }, milliseconds(5'000))) return;
    std::fprintf(stderr, "mosquitto does not listen on port %u:\n%s\n", unsigned{port_},
                 process_->err().c_str());
    std::abort();
}

void Mosquitto::kill() { process_.reset(); }

}  // namespace tributary::test
