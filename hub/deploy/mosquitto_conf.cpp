#include "hub/deploy/mosquitto_conf.h"

#include "common/base/limits.h"
#include "hub/config/config.h"

namespace tributary::hub {
namespace {

// One PUBLISH: a frame of ours, its topic and properties.
constexpr std::size_t kPacketBytesMax = limits::kFrameBytesMax + 4 * limits::KiB;
// As many of the smallest frames (1 KiB) as kBrokerQueueBytes holds, and a Hello of each board:
// bytes are what bounds it.
constexpr std::size_t kQueuedMessages = 100'000;

}  // namespace

std::string mosquitto_limits() {
    return "max_packet_size " + std::to_string(kPacketBytesMax) +
           "\nmax_inflight_messages 20\nmax_queued_messages " + std::to_string(kQueuedMessages) +
           "\nmax_queued_bytes " + std::to_string(kBrokerQueueBytes) + "\nmax_keepalive 43200\n";
}

std::string mosquitto_conf(const MosquittoConf& options) {
    const std::string address = options.address.empty() ? "" : " " + options.address;
    return "# The broker of this hub. Made by `tributary-hub init`; yours to change. "
           "tributary-hub\n"
           "# starts it in this folder, watches over it, and writes `acl`.\n"
           "\n"
           "# Nothing is kept: hub and boards send again what got lost.\n"
           "persistence false\n"
           "retain_available false\n"
           "persistent_client_expiration 1h\n"
           "sys_interval 0\n"
           "\n"
           "# What one client may ask of it.\n" +
           mosquitto_limits() +
           "\n"
           "log_dest stderr\n"
           "log_timestamp false\n"
           "log_type error\n"
           "log_type warning\n"
           "user " +
           options.user +
           "\n"
           "\n"
           "# Small answers are not to wait.\n"
           "set_tcp_nodelay true\n"
           "\n"
           "# Who a client is, its certificate says: its name, its client id, and so by the acl\n"
           "# which topics are its own.\n"
           "allow_anonymous false\n"
           "acl_file acl\n"
           "listener " +
           std::to_string(options.port) + address +
           "\n"
           "max_connections 20000\n"
           "tls_version tlsv1.2\n"
           "cafile ca.pem\n"
           "certfile server.pem\n"
           "keyfile server.key.pem\n"
           "# Certificates that hold no more; tributary-hub writes it, as it does `acl`.\n"
           "crlfile revoked.pem\n"
           "require_certificate true\n"
           "use_identity_as_username true\n"
           "use_username_as_clientid true\n";
}

}  // namespace tributary::hub
