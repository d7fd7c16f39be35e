#include <linux/tcp.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "common/base/limits.h"
#include "common/net/mosquitto_impl.h"

namespace tributary {
namespace {

// Of a PUBLISH beside its payload: the fixed header, the topic and the properties.
constexpr std::size_t kPacketBytesMore = 256;
// Of one packet. No sound broker sends as much.
constexpr std::uint32_t kArrivingBytesMax = 4 * limits::MiB;
constexpr const char* kAnnounced = "max_packet_size";

// Once in a process, and for good: mosquitto_lib_cleanup() would unload OpenSSL's configuration
// while HTTPS uses it. The library writes to sockets as if they were files.
void set_up_library() {
    static const bool once = [] {
        return mosquitto_lib_init() == MOSQ_ERR_SUCCESS && std::signal(SIGPIPE, SIG_IGN) != SIG_ERR;
    }();
    TRIBUTARY_CHECK(once);
}

// The broker need not send what is larger. mosquitto_connect_bind_async() takes no properties, but
// uses those of an attempt before it: this one ends at its port, which is none.
void tell_packet_bytes_max(mosquitto* it) {
    mosquitto_property* said = nullptr;
    mosquitto_property_add_int32(&said, MQTT_PROP_MAXIMUM_PACKET_SIZE, kArrivingBytesMax);
    constexpr int kNoPort = -1;
    mosquitto_connect_bind_v5(it, "", kNoPort, 0, nullptr, said);
    mosquitto_property_free_all(&said);
}

std::uint64_t bytes_received(int fd) {
    tcp_info info{};
    socklen_t length = sizeof info;
    ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    return info.tcpi_bytes_received;
}

Error connect_error(const MqttOptions& options, int code, const BrokerTls* tls) {
    const std::string at = "broker " + options.url;
    switch (code) {
        case MQTT_RC_CLIENTID_NOT_VALID:
            return {Errc::denied, at + " refuses the client id '" + options.client_id + "'", code};
        case MQTT_RC_BAD_USERNAME_OR_PASSWORD:
        case MQTT_RC_NOT_AUTHORIZED:
        case MQTT_RC_BANNED:
        case MQTT_RC_BAD_AUTHENTICATION_METHOD:
            return {Errc::denied,
                    at + " does not authorise '" + options.client_id +
                        "'; check its users, ACL and this device's certificate",
                    code};
        default: break;
    }
    if (code >= MQTT_RC_UNSPECIFIED)
        return {Errc::unavailable, at + " refuses connections: " + mosquitto_reason_string(code),
                code};
    if (tls) {
        if (auto why = tls->why(false)) return *std::move(why);
        if (code == MOSQ_ERR_TLS)
            return {Errc::unavailable,
                    "the TLS handshake with " + at + " failed; check that this is its TLS port",
                    code};
    }
    return unreachable_error(options);
}

Error ended_error(const MqttOptions& options, int code, const BrokerTls* tls) {
    const std::string at = "broker " + options.url;
    switch (code) {
        case MQTT_RC_SESSION_TAKEN_OVER:
            return {Errc::unavailable,
                    "another client uses our id '" + options.client_id + "' at " + at +
                        ": is there a copy of this state_dir on another machine?",
                    code};
        case MQTT_RC_NOT_AUTHORIZED:
        case MQTT_RC_ADMINISTRATIVE_ACTION:
            return {Errc::denied,
                    at + " ended the connection of '" + options.client_id +
                        "': not authorised any more",
                    code};
        default: break;
    }
    if (tls)
        if (auto why = tls->why(true)) return *std::move(why);
    const bool says_why = code >= MQTT_RC_UNSPECIFIED;
    return {Errc::unavailable,
            at + " ended the connection" +
                (says_why ? ": " + std::string(mosquitto_reason_string(code)) : ""),
            code};
}

// `what` the broker does with what we sent.
Error refused_error(const MqttOptions& options, const std::string& what, int code) {
    const bool denied = code == MQTT_RC_NOT_AUTHORIZED;
    return {denied ? Errc::denied : Errc::unavailable,
            "broker " + options.url + " " + what + " of '" + options.client_id + "'" +
                (denied ? ": not authorised; check its ACL"
                        : std::string(": ") + mosquitto_reason_string(code)),
            code};
}

Error too_small_error(const MqttOptions& options, std::size_t needed_bytes, const char* limit) {
    return {Errc::denied,
            "broker " + options.url + " takes no messages of " +
                std::to_string(needed_bytes / limits::KiB) + " KiB, as sync needs them: its " +
                limit + " is below that; raise it",
            MQTT_RC_PACKET_TOO_LARGE};
}

}  // namespace

Error unreachable_error(const MqttOptions& options) {
    return {Errc::unavailable,
            "cannot reach broker " + options.url + "; check that it runs, the URL and the network"};
}

MosquittoClient::MosquittoClient(const MqttOptions& options, BrokerTls* tls)
    : options_(options), tls_(tls) {
    set_up_library();
    constexpr bool kCleanStart = true;  // and no session expiry is said, which means 0
    it_ = mosquitto_new(options.client_id.c_str(), kCleanStart, this);
    if (it_ == nullptr) {
        failure_ = {Errc::invalid, "no MQTT client can be called '" + options.client_id + "'"};
        return;
    }
    mosquitto_int_option(it_, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    // A short message would wait behind an unacknowledged PUBACK for as long as the other kernel
    // puts its answer off (40 ms), once in each window of frames. The broker's side of the same is
    // mosquitto's `set_tcp_nodelay true`.
    mosquitto_int_option(it_, MOSQ_OPT_TCP_NODELAY, 1);
    if (tls_) {
        mosquitto_int_option(it_, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
        mosquitto_void_option(it_, MOSQ_OPT_SSL_CTX, tls_->context());
    }
    if (options.will)
        mosquitto_will_set(it_, options.will->topic.c_str(),
                           static_cast<int>(options.will->payload.size()),
                           options.will->payload.data(), 1, options.will_retained);
    tell_packet_bytes_max(it_);
    set_callbacks();
}

MosquittoClient::~MosquittoClient() {
    // Whoever counts on the will need not know why we went. Without a word the broker sends it,
    // too.
    if (let_in_ && !failure_)
        mosquitto_disconnect_v5(
            it_, options_.will ? MQTT_RC_DISCONNECT_WITH_WILL_MSG : MQTT_RC_NORMAL_DISCONNECTION,
            nullptr);
    mosquitto_destroy(it_);
}

// They only note: what the library is in the middle of must not be changed.
void MosquittoClient::set_callbacks() {
    mosquitto_connect_v5_callback_set(
        it_, [](mosquitto*, void* self, int reason, int, const mosquitto_property* said) {
            std::uint32_t packet_bytes_max = UINT32_MAX;
            mosquitto_property_read_int32(said, MQTT_PROP_MAXIMUM_PACKET_SIZE, &packet_bytes_max,
                                          false);
            of(self).on_connack(reason, packet_bytes_max);
        });
    mosquitto_disconnect_v5_callback_set(
        it_, [](mosquitto*, void* self, int reason, const mosquitto_property*) {
            of(self).reason_ = reason;
        });
    mosquitto_subscribe_v5_callback_set(it_, [](mosquitto*, void* self, int id, int count,
                                                const int* granted, const mosquitto_property*) {
        of(self).on_suback(
            id, count > 0 ? *std::max_element(granted, granted + count) : int{MQTT_RC_UNSPECIFIED});
    });
    mosquitto_publish_v5_callback_set(
        it_, [](mosquitto*, void* self, int id, int reason, const mosquitto_property*) {
            of(self).on_puback(id, reason);
        });
    mosquitto_message_v5_callback_set(
        it_,
        [](mosquitto*, void* self, const mosquitto_message* message, const mosquitto_property*) {
            of(self).on_message(message->topic, message->payload, message->payloadlen);
        });
}

void MosquittoClient::on_connack(int reason, std::uint32_t packet_bytes_max) {
    if (reason != MQTT_RC_SUCCESS) {
        failure_ = connect_error(options_, reason, tls_);
        return;
    }
    let_in_ = true;
    if (packet_bytes_max < kBrokerPacketBytesMin) {
        failure_ = too_small_error(options_, kBrokerPacketBytesMin, kAnnounced);
        return;
    }
    payload_bytes_max_ =
        std::min<std::size_t>(options_.payload_bytes_max, packet_bytes_max - kPacketBytesMore);
    std::vector<char*> filters;
    for (const std::string& filter : options_.subscriptions)
        filters.push_back(const_cast<char*>(filter.c_str()));
    if (filters.empty())
        words_.emplace_back(LetIn{payload_bytes_max_});
    else if (mosquitto_subscribe_multiple(it_, &first_id_, static_cast<int>(filters.size()),
                                          filters.data(), 1, 0, nullptr) != MOSQ_ERR_SUCCESS)
        failure_ =
            refused_error(options_, "refuses the subscriptions", MQTT_RC_TOPIC_FILTER_INVALID);
}

void MosquittoClient::on_suback(int id, int worst) {
    const bool granted = worst < MQTT_RC_UNSPECIFIED;
    if (id == first_id_) {
        first_id_ = 0;  // ids come round again
        if (granted)
            words_.emplace_back(LetIn{payload_bytes_max_});
        else
            failure_ = refused_error(options_, "refuses the subscriptions", worst);
        return;
    }
    const auto asked = asked_.extract(id);
    if (asked.empty()) return;
    std::string& filter = asked.mapped();
    if (granted) {
        words_.emplace_back(Subscribed{std::move(filter)});
        return;
    }
    Error error = refused_error(options_, "refuses the subscription to '" + filter + "'", worst);
    words_.emplace_back(Refused{std::move(filter), std::move(error)});
}

void MosquittoClient::on_puback(int id, int reason) {
    const auto sent = topics_.extract(id);
    if (reason >= MQTT_RC_UNSPECIFIED && !sent.empty()) {
        std::string& topic = sent.mapped();
        Error error = reason == MQTT_RC_PACKET_TOO_LARGE
                          ? too_small_error(options_, options_.payload_bytes_max,
                                            id < 0 ? kAnnounced : "message_size_limit")
                          : refused_error(options_, "refuses a message to '" + topic + "'", reason);
        if (options_.outlives_refusals)
            words_.emplace_back(Refused{std::move(topic), std::move(error)});
        else if (!failure_)
            failure_ = std::move(error);
    }
    words_.emplace_back(Taken{id});  // as far as the window goes
}

void MosquittoClient::on_message(const char* topic, const void* payload, int bytes) {
    const auto* const data = static_cast<const std::uint8_t*>(payload);
    auto size = static_cast<std::size_t>(bytes);
    // Nobody else is to pay for whoever sent this: it comes as a message that makes no sense.
    if (size > options_.payload_bytes_max) size = 0;
    words_.emplace_back(Message{topic, Bytes(data, data + size)});
}

bool MosquittoClient::connect(const std::string& address, std::uint16_t port) {
    const int code = mosquitto_connect_bind_async(it_, address.c_str(), port,
                                                  static_cast<int>(options_.keep_alive_s), nullptr);
    // On a busy machine the whole handshake may be over before that returns.
    if (code == MOSQ_ERR_TLS || (code > MOSQ_ERR_SUCCESS && tls_ && tls_->agreed()))
        failure_ = why(code);
    if (code > MOSQ_ERR_SUCCESS || fd() < 0) return false;
    if (tls_) tls_->read_in_turns(ssl());
    return true;
}

int MosquittoClient::fd() const { return mosquitto_socket(it_); }

SSL* MosquittoClient::ssl() const { return static_cast<SSL*>(mosquitto_ssl_get(it_)); }

bool MosquittoClient::is_connected() const {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    return ::getpeername(fd(), reinterpret_cast<sockaddr*>(&peer), &length) == 0;
}

bool MosquittoClient::reached() const {
    return is_connected() || (tls_ && BIO_number_written(SSL_get_wbio(ssl())) > 0);
}

bool MosquittoClient::wants_write() const {
    // The library's own answer is not good until the handshake is over.
    if (tls_ && !tls_->agreed()) return SSL_want(ssl()) == SSL_WRITING;
    return mosquitto_want_write(it_);
}

bool MosquittoClient::has_more() const { return tls_ && tls_->agreed() && SSL_pending(ssl()) > 0; }

void MosquittoClient::on_readable() {
    if (tls_) tls_->begin_turn();
    conclude(mosquitto_loop_read(it_, 1));
    if (failure_) return;
    // In a handshake the library takes a connection that was reset for one that is slow.
    if (tls_ && !tls_->agreed() && !is_connected()) return conclude(MOSQ_ERR_TLS);
    bound_packet();
}

void MosquittoClient::on_writable() {
    if (tls_ && !tls_->agreed()) return on_readable();  // that goes on with the handshake
    conclude(mosquitto_loop_write(it_, 1));
}

void MosquittoClient::keep_alive() { conclude(mosquitto_loop_misc(it_)); }

Result<int> MosquittoClient::publish(const std::string& topic, ByteView payload) {
    if (payload.size() > payload_bytes_max_) {  // what the broker would say to it is known
        topics_[--kept_back_] = topic;
        on_puback(kept_back_, MQTT_RC_PACKET_TOO_LARGE);
        return kept_back_;
    }
    int id = 0;
    conclude(mosquitto_publish_v5(it_, &id, topic.c_str(), static_cast<int>(payload.size()),
                                  payload.data(), 1, false, nullptr));
    if (failure_) return tl::make_unexpected(*failure_);
    topics_[id] = topic;
    return id;
}

void MosquittoClient::subscribe(const std::string& filter) {
    int id = 0;
    conclude(mosquitto_subscribe(it_, &id, filter.c_str(), 1));
    asked_[id] = filter;
}

void MosquittoClient::unsubscribe(const std::string& filter) {
    conclude(mosquitto_unsubscribe(it_, nullptr, filter.c_str()));
}

std::vector<BrokerWord> MosquittoClient::take_words() { return std::exchange(words_, {}); }

// After each call that may have found the connection broken.
void MosquittoClient::conclude(int code) {
    if (failure_ || (code == MOSQ_ERR_SUCCESS && fd() >= 0)) return;
    failure_ = why(reason_ >= MQTT_RC_UNSPECIFIED ? reason_ : code);
}

Error MosquittoClient::why(int code) const {
    return let_in_ ? ended_error(options_, code, tls_) : connect_error(options_, code, tls_);
}

// The library reads a packet to its end, up to 256 MiB, whatever it was told: what comes without
// making sense is bounded here. One turn of it is bounded by BrokerTls; on a plain connection by
// the network alone.
void MosquittoClient::bound_packet() {
    if (!words_.empty()) {
        silent_since_.reset();
        return;
    }
    const std::uint64_t now = bytes_received(fd());
    if (!silent_since_) silent_since_ = now;
    if (now - *silent_since_ > kArrivingBytesMax)
        failure_ = {Errc::unavailable, "broker " + options_.url + " sends a packet of more than " +
                                           std::to_string(kArrivingBytesMax / limits::MiB) +
                                           " MiB, which nobody may"};
}

}  // namespace tributary
