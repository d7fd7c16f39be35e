// The hub's HTTP interface as seen by the admin CLI.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/net/http.h"
#include "common/net/tls.h"
#include "common/text/json.h"

namespace tributary::cli {

struct HubAddress {
    std::string url;
    TlsTrust trust;  // for https://
};

// Blocking; one request at a time. Errors carry the hub's own code and sentence, or `unavailable`
// when it is out of reach.
class Client {
public:
    explicit Client(HubAddress hub) : hub_(std::move(hub)) {}

    using Query = std::vector<std::pair<std::string, std::string>>;
    Result<Json> get(const std::string& path, const Query& query = {}) const;
    Result<Json> post(const std::string& path, const Json& body, const Query& query = {}) const;
    // Streams a file of a version into `sink`.
    Status download(const std::string& path, const Query& query, HttpSink sink) const;
    const std::string& hub_url() const { return hub_.url; }

private:
    Result<Json> exchange(const std::string& method, const std::string& path, const Query& query,
                          std::string body) const;
    std::string url(const std::string& path, const Query& query) const;

    HubAddress hub_;
};

// --hub, else TRIBUTARY_HUB, else `hub = "URL"` in $XDG_CONFIG_HOME/tributary/profile.toml (or
// ~/.config/...). For https:// also whose certificate it must show: --ca, else TRIBUTARY_CA, else
// `ca = "FILE"` there, else that of an authority of this system.
Result<HubAddress> find_hub(const std::string& hub, const std::string& ca);

}  // namespace tributary::cli
