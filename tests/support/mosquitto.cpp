#include "tests/support/mosquitto.h"

#include <arpa/inet.h>
#include <glob.h>
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
    configure(more);
    if (start_now) start();
}

void Mosquitto::configure(const std::string& more) {
    std::ofstream(directory_ / "mosquitto.conf")
        << "user root\npersistence false\nlog_dest stderr\nlistener " << port_ << " 127.0.0.1\n"
        << more;
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

void Mosquitto::start_with(const std::string& more) {
    kill();
    configure(more);
    start();
}

void Mosquitto::kill() { process_.reset(); }

std::string subscriptions_to_nothing_but(const std::vector<std::string>& filters,
                                         const std::string& file) {
    glob_t found{};
    ::glob("/usr/lib/*/mosquitto_dynamic_security.so", 0, nullptr, &found);
    const std::string plugin = found.gl_pathc == 0 ? std::string() : found.gl_pathv[0];
    ::globfree(&found);
    std::string rights;
    for (const std::string& filter : filters)
        rights += (rights.empty() ? "" : ",") +
                  (R"({"acltype": "subscribePattern", "topic": ")" + filter) +
                  R"(", "allow": true})";
    std::ofstream(file) << R"({"defaultACLAccess": {"publishClientSend": true,
        "publishClientReceive": true, "subscribe": false, "unsubscribe": true},
        "clients": [], "anonymousGroup": "all",
        "groups": [{"groupname": "all", "roles": [{"rolename": "some"}], "clients": []}],
        "roles": [{"rolename": "some", "acls": [)"
                        << rights << "]}]}";
    return "allow_anonymous true\nplugin " + plugin + "\nplugin_opt_config_file " + file + "\n";
}

std::string with_acl(const std::string& lines, const std::string& file) {
    std::ofstream(file) << lines;
    return "allow_anonymous true\nacl_file " + file + "\n";
}

}  // namespace tributary::test
