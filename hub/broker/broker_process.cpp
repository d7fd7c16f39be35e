#include "hub/broker/broker_process.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <utility>

#include "common/env/files.h"
#include "common/text/log.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kLookMs = 200;
constexpr std::uint64_t kSettleMs = 1'000;  // from its start until it takes signals, and more
constexpr std::uint64_t kBackoffMs = 1'000;
constexpr std::uint64_t kBackoffMsMax = 60'000;
constexpr std::uint64_t kSteadyMs = 60'000;  // up for so long: the next failure is a first one
constexpr std::uint64_t kEndMs = 2'000;
constexpr std::uint64_t kVersionMs = 10'000;
constexpr std::uint64_t kForeverMs = 100ull * 366 * 86'400'000;
constexpr std::uint64_t kLinesMax = 60;  // of the broker, in a minute
constexpr std::size_t kLineBytesMax = 400;
constexpr std::size_t kOutputBytesMax = 64 * 1024;

constexpr std::array<unsigned, 3> kVersionMin = {2, 0, 11};

// Debian keeps it where a normal user's PATH does not look.
Command mosquitto(const std::string& before, const std::string& arguments,
                  std::uint64_t timeout_ms) {
    Command command;
    command.shell =
        before + "PATH=\"$PATH:/usr/sbin:/usr/local/sbin\"; exec mosquitto " + arguments;
    command.timeout_ms = timeout_ms;
    command.output_bytes_max = kOutputBytesMax;
    return command;
}

std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

std::string how(const CommandResult& result) {
    if (result.signal != 0) return "signal " + std::to_string(result.signal);
    return "exit code " + std::to_string(result.exit_code);
}

}  // namespace

Status check_broker_version(std::string_view help) {
    constexpr std::string_view kBefore = "mosquitto version ";
    const std::size_t at = help.find(kBefore);
    if (at == help.npos)
        return fail(Errc::unavailable,
                    "mosquitto does not say its version; install mosquitto 2.0.11 or newer "
                    "(apt-get install mosquitto)");
    const std::string_view text = help.substr(at + kBefore.size());
    std::array<unsigned, 3> version{};
    const char* next = text.data();
    const char* const end = text.data() + text.size();
    for (unsigned& part : version) {
        const auto [after, error] = std::from_chars(next, end, part);
        if (error != std::errc()) break;
        next = after < end && *after == '.' ? after + 1 : end;
    }
    if (version >= kVersionMin) return {};
    return fail(Errc::unsupported, "mosquitto is version " +
                                       std::string(text.substr(0, text.find('\n'))) +
                                       ", which cannot take a client's name from its certificate "
                                       "as we need it; install 2.0.11 or newer");
}

BrokerProcess::BrokerProcess(Loop& loop, CommandRunner& commands, std::string config_path)
    : loop_(loop),
      commands_(commands),
      config_path_(std::move(config_path)),
      backoff_ms_(kBackoffMs),
      lines_left_(kLinesMax),
      minute_(loop.now()) {}

Result<std::unique_ptr<BrokerProcess>> BrokerProcess::start(Loop& loop, CommandRunner& commands,
                                                            std::string config_path) {
    TRIBUTARY_ASSIGN(const auto asked, commands.start(mosquitto("", "-h", kVersionMs)));
    const auto told = asked->wait(kVersionMs);
    if (told && told->exit_code == 127)
        return fail(Errc::unavailable,
                    "mosquitto, the MQTT broker that the hub is to run, is not installed: "
                    "apt-get install mosquitto");
    TRIBUTARY_TRY(check_broker_version(told ? told->output : ""));
    auto broker =
        std::unique_ptr<BrokerProcess>(new BrokerProcess(loop, commands, std::move(config_path)));
    broker->launch();
    return broker;
}

BrokerProcess::~BrokerProcess() {
    if (!process_) return;
    process_->send_signal(SIGTERM);
    if (!process_->wait(kEndMs)) log_warn("the broker does not end, and is killed");
}

std::uint64_t BrokerProcess::reload() {
    to_reload_ = true;
    reload_if_due();
    if (!to_reload_ || !process_) return 0;
    return launched_.ms + kSettleMs + kLookMs - loop_.now().ms;
}

void BrokerProcess::reload_if_due() {
    if (!to_reload_ || !process_ || loop_.now() < launched_ + kSettleMs) return;
    to_reload_ = false;
    process_->send_signal(SIGHUP);
}

void BrokerProcess::launch() {
    launched_ = loop_.now();
    to_reload_ = false;
    // From its own folder, so that paths in the file may be relative to it.
    auto started = commands_.start(
        mosquitto("cd " + quoted(std::string(parent_path(config_path_))) + " && ",
                  "-c " + quoted(std::string(file_name(config_path_))), kForeverMs));
    if (started) {
        process_ = *std::move(started);
        log_info("the broker runs", {{"config", config_path_}});
    } else {
        log_failure(LogLevel::error, "the broker cannot be started", started.error());
    }
    look();
}

// Every so often: what it says, and whether it is still there.
void BrokerProcess::look() {
    if (!process_) {
        timer_ = loop_.at(loop_.now() + backoff_ms_, [this] { launch(); });
        backoff_ms_ = std::min(backoff_ms_ * 2, kBackoffMsMax);
        return;
    }
    pass_on(process_->take_output());
    if (auto result = process_->poll()) {
        pass_on(result->output + "\n");
        process_.reset();
        ended(*result);
        return look();
    }
    reload_if_due();
    timer_ = loop_.at(loop_.now() + kLookMs, [this] { look(); });
}

void BrokerProcess::ended(const CommandResult& result) {
    if (loop_.now() >= launched_ + kSteadyMs) backoff_ms_ = kBackoffMs;
    log_error("the broker ended; starting it again",
              {{"how", how(result)}, {"in_ms", backoff_ms_}, {"said", last_line_}});
}

void BrokerProcess::pass_on(const std::string& output) {
    if (loop_.now() >= minute_ + 60'000) {
        if (lines_dropped_ > 0)
            log_warn("more that the broker said was left out", {{"lines", lines_dropped_}});
        minute_ = loop_.now();
        lines_left_ = kLinesMax;
        lines_dropped_ = 0;
    }
    for (const char c : output) {
        if (c != '\n') {
            if (line_.size() < kLineBytesMax) line_ += c;
            continue;
        }
        if (line_.empty()) continue;
        last_line_ = std::exchange(line_, {});
        if (lines_left_ == 0) {
            lines_dropped_ += 1;
            continue;
        }
        lines_left_ -= 1;
        log_info("broker", {{"says", last_line_}});
    }
}

}  // namespace tributary::hub
