// Asks the hub who we are there and whose word counts, again and again until it answers.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/sync/pins.h"
#include "common/net/http_client.h"
#include "common/net/loop.h"

namespace tributary::agent {

class FirstContact {
public:
    // `hub_url` without the path. Both on the loop's thread.
    FirstContact(NetLoop& loop, Entropy& entropy, std::string hub_url,
                 std::function<void(const Pins&)> answered)
        : loop_(loop),
          entropy_(entropy),
          url_(std::move(hub_url)),
          answered_(std::move(answered)) {}

    // Waits with full jitter between attempts. Nothing happens while an attempt is under way.
    void begin(std::string request);
    // Why there is no answer yet; empty: there is one, or nobody asked.
    const std::string& trouble() const { return trouble_; }

private:
    void ask();
    void on_answer(const Result<HttpClientResponse>& response);

    NetLoop& loop_;
    Entropy& entropy_;
    std::string url_;
    std::function<void(const Pins&)> answered_;
    std::string request_;
    std::string trouble_;
    bool busy_ = false;
    unsigned attempts_ = 0;
    std::unique_ptr<HttpCall> call_;
    std::unique_ptr<Timer> timer_;
};

}  // namespace tributary::agent
