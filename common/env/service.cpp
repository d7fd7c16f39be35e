#include "common/env/service.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tributary {
namespace {

constexpr std::uint64_t kStartingEveryMs = 5'000;
constexpr std::string_view kMoreTime = "EXTEND_TIMEOUT_USEC=120000000";

std::string take_variable(const char* name) {
    const char* value = std::getenv(name);
    std::string text = value == nullptr ? "" : value;
    ::unsetenv(name);
    return text;
}

// 0 for what is no number.
std::uint64_t number(const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

// Half of the silence that is allowed, as sd_watchdog_enabled(3) advises.
std::uint64_t beat_ms(const ServiceAddress& address) {
    return std::max<std::uint64_t>(address.watchdog_ms / 2, 1);
}

// Never waits for the manager.
void send(int socket, const std::string& to, std::string_view text) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, to.data(), to.size());
    std::size_t length = offsetof(sockaddr_un, sun_path) + to.size();
    if (to.front() == '@')
        address.sun_path[0] = '\0';  // abstract: the name is exactly these bytes
    else
        ++length;  // a path ends with its NUL
    (void)::sendto(socket, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(length));
}

bool usable(const std::string& socket) {
    return socket.size() >= 2 && socket.size() < sizeof(sockaddr_un::sun_path) &&
           (socket.front() == '/' || socket.front() == '@');
}

}  // namespace

std::string credential_path(std::string_view name) {
    const char* const directory = std::getenv("CREDENTIALS_DIRECTORY");
    if (directory == nullptr || *directory == '\0') return {};
    std::string path = std::string(directory) + "/" + std::string(name);
    return ::access(path.c_str(), F_OK) == 0 ? path : std::string();
}

ServiceAddress take_service_address() {
    ServiceAddress address;
    address.socket = take_variable("NOTIFY_SOCKET");
    const std::uint64_t watchdog_us = number(take_variable("WATCHDOG_USEC"));
    const std::string watched = take_variable("WATCHDOG_PID");
    // The variable may be another process's, inherited.
    if (watched.empty() || number(watched) == static_cast<std::uint64_t>(::getpid()))
        address.watchdog_ms = watchdog_us / 1000;
    return address;
}

Service::Service(ServiceAddress address, Clock& clock)
    : address_(std::move(address)), clock_(clock) {
    if (usable(address_.socket)) socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

Service::~Service() {
    if (socket_ >= 0) ::close(socket_);
}

void Service::say(std::string_view text) {
    if (socket_ >= 0) send(socket_, address_.socket, text);
}

// At most once in `every_ms`.
bool Service::due(std::uint64_t every_ms) {
    const std::uint64_t now = clock_.mono().ms;
    if (now < next_ms_) return false;
    next_ms_ = now + every_ms;
    return true;
}

void Service::starting() {
    if (!ready_ && due(kStartingEveryMs)) say(kMoreTime);
}

void Service::ready() {
    ready_ = true;
    next_ms_ = 0;
    say("READY=1");
}

void Service::alive() {
    // The timer and long work both call it; some leeway, so that the timer never comes too early.
    if (ready_ && address_.watchdog_ms > 0 && due(beat_ms(address_) / 2)) say("WATCHDOG=1");
}

void Service::stopping() { say("STOPPING=1"); }

Heartbeat::Heartbeat(Loop& loop, Service& service) : loop_(loop), service_(service) {
    service_.ready();
    if (service_.address().watchdog_ms > 0) arm();
}

void Heartbeat::arm() {
    timer_ = loop_.at(loop_.now() + beat_ms(service_.address()), [this] {
        service_.alive();
        arm();
    });
}

}  // namespace tributary
