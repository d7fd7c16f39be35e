#include "common/net/broker_link_impl.h"

#include <boost/asio/post.hpp>

#include "common/net/peer_url.h"

namespace tributary {

namespace asio = boost::asio;
using boost::system::error_code;

BrokerLink::BrokerLink(NetLoop& loop, const MqttOptions& options, BrokerEvents& events)
    : loop_(loop),
      options_(options),
      events_(&events),
      resolver_(loop.impl().io),
      socket_(loop.impl().io) {}

void BrokerLink::soon(void (BrokerLink::*step)()) {
    asio::post(loop_.impl().io, then([step](BrokerLink& self) { (self.*step)(); }));
}

void BrokerLink::start() {
    const Url url = *parse_broker_url(options_.url);
    error_code is_name;
    const auto address = asio::ip::make_address(url.host, is_name);
    if (!is_name) {  // costs no thread, which the resolver would keep
        addresses_.emplace_back(address, url.port);
        return soon(&BrokerLink::try_next);
    }
    resolver_.async_resolve(
        url.host, std::to_string(url.port),
        then([](BrokerLink& self, const error_code&, const tcp::resolver::results_type& found) {
            for (const auto& one : found) self.addresses_.push_back(one.endpoint());
            self.try_next();
        }));
}

void BrokerLink::try_next() {
    ++tries_;
    reached_ = false;
    timer_.reset();  // of the address before
    awaits_read_ = awaits_write_ = false;
    do {
        if (socket_.is_open()) socket_.release();
        client_.reset();
        if (addresses_.empty()) return end(trouble_.value_or(unreachable_error(options_)));
        if (is_tls(*parse_broker_url(options_.url))) {
            auto tls = BrokerTls::make(options_);  // of one connection
            // The files have changed since they were checked.
            if (!tls) return end({Errc::unavailable, tls.error().what});
            tls_ = std::move(*tls);
        }
        const tcp::endpoint address = addresses_.front();
        addresses_.pop_front();
        client_ = std::make_unique<MosquittoClient>(options_, tls_.get());
        if (client_->connect(address.address().to_string(), address.port()))
            socket_.assign(client_->fd());
        else
            note_failure();
    } while (!socket_.is_open());
    // One that swallows everything, or falls silent, leaves time for the others.
    if (!addresses_.empty())
        timer_ =
            loop_.at(loop_.now() + options_.connect_timeout_s * 1000ull / (addresses_.size() + 1),
                     [this] { try_next(); });
    await();
}

// The first that a person can do something about is told, if all addresses are in vain.
void BrokerLink::note_failure() {
    const auto& failure = client_->failure();
    if (failure && (!trouble_ || (trouble_->code != Errc::denied && failure->code == Errc::denied)))
        trouble_ = failure;
}

void BrokerLink::await() {
    if (!awaits_read_) {
        awaits_read_ = true;
        socket_.async_wait(socket_.wait_read, then([](BrokerLink& self, const error_code& error) {
                               self.awaits_read_ = false;
                               if (!error) self.on_ready(&MosquittoClient::on_readable);
                           }));
    }
    if (!awaits_write_ && client_->wants_write()) {
        awaits_write_ = true;
        socket_.async_wait(socket_.wait_write, then([](BrokerLink& self, const error_code& error) {
                               self.awaits_write_ = false;
                               if (!error) self.on_ready(&MosquittoClient::on_writable);
                           }));
    }
}

void BrokerLink::on_ready(void (MosquittoClient::*step)()) {
    if (!reached_) {
        if (!client_->reached()) return try_next();
        reached_ = true;
    }
    (client_.get()->*step)();
    settle();
}

// Tells what was heard, now that the library is out of its call.
void BrokerLink::settle() {
    const auto self = shared_from_this();
    if (client_->failure() && socket_.is_open()) socket_.release();
    for (BrokerWord& word : client_->take_words()) {
        if (std::holds_alternative<LetIn>(word)) {
            let_in_ = true;
            tick();
        }
        events_->on_word(std::move(word));
        if (!events_) return;
    }
    if (client_->failure()) {
        if (let_in_) return end(*client_->failure());
        note_failure();  // another server may be at the next address
        return try_next();
    }
    await();
    if (client_->has_more())
        asio::post(loop_.impl().io,
                   then([](BrokerLink& link) { link.on_ready(&MosquittoClient::on_readable); }));
}

// A sign of life is due after `keep_alive_s` of silence, and the broker waits half of that longer.
void BrokerLink::tick() {
    timer_ = loop_.at(loop_.now() + options_.keep_alive_s * 1000ull / 4, [this] {
        tick();
        client_->keep_alive();
        settle();
    });
}

Result<int> BrokerLink::publish(const std::string& topic, ByteView payload) {
    auto id = client_->publish(topic, payload);
    if (id && !client_->has_words())
        await();
    else
        soon(&BrokerLink::settle);
    return id;
}

void BrokerLink::subscribe(const std::string& filter) {
    client_->subscribe(filter);
    soon(&BrokerLink::settle);
}

void BrokerLink::unsubscribe(const std::string& filter) {
    client_->unsubscribe(filter);
    soon(&BrokerLink::settle);
}

void BrokerLink::close() {
    events_ = nullptr;
    timer_.reset();
    resolver_.cancel();
    if (socket_.is_open()) socket_.release();
    client_.reset();
}

void BrokerLink::end(const Error& error) {
    const auto self = shared_from_this();
    const Error told = error;  // the client may own `error`
    BrokerEvents& events = *events_;
    close();
    events.on_failed(told);
}

}  // namespace tributary
