// Asks the hub who we are there and whose word counts, again and again until it answers.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/sync/pins.h"
#include "common/net/http_client.h"
#include "common/net/loop.h"

namespace tributary::agent {

// "; next try in 12 s", or nothing.
std::string next_try(const std::optional<MonoTime>& at, MonoTime now);

class FirstContact {
public:
    // `hub_url` without the path, and whom to believe there; `answered` says whether the answer is
    // taken, else the hub is asked again. On the loop's thread.
    FirstContact(NetLoop& loop, Entropy& entropy, std::string hub_url, TlsTrust trust,
                 std::function<bool(const Pins&)> answered)
        : loop_(loop),
          entropy_(entropy),
          url_(std::move(hub_url)),
          trust_(std::move(trust)),
          answered_(std::move(answered)) {}

    // Waits with full jitter between attempts. Nothing happens while an attempt is under way.
    void begin(std::string request);
    // Why there is no answer yet, and when it is asked for again; empty: there is one, or nobody
    // asked.
    std::string trouble() const;

private:
    void ask();
    void on_answer(const Result<HttpClientResponse>& response);

    NetLoop& loop_;
    Entropy& entropy_;
    std::string url_;
    TlsTrust trust_;
    std::function<bool(const Pins&)> answered_;
    std::string request_;
    std::string trouble_;
    bool busy_ = false;
    unsigned attempts_ = 0;
    std::optional<MonoTime> next_;  // attempt, while it is waited for
    std::unique_ptr<HttpCall> call_;
    std::unique_ptr<Timer> timer_;
};

}  // namespace tributary::agent
