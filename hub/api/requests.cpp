#include "hub/api/requests.h"

#include <charconv>

#include "common/base/limits.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kListMax = 1000;

}  // namespace

Result<std::uint64_t> number_of(const std::string& text, std::string_view name,
                                std::uint64_t greatest) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number == 0 ||
        number > greatest)
        return fail(Errc::invalid, "'" + std::string(name) + "=" + text +
                                       "' is not a number from 1 to " + std::to_string(greatest));
    return number;
}

Result<std::size_t> limit_of(const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const std::uint64_t limit,
                     number_of(request.argument("limit").value_or("100"), "limit", kListMax));
    return static_cast<std::size_t>(limit);
}

Result<std::string> required(const HttpRequest& request, std::string_view name) {
    if (auto value = request.argument(name)) return *std::move(value);
    return fail(Errc::invalid, "the query needs '" + std::string(name) + "='");
}

Result<Json> body_of(const HttpRequest& request) { return parse_json(as_text(request.body)); }

Result<std::string> actor_of(const Json& body) {
    TRIBUTARY_ASSIGN(std::string actor, body.text_at("actor"));
    if (actor.size() > limits::kTextBytesMax)
        return fail(Errc::invalid,
                    "'actor' is longer than " + std::to_string(limits::kTextBytesMax) + " bytes");
    return actor;
}

}  // namespace tributary::hub
