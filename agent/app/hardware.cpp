#include "agent/app/hardware.h"

#include <algorithm>
#include <array>

#include "agent/sync/checked_json.h"
#include "common/hash/hash.h"
#include "common/text/log.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kFactBytesMax = 4096;
constexpr std::uint64_t kFileBytesMax = 64 * 1024;
// In the order in which they decide.
constexpr std::array<const char*, 3> kKinds = {"serial", "network", "machine"};

// The text of a small file without blanks and zeros at its end; empty when there is none.
std::string fact(Files& files, const std::string& path) {
    const auto bytes = read_file(files, path, kFactBytesMax);
    if (!bytes) return {};
    std::string text(as_text(*bytes));
    text.erase(text.find_last_not_of(std::string_view("\0 \t\n", 4)) + 1);
    return text;
}

// Not of bridges, containers and the like, which have no device; nor what somebody set or drew.
std::string address_of(Files& files, const std::string& interface) {
    if (!files.stat(join_path(interface, "device"))) return {};
    if (fact(files, join_path(interface, "addr_assign_type")) != "0") return {};
    const std::string address = fact(files, join_path(interface, "address"));
    return address.find_first_not_of("0:") == std::string::npos ? std::string() : address;
}

}  // namespace

Hardware read_hardware(Files& files, const std::string& root) {
    Hardware hardware;
    const auto add = [&](const char* kind, const std::string& value) {
        if (value.empty()) return;
        const std::string told = std::string(kind) + '\0' + value;
        hardware.facts[kind].insert(
            to_hex(sha256_of("tributary/1/hardware", as_bytes(told)).bytes));
    };
    for (const char* path : {"/proc/device-tree/serial-number", "/sys/class/dmi/id/product_uuid"})
        add("serial", fact(files, root + path));
    const std::string network = root + "/sys/class/net";
    if (const auto interfaces = files.list(network))
        for (const std::string& name : *interfaces)
            add("network", address_of(files, join_path(network, name)));
    add("machine", fact(files, root + "/etc/machine-id"));
    return hardware;
}

bool is_another(const Hardware& known, const Hardware& now) {
    for (const char* kind : kKinds) {
        const auto then = known.facts.find(kind);
        const auto found = now.facts.find(kind);
        if (then == known.facts.end() || found == now.facts.end()) continue;
        // One network adapter more or less does not make another board.
        return std::ranges::none_of(
            found->second, [&](const std::string& value) { return then->second.contains(value); });
    }
    return false;
}

std::optional<Hardware> load_hardware(Files& files, const std::string& path) {
    const auto facts = load_checked(files, path, "facts", kFileBytesMax);
    if (!facts && facts.error().code == Errc::corrupt)
        log_failure(LogLevel::warn, "on which machine this store was is not known", facts.error());
    const Json::Object* kinds = facts ? facts->as_object() : nullptr;
    if (!kinds) return std::nullopt;
    Hardware hardware;
    for (const JsonMember& kind : *kinds) {
        const Json::Array* values = kind.value.as_array();
        if (!values) return std::nullopt;
        for (const Json& value : *values)
            if (const std::string* text = value.as_text()) hardware.facts[kind.name].insert(*text);
    }
    return hardware;
}

Status save_hardware(Files& files, const std::string& path, const Hardware& hardware) {
    Json facts = Json::object();
    for (const auto& [kind, values] : hardware.facts) {
        Json all = Json::array();
        for (const std::string& value : values) all.push(value);
        facts.set(kind, std::move(all));
    }
    return save_checked(files, path, "facts", facts);
}

}  // namespace tributary::agent
