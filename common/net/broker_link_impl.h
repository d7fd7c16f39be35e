// One connection to the broker on Asio: looks the name up, tries its addresses in turn, and turns
// what the socket is ready for into steps of libmosquitto, which has no thread here and never
// waits. For mqtt.cpp only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <deque>
#include <memory>
#include <optional>

#include "common/net/loop_impl.h"
#include "common/net/mosquitto_impl.h"

namespace tributary {

// Called on the loop, never inside a call of BrokerLink's. Each may close the link.
class BrokerEvents {
public:
    virtual void on_word(BrokerWord word) = 0;
    virtual void on_failed(const Error& error) = 0;  // the last thing that is heard

protected:
    ~BrokerEvents() = default;
};

// Kept alive by what is under way.
class BrokerLink : public std::enable_shared_from_this<BrokerLink> {
public:
    // `options` and `events` must live until close().
    BrokerLink(NetLoop& loop, const MqttOptions& options, BrokerEvents& events);

    void start();
    // After LetIn.
    Result<int> publish(const std::string& topic, ByteView payload);
    void subscribe(const std::string& filter);
    void unsubscribe(const std::string& filter);
    // Nothing more is heard. The broker sends the will.
    void close();

private:
    using tcp = boost::asio::ip::tcp;

    // Binds a step to this link and the address that it tries now.
    template <class Step>
    auto then(Step step) {
        return [weak = weak_from_this(), tries = tries_, step](const auto&... args) {
            const auto self = weak.lock();
            if (self && self->events_ && self->tries_ == tries) step(*self, args...);
        };
    }
    void soon(void (BrokerLink::*step)());
    void try_next();
    void note_failure();
    void await();
    void on_ready(void (MosquittoClient::*step)());
    void settle();
    void tick();
    void end(const Error& error);

    NetLoop& loop_;
    const MqttOptions& options_;
    BrokerEvents* events_;  // null once it is closed
    tcp::resolver resolver_;
    boost::asio::posix::stream_descriptor socket_;  // the library's, which closes it
    std::deque<tcp::endpoint> addresses_;           // still to be tried
    std::uint64_t tries_ = 0;
    bool reached_ = false;  // of the address that is tried
    bool let_in_ = false;
    std::optional<Error> trouble_;  // of those that were tried
    bool awaits_read_ = false;
    bool awaits_write_ = false;
    std::unique_ptr<Timer> timer_;  // for the next address; then for keep-alive
    std::unique_ptr<BrokerTls> tls_;
    std::unique_ptr<MosquittoClient> client_;
};

}  // namespace tributary
