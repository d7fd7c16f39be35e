#include "agent/sync/checked_json.h"

#include "common/hash/hash.h"

namespace tributary::agent {

Result<Json> load_checked(Files& files, const std::string& path, std::string_view name,
                          std::uint64_t bytes_max) {
    TRIBUTARY_ASSIGN(const Bytes bytes, read_file(files, path, bytes_max));
    const auto damaged = [&path](const std::string& why) {
        return fail(Errc::corrupt, path + " is damaged (" + why + ")");
    };
    const auto json = parse_json(as_text(bytes));
    if (!json) return damaged(json.error().what);
    const Json* body = json->find(name);
    const auto sum = json->text_at("sha256");
    if (!body || !sum) return damaged("'" + std::string(name) + "' or 'sha256' is missing");
    if (*sum != sha256(as_bytes(body->text())).text()) return damaged("its checksum is wrong");
    return *body;
}

Status save_checked(Files& files, const std::string& path, std::string_view name,
                    const Json& body) {
    Json file = Json::object({{"sha256", sha256(as_bytes(body.text())).text()}});
    file.set(std::string(name), body);
    return replace_file(files, path, as_bytes(file.pretty() + "\n"));
}

}  // namespace tributary::agent
