#include "hub/broker/take_over.h"

#include <utility>

#include "common/net/mqtt.h"
#include "common/trust/key_file.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kValidMs = 600'000;
constexpr std::uint64_t kLimitMs = 20'000;

}  // namespace

TakeOver::TakeOver(NetLoop& loop, Files& files, Clock& clock, Entropy& entropy,
                   trust::Authority& authority, TakeOverOptions options)
    : loop_(loop),
      files_(files),
      clock_(clock),
      entropy_(entropy),
      authority_(authority),
      options_(std::move(options)),
      path_(join_path(options_.folder, "take-over.pem")) {}

TakeOver::~TakeOver() {
    if (transport_) static_cast<void>(files_.remove(path_));
}

void TakeOver::cut(const std::string& client, std::function<void(Status)> done) {
    done_ = std::move(done);
    timer_ = loop_.at(loop_.now() + kLimitMs,
                      [this] { finish(fail(Errc::unavailable, "the broker does not answer")); });
    if (auto connecting = connect(client); !connecting)
        loop_.post([this, connecting] { finish(connecting); });
}

Status TakeOver::connect(const std::string& client) {
    static_cast<void>(files_.remove(path_));  // of a process that was killed
    TRIBUTARY_ASSIGN(const auto key, trust::create_key(files_, entropy_, path_));
    const WallTime until{(clock_.wall().ms + kValidMs) / 1000 * 1000};
    TRIBUTARY_ASSIGN(const Bytes certificate,
                     authority_.issue_device(entropy_, client, key->public_key(), {{0}, until}));
    TRIBUTARY_TRY(trust::put_certificate(files_, path_, certificate));

    MqttOptions options;
    options.url = options_.broker_url;
    options.client_id = client;
    options.ca_file = options_.broker_ca;
    options.certificate_file = path_;
    options.key_file = path_;
    TRIBUTARY_ASSIGN(transport_, make_mqtt(loop_, entropy_, std::move(options)));
    Transport::Events events;
    events.connected = [this] { finish({}); };
    events.disconnected = [this](const Error& error) { finish(tl::make_unexpected(error)); };
    events.received = [](const Message&) {};
    events.sent = [](std::uint64_t) {};
    transport_->start(std::move(events));
    return {};
}

void TakeOver::finish(const Status& status) {
    if (!done_) return;
    timer_.reset();
    if (transport_) transport_->stop();
    transport_.reset();
    static_cast<void>(files_.remove(path_));
    std::exchange(done_, nullptr)(status);
}

}  // namespace tributary::hub
