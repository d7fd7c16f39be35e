// Whom the broker lets in. The hub itself believes no message of a revoked device; the broker is
// told too, so that such a device takes none of its time and hears nothing.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace tributary::hub {

struct ShutOut {
    std::set<std::string> devices;  // may neither publish nor read
    // Whose connections are refused, by serial number: also of a board that another one has
    // replaced under the same name.
    std::vector<Bytes> certificates;
};

class BrokerAccess {
public:
    virtual ~BrokerAccess() = default;
    // From now on these are shut out at the broker, and who was shut out when this hub started,
    // until settle(): a store that was put back from a backup knows nothing of later revocations.
    // Asked with all of them, at the hub's start and after each change; asking for what is in force
    // does nothing. Success: both lists are on the disk, and the broker takes them up within
    // moments; then whoever is new on the first loses its live session. What fails is tried again
    // and logged, the lists themselves too.
    virtual Status deny(const ShutOut& whom) = 0;
    // Ends the live session of one that is not shut out as a whole, once the broker knows the
    // lists: whoever still has a certificate comes back.
    virtual void cut(const std::string& device) = 0;
    // Denied there although deny() was never asked to: nobody here knows why.
    virtual std::set<std::string> unexplained() const = 0;
    // Something was decided about it since: what deny() says of it counts.
    virtual void settle(const std::string& device) = 0;
};

}  // namespace tributary::hub
