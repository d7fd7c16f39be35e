// The boards' connections: as little of an MQTT 5 client as a board needs, many in one thread and
// without a library, so that the driver of a fleet costs less than what it measures.
//
// Each client connects with a clean session and a will, subscribes to one topic, publishes to
// another, all QoS 1. A connection that the broker ends is an error of the whole run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace tributary::bench {

struct FleetClient {
    std::string id;
    std::string publishes_to;
    std::string subscribes_to;
    Bytes will;  // on publishes_to
};

class FleetLinks {
public:
    struct Events {
        std::function<void(std::size_t client)> connected;  // and subscribed
        std::function<void(std::size_t client, Bytes payload)> received;
    };

    // `port` of the loopback.
    FleetLinks(std::uint16_t port, std::vector<FleetClient> clients, Events events);
    ~FleetLinks();  // closes all, without their wills
    FleetLinks(const FleetLinks&) = delete;
    FleetLinks& operator=(const FleetLinks&) = delete;

    // Connects the next ones whenever few are on their way, then waits for the sockets, at most so
    // long, and handles what came. To be called again and again.
    Status turn(int timeout_ms);
    void publish(std::size_t client, ByteView payload);
    // Pings for whoever has sent nothing for a while; to be called every few seconds.
    void keep_alive(double now_s);

private:
    struct Link {
        int fd = -1;
        bool subscribed = false;
        bool wants_out = false;  // what the kernel did not take waits in `out`
        std::uint16_t packet_id = 0;
        double sent_s = 0;
        Bytes in;
        Bytes out;
    };

    Status connect_some();
    Status open(std::size_t client);
    Status read_from(std::size_t client);
    Status take_packets(std::size_t client);
    Status take_packet(std::size_t client, std::uint8_t first, ByteView body);
    Status take_publish(std::size_t client, std::uint8_t first, ByteView body);
    void send(std::size_t client, std::uint8_t first, ByteView body);
    void flush(std::size_t client);
    std::uint16_t next_packet_id(Link& link);
    tl::unexpected<Error> trouble(std::size_t client, const std::string& what) const;

    std::uint16_t port_;
    std::vector<FleetClient> clients_;
    Events events_;
    std::vector<Link> links_;
    std::size_t begun_ = 0;       // connections that were opened
    std::size_t subscribed_ = 0;  // and are ready
    int epoll_ = -1;
    double now_s_ = 0;
};

}  // namespace tributary::bench
