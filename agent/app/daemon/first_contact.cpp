#include "agent/app/daemon/first_contact.h"

#include <algorithm>

#include "common/base/words.h"
#include "common/text/log.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kRetryMs = 1'000;
constexpr std::uint64_t kRetryMsMax = 60'000;
constexpr std::uint64_t kAnswerBytesMax = 256 * 1024;

Result<Pins> pins_of(const Result<HttpClientResponse>& response) {
    if (!response) return tl::make_unexpected(response.error());
    const auto json = parse_json(response->body);
    if (response->status / 100 != 2) {
        const Json* error = json ? json->find("error") : nullptr;
        const auto what =
            error ? error->text_at("message") : Result<std::string>("no reason given");
        return fail(Errc::denied, "the hub refused our first contact (HTTP " +
                                      std::to_string(response->status) +
                                      "): " + what.value_or("no reason given"));
    }
    if (!json) return fail(Errc::corrupt, "the hub's answer is not JSON; is [hub] url a hub?");
    return parse_contact_answer(*json);
}

}  // namespace

std::string next_try(const std::optional<MonoTime>& at, MonoTime now) {
    if (!at) return {};
    return "; next try in " + human_span(*at > now ? at->ms - now.ms : 0);
}

void FirstContact::begin(std::string request) {
    request_ = std::move(request);
    if (busy_) return;
    busy_ = true;
    attempts_ = 0;
    ask();
}

void FirstContact::ask() {
    next_.reset();
    HttpClientRequest request;
    request.method = "POST";
    request.url = url_ + "/api/v1/contact";
    request.trust = trust_;
    request.headers = {{"Content-Type", "application/json"}};
    request.body = request_;
    request.body_bytes_max = kAnswerBytesMax;
    call_ = http_call(loop_, std::move(request),
                      [this](Result<HttpClientResponse> response) { on_answer(response); });
}

void FirstContact::on_answer(const Result<HttpClientResponse>& response) {
    const auto pins = pins_of(response);
    if (pins && answered_(*pins)) {
        busy_ = false;
        trouble_.clear();
        call_.reset();  // and its buffers, for as long as the daemon runs
        return;
    }
    const std::string trouble = pins ? "" : pins.error().what;
    // One line for each change.
    if (!pins && trouble != trouble_)
        log_failure(LogLevel::warn, "no hub, trying on", pins.error());
    trouble_ = trouble;
    const std::uint64_t longest = std::min(kRetryMsMax, kRetryMs << std::min(attempts_++, 6U));
    next_ = loop_.now() + entropy_.below(longest + 1);
    timer_ = loop_.at(*next_, [this] { ask(); });
}

std::string FirstContact::trouble() const {
    return trouble_.empty() ? "" : trouble_ + next_try(next_, loop_.now());
}

}  // namespace tributary::agent
