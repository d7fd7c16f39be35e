#include "hub/broker/acl.h"

#include <algorithm>

namespace tributary::hub {

std::string acl_text(const std::set<std::string>& denied) {
    std::string text =
        "# Written by tributary-hub, and again at each revocation: changes are lost.\n"
        "user ";
    text += kBrokerUser;
    text += "\ntopic readwrite tributary/1/#\n";
    // What one user is denied counts before what a pattern gives to all.
    for (const std::string& device : denied) text += "\nuser " + device + "\ntopic deny #\n";
    text +=
        "\npattern write tributary/1/+/%u/up\n"
        "pattern read tributary/1/+/%u/down\n"
        "pattern read tributary/1/cast/+\n";
    return text;
}

std::set<std::string> denied_in(std::string_view text) {
    constexpr std::string_view kUser = "user ", kDeny = "\ntopic deny #";
    std::set<std::string> denied;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = text.substr(at, end - at);
        if (line.starts_with(kUser) && text.substr(end).starts_with(kDeny))
            denied.emplace(line.substr(kUser.size()));
        at = end + 1;
    }
    return denied;
}

}  // namespace tributary::hub
