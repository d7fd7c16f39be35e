// What is said of content on its way, to and from the hub.
#pragma once

#include <cstdint>
#include <string>

#include "agent/app/node.h"
#include "agent/sync/backlog.h"

namespace tributary::agent {

// "about 12.0 MB", for the hub may hold some of it; "at least" while there is more.
std::string pending_amount(const Backlog::Size& pending);
// What of it the hub was neither sent nor did not want.
std::uint64_t bytes_left(const Backlog::Size& pending, const LiveStatus& live);
// "about 12.0 MB left, 1.0 MB a second, about 12 s to go". Empty: nothing is left, or nobody is
// there to take it.
std::string sending(const Backlog::Size& pending, const LiveStatus& live);
// Likewise, of a model: "at least 2.0 MB left, 1.0 MB a second". No time: the hub says page by page
// what comes.
std::string receiving(const LiveStatus& live);

}  // namespace tributary::agent
