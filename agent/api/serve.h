// Serves verbs to local clients while the daemon holds the store.
#pragma once

#include <functional>
#include <memory>

#include "agent/api/request.h"
#include "agent/sync/store_queue.h"
#include "common/net/loop.h"
#include "common/net/unix_socket.h"

namespace tributary::agent {

struct ServeHost {
    NetLoop& loop;
    StoreQueue& store;
    Node& node;  // used on the queue's worker only
    // What the daemon knows beside the store, for `status`.
    std::function<LiveStatus()> live;
    // A client's verb may have committed something.
    std::function<void()> committed;
    // It may have read much, and have found damage.
    std::function<void()> looked;
    // Somebody asked who we are; perhaps the board was enrolled meanwhile.
    std::function<void()> identified;
};

// As serve_local().
Result<std::unique_ptr<LocalServer>> serve_verbs(ServeHost host);

}  // namespace tributary::agent
