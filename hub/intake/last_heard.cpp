#include "hub/intake/last_heard.h"

#include "common/base/limits.h"
#include "common/text/json.h"

namespace tributary::hub {
namespace {

constexpr std::size_t kBytesMax = 16 * limits::MiB;  // a hundred thousand devices

std::string path_in(const std::string& state_dir) {
    return join_path(state_dir, "last_heard.json");
}

Result<LastHeard> parse_one(const Json& form) {
    LastHeard heard;
    TRIBUTARY_ASSIGN(heard.message.ms, form.u64_at("message_ms"));
    TRIBUTARY_ASSIGN(heard.receipt.ms, form.u64_at("receipt_ms"));
    return heard;
}

}  // namespace

Status keep_last_heard(Files& files, const std::string& state_dir, const LastHeardOf& heard) {
    if (heard.empty()) return {};
    Json::Object devices;
    for (const auto& [device, last] : heard)
        devices.push_back({device, Json::object({{"message_ms", last.message.ms},
                                                 {"receipt_ms", last.receipt.ms}})});
    const std::string text = Json(std::move(devices)).text() + "\n";
    return replace_file(files, path_in(state_dir), as_bytes(text));
}

LastHeardOf take_last_heard(Files& files, const std::string& state_dir) {
    LastHeardOf heard;
    const auto text = read_file(files, path_in(state_dir), kBytesMax);
    if (!text) return heard;
    (void)files.remove(path_in(state_dir));  // else it is only read once more
    const auto json = parse_json(as_text(*text));
    const Json::Object* devices = json ? json->as_object() : nullptr;
    if (!devices) return heard;
    for (const auto& [device, form] : *devices)
        if (const auto last = parse_one(form)) heard.emplace(device, *last);
    return heard;
}

}  // namespace tributary::hub
