// What stands in a list of revoked certificates; certificate.h makes them.
#pragma once

#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace tributary::trust {

// The serial numbers of such a list (DER) as Authority::revocation_list() makes, sorted, whoever
// signed it; invalid when it is none.
Result<std::vector<Bytes>> listed_in(ByteView der);

}  // namespace tributary::trust
