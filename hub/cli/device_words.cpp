#include "hub/cli/device_words.h"

#include "common/base/words.h"
#include "hub/cli/print.h"

namespace tributary::cli {
namespace {

// What holds up a push whose board does not rest; empty: nothing.
std::string held_up(const Json& push) {
    const Json* what = push.find("waits_for");
    return what && what->as_text() ? "it waits for " + *what->as_text() : "";
}

// No rate while nothing goes on.
std::string transfer(const Json& link, std::string_view name, std::string_view bound) {
    const Json* way = link.find(name);
    const std::uint64_t left = way ? way->u64_at("bytes_left").value_or(0) : 0;
    if (left == 0) return "";
    std::string text = ", " + std::string(bound) + human_bytes(left) + " left";
    const std::uint64_t rate = way->u64_at("bytes_per_second").value_or(0);
    if (rate != 0 && !link.u64_at("push_rests_seconds") && held_up(*way).empty())
        text += ", " + human_bytes(rate) + " a second";
    return text;
}

}  // namespace

bool is_revoked(const Json& device) {
    const Json* revoked = device.find("revoked");
    return revoked && !revoked->is_null();
}

std::string connection(const Json& device) {
    if (is_revoked(device)) return "revoked";
    if (const Json* why = device.find("quarantine"); why && why->as_text()) return "quarantined";
    const Json* link = device.find("link");
    if (!link || link->is_null()) return "not seen since the hub's start";
    const Json* connected = link->find("connected");
    if (connected && connected->as_bool().value_or(false)) return "connected";
    const std::uint64_t seconds = link->u64_at("heard_seconds").value_or(0);
    return seconds < 60 ? "away" : "away, heard " + human_span(seconds * 1000) + " ago";
}

std::string rest_of(const Json& link) {
    const auto seconds = link.u64_at("push_rests_seconds");
    if (!seconds) return "";
    return "content goes on in about " + human_span(*seconds * 1000) +
           ", by its [link] hours or bytes_per_day";
}

std::string uplink_text(const Json& link) { return transfer(link, "uplink", "at least "); }

std::string push_text(const Json& link) {
    std::string text = transfer(link, "push", "about ");
    if (text.empty() || link.u64_at("push_rests_seconds")) return text;
    const Json* push = link.find("push");
    if (const std::string what = held_up(*push); !what.empty()) return text + "; " + what;
    const std::uint64_t rate = push->u64_at("bytes_per_second").value_or(0);
    if (rate == 0) return text;
    return text + ", about " + human_span(push->u64_at("bytes_left").value_or(0) * 1000 / rate) +
           " to go";
}

std::string passed_over(const Json& device, const Json& model) {
    const Json* events = device.find("security_events");
    const Json* at = model.find("at");
    if (text_of(model, "state") != "assigned" || !events || !events->as_array() || !at) return {};
    for (const Json& event : *events->as_array()) {
        const Json* last = event.find("last");
        if (text_of(event, "by") == "board" && text_of(event, "event").starts_with("assignment_") &&
            last && text_of(*last, "time") >= text_of(*at, "time"))
            return "the board does not take it: " + text_of(event, "detail");
    }
    return {};
}

std::string waits_for(const Json& device, const Json& model) {
    if (text_of(model, "state") != "assigned") return "";
    if (std::string why = passed_over(device, model); !why.empty()) return why;
    const std::string standing = connection(device);
    if (standing != "connected") return standing;
    const Json& link = *device.find("link");
    if (std::string why = rest_of(link); !why.empty()) return why;
    const Json* cast = link.find("broadcast");
    if (cast && !cast->is_null()) return "it comes by broadcast";
    const Json* push = link.find("push");
    const std::uint64_t left = push ? push->u64_at("bytes_left").value_or(0) : 0;
    const std::string what = push ? held_up(*push) : "";
    if (left != 0) {
        const std::string amount = "about " + human_bytes(left) + " left";
        return what.empty() ? "it comes, " + amount : amount + "; " + what;
    }
    return what.empty() ? "the board takes it, or has it in probation" : what;
}

}  // namespace tributary::cli
