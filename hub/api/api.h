// The HTTP interface under /api/v1, /healthz and /metrics; described in schemas/openapi.json, which
// a test compares with it.
#pragma once

#include "common/net/http_server.h"
#include "hub/api/forms.h"

namespace tributary::hub {

class Hub;

// `hub` must outlive what serves these.
HttpRoutes api_routes(Hub& hub);
// Listens where the configuration says, with errors as JSON.
Result<std::unique_ptr<HttpServer>> serve_api(Hub& hub, NetLoop& loop);

}  // namespace tributary::hub
