// Result<T>: how every fallible function in Tributary answers. Our code does not throw.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace tributary {

// What the caller should do, not where the error came from.
enum class Errc : unsigned char {
    invalid,      // reject the input, tell its sender, never retry
    not_found,    // a domain answer: it is not here
    conflict,     // a domain answer: it moved under you, or it is in use
    corrupt,      // stop using that object, quarantine, report; never repair by ignoring
    denied,       // do not retry with the same identity or against the same policy
    unavailable,  // retry with backoff
    exhausted,    // free space or shed load, then retry
    unsupported,  // the peer or file is newer: keep the data, ask for an upgrade
    cancelled,    // nobody waits for the answer any more
    erased,       // it was here and was erased on purpose
};

// The lower-case name of a code, as `--json` prints it.
std::string_view name_of(Errc code);

struct Error {
    Errc code;
    std::string what;  // a full sentence fragment for a person: what failed, and what to do next
    int native = 0;    // errno, SQLite or mbedTLS value; for the log only
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(Errc code, std::string what, int native = 0) {
    return tl::unexpected<Error>(Error{code, std::move(what), native});
}

// Adds one layer of context: "open store /x: " + what.
[[nodiscard]] tl::unexpected<Error> with_context(std::string_view context, Error error);

// Prints the condition and its place to stderr, then aborts. For TRIBUTARY_CHECK only.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace tributary

// Programmer errors. On in release builds; bad input is never a CHECK.
#define TRIBUTARY_CHECK(condition)                                     \
    do {                                                               \
        if (!(condition)) [[unlikely]]                                 \
            ::tributary::check_failed(#condition, __FILE__, __LINE__); \
    } while (false)

#define TRIBUTARY_JOIN_(a, b) a##b
#define TRIBUTARY_JOIN(a, b) TRIBUTARY_JOIN_(a, b)

// TRIBUTARY_TRY(status_or_result): returns the error to our caller, or goes on.
#define TRIBUTARY_TRY(expression)                                                              \
    do {                                                                                       \
        if (auto tributary_result_ = (expression); !tributary_result_)                         \
            return ::tl::unexpected<::tributary::Error>(std::move(tributary_result_).error()); \
    } while (false)

// TRIBUTARY_ASSIGN(auto x, result): declares or assigns x, or returns the error to our caller.
#define TRIBUTARY_ASSIGN(target, expression) \
    TRIBUTARY_ASSIGN_(TRIBUTARY_JOIN(tributary_result_, __LINE__), target, expression)
#define TRIBUTARY_ASSIGN_(temporary, target, expression)                                       \
    auto temporary = (expression);                                                             \
    if (!temporary) return ::tl::unexpected<::tributary::Error>(std::move(temporary).error()); \
    target = *std::move(temporary)
