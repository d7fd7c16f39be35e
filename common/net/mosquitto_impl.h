// libmosquitto as one connection to one address: it is told what to do, and asked what it heard.
// It waits for nothing; broker_link.cpp does that for it. For that file only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/env/transport.h"
#include "common/net/broker_tls_impl.h"

struct mosquitto;

namespace tributary {

// What the broker says. `id` is that which publish() gave.
struct LetIn {  // and subscribed
    std::size_t payload_bytes_max = 0;
};
struct Taken {
    int id = 0;
};
struct Subscribed {
    std::string filter;
};
struct Refused {
    std::string topic;  // or filter
    Error error;
};
using BrokerWord = std::variant<LetIn, Taken, Subscribed, Refused, Message>;

Error unreachable_error(const MqttOptions& options);

class MosquittoClient {
public:
    // `tls`: null for a plain connection. Both must outlive it.
    MosquittoClient(const MqttOptions& options, BrokerTls* tls);
    // Leaves in such a way that the broker sends the will.
    ~MosquittoClient();
    MosquittoClient(const MosquittoClient&) = delete;
    MosquittoClient& operator=(const MosquittoClient&) = delete;

    // Begins to connect. False: there is no way to that address, or failure() says more.
    bool connect(const std::string& address, std::uint16_t port);
    int fd() const;
    bool reached() const;  // there is a TCP connection, or was
    bool wants_write() const;
    bool has_more() const;  // TLS holds what on_readable() is to be called for again

    void on_readable();
    void on_writable();
    void keep_alive();  // to be called now and then
    // The error is also failure().
    Result<int> publish(const std::string& topic, ByteView payload);
    bool has_words() const { return !words_.empty(); }
    void subscribe(const std::string& filter);
    void unsubscribe(const std::string& filter);

    std::vector<BrokerWord> take_words();
    // The connection has ended, and fd() is no longer ours: why.
    const std::optional<Error>& failure() const { return failure_; }

private:
    static MosquittoClient& of(void* self) { return *static_cast<MosquittoClient*>(self); }
    SSL* ssl() const;  // null when plain
    bool is_connected() const;
    void set_callbacks();
    void on_connack(int reason, std::uint32_t packet_bytes_max);
    void on_suback(int id, int worst);
    void on_puback(int id, int reason);
    void on_message(const char* topic, const void* payload, int bytes);
    void conclude(int code);
    void bound_packet();
    Error why(int code) const;

    const MqttOptions& options_;
    BrokerTls* tls_;
    ::mosquitto* it_;
    bool let_in_ = false;
    int reason_ = 0;                     // of the broker's DISCONNECT
    std::size_t payload_bytes_max_ = 0;  // that the broker takes
    int first_id_ = 0;
    int kept_back_ = 0;  // the last id of a message that was too large to be sent; below 0
    std::map<int, std::string> asked_;   // filters on their way, by the SUBSCRIBE's id
    std::map<int, std::string> topics_;  // of messages on their way, by their id
    // In one turn the library reads no more packets than there are messages in flight.
    std::vector<BrokerWord> words_;
    std::optional<std::uint64_t> silent_since_;  // bytes that had come when the last word was heard
    std::optional<Error> failure_;
};

}  // namespace tributary
