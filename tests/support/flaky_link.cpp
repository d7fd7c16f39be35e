#include "tests/support/flaky_link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <vector>

namespace tributary::test {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr int kTurnMs = 5;

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// Bytes on their way from one socket to another.
struct Way {
    int from = -1;
    int to = -1;
    std::vector<char> bytes;
    bool ended = false;  // nothing more comes

    void read() {
        if (ended || bytes.size() >= kBufferBytes) return;
        char buffer[kBufferBytes];
        const ssize_t got = ::recv(from, buffer, kBufferBytes - bytes.size(), MSG_DONTWAIT);
        if (got > 0) bytes.insert(bytes.end(), buffer, buffer + got);
        ended = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
    }
    std::size_t write(std::size_t most) {
        const std::size_t count = std::min(most, bytes.size());
        if (count == 0) return 0;
        const ssize_t put = ::send(to, bytes.data(), count, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put <= 0) return 0;
        bytes.erase(bytes.begin(), bytes.begin() + put);
        return static_cast<std::size_t>(put);
    }
};

struct Pair {
    Way there, back;
    bool over() const {
        return (there.ended && there.bytes.empty()) || (back.ended && back.bytes.empty());
    }
    void close(bool reset) const {
        for (const int fd : {there.from, there.to}) {
            const linger at_once{1, 0};
            if (reset) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            ::close(fd);
        }
    }
};

}  // namespace

FlakyLink::FlakyLink(std::uint16_t to_port) : to_port_(to_port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, name, size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, name, &size) != 0) {
        std::perror("a link for the test");
        std::abort();
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
}

FlakyLink::~FlakyLink() {
    ending_ = true;
    thread_.join();
    ::close(listener_);
}

void FlakyLink::serve() {
    std::list<Pair> pairs;
    std::uint64_t cuts = 0;
    auto turn_began = std::chrono::steady_clock::now();
    while (!ending_) {
        // Who comes.
        const int caller = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (caller >= 0) {
            const int callee = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            const sockaddr_in address = loopback(to_port_);
            const int yes = 1;
            ::setsockopt(caller, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            ::setsockopt(callee, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            const auto* const name = reinterpret_cast<const sockaddr*>(&address);
            if (::connect(callee, name, sizeof address) == 0) {
                pairs.push_back({{caller, callee, {}}, {callee, caller, {}}});
            } else {
                ::close(caller);
                ::close(callee);
            }
        }

        // What breaks.
        const bool cut = cuts != cuts_wanted_;
        cuts = cuts_wanted_;
        std::erase_if(pairs, [&](const Pair& pair) {
            if (!cut && !pair.over()) return false;
            pair.close(cut);
            return true;
        });

        // What passes.
        const auto now = std::chrono::steady_clock::now();
        const double seconds = std::chrono::duration<double>(now - turn_began).count();
        turn_began = now;
        const std::uint64_t rate = bytes_per_second_;
        const auto share = rate == 0
                               ? kBufferBytes
                               : static_cast<std::size_t>(static_cast<double>(rate) * seconds) + 1;
        bool moved = false;
        for (Pair& pair : pairs)
            for (Way* way : {&pair.there, &pair.back}) {
                if (silent_) continue;
                way->read();
                const std::size_t count = way->write(share);
                passed_ += count;
                moved = moved || count != 0;
            }
        if (!moved || rate != 0) ::poll(nullptr, 0, rate == 0 ? 1 : kTurnMs);
    }
    for (const Pair& pair : pairs) pair.close(true);
}

}  // namespace tributary::test
