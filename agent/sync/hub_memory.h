// What the board remembers of its hub beside the log, so that neither a hub's old word nor a
// rewritten history passes for the present. Asked about words whose signature is known to be the
// hub's. On the worker.
#pragma once

#include <optional>

#include "agent/sync/security_log.h"
#include "common/base/result.h"
#include "common/record/document.h"
#include "common/record/message.h"

namespace tributary::agent {

class HubMemory {
public:
    virtual ~HubMemory() = default;

    // Told of what is taken although a person should look at it.
    virtual void when_alarmed(OnRefused alarmed) = 0;

    // Adds to our Hello what the hub is to be held to.
    virtual void describe(sync::Hello& hello) = 0;
    // denied: the hub's history goes backwards. Then nothing of it is taken.
    virtual Status on_hello(const sync::Hello& hello) = 0;
    virtual Status on_receipt(const Receipt& receipt) = 0;
    // The entry by which that journal last changed its key; 0: none did. nullopt: not known.
    virtual std::optional<std::uint64_t> key_changed_at(const Incarnation& journal) const = 0;
    // One that is in the log already.
    virtual void recall(const Receipt& receipt) = 0;
};

}  // namespace tributary::agent
