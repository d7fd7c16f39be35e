#include <mqtt/async_client.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>

#include "common/net/broker_tls_impl.h"
#include "common/net/paho_impl.h"
#include "common/net/peer_url.h"

#if defined(__SANITIZE_ADDRESS__)
// Paho C loses the buffer of its log, once in a process: no leak of ours hides in that library.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libpaho-mqtt3as\n"; }
#endif

namespace tributary {
namespace {

constexpr int kFarewellMs = 300;
// No cipher that is older than TLS 1.2, and therefore no older version: Paho has no option for "at
// least", and lowers OpenSSL's level of security to 1. Those of TLS 1.3 are not touched by it.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2";
// Of a PUBLISH beside its payload: the fixed header, the topic and the properties.
constexpr std::size_t kPacketBytesMore = 256;

// Paho's form of the address; parse_url() has succeeded before.
std::string paho_address(const std::string& text) {
    const Url url = *parse_url(text);
    const std::string host =
        url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
    return (is_tls(url) ? "ssl://" : "tcp://") + host + ":" + std::to_string(url.port);
}

mqtt::connect_options connect_options(const MqttOptions& options) {
    mqtt::connect_options out;
    out.set_mqtt_version(MQTTVERSION_5);
    out.set_clean_session(false);  // a word of older versions; version 5 refuses it
    out.set_clean_start(true);     // and no session expiry is sent, which means 0
    out.set_automatic_reconnect(false);
    out.set_keep_alive_interval(static_cast<int>(options.keep_alive_s));
    out.set_connect_timeout(static_cast<int>(options.connect_timeout_s));
    out.set_max_inflight(1000);  // ours is the bound that acts: Paho's own stalls for a second
    if (options.will)
        out.set_will(mqtt::will_options(options.will->topic,
                                        std::string(as_text(options.will->payload)), 1,
                                        options.will_retained));
    if (is_tls(*parse_url(options.url))) {
        mqtt::ssl_options tls;
        if (!options.ca_file.empty()) tls.set_trust_store(options.ca_file);
        if (!options.certificate_file.empty()) tls.set_key_store(options.certificate_file);
        if (!options.key_file.empty()) tls.set_private_key(options.key_file);
        if (!options.key_passphrase.empty()) tls.set_private_key_password(options.key_passphrase);
        tls.set_enabled_cipher_suites(kCiphers);
        tls.set_enable_server_cert_auth(true);
        tls.set_verify(true);  // the certificate must be for the host we asked for
        out.set_ssl(tls);
    }
    return out;
}

// Whether the last connection of this thread, which is the one that failed, broke off in the TLS
// handshake. For what no alert was said of, such as a port that does not speak TLS.
bool failed_in_handshake() {
    bool failed = false;
    while (const unsigned long code = ERR_get_error())
        failed = failed || ERR_GET_LIB(code) == ERR_LIB_SSL;
    return failed;
}

// Sends small packets at once. Paho leaves Nagle's algorithm on, so that a short message waits
// behind an unacknowledged PUBACK for as long as the other kernel puts its answer off (40 ms), once
// in each window of frames. Nor does it tell anybody its socket: every connection of this process
// to the broker's port is taken, which hurts none of them. The broker's side of the same is its
// own option, mosquitto's `set_tcp_nodelay true`.
void send_at_once(std::uint16_t broker_port) {
    std::error_code error;
    std::filesystem::directory_iterator at("/proc/self/fd", error);
    for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
        const int fd = std::atoi(at->path().filename().c_str());
        sockaddr_storage peer{};
        socklen_t length = sizeof(peer);
        if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) != 0) continue;
        in_port_t port = 0;  // at the same place in both families
        if (peer.ss_family == AF_INET) port = reinterpret_cast<const sockaddr_in&>(peer).sin_port;
        if (peer.ss_family == AF_INET6)
            port = reinterpret_cast<const sockaddr_in6&>(peer).sin6_port;
        const int on = 1;
        if (port == htons(broker_port)) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
}

Error connect_error(const MqttOptions& options, int code) {
    const std::string at = "broker " + options.url;
    switch (code) {
        case 0x85:
            return {Errc::denied, at + " refuses the client id '" + options.client_id + "'", code};
        case 0x86:
        case 0x87:
        case 0x8a:
        case 0x8c:
            return {Errc::denied,
                    at + " does not authorise '" + options.client_id +
                        "'; check its users, ACL and this device's certificate",
                    code};
        default: break;
    }
    if (code > 0)
        return {Errc::unavailable,
                at + " refuses connections: " +
                    mqtt::exception::reason_code_str(static_cast<mqtt::ReasonCode>(code)),
                code};
    if (const auto why = broker_tls_error(options, false)) return *why;
    if (failed_in_handshake())
        return {Errc::unavailable,
                "the TLS handshake with " + at + " failed; check that this is its TLS port", code};
    return {Errc::unavailable,
            "cannot reach " + at + "; check that it runs, the URL and the network", code};
}

Error subscribe_error(const MqttOptions& options, int code) {
    const bool denied = code == 0x87;
    return {denied ? Errc::denied : Errc::unavailable,
            "broker " + options.url + " refuses the subscriptions of '" + options.client_id +
                (denied ? "': not authorised; check its ACL" : "'"),
            code};
}

Error too_small_error(const MqttOptions& options, std::string_view limit, int code) {
    return {Errc::denied,
            "broker " + options.url + " takes no messages of " +
                std::to_string(options.payload_bytes_max / limits::KiB) +
                " KiB, as sync needs them: its " + std::string(limit) + " is below that; raise it",
            code};
}

Error publish_error(const MqttOptions& options, int code) {
    if (code == 0x95) return too_small_error(options, "message_size_limit", code);
    // Not the broker's word, but that of the library below: the connection broke.
    if (code < 0)
        return {Errc::unavailable,
                "the connection to broker " + options.url + " broke while a message was on its way",
                code};
    const bool denied = code == 0x87;
    return {denied ? Errc::denied : Errc::unavailable,
            "broker " + options.url + " refuses a message of '" + options.client_id +
                (denied ? "': not authorised; check its ACL" : "'"),
            code};
}

Error ended_error(const MqttOptions& options, int code) {
    if (code == 0x8e)
        return {Errc::unavailable,
                "another client uses our id '" + options.client_id + "' at broker " + options.url +
                    ": is there a copy of this state_dir on another machine?",
                code};
    if (code == 0x87 || code == 0x98)
        return {Errc::denied,
                "broker " + options.url + " ended the connection of '" + options.client_id +
                    "': not authorised any more",
                code};
    if (const auto why = broker_tls_error(options, true)) return *why;
    return {Errc::unavailable, "broker " + options.url + " ended the connection", code};
}

}  // namespace

class PahoThread::Impl {
public:
    Impl(MqttOptions options, PahoEvents events)
        : options_(std::move(options)),
          events_(std::move(events)),
          connect_options_(connect_options(options_)),
          thread_([this] { run(); }) {}

    ~Impl() {
        do_later([this] { ending_ = true; });
        thread_.join();
        // Here, after the last call: destroying the last client of a process waits until Paho's
        // own threads have seen it, up to about a second.
        client_.reset();
    }

    void do_later(std::function<void()> task) {
        {
            const std::lock_guard lock(mutex_);
            tasks_.push_back(std::move(task));
        }
        wake_.notify_one();
    }

    // On the thread

    void connect(std::uint64_t attempt) {
        // Paho would ask a terminal for the passphrase of a key that was exchanged for another one.
        if (const Status usable = check_tls_files(options_); !usable)
            return events_.failed(attempt, {Errc::unavailable, usable.error().what});
        expect_broker_tls(options_);
        fenced(attempt, [&] {
            renew(attempt);
            client_->paho.connect(connect_options_, nullptr, *client_);
        });
    }

    void close() {
        fenced(0, [&] { say_will(); });
        fenced(0, [&] { renew(0); });
    }

    void publish(std::uint64_t attempt, std::size_t slot, std::string topic, const Bytes& payload) {
        if (!client_ || client_->attempt != attempt) return;
        fenced(attempt, [&] {
            auto message =
                mqtt::message::create(std::move(topic), payload.data(), payload.size(), 1, false);
            client_->paho.publish(std::move(message), as_context(slot), *client_);
        });
    }

    // One more, of a connection that stands.
    void subscribe(std::uint64_t attempt, const std::string& filter) {
        if (!client_ || client_->attempt != attempt) return;
        fenced(attempt,
               [&] { client_->paho.subscribe(filter, 1, as_context(kOneMore), *client_); });
    }

    void unsubscribe(std::uint64_t attempt, const std::string& filter) {
        if (!client_ || client_->attempt != attempt) return;
        fenced(attempt, [&] { client_->paho.unsubscribe(filter); });
    }

private:
    struct Client;

    static constexpr std::size_t kOneMore = 1;  // context of a later subscription

    void run() {
        std::unique_lock lock(mutex_);
        while (!ending_) {
            wake_.wait(lock, [this] { return !tasks_.empty(); });
            const auto task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            task();
            lock.lock();
        }
    }

    template <class Call>
    void fenced(std::uint64_t attempt, Call call) {
        try {
            call();
        } catch (const mqtt::exception& error) {
            events_.failed(
                attempt, {Errc::unavailable, "broker " + options_.url + ": " + error.get_message(),
                          error.get_return_code()});
        } catch (const std::exception& error) {
            events_.failed(attempt,
                           {Errc::exhausted, "broker " + options_.url + ": " + error.what(), 0});
        }
    }

    // Whoever counts on the will need not know why we went. As a message of ours, because Paho C++
    // loses the reason code (0x04) with which the broker would send it.
    void say_will() {
        if (!options_.will || !client_ || !client_->paho.is_connected()) return;
        const Message& will = *options_.will;
        client_->paho
            .publish(will.topic, will.payload.data(), will.payload.size(), 1,
                     options_.will_retained)
            ->wait_for(kFarewellMs);
    }

    // The new one is made before the old one goes, so that Paho never stops and restarts its
    // threads.
    void renew(std::uint64_t attempt) {
        auto fresh = std::make_unique<Client>(*this, attempt);
        std::swap(client_, fresh);
    }

    void subscribe_first(std::uint64_t attempt) {
        if (!client_ || client_->attempt != attempt) return;
        send_at_once(parse_url(options_.url)->port);
        if (options_.subscriptions.empty()) return events_.connected(attempt);
        fenced(attempt, [&] {
            client_->paho.subscribe(
                mqtt::string_collection::create(options_.subscriptions),
                mqtt::iasync_client::qos_collection(options_.subscriptions.size(), 1), nullptr,
                *client_);
        });
    }

    // A small number in a pointer's clothes: Paho hands it back with the token.
    static void* as_context(std::size_t slot) { return reinterpret_cast<void*>(slot); }
    static std::size_t slot_of(const mqtt::token& token) {
        return reinterpret_cast<std::size_t>(token.get_user_context());
    }

    static int code_of(const mqtt::token& token) {
        const int reason = static_cast<int>(token.get_reason_code());
        return reason >= 0x80 ? reason : token.get_return_code();
    }

    // Everything but its making and its end is called on Paho's threads.
    struct Client final : mqtt::iaction_listener {
        Client(Impl& made_by, std::uint64_t number)
            : owner(made_by),
              attempt(number),
              paho(paho_address(made_by.options_.url), made_by.options_.client_id,
                   mqtt::create_options(MQTTVERSION_5)) {
            paho.set_message_callback([this](const mqtt::const_message_ptr& message) {
                const auto& bytes = message->get_payload_ref();
                const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
                owner.events_.received(attempt,
                                       {message->get_topic(), Bytes(data, data + bytes.size())});
            });
            paho.set_connection_lost_handler([this](const std::string&) { ended(0); });
            paho.set_disconnected_handler(
                [this](const mqtt::properties&, mqtt::ReasonCode code) { ended(code); });
        }

        void ended(int code) { owner.events_.failed(attempt, ended_error(owner.options_, code)); }

        void on_success(const mqtt::token& token) override {
            switch (token.get_type()) {
                case mqtt::token::CONNECT: on_connected(token); break;
                case mqtt::token::SUBSCRIBE: on_subscribed(token); break;
                case mqtt::token::PUBLISH: owner.events_.sent(attempt, slot_of(token)); break;
                default: break;
            }
        }

        void on_failure(const mqtt::token& token) override {
            const int code = code_of(token);
            const MqttOptions& options = owner.options_;
            switch (token.get_type()) {
                case mqtt::token::CONNECT:
                    owner.events_.failed(attempt, connect_error(options, code));
                    break;
                case mqtt::token::SUBSCRIBE:
                    if (slot_of(token) != kOneMore)
                        owner.events_.failed(attempt, subscribe_error(options, code));
                    break;
                case mqtt::token::PUBLISH:
                    owner.events_.failed(attempt, publish_error(options, code));
                    break;
                default: break;
            }
        }

        void on_connected(const mqtt::token& token) {
            const std::size_t needed = owner.options_.payload_bytes_max + kPacketBytesMore;
            if (packet_bytes_max(token) < needed)
                return owner.events_.failed(
                    attempt, too_small_error(owner.options_, "max_packet_size", 0x95));
            owner.do_later([&impl = owner, number = attempt] { impl.subscribe_first(number); });
        }

        // As the broker said when it let us in.
        static std::size_t packet_bytes_max(const mqtt::token& token) {
            try {
                const mqtt::connect_response response = token.get_connect_response();
                const mqtt::properties& said = response.get_properties();
                if (said.contains(mqtt::property::MAXIMUM_PACKET_SIZE))
                    return mqtt::get<std::uint32_t>(said, mqtt::property::MAXIMUM_PACKET_SIZE);
            } catch (const std::exception&) {  // nothing was said
            }
            return SIZE_MAX;
        }

        void on_subscribed(const mqtt::token& token) {
            int worst = 0;
            try {
                const mqtt::subscribe_response response = token.get_subscribe_response();
                for (const int code : response.get_reason_codes()) worst = std::max(worst, code);
            } catch (const std::exception&) {
                worst = 0x80;
            }
            if (slot_of(token) == kOneMore) {
                if (worst < 0x80) owner.events_.subscribed(attempt, (*token.get_topics())[0]);
            } else if (worst >= 0x80) {
                owner.events_.failed(attempt, subscribe_error(owner.options_, worst));
            } else {
                owner.events_.connected(attempt);
            }
        }

        Impl& owner;
        std::uint64_t attempt;
        // Last, so that it goes first: its end still calls on_failure() for what was under way.
        mqtt::async_client paho;
    };

    MqttOptions options_;
    PahoEvents events_;
    mqtt::connect_options connect_options_;
    std::unique_ptr<Client> client_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> tasks_;
    bool ending_ = false;
    std::thread thread_;
};

PahoThread::PahoThread(MqttOptions options, PahoEvents events)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(events))) {}

PahoThread::~PahoThread() = default;

void PahoThread::connect(std::uint64_t attempt) {
    impl_->do_later([impl = impl_.get(), attempt] { impl->connect(attempt); });
}

void PahoThread::publish(std::uint64_t attempt, std::size_t slot, std::string topic,
                         Bytes payload) {
    impl_->do_later([impl = impl_.get(), attempt, slot, topic = std::move(topic),
                     payload = std::move(payload)]() mutable {
        impl->publish(attempt, slot, std::move(topic), payload);
    });
}

void PahoThread::subscribe(std::uint64_t attempt, std::string filter) {
    impl_->do_later([impl = impl_.get(), attempt, filter = std::move(filter)] {
        impl->subscribe(attempt, filter);
    });
}

void PahoThread::unsubscribe(std::uint64_t attempt, std::string filter) {
    impl_->do_later([impl = impl_.get(), attempt, filter = std::move(filter)] {
        impl->unsubscribe(attempt, filter);
    });
}

void PahoThread::close() {
    impl_->do_later([impl = impl_.get()] { impl->close(); });
}

}  // namespace tributary
