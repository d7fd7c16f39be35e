// The hub's HTTP interface as seen by the admin CLI.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/net/http.h"
#include "common/text/json.h"

namespace tributary::cli {

// Blocking; one request at a time. Errors carry the hub's own code and sentence, or `unavailable`
// when it is out of reach.
class Client {
public:
    explicit Client(std::string hub_url) : hub_url_(std::move(hub_url)) {}

    using Query = std::vector<std::pair<std::string, std::string>>;
    Result<Json> get(const std::string& path, const Query& query = {}) const;
    Result<Json> post(const std::string& path, const Json& body, const Query& query = {}) const;
    // Streams a file of a version into `sink`.
    Status download(const std::string& path, const Query& query, HttpSink sink) const;
    const std::string& hub_url() const { return hub_url_; }

private:
    Result<Json> exchange(const std::string& method, const std::string& path, const Query& query,
                          std::string body) const;
    std::string url(const std::string& path, const Query& query) const;

    std::string hub_url_;
};

// --hub, else TRIBUTARY_HUB, else `hub = "URL"` in $XDG_CONFIG_HOME/tributary/profile.toml (or
// ~/.config/...).
Result<std::string> find_hub(const std::string& option);

}  // namespace tributary::cli
