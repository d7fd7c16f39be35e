#include "tests/bench/fleet_links.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace tributary::bench {
namespace {

// Fewer than the queue of connections that mosquitto asks of the kernel.
constexpr std::size_t kConnectingMax = 64;
constexpr std::uint16_t kKeepAliveS = 60;
constexpr std::size_t kReadBytes = 8 * 1024;

// First bytes of packets (MQTT 5, section 2.1.2); of PUBLISH the QoS is in it.
constexpr std::uint8_t kConnect = 0x10, kConnack = 0x20, kPublish = 0x30, kPuback = 0x40,
                       kSubscribe = 0x82, kSuback = 0x90, kPingreq = 0xc0, kPingresp = 0xd0,
                       kDisconnect = 0xe0;
constexpr std::uint8_t kQos1 = 0x02;

void put_u16(Bytes& out, std::size_t value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}

void put_text(Bytes& out, std::string_view text) {
    put_u16(out, text.size());
    out.insert(out.end(), text.begin(), text.end());
}

// A variable byte integer (section 1.5.5).
void put_length(Bytes& out, std::size_t value) {
    do {
        const auto low = static_cast<std::uint8_t>(value % 128);
        value /= 128;
        out.push_back(value > 0 ? low | 0x80 : low);
    } while (value > 0);
}

struct Length {
    std::size_t value = 0;
    std::size_t bytes = 0;  // that it took; 0: not all of it is there
};
Length take_length(ByteView in) {
    Length length;
    for (std::size_t i = 0; i < in.size() && i < 4; ++i) {
        length.value |= static_cast<std::size_t>(in[i] & 0x7f) << (7 * i);
        if ((in[i] & 0x80) == 0) {
            length.bytes = i + 1;
            break;
        }
    }
    return length;
}

std::size_t u16_at(ByteView in, std::size_t at) {
    return static_cast<std::size_t>(in[at]) << 8 | in[at + 1];
}

Bytes connect_body(const FleetClient& client) {
    constexpr std::uint8_t kCleanStart = 0x02, kWill = 0x04, kWillQos1 = 0x08;
    Bytes body;
    put_text(body, "MQTT");
    body.push_back(5);
    body.push_back(kCleanStart | kWill | kWillQos1);
    put_u16(body, kKeepAliveS);
    put_length(body, 0);  // properties
    put_text(body, client.id);
    put_length(body, 0);  // the will's
    put_text(body, client.publishes_to);
    put_u16(body, client.will.size());
    body.insert(body.end(), client.will.begin(), client.will.end());
    return body;
}

}  // namespace

FleetLinks::FleetLinks(std::uint16_t port, std::vector<FleetClient> clients, Events events)
    : port_(port),
      clients_(std::move(clients)),
      events_(std::move(events)),
      links_(clients_.size()),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

FleetLinks::~FleetLinks() {
    for (std::size_t client = 0; client < links_.size(); ++client) {
        if (links_[client].fd < 0) continue;
        send(client, kDisconnect, {});
        ::close(links_[client].fd);
    }
    ::close(epoll_);
}

Status FleetLinks::turn(int timeout_ms) {
    TRIBUTARY_TRY(connect_some());
    std::array<epoll_event, 256> ready;
    const int count =
        ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), timeout_ms);
    if (count < 0 && errno != EINTR)
        return fail(Errc::unavailable,
                    std::string("waiting for the sockets: ") + std::strerror(errno));
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = ready[static_cast<std::size_t>(i)];
        const auto client = static_cast<std::size_t>(event.data.u64);
        if (event.events & EPOLLOUT) flush(client);
        if (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) TRIBUTARY_TRY(read_from(client));
    }
    return {};
}

Status FleetLinks::connect_some() {
    while (begun_ < links_.size() && begun_ - subscribed_ < kConnectingMax)
        TRIBUTARY_TRY(open(begun_++));
    return {};
}

Status FleetLinks::open(std::size_t client) {
    Link& link = links_[client];
    link.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link.fd < 0) return trouble(client, std::string("no socket: ") + std::strerror(errno));
    const int yes = 1;
    ::setsockopt(link.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int answer =
        ::connect(link.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (answer != 0 && errno != EINPROGRESS)
        return trouble(client, std::string("cannot connect: ") + std::strerror(errno));
    link.wants_out = true;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT;
    event.data.u64 = client;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, link.fd, &event);
    send(client, kConnect, connect_body(clients_[client]));
    return {};
}

// ---- out ----

void FleetLinks::publish(std::size_t client, ByteView payload) {
    Bytes body;
    body.reserve(payload.size() + clients_[client].publishes_to.size() + 8);
    put_text(body, clients_[client].publishes_to);
    put_u16(body, next_packet_id(links_[client]));
    put_length(body, 0);  // properties
    body.insert(body.end(), payload.begin(), payload.end());
    send(client, kPublish | kQos1, body);
}

void FleetLinks::keep_alive(double now_s) {
    now_s_ = now_s;
    for (std::size_t client = 0; client < links_.size(); ++client)
        if (links_[client].subscribed && now_s - links_[client].sent_s > kKeepAliveS / 2.0)
            send(client, kPingreq, {});
}

std::uint16_t FleetLinks::next_packet_id(Link& link) {
    if (++link.packet_id == 0) ++link.packet_id;
    return link.packet_id;
}

void FleetLinks::send(std::size_t client, std::uint8_t first, ByteView body) {
    Link& link = links_[client];
    link.sent_s = now_s_;
    link.out.push_back(first);
    put_length(link.out, body.size());
    link.out.insert(link.out.end(), body.begin(), body.end());
    if (!link.wants_out) flush(client);
}

void FleetLinks::flush(std::size_t client) {
    Link& link = links_[client];
    const ssize_t taken = ::send(link.fd, link.out.data(), link.out.size(), MSG_NOSIGNAL);
    if (taken > 0) link.out.erase(link.out.begin(), link.out.begin() + taken);
    const bool waits = !link.out.empty();  // what is wrong with the socket shows when it is read
    if (waits == link.wants_out) return;
    link.wants_out = waits;
    epoll_event event{};
    event.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.u64 = client;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, link.fd, &event);
}

// ---- in ----

Status FleetLinks::read_from(std::size_t client) {
    Link& link = links_[client];
    const std::size_t held = link.in.size();
    link.in.resize(held + kReadBytes);
    const ssize_t got = ::recv(link.fd, link.in.data() + held, kReadBytes, 0);
    link.in.resize(held + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got == 0) return trouble(client, "the broker ended the connection");
    if (got < 0 && errno != EAGAIN && errno != EINTR)
        return trouble(client, std::string("the connection broke: ") + std::strerror(errno));
    return take_packets(client);
}

Status FleetLinks::take_packets(std::size_t client) {
    Bytes& in = links_[client].in;
    std::size_t at = 0;
    while (at + 2 <= in.size()) {
        const Length length = take_length(ByteView(in).subspan(at + 1));
        const std::size_t begin = at + 1 + length.bytes;
        if (length.bytes == 0 || begin + length.value > in.size()) break;
        TRIBUTARY_TRY(take_packet(client, in[at], ByteView(in).subspan(begin, length.value)));
        at = begin + length.value;
    }
    in.erase(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(at));
    if (in.empty() && in.capacity() > kReadBytes) in = {};
    return {};
}

Status FleetLinks::take_packet(std::size_t client, std::uint8_t first, ByteView body) {
    switch (first & 0xf0) {
        case kConnack: {
            if (body.size() < 2 || body[1] != 0) return trouble(client, "CONNECT was refused");
            Bytes subscribe;
            put_u16(subscribe, next_packet_id(links_[client]));
            put_length(subscribe, 0);  // properties
            put_text(subscribe, clients_[client].subscribes_to);
            subscribe.push_back(1);  // QoS
            send(client, kSubscribe, subscribe);
            return {};
        }
        case kSuback:
            if (body.empty() || body.back() != 1) return trouble(client, "SUBSCRIBE was refused");
            links_[client].subscribed = true;
            ++subscribed_;
            events_.connected(client);
            return {};
        case kPublish: return take_publish(client, first, body);
        case kPuback:
            // 0x10, nobody subscribes to it, is no failure of the broker's.
            if (body.size() > 2 && body[2] >= 0x80) return trouble(client, "PUBLISH was refused");
            return {};
        case kPingresp: return {};
        default:
            return trouble(client, "the broker sent packet type " + std::to_string(first >> 4) +
                                       ", which ends the run");
    }
}

Status FleetLinks::take_publish(std::size_t client, std::uint8_t first, ByteView body) {
    const bool qos1 = (first & 0x06) == kQos1;
    std::size_t at = body.size() >= 2 ? 2 + u16_at(body, 0) : body.size() + 1;
    const std::size_t id_at = at;
    if (qos1) at += 2;
    if (at >= body.size()) return trouble(client, "a PUBLISH of the broker cannot be read");
    const Length properties = take_length(body.subspan(at));
    at += properties.bytes + properties.value;
    if (properties.bytes == 0 || at > body.size())
        return trouble(client, "a PUBLISH of the broker cannot be read");
    if (qos1) send(client, kPuback, body.subspan(id_at, 2));
    const ByteView payload = body.subspan(at);
    events_.received(client, Bytes(payload.begin(), payload.end()));
    return {};
}

tl::unexpected<Error> FleetLinks::trouble(std::size_t client, const std::string& what) const {
    return fail(Errc::unavailable, clients_[client].id + ": " + what);
}

}  // namespace tributary::bench
