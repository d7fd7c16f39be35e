// The log: one line an event on stderr, in levels, for people (plain) or machines (JSON lines).
//
//   2026-01-31T12:00:00.250Z info  store opened path=/var/lib/tributary records=812
//   {"time":"2026-01-31T12:00:00.250Z","level":"info","event":"store opened","path":"/var/...
//
// An event is a short constant phrase; what varies stands in fields. An error is logged once, where
// it is handled. Thread-safe; a line is written whole. Logging never fails its caller.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/result.h"

namespace tributary {

enum class LogLevel : std::uint8_t { error, warn, info, debug };

// "error", "warn", "info", "debug".
std::string_view name_of(LogLevel level);
std::optional<LogLevel> parse_log_level(std::string_view name);

// Borrowed for the length of the call.
class LogValue {
public:
    LogValue(std::string_view value) : value_(value) {}
    LogValue(const char* value) : value_(std::string_view(value)) {}
    LogValue(const std::string& value) : value_(std::string_view(value)) {}
    LogValue(double value) : value_(value) {}
    template <class T>
    requires std::same_as<T, bool> LogValue(T value) : value_(value) {}
    template <class T>
    requires(std::integral<T> && !std::same_as<T, bool>) LogValue(T value) {
        if (std::in_range<std::int64_t>(value))
            value_ = static_cast<std::int64_t>(value);
        else
            value_ = static_cast<std::uint64_t>(value);
    }
    const auto& value() const { return value_; }

private:
    std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view> value_;
};

struct LogField {
    std::string_view name;
    LogValue value;
};
using LogFields = std::initializer_list<LogField>;

// What is written from now on, and how. Before the first call: info and worse, plain.
void configure_log(LogLevel level, bool json);
bool log_enabled(LogLevel level);  // to skip costly fields

void log(LogLevel level, std::string_view event, LogFields fields = {});
inline void log_error(std::string_view e, LogFields fields = {}) {
    log(LogLevel::error, e, fields);
}
inline void log_warn(std::string_view e, LogFields fields = {}) { log(LogLevel::warn, e, fields); }
inline void log_info(std::string_view e, LogFields fields = {}) { log(LogLevel::info, e, fields); }
inline void log_debug(std::string_view e, LogFields fields = {}) {
    log(LogLevel::debug, e, fields);
}
// With fields `code`, `error` and, when there is one, `native`.
void log_failure(LogLevel level, std::string_view event, const Error& error);

// Tests read lines (without time) instead of stderr; an empty function gives stderr back.
void capture_log(std::function<void(LogLevel, std::string_view line)> receiver);

}  // namespace tributary
