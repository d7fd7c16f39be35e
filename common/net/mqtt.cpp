// The loop's side of the transport: idle → connecting → connected → waiting → connecting …, and
// stopped for good after stop(). Paho's side is paho.cpp.
#include "common/net/mqtt.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "common/net/paho_impl.h"
#include "common/net/peer_url.h"

namespace tributary {
namespace {

// What has arrived and was not yet taken by the loop; more is dropped, as a broker would.
constexpr std::size_t kInboxBytesMax = 4 * limits::MiB;
// Broken off so often, each time so soon: another client throws us out with our own id. Brokers
// are free not to say so, and mosquitto 2.0 does not.
constexpr std::uint32_t kThrownOutTimes = 3;
constexpr std::uint64_t kThrownOutMs = 60'000;
// A connection that lasted this long, or carried so many messages, was a good one: the backoff
// starts again.
constexpr std::uint64_t kGoodConnectionMs = 10'000;
constexpr std::uint64_t kGoodMessages = 3;

class MqttTransport final : public Transport {
public:
    MqttTransport(Loop& loop, Entropy& entropy, MqttOptions options)
        : loop_(loop),
          entropy_(entropy),
          options_(std::move(options)),
          slots_(options_.in_flight_max) {}

    ~MqttTransport() override {
        stop();
        paho_.reset();  // after this nothing of Paho's can post any more
    }

    void start(Events events) override {
        TRIBUTARY_CHECK(state_ == State::idle);
        events_ = std::make_shared<const Events>(std::move(events));
        paho_ = std::make_unique<PahoThread>(options_, paho_events());
        connect();
    }

    Status publish(const std::string& topic, ByteView payload, std::uint64_t token) override {
        if (state_ != State::connected)
            return fail(Errc::unavailable, "not connected to broker " + options_.url);
        const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                       [](const Slot& candidate) { return !candidate.used; });
        if (slot == slots_.end())
            return fail(Errc::unavailable, "the broker has not yet taken what was sent before");
        *slot = {true, token};
        paho_->publish(attempt_, static_cast<std::size_t>(slot - slots_.begin()), topic,
                       Bytes(payload.begin(), payload.end()));
        return {};
    }

    void subscribe(const std::string& filter) override {
        if (state_ == State::connected) paho_->subscribe(attempt_, filter);
    }

    void unsubscribe(const std::string& filter) override {
        if (state_ == State::connected) paho_->unsubscribe(attempt_, filter);
    }

    void stop() override {
        state_ = State::stopped;
        timer_.reset();
        ++attempt_;  // what is still on its way is ignored
        *alive_ = false;
        if (paho_) paho_->close();
    }

    std::optional<MonoTime> next_attempt() const override { return next_attempt_; }

private:
    enum class State : std::uint8_t { idle, connecting, connected, waiting, stopped };
    struct Slot {
        bool used = false;
        std::uint64_t token = 0;
    };

    template <class Event, class... Args>
    void tell(Event event, Args&&... args) {
        const auto events = events_;  // the call may destroy this transport
        if ((*events).*event) ((*events).*event)(std::forward<Args>(args)...);
    }

    // Each only posts to the loop. `alive` is read on the loop's thread alone.
    PahoEvents paho_events() {
        const auto post = [this, &loop = loop_, alive = alive_](std::uint64_t attempt, auto step) {
            loop.post([this, alive, attempt, step = std::move(step)]() mutable {
                if (*alive && attempt == attempt_) step(*this);
            });
        };
        PahoEvents out;
        out.connected = [post](std::uint64_t attempt) {
            post(attempt, [](MqttTransport& self) { self.on_connected(); });
        };
        out.failed = [post](std::uint64_t attempt, const Error& error) {
            post(attempt, [error](MqttTransport& self) { self.on_failed(error); });
        };
        out.sent = [post](std::uint64_t attempt, std::size_t slot) {
            post(attempt, [slot](MqttTransport& self) { self.on_sent(slot); });
        };
        out.subscribed = [post](std::uint64_t attempt, const std::string& filter) {
            post(attempt, [filter](MqttTransport& self) { self.on_subscribed(filter); });
        };
        out.received = [&loop = loop_, this, alive = alive_, inbox = inbox_bytes_](
                           std::uint64_t attempt, Message message) {
            const std::size_t bytes = message.topic.size() + message.payload.size();
            if (inbox->load() + bytes > kInboxBytesMax) return;
            inbox->fetch_add(bytes);
            loop.post([this, alive, inbox, attempt, bytes, message = std::move(message)]() mutable {
                inbox->fetch_sub(bytes);
                if (*alive && attempt == attempt_) on_received(std::move(message));
            });
        };
        return out;
    }

    void connect() {
        state_ = State::connecting;
        next_attempt_.reset();
        ++attempt_;
        paho_->connect(attempt_);
        timer_ = loop_.at(loop_.now() + options_.connect_timeout_s * 1000ull, [this] {
            on_failed({Errc::unavailable, "no answer from broker " + options_.url + " for " +
                                              std::to_string(options_.connect_timeout_s) +
                                              " s; check that it runs, the URL and the network"});
        });
    }

    void on_connected() {
        if (state_ != State::connecting) return;
        state_ = State::connected;
        timer_.reset();
        connected_at_ = loop_.now();
        taken_ = 0;
        tell(&Events::connected);
    }

    void on_subscribed(const std::string& filter) {
        if (state_ == State::connected && events_->subscribed) tell(&Events::subscribed, filter);
    }

    void on_received(Message message) { tell(&Events::received, std::move(message)); }

    void on_sent(std::size_t slot) {
        if (slot >= slots_.size() || !slots_[slot].used) return;
        slots_[slot].used = false;
        ++taken_;
        tell(&Events::sent, slots_[slot].token);
    }

    void on_failed(const Error& error) {
        if (state_ != State::connecting && state_ != State::connected) return;
        const bool was_connected = state_ == State::connected;
        const std::uint64_t lasted_ms = loop_.now().ms - connected_at_.ms;
        if (was_connected && (lasted_ms >= kGoodConnectionMs || taken_ >= kGoodMessages))
            failures_ = 0;
        std::fill(slots_.begin(), slots_.end(), Slot{});
        ++attempt_;  // nothing more is heard of this one
        paho_->close();
        Error told = error;  // the timer may own `error`
        if (was_connected) told.what += hint_of_a_copy(lasted_ms);
        state_ = State::waiting;
        next_attempt_ = loop_.now() + (told.code == Errc::denied ? refused_ms() : backoff_ms());
        timer_ = loop_.at(*next_attempt_, [this] { connect(); });
        tell(&Events::disconnected, told);
    }

    std::string hint_of_a_copy(std::uint64_t lasted_ms) {
        broken_off_ = lasted_ms < kThrownOutMs ? broken_off_ + 1 : 1;
        if (broken_off_ < kThrownOutTimes) return {};
        return ", again and again; does another client use our id '" + options_.client_id +
               "', from a copy of this state_dir on another machine?";
    }

    // Full jitter: uniform in [0, min(max, base * 2^failures)].
    std::uint64_t backoff_ms() {
        const std::uint64_t ceiling = std::min<std::uint64_t>(
            options_.backoff_max_ms,
            std::uint64_t{options_.backoff_base_ms} << std::min<std::uint32_t>(failures_, 30));
        failures_ = std::min<std::uint32_t>(failures_ + 1, 30);
        return random_below(ceiling + 1);
    }

    // What was refused is so until somebody changes something at the broker; a board may be far.
    std::uint64_t refused_ms() {
        const std::uint64_t half = options_.refused_retry_ms / 2;
        return half + random_below(half + 1);
    }

    std::uint64_t random_below(std::uint64_t bound) {
        std::uint8_t random[8];
        entropy_.fill(random);
        return load_le<std::uint64_t>(random) % bound;
    }

    Loop& loop_;
    Entropy& entropy_;
    MqttOptions options_;
    std::shared_ptr<const Events> events_;
    State state_ = State::idle;
    std::uint64_t attempt_ = 0;
    std::uint32_t failures_ = 0;  // in a row
    std::optional<MonoTime> next_attempt_;
    std::uint32_t broken_off_ = 0;  // connections in a row that ended soon
    MonoTime connected_at_;
    std::uint64_t taken_ = 0;  // messages of this connection that the broker acknowledged
    std::vector<Slot> slots_;  // what is in flight
    std::unique_ptr<Timer> timer_;
    // Shared with what was posted, which may run after we are gone.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::shared_ptr<std::atomic<std::size_t>> inbox_bytes_ =
        std::make_shared<std::atomic<std::size_t>>(0);
    std::unique_ptr<PahoThread> paho_;
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
    return check_tls_files(options);
}

}  // namespace

Result<std::unique_ptr<Transport>> make_mqtt(Loop& loop, Entropy& entropy, MqttOptions options) {
    TRIBUTARY_TRY(check(options));
    return std::make_unique<MqttTransport>(loop, entropy, std::move(options));
}

}  // namespace tributary
