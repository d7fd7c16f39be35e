#include "hub/verb_report.h"

#include <iostream>

#include "common/text/json.h"

namespace tributary::hub {

int report_error(const HubArguments& arguments, const Error& error) {
    if (arguments.json)
        std::cerr << Json::object({{"error", Json::object({{"code", name_of(error.code)},
                                                           {"message", error.what}})}})
                         .text()
                  << "\n";
    else
        std::cerr << "tributary-hub: " << error.what << "\n";
    if (error.code == Errc::invalid) return 2;
    return error.code == Errc::conflict ? 3 : 1;
}

Result<std::pair<std::string, std::string>> name_and_file(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == text.npos || equals == 0 || equals + 1 == text.size())
        return fail(Errc::invalid, "'" + text + "' is not NAME=FILE");
    return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

}  // namespace tributary::hub
