// What people ask and decide about boards that enrol: tokens, who waits, revocation.
#pragma once

#include "common/net/http_server.h"

namespace tributary::hub {

class Hub;

// Adds them to `routes`; answered with `unsupported` by a hub that is not secured.
void add_enrolment_routes(HttpRoutes& routes, Hub& hub);

}  // namespace tributary::hub
