// What a board writes to the door, read from its request. Nothing in it is believed yet: it is
// bounded and of its form, no more.
#pragma once

#include <string>
#include <string_view>

#include "common/net/http_server.h"
#include "common/text/json.h"
#include "hub/enrol/enrolment.h"

namespace tributary::hub {

inline constexpr std::uint64_t kDoorBodyBytesMax = 32 * limits::KiB;
inline constexpr std::size_t kDoorSignatureBytesMax = 64;

// A member of a request that may be missing or null: then "". invalid when it is too long.
Result<std::string> text_or_empty(const Json& body, std::string_view name);

// POST /api/v1/enrol and /api/v1/renew, in JSON; invalid for anything else. `peer`: its address.
Result<EnrolRequest> parse_enrol_request(ByteView body, std::string peer = {});
Result<RenewRequest> parse_renew_request(ByteView body);
// What the headers of GET /api/v1/object prove; likewise.
Result<FetchProof> parse_fetch_proof(const HttpRequest& request);

}  // namespace tributary::hub
