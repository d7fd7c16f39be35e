// What a board proves when it asks a secured hub's door for an object: that it is one of its
// devices.
#pragma once

#include "common/hash/hash.h"
#include "common/trust/trust.h"

namespace tributary::trust {

inline constexpr std::string_view kFetchPurpose = "tributary/1/fetch";

// The headers that carry the device id and, in hexadecimal, the signature.
inline constexpr std::string_view kFetchDeviceHeader = "X-Tributary-Device";
inline constexpr std::string_view kFetchProofHeader = "X-Tributary-Proof";
// While the hub may not have heard how the journal came to that key: the bodies of the entries that
// changed it, in their order, in hexadecimal, with commas between.
inline constexpr std::string_view kFetchKeyChangesHeader = "X-Tributary-Key-Changes";

// What the board signs with its key and kFetchPurpose: the request's target, path and query, as it
// goes over the wire. An object never changes, so whoever repeats it learns nothing new.
inline Digest fetch_digest(std::string_view target) {
    return sha256_of(kFetchPurpose, as_bytes(target));
}

}  // namespace tributary::trust
