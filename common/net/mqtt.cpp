// When to connect, and what of a connection is told: idle → connecting → connected → waiting →
// connecting …, and stopped for good after stop(). One connection is broker_link.cpp.
#include "common/net/mqtt.h"

#include <algorithm>
#include <vector>

#include "common/net/broker_link_impl.h"
#include "common/net/peer_url.h"

namespace tributary {
namespace {

// Broken off so often, each time so soon: another client throws us out with our own id. Brokers
// are free not to say so, and mosquitto 2.0 does not.
constexpr std::uint32_t kThrownOutTimes = 3;
constexpr std::uint64_t kThrownOutMs = 60'000;
constexpr std::uint32_t kDuelFailures = 3;  // as far as the backoff then grows
// A connection that lasted this long, or carried so many messages, was a good one: the backoff
// starts again.
constexpr std::uint64_t kGoodConnectionMs = 10'000;
constexpr std::uint64_t kGoodMessages = 3;

class MqttTransport final : public Transport, private BrokerEvents {
public:
    MqttTransport(NetLoop& loop, Entropy& entropy, MqttOptions options)
        : loop_(loop), entropy_(entropy), options_(std::move(options)) {}
    ~MqttTransport() override { stop(); }

    void start(Events events) override {
        TRIBUTARY_CHECK(state_ == State::idle);
        events_ = std::make_shared<const Events>(std::move(events));
        connect();
    }

    Status publish(const std::string& topic, ByteView payload, std::uint64_t token) override {
        if (state_ != State::connected)
            return fail(Errc::unavailable, "not connected to broker " + options_.url);
        if (in_flight_.size() >= options_.in_flight_max)
            return fail(Errc::unavailable, "the broker has not yet taken what was sent before");
        TRIBUTARY_ASSIGN(const int id, link_->publish(topic, payload));
        in_flight_[id] = token;
        return {};
    }

    void subscribe(const std::string& filter) override {
        if (state_ == State::connected) link_->subscribe(filter);
    }

    void unsubscribe(const std::string& filter) override {
        if (state_ == State::connected) link_->unsubscribe(filter);
    }

    std::size_t payload_bytes_max() const override { return payload_bytes_max_; }

    void stop() override {
        state_ = State::stopped;
        next_attempt_.reset();
        timer_.reset();
        hang_up();
    }

    std::optional<MonoTime> next_attempt() const override { return next_attempt_; }

private:
    enum class State : std::uint8_t { idle, connecting, connected, waiting, stopped };

    template <class Event, class... Args>
    void tell(Event event, Args&&... args) {
        const auto events = events_;  // the call may destroy this transport
        if ((*events).*event) ((*events).*event)(std::forward<Args>(args)...);
    }

    void connect() {
        state_ = State::connecting;
        next_attempt_.reset();
        timer_ = loop_.at(loop_.now() + options_.connect_timeout_s * 1000ull, [this] {
            on_failed({Errc::unavailable, "no answer from broker " + options_.url + " for " +
                                              std::to_string(options_.connect_timeout_s) +
                                              " s; check that it runs, the URL and the network"});
        });
        link_ = std::make_shared<BrokerLink>(loop_, options_, static_cast<BrokerEvents&>(*this));
        link_->start();
    }

    void hang_up() {
        if (link_) link_->close();
        link_.reset();
        in_flight_.clear();
    }

    void on_word(BrokerWord word) override {
        std::visit([this](auto& said) { on(std::move(said)); }, word);
    }

    void on(const LetIn& word) {
        state_ = State::connected;
        payload_bytes_max_ = word.payload_bytes_max;
        timer_.reset();
        connected_at_ = loop_.now();
        taken_ = 0;
        tell(&Events::connected);
    }

    void on(Taken word) {
        const auto sent = in_flight_.extract(word.id);
        if (sent.empty()) return;
        ++taken_;
        tell(&Events::sent, sent.mapped());
    }

    void on(const Subscribed& word) { tell(&Events::subscribed, word.filter); }
    void on(const Refused& word) { tell(&Events::refused, word.topic, word.error); }
    void on(Message message) { tell(&Events::received, std::move(message)); }

    void on_failed(const Error& error) override {
        Error told = error;
        if (state_ == State::connected) {
            const std::uint64_t lasted_ms = loop_.now().ms - connected_at_.ms;
            if (error.code == Errc::denied)
                weigh_refused(lasted_ms);
            else
                told.what += weigh(lasted_ms);
        }
        hang_up();
        state_ = State::waiting;
        next_attempt_ = loop_.now() + (told.code == Errc::denied ? refused_ms() : backoff_ms());
        timer_ = loop_.at(*next_attempt_, [this] { connect(); });
        tell(&Events::disconnected, told);
    }

    // What a connection was worth that has ended. When one after the other ends soon, it may be
    // that two throw each other out: then what it carried makes it no good one, but neither keeps
    // the other one waiting for long.
    std::string weigh(std::uint64_t lasted_ms) {
        broken_off_ = lasted_ms < kThrownOutMs ? broken_off_ + 1 : 1;
        const bool duels = broken_off_ >= kThrownOutTimes;
        const bool good = lasted_ms >= kGoodConnectionMs || taken_ >= kGoodMessages;
        if (good) refusals_ = 0;
        if (good) failures_ = duels ? std::min(failures_, kDuelFailures) : 0;
        if (!duels) return {};
        return ", again and again: the link is bad, or another client uses our id '" +
               options_.client_id + "', from a copy of this state_dir on another machine";
    }

    // However much it had carried: the next one will end in the same way.
    void weigh_refused(std::uint64_t lasted_ms) {
        broken_off_ = 0;
        if (lasted_ms >= kGoodConnectionMs || taken_ >= kGoodMessages) failures_ = 0;
        if (lasted_ms >= options_.refused_retry_ms_max) refusals_ = 0;
    }

    // Full jitter: uniform in [0, min(max, base * 2^failures)].
    std::uint64_t backoff_ms() {
        const std::uint64_t ceiling = std::min<std::uint64_t>(
            options_.backoff_max_ms,
            std::uint64_t{options_.backoff_base_ms} << std::min<std::uint32_t>(failures_, 30));
        failures_ = std::min<std::uint32_t>(failures_ + 1, 30);
        return entropy_.below(ceiling + 1);
    }

    // What was refused is so until somebody changes something at the broker: perhaps right now.
    std::uint64_t refused_ms() {
        const std::uint64_t pause = std::min<std::uint64_t>(
            options_.refused_retry_ms_max, std::uint64_t{options_.refused_retry_ms} << refusals_);
        refusals_ = std::min<std::uint32_t>(refusals_ + 1, 30);
        return pause / 2 + entropy_.below(pause / 2 + 1);
    }

    NetLoop& loop_;
    Entropy& entropy_;
    MqttOptions options_;
    std::shared_ptr<const Events> events_;
    State state_ = State::idle;
    std::uint32_t failures_ = 0;  // in a row
    std::uint32_t refusals_ = 0;  // since the last good connection
    std::optional<MonoTime> next_attempt_;
    std::uint32_t broken_off_ = 0;  // connections in a row that ended soon
    MonoTime connected_at_;
    std::size_t payload_bytes_max_ = 0;       // of this connection
    std::uint64_t taken_ = 0;                 // messages of this connection that the broker took
    std::map<int, std::uint64_t> in_flight_;  // tokens, by the link's id
    std::unique_ptr<Timer> timer_;            // the limit of an attempt, or the next one
    std::shared_ptr<BrokerLink> link_;
};

Status check(const MqttOptions& options) {
    TRIBUTARY_ASSIGN(const Url url, parse_broker_url(options.url));
    const bool tls = is_tls(url);
    if (options.client_id.empty()) return fail(Errc::invalid, "the MQTT client id is empty");
    if (options.in_flight_max < 1 || options.in_flight_max > 15)
        return fail(Errc::invalid, "at most 1 to 15 messages may be in flight");
    if (!tls &&
        !(options.ca_file.empty() && options.certificate_file.empty() && options.key_file.empty()))
        return fail(Errc::invalid, "the broker's ca, cert and key need a mqtts:// address, not '" +
                                       options.url + "'");
    if (options.certificate_file.empty() && !options.key_file.empty())
        return fail(Errc::invalid, "the broker's key needs a cert");
    if (options.keep_alive_s < 5)
        return fail(Errc::invalid, "the broker hears a sign of life every 5 s at most");
    if (tls) TRIBUTARY_TRY(BrokerTls::make(options));
    return {};
}

}  // namespace

Result<std::unique_ptr<Transport>> make_mqtt(NetLoop& loop, Entropy& entropy, MqttOptions options) {
    TRIBUTARY_TRY(check(options));
    return std::make_unique<MqttTransport>(loop, entropy, std::move(options));
}

}  // namespace tributary
