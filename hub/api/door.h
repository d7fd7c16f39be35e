// The boards' door of a secured hub: HTTPS, with the few routes that a board needs, apart from the
// interface for people. Whoever reaches the address may knock, so attempts are few a minute and
// what is refused is counted and logged sparingly.
#pragma once

#include <memory>

#include "common/net/http_server.h"
#include "hub/enrol/door_limits.h"

namespace tributary::hub {

class Hub;

// `hub`, which is secured, and `limits` must outlive what serves these.
HttpRoutes door_routes(Hub& hub, DoorLimits& limits);

class Door {
public:
    // nullptr when the hub has none.
    static Result<std::unique_ptr<Door>> open(Hub& hub, NetLoop& loop);
    std::uint16_t port() const { return server_->port(); }

private:
    DoorLimits limits_;
    std::unique_ptr<HttpServer> server_;
};

}  // namespace tributary::hub
