#include "hub/store/manifest.h"

#include <algorithm>
#include <array>

#include "common/base/limits.h"
#include "common/hash/hash.h"
#include "common/text/json.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kFormat = 1;
constexpr std::uint64_t kManifestBytesMax = 64 * limits::MiB;

// What may stand in `files`, so that no manifest leads a restore anywhere else.
constexpr std::array<std::string_view, 5> kFileNames = {"hub.toml", "key.pem", "store/format",
                                                        "store/removed.0", "store/removed.1"};

Json texts(const std::vector<std::string>& all) {
    Json array = Json::array();
    for (const std::string& text : all) array.push(text);
    return array;
}

Result<std::vector<std::string>> read_texts(const Json& json, std::string_view name) {
    std::vector<std::string> all;
    TRIBUTARY_ASSIGN(const Json::Array* array, json.array_at(name));
    for (const Json& item : *array)
        if (const std::string* text = item.as_text()) all.push_back(*text);
    return all;
}

Json to_json(const BackupManifest& manifest) {
    Json segments = Json::array();
    for (const SegmentCopy& copy : manifest.segments) {
        Json segment = Json::object(
            {{"number", copy.number}, {"bytes", copy.bytes}, {"sha256", copy.sha256.text()}});
        if (!copy.damage.empty()) segment.set("damage", texts(copy.damage));
        segments.push(std::move(segment));
    }
    Json files = Json::array();
    for (const auto& [name, file] : manifest.files)
        files.push(
            Json::object({{"name", name}, {"bytes", file.bytes}, {"sha256", file.sha256.text()}}));
    return Json::object({{"format", kFormat},
                         {"made_ms", manifest.made.ms},
                         {"made", to_text(manifest.made)},
                         {"software", manifest.software},
                         {"files", std::move(files)},
                         {"segments", std::move(segments)},
                         {"damage", texts(manifest.damage)}});
}

Result<SegmentCopy> parse_segment(const Json& json) {
    SegmentCopy copy;
    TRIBUTARY_ASSIGN(const std::uint64_t number, json.u64_at("number"));
    if (number == 0 || number >= UINT32_MAX) return fail(Errc::invalid, "a segment's number");
    copy.number = static_cast<std::uint32_t>(number);
    TRIBUTARY_ASSIGN(copy.bytes, json.u64_at("bytes"));
    TRIBUTARY_ASSIGN(const std::string digest, json.text_at("sha256"));
    TRIBUTARY_ASSIGN(copy.sha256, Digest::parse(digest));
    if (json.find("damage")) {
        TRIBUTARY_ASSIGN(copy.damage, read_texts(json, "damage"));
    }
    return copy;
}

Result<BackupManifest> parse_manifest(const Json& json) {
    TRIBUTARY_ASSIGN(const std::uint64_t format, json.u64_at("format"));
    if (format != kFormat)
        return fail(Errc::unsupported, "it is a newer program's: upgrade tributary-hub");
    BackupManifest manifest;
    TRIBUTARY_ASSIGN(manifest.made.ms, json.u64_at("made_ms"));
    TRIBUTARY_ASSIGN(manifest.software, json.text_at("software"));
    TRIBUTARY_ASSIGN(const Json::Array* files, json.array_at("files"));
    for (const Json& item : *files) {
        TRIBUTARY_ASSIGN(const std::string name, item.text_at("name"));
        if (std::ranges::find(kFileNames, name) == kFileNames.end())
            return fail(Errc::invalid, "it names the file '" + name + "', which no hub has");
        BackupManifest::SmallFile file;
        TRIBUTARY_ASSIGN(file.bytes, item.u64_at("bytes"));
        TRIBUTARY_ASSIGN(const std::string digest, item.text_at("sha256"));
        TRIBUTARY_ASSIGN(file.sha256, Digest::parse(digest));
        manifest.files[name] = file;
    }
    TRIBUTARY_ASSIGN(const Json::Array* segments, json.array_at("segments"));
    for (const Json& item : *segments) {
        TRIBUTARY_ASSIGN(SegmentCopy copy, parse_segment(item));
        if (!manifest.segments.empty() && manifest.segments.back().number >= copy.number)
            return fail(Errc::invalid, "its segments are not in order");
        manifest.segments.push_back(std::move(copy));
    }
    TRIBUTARY_ASSIGN(manifest.damage, read_texts(json, "damage"));
    return manifest;
}

}  // namespace

std::uint64_t BackupManifest::bytes() const {
    std::uint64_t sum = 0;
    for (const SegmentCopy& copy : segments) sum += copy.bytes;
    for (const auto& [name, file] : files) sum += file.bytes;
    return sum;
}

Result<std::optional<BackupManifest>> load_manifest(Files& files, const std::string& directory) {
    const std::string path = join_path(directory, kManifestName);
    const auto bytes = read_file(files, path, kManifestBytesMax);
    if (!bytes && bytes.error().code == Errc::not_found) return std::nullopt;
    if (!bytes) return tl::make_unexpected(bytes.error());
    const auto damaged = [&path](const std::string& why) {
        return fail(Errc::corrupt, path + " is damaged (" + why + ")");
    };
    const auto json = parse_json(as_text(*bytes), {.bytes_max = kManifestBytesMax});
    if (!json) return damaged(json.error().what);
    const Json* backup = json->find("backup");
    const auto sum = json->text_at("sha256");
    if (!backup || !sum) return damaged("'backup' or 'sha256' is missing");
    if (*sum != sha256(as_bytes(backup->text())).text()) return damaged("its checksum is wrong");
    auto manifest = parse_manifest(*backup);
    if (!manifest && manifest.error().code == Errc::unsupported)
        return with_context(path, manifest.error());
    if (!manifest) return damaged(manifest.error().what);
    return std::optional<BackupManifest>(*std::move(manifest));
}

Status save_manifest(Files& files, const std::string& directory, const BackupManifest& manifest) {
    const Json backup = to_json(manifest);
    const Json file =
        Json::object({{"sha256", sha256(as_bytes(backup.text())).text()}, {"backup", backup}});
    return replace_file(files, join_path(directory, kManifestName), as_bytes(file.pretty() + "\n"));
}

}  // namespace tributary::hub
