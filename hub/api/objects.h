// Objects of the store by their names, for boards that lack some.
#pragma once

#include "common/net/http_server.h"
#include "common/record/record.h"

namespace tributary::hub {

class Hub;

// GET /api/v1/object?kind=&name=. Named by its content, so that whoever gets it can check it.
Result<HttpResponse> show_object(Hub& hub, const HttpRequest& request);
// Which one is asked for; invalid when that is none.
Result<RecordKey> object_of(const HttpRequest& request);

}  // namespace tributary::hub
