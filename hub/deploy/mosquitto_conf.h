// The configuration of a broker that serves one secured hub and its boards.
#pragma once

#include <cstdint>
#include <string>

namespace tributary::hub {

// Beside the acl: the certificates that hold no more.
inline constexpr const char* kRevocationListName = "revoked.pem";

// The part of it that says what one client may ask, and nothing of who that is.
std::string mosquitto_limits();

struct MosquittoConf {
    std::uint16_t port = 8883;
    std::string address;  // to listen on; empty: on all
    std::string user;     // under which it runs when root starts it
};

// Paths are relative to its own folder, from which it is started.
std::string mosquitto_conf(const MosquittoConf& options);

}  // namespace tributary::hub
