// Gets again from the hub what is damaged here, as soon as that is known and the hub is in reach.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/space/lost_objects.h"
#include "agent/sync/store_queue.h"
#include "common/net/http_client.h"
#include "common/net/loop.h"

namespace tributary::agent {

class Repair {
public:
    // What the hub's door asks of who wants the object at this target. On the worker.
    using Prove = std::function<std::vector<HttpHeader>(const std::string& target)>;

    // `hub_url` without the path, and whom to believe there; without `prove` nothing is proved. All
    // outlive it. On the loop's thread.
    Repair(NetLoop& loop, StoreQueue& queue, std::string hub_url, TlsTrust trust, Prove prove = {})
        : loop_(loop),
          queue_(queue),
          hub_url_(std::move(hub_url)),
          trust_(std::move(trust)),
          prove_(std::move(prove)),
          self_(std::make_shared<Repair*>(this)) {}

    // The hub is in reach. Looks for damage now, and from now on every minute.
    void begin();

private:
    // Of one attempt: the worker's while a step runs, ours between two.
    struct Attempt {
        std::optional<LostObjects> lost;
        std::size_t damaged = 0;          // things, when it began
        std::optional<RecordKey> wanted;  // from the hub
        std::string target;               // where it is there
        std::vector<HttpHeader> headers;
        bool ended = false;
    };

    void step(std::function<void(LostObjects&)> first);
    void on_step();
    void on_answer(const RecordKey& key, const Result<HttpClientResponse>& response);
    void end();

    NetLoop& loop_;
    StoreQueue& queue_;
    const std::string hub_url_;
    const TlsTrust trust_;
    const Prove prove_;
    std::shared_ptr<Attempt> attempt_;  // under way
    std::size_t dealt_with_ = 0;        // of the damaged things
    std::string trouble_;
    std::unique_ptr<HttpCall> call_;
    std::unique_ptr<Timer> timer_;
    std::shared_ptr<Repair*> self_;  // a step that ends after us is dropped
};

}  // namespace tributary::agent
