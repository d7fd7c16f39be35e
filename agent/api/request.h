// A verb as the bytes that a client sends to the daemon.
#pragma once

#include "agent/app/verbs.h"

namespace tributary::agent {

// Channels of an answer.
inline constexpr std::uint8_t kChannelOut = 1;
inline constexpr std::uint8_t kChannelErr = 2;
inline constexpr std::uint8_t kChannelProgress = 3;
inline constexpr std::uint8_t kChannelExit = 4;

struct VerbRequest {
    StoreVerb verb;
    OutputStyle style;
};

// `directory` is where the client's relative paths start.
Bytes encode_request(const VerbRequest& request, const std::string& directory);
// invalid when it is not what encode_request() writes.
Result<VerbRequest> parse_request(ByteView bytes);

}  // namespace tributary::agent
