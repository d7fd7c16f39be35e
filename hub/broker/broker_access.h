// Whom the broker lets in. The hub itself believes no message of a revoked device; the broker is
// told too, so that such a device takes none of its time and hears nothing.
#pragma once

#include <set>
#include <string>

#include "common/base/result.h"

namespace tributary::hub {

class BrokerAccess {
public:
    virtual ~BrokerAccess() = default;
    // From now on exactly `devices` may neither publish nor read at the broker. Asked with all of
    // them, at the hub's start and after each change; asking for what is in force does nothing.
    // Success: the list is on the disk, and the broker takes it up within moments; then whoever is
    // new on it loses its live session. What fails is tried again and logged, the list itself too.
    virtual Status deny(const std::set<std::string>& devices) = 0;
};

}  // namespace tributary::hub
