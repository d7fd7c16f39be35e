#include "agent/api/request.h"

#include "common/text/json.h"

namespace tributary::agent {
namespace {

std::string absolute(const std::string& path, const std::string& directory) {
    return path.starts_with('/') ? path : join_path(directory, path);
}

Json to_json(const std::vector<std::string>& texts) {
    Json array = Json::array();
    for (const std::string& text : texts) array.push(text);
    return array;
}

Json to_json(const std::optional<std::string>& text) { return text ? Json(*text) : Json(); }

// Paths are bytes, JSON is text: hexadecimal keeps any name.
std::string hex(const std::string& path) { return to_hex(as_bytes(path)); }

struct Encoder {
    const std::string& directory;

    Json operator()(const CommitArgs& args) const {
        Json paths = Json::array();
        for (const std::string& path : args.paths) paths.push(hex(absolute(path, directory)));
        return Json::object({{"verb", "commit"},
                             {"repo", args.repo},
                             {"branch", args.branch},
                             {"paths", std::move(paths)},
                             {"message", to_json(args.message)},
                             {"metadata", to_json(args.metadata)},
                             {"inputs", to_json(args.inputs)},
                             {"level", to_json(args.level)},
                             {"force", args.force}});
    }
    Json operator()(const LogArgs& args) const {
        return Json::object({{"verb", "log"},
                             {"repo", to_json(args.repo)},
                             {"branch", to_json(args.branch)},
                             {"count", static_cast<std::uint64_t>(args.count)}});
    }
    Json operator()(const StatusArgs&) const { return Json::object({{"verb", "status"}}); }
    Json operator()(const RestoreArgs& args) const {
        return Json::object({{"verb", "restore"},
                             {"reference", args.reference},
                             {"directory", hex(absolute(args.directory, directory))},
                             {"repo", to_json(args.repo)},
                             {"force", args.force}});
    }
    Json operator()(const FsckArgs& args) const {
        return Json::object(
            {{"verb", "fsck"}, {"data", args.data}, {"part", args.part}, {"parts", args.parts}});
    }
    Json operator()(const GcArgs& args) const {
        return Json::object({{"verb", "gc"}, {"dry_run", args.dry_run}, {"all", args.all}});
    }
    Json operator()(const IdentifyArgs&) const { return Json::object({{"verb", "identify"}}); }
};

// ---- back ----

Result<std::vector<std::string>> texts_at(const Json& json, std::string_view name) {
    TRIBUTARY_ASSIGN(const Json::Array* items, json.array_at(name));
    std::vector<std::string> texts;
    for (const Json& item : *items) {
        const std::string* text = item.as_text();
        if (!text) return fail(Errc::invalid, "'" + std::string(name) + "' holds no text");
        texts.push_back(*text);
    }
    return texts;
}

Result<std::optional<std::string>> optional_text_at(const Json& json, std::string_view name) {
    const Json* member = json.find(name);
    if (!member || member->is_null()) return std::nullopt;
    TRIBUTARY_ASSIGN(std::string text, json.text_at(name));
    return std::optional<std::string>(std::move(text));
}

Result<std::string> unhex(const std::string& digits) {
    Bytes bytes(digits.size() / 2);
    if (!from_hex(digits, bytes)) return fail(Errc::invalid, "a path is not hexadecimal");
    return std::string(as_text(bytes));
}

Result<StoreVerb> parse_commit(const Json& json) {
    CommitArgs args;
    TRIBUTARY_ASSIGN(args.repo, json.text_at("repo"));
    TRIBUTARY_ASSIGN(args.branch, json.text_at("branch"));
    TRIBUTARY_ASSIGN(const std::vector<std::string> paths, texts_at(json, "paths"));
    for (const std::string& digits : paths) {
        TRIBUTARY_ASSIGN(std::string path, unhex(digits));
        args.paths.push_back(std::move(path));
    }
    TRIBUTARY_ASSIGN(args.message, optional_text_at(json, "message"));
    TRIBUTARY_ASSIGN(args.metadata, texts_at(json, "metadata"));
    TRIBUTARY_ASSIGN(args.inputs, texts_at(json, "inputs"));
    TRIBUTARY_ASSIGN(args.level, optional_text_at(json, "level"));
    TRIBUTARY_ASSIGN(args.force, json.bool_at("force"));
    return args;
}

Result<StoreVerb> parse_log(const Json& json) {
    LogArgs args;
    TRIBUTARY_ASSIGN(args.repo, optional_text_at(json, "repo"));
    TRIBUTARY_ASSIGN(args.branch, optional_text_at(json, "branch"));
    TRIBUTARY_ASSIGN(const std::uint64_t count, json.u64_at("count"));
    args.count = static_cast<std::size_t>(std::min<std::uint64_t>(count, SIZE_MAX));
    return args;
}

Result<StoreVerb> parse_restore(const Json& json) {
    RestoreArgs args;
    TRIBUTARY_ASSIGN(args.reference, json.text_at("reference"));
    TRIBUTARY_ASSIGN(const std::string directory, json.text_at("directory"));
    TRIBUTARY_ASSIGN(args.directory, unhex(directory));
    TRIBUTARY_ASSIGN(args.repo, optional_text_at(json, "repo"));
    TRIBUTARY_ASSIGN(args.force, json.bool_at("force"));
    return args;
}

Result<StoreVerb> parse_verb(const Json& json) {
    TRIBUTARY_ASSIGN(const std::string verb, json.text_at("verb"));
    if (verb == "commit") return parse_commit(json);
    if (verb == "log") return parse_log(json);
    if (verb == "status") return StatusArgs{};
    if (verb == "identify") return IdentifyArgs{};
    if (verb == "restore") return parse_restore(json);
    if (verb == "fsck") {
        FsckArgs args;
        TRIBUTARY_ASSIGN(args.data, json.bool_at("data"));
        TRIBUTARY_ASSIGN(const std::uint64_t part, json.u64_at("part"));
        TRIBUTARY_ASSIGN(const std::uint64_t parts, json.u64_at("parts"));
        if (parts > kFsckPartsMax || part > parts || (part == 0) != (parts == 0))
            return fail(Errc::invalid, "there is no such part");
        args.part = static_cast<std::uint32_t>(part);
        args.parts = static_cast<std::uint32_t>(parts);
        return args;
    }
    if (verb == "gc") {
        GcArgs args;
        TRIBUTARY_ASSIGN(args.dry_run, json.bool_at("dry_run"));
        TRIBUTARY_ASSIGN(args.all, json.bool_at("all"));
        return args;
    }
    return fail(Errc::invalid, "the running agent has no verb '" + verb + "'");
}

}  // namespace

Bytes encode_request(const VerbRequest& request, const std::string& directory) {
    Json json = std::visit(Encoder{directory}, request.verb);
    json.set("json", request.style.json);
    const std::string text = json.text();
    return {text.begin(), text.end()};
}

Result<VerbRequest> parse_request(ByteView bytes) {
    TRIBUTARY_ASSIGN(const Json json, parse_json(as_text(bytes)));
    VerbRequest request;
    TRIBUTARY_ASSIGN(request.verb, parse_verb(json));
    TRIBUTARY_ASSIGN(request.style.json, json.bool_at("json"));
    return request;
}

}  // namespace tributary::agent
