#include "hub/enrol/device_name.h"

#include "common/trust/certificate.h"

namespace tributary::hub {

std::string as_device_id(std::string_view name) {
    std::string id;
    for (const char c : name.substr(0, 48)) {
        const bool upper = c >= 'A' && c <= 'Z';
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (upper)
            id.push_back(static_cast<char>(c - 'A' + 'a'));
        else if (plain)
            id.push_back(c);
        else if (!id.empty() && id.back() != '-')
            id.push_back('-');
    }
    while (!id.empty() && id.back() == '-') id.pop_back();
    return id.empty() ? "board" : id;
}

Result<std::string> free_device_id(const Catalog& catalog, std::string_view name,
                                   const Incarnation& journal) {
    const std::string wanted = as_device_id(name);
    const auto is_free = [&](const std::string& id) {
        return id != trust::kHubCommonName && !catalog.device(id) &&
               !catalog.members().is_promised(id);
    };
    if (is_free(wanted)) return wanted;
    for (std::size_t length = 4; length <= 15; ++length) {
        std::string id = wanted + "-" + journal.text().substr(0, length);
        if (is_free(id)) return id;
    }
    return fail(Errc::conflict, "all ids for a board that calls itself '" + wanted +
                                    "' are taken; give it another name with [hub] name");
}

Status check_group_name(const std::string& group) {
    if (group.empty() || check_device_id(group)) return {};
    return fail(Errc::invalid, "'" + group +
                                   "' is no name of a group: 1 to 64 lower-case letters, digits "
                                   "and '-'");
}

}  // namespace tributary::hub
