#include "common/net/peer_url.h"

namespace tributary {

bool is_tls(const Url& url) { return url.scheme == "mqtts" || url.scheme == "https"; }

Result<Url> parse_broker_url(std::string_view text) {
    const auto url = parse_url(text);
    const std::string quoted = "'" + std::string(text) + "'";
    const bool known = url && (url->scheme == "mqtt" || url->scheme == "mqtts");
    if (!known && text.find('@') != std::string_view::npos)
        return fail(Errc::invalid, quoted +
                                       " must not carry a user name or password: the broker "
                                       "knows agents and hub by their certificates");
    if (!known)
        return fail(Errc::invalid, quoted +
                                       " is not a broker's address; write mqtt://HOST:PORT, "
                                       "or mqtts://HOST:PORT for TLS");
    if (url->target != "/") return fail(Errc::invalid, quoted + " must end after host and port");
    return url;
}

Result<Url> parse_hub_url(std::string_view text) {
    const auto url = parse_url(text);
    const std::string quoted = "'" + std::string(text) + "'";
    if (!url || (url->scheme != "http" && url->scheme != "https"))
        return fail(Errc::invalid, quoted +
                                       " is not a hub's address; write https://HOST:PORT, or "
                                       "http://HOST:PORT to a hub without TLS");
    return url;
}

}  // namespace tributary
