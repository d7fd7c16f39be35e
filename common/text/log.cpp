// The one file that sees spdlog, which brings the sink, its lock and the time.
#include "common/text/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>

#include "common/text/json.h"

namespace tributary {
namespace {

constexpr std::string_view kNames[] = {"error", "warn", "info", "debug"};
constexpr spdlog::level::level_enum kSpdlogLevels[] = {spdlog::level::err, spdlog::level::warn,
                                                       spdlog::level::info, spdlog::level::debug};

struct State {
    std::atomic<LogLevel> level{LogLevel::info};
    std::atomic<bool> json{false};
    std::mutex mutex;  // of what follows
    std::function<void(LogLevel, std::string_view)> receiver;
    std::shared_ptr<spdlog::logger> logger;
};

// Never destroyed: the last words of other threads may come after main() returned.
State& state() {
    static State& only = *new State;
    return only;
}

void set_pattern(spdlog::logger& logger, bool json) {
    const char* pattern =
        json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v)" : "%Y-%m-%dT%H:%M:%S.%eZ %v";
    logger.set_pattern(pattern, spdlog::pattern_time_type::utc);
}

// The logger is not registered and has no asynchronous queue: what is logged is written.
std::shared_ptr<spdlog::logger> stderr_logger() {
    State& s = state();
    const std::lock_guard guard(s.mutex);
    if (!s.logger) {
        s.logger = std::make_shared<spdlog::logger>(
            "tributary", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        s.logger->set_level(spdlog::level::trace);
        set_pattern(*s.logger, s.json);
    }
    return s.logger;
}

Json json_value(const LogValue& value) {
    return std::visit([](const auto& v) { return Json(v); }, value.value());
}

// Bare when it reads as one word, else quoted with JSON's escapes.
std::string plain_value(const LogValue& value) {
    const auto* text = std::get_if<std::string_view>(&value.value());
    if (text == nullptr) return json_value(value).text();
    const bool bare = !text->empty() && std::ranges::all_of(*text, [](char c) {
        return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\';
    });
    return bare ? std::string(*text) : json_quoted(*text);
}

std::string plain_line(LogLevel level, std::string_view event, LogFields fields) {
    std::string line(name_of(level));
    line.resize(6, ' ');
    line += event;
    for (const LogField& field : fields)
        line.append(" ").append(field.name).append("=").append(plain_value(field.value));
    return line;
}

std::string json_line(LogLevel level, std::string_view event, LogFields fields) {
    Json line = Json::object({{"level", name_of(level)}, {"event", event}});
    for (const LogField& field : fields) line.set(field.name, json_value(field.value));
    return line.text();
}

}  // namespace

std::string_view name_of(LogLevel level) { return kNames[static_cast<std::size_t>(level)]; }

std::optional<LogLevel> parse_log_level(std::string_view name) {
    const auto found = std::ranges::find(kNames, name);
    if (found == std::end(kNames)) return std::nullopt;
    return static_cast<LogLevel>(found - std::begin(kNames));
}

void configure_log(LogLevel level, bool json) {
    const auto logger = stderr_logger();
    state().level = level;
    state().json = json;
    set_pattern(*logger, json);
}

bool log_enabled(LogLevel level) { return level <= state().level.load(); }

void log(LogLevel level, std::string_view event, LogFields fields) {
    if (!log_enabled(level)) return;
    const bool json = state().json;
    const std::string line =
        json ? json_line(level, event, fields) : plain_line(level, event, fields);
    {
        const std::lock_guard guard(state().mutex);
        if (state().receiver) return state().receiver(level, line);
    }
    // The time goes in front; in JSON it opens the object.
    const std::string_view rest = json ? std::string_view(line).substr(1) : line;
    try {
        stderr_logger()->log(kSpdlogLevels[static_cast<std::size_t>(level)],
                             spdlog::string_view_t(rest.data(), rest.size()));
    } catch (...) {  // a log that cannot be written must not stop the work it speaks of
    }
}

void log_failure(LogLevel level, std::string_view event, const Error& error) {
    if (error.native != 0)
        log(level, event,
            {{"code", name_of(error.code)}, {"error", error.what}, {"native", error.native}});
    else
        log(level, event, {{"code", name_of(error.code)}, {"error", error.what}});
}

void capture_log(std::function<void(LogLevel, std::string_view line)> receiver) {
    const std::lock_guard guard(state().mutex);
    state().receiver = std::move(receiver);
}

}  // namespace tributary
