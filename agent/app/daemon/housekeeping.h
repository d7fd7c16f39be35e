// Room in the store while the daemon runs.
#pragma once

#include <memory>

#include "agent/app/node.h"
#include "agent/sync/store_queue.h"
#include "common/env/loop.h"

namespace tributary::agent {

class Housekeeping {
public:
    // All outlive it.
    Housekeeping(Loop& loop, StoreQueue& queue, Node& node)
        : loop_(loop), queue_(queue), node_(node), self_(std::make_shared<Housekeeping*>(this)) {}

    // Looks whether room is to be made: now, and from now on every minute. Also to be called when
    // more was recorded, or more may go.
    void wake();

private:
    void step();

    Loop& loop_;
    StoreQueue& queue_;
    Node& node_;  // its store, keeper and budget: on the worker
    bool at_work_ = false;
    std::unique_ptr<Timer> timer_;
    std::shared_ptr<Housekeeping*> self_;  // a step that ends after us is dropped
};

// On the worker, before a watched folder is recorded: what stands against it. Makes room when there
// is none.
Status admit_recording(Node& node, const StoreQueue::Breathe& breathe);

}  // namespace tributary::agent
