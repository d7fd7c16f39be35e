// `tributary fetch`: a version's files from the hub, each checked against its SHA-256 before it
// gets its name.
#include <algorithm>
#include <cstdio>
#include <utility>

#include "common/base/limits.h"
#include "common/env/clock.h"
#include "common/env/disk.h"
#include "common/env/files.h"
#include "common/env/terminal.h"
#include "common/hash/hash.h"
#include "common/record/tree.h"
#include "hub/cli/print.h"
#include "hub/cli/verbs.h"

namespace tributary::cli {
namespace {

struct RemoteFile {
    std::string path;  // bytes, as the file is called
    Digest blob;
    std::uint64_t bytes = 0;
    bool executable = false;
};

// What a hub says never becomes a path unchecked.
Status check_path(std::string_view path) {
    std::size_t start = 0;
    while (start <= path.size()) {
        const auto slash = path.find('/', start);
        const std::string_view name =
            path.substr(start, slash == path.npos ? path.npos : slash - start);
        if (!valid_tree_name(name))
            return fail(Errc::corrupt,
                        "the hub names an impossible path '" + std::string(path) + "'");
        if (slash == path.npos) return {};
        start = slash + 1;
    }
    return fail(Errc::corrupt, "the hub names an empty path");
}

// JSON is text, a path may be any bytes.
Result<std::string> path_of(const Json& item) {
    TRIBUTARY_ASSIGN(std::string path, item.text_at("path"));
    if (const Json* hex = item.find("path_hex"); hex && hex->as_text()) {
        Bytes bytes(hex->as_text()->size() / 2);
        if (!from_hex(*hex->as_text(), bytes))
            return fail(Errc::corrupt, "the hub's name for '" + path + "' is not hexadecimal");
        path = as_text(bytes);
    }
    TRIBUTARY_TRY(check_path(path));
    return path;
}

Result<std::vector<RemoteFile>> files_of(const Json& version) {
    TRIBUTARY_ASSIGN(const Json::Array* list, version.array_at("files"));
    std::vector<RemoteFile> files;
    for (const Json& item : *list) {
        RemoteFile file;
        TRIBUTARY_ASSIGN(file.path, path_of(item));
        TRIBUTARY_ASSIGN(const std::string blob, item.text_at("blob"));
        TRIBUTARY_ASSIGN(file.blob, Digest::parse(blob));
        TRIBUTARY_ASSIGN(file.bytes, item.u64_at("bytes"));
        TRIBUTARY_ASSIGN(file.executable, item.bool_at("executable"));
        files.push_back(std::move(file));
    }
    return files;
}

// Whether these bytes are there already.
bool has_file(const std::string& path, const RemoteFile& wanted) {
    const auto file = system_files().open_read(path);
    if (!file) return false;
    const auto size = (*file)->size();
    if (!size || *size != wanted.bytes) return false;
    Sha256 hash;
    Bytes block(64 * limits::KiB);
    for (std::uint64_t at = 0; at < wanted.bytes;) {
        const auto read = (*file)->read_at(at, block);
        if (!read || *read == 0) return false;
        hash.update(ByteView(block).first(*read));
        at += *read;
    }
    return hash.finish() == wanted.blob;
}

Status download(const Client& hub, const std::string& version, const RemoteFile& wanted,
                File& out) {
    Sha256 hash;
    TRIBUTARY_TRY(hub.download("/api/v1/file", {{"ref", version}, {"path", wanted.path}},
                               [&](ByteView bytes) {
                                   hash.update(bytes);
                                   return out.append(bytes);
                               }));
    if (hash.finish() != wanted.blob)
        return fail(Errc::corrupt,
                    "it arrived with another SHA-256 than its version names; run `tributary fsck "
                    "--data`");
    return {};
}

// For a person who waits.
class Progress {
public:
    void show(std::size_t file, std::size_t files) {
        const MonoTime now = system_clock().mono();
        if (!is_terminal_ || now < next_) return;
        next_ = now + 200;
        std::fprintf(stderr, "\rfetching: file %zu of %zu\033[K", file, files);
        shown_ = true;
    }
    void end() {
        if (std::exchange(shown_, false)) std::fputs("\r\033[K", stderr);
    }

private:
    const bool is_terminal_ = stderr_is_terminal();
    MonoTime next_ = system_clock().mono() + 200;
    bool shown_ = false;
};

// What is not whole yet lies beside all that is wanted, under a name that fits any of it.
std::string part_name(const std::vector<RemoteFile>& wanted) {
    std::string name = ".tributary-part";
    while (std::ranges::any_of(wanted, [&](const RemoteFile& file) {
        return file.path == name || file.path.starts_with(name + "/");
    }))
        name += '~';
    return name;
}

Status fetch_file(const Client& hub, const std::string& version, const RemoteFile& wanted,
                  const std::string& directory, const std::string& temporary) {
    Files& files = system_files();
    const std::string target = join_path(directory, wanted.path);
    if (has_file(target, wanted)) return {};
    TRIBUTARY_TRY(files.make_directories(std::string(parent_path(target))));
    if (files.stat(temporary)) TRIBUTARY_TRY(files.remove(temporary));
    TRIBUTARY_ASSIGN(const auto out, files.create(temporary, wanted.executable));
    Status done = download(hub, version, wanted, *out);
    if (done) done = files.rename(temporary, target);
    if (!done) static_cast<void>(files.remove(temporary));  // what went wrong first matters
    return done;
}

// All of it, together where that is told to have failed when it did.
Status sync_all(const std::string& directory, const std::vector<RemoteFile>& wanted) {
    const Status synced = sync_disk(directory);
    if (synced || synced.error().code != Errc::unsupported) return synced;
    Files& files = system_files();
    for (const RemoteFile& each : wanted) {
        const std::string path = join_path(directory, each.path);
        TRIBUTARY_ASSIGN(const auto file, files.open_read(path));
        TRIBUTARY_TRY(file->sync());
        TRIBUTARY_TRY(files.sync_directory(std::string(parent_path(path))));
    }
    return {};
}

}  // namespace

Status fetch(const Client& hub, const Output& out, const std::string& reference,
             const std::string& directory, bool force) {
    Files& files = system_files();
    TRIBUTARY_ASSIGN(const Json version, hub.get("/api/v1/version", {{"ref", reference}}));
    TRIBUTARY_ASSIGN(const std::string id, version.text_at("id"));
    TRIBUTARY_ASSIGN(const std::vector<RemoteFile> wanted, files_of(version));
    if (const auto there = files.list(directory); there && !there->empty() && !force)
        return fail(Errc::conflict, directory +
                                        " is not empty; name a directory that is, or that does not "
                                        "exist yet, or say --force");
    TRIBUTARY_TRY(files.make_directories(directory));
    for (const Json& folder : items(version, "empty_folders")) {
        TRIBUTARY_ASSIGN(const std::string path, path_of(folder));
        TRIBUTARY_TRY(files.make_directories(join_path(directory, path)));
    }

    const std::string temporary = join_path(directory, part_name(wanted));
    std::uint64_t bytes = 0;
    std::size_t count = 0;
    Progress progress;
    for (const RemoteFile& file : wanted) {
        progress.show(++count, wanted.size());
        if (auto fetched = fetch_file(hub, id, file, directory, temporary); !fetched) {
            fetched.error().what = "file '" + file.path + "': " + fetched.error().what +
                                   "; what is in " + directory +
                                   " is whole, say the same with --force to go on";
            progress.end();
            return fetched;
        }
        bytes += file.bytes;
    }
    progress.end();
    TRIBUTARY_TRY(sync_all(directory, wanted));
    out.print(Json::object({{"version", id},
                            {"directory", directory},
                            {"files", wanted.size()},
                            {"conflicts", version.u64_at("conflicts").value_or(0)},
                            {"bytes", bytes}}),
              "Fetched " + id + ": " + std::to_string(wanted.size()) +
                  (wanted.size() == 1 ? " file, " : " files, ") + human_bytes(bytes) +
                  ", every SHA-256 checked\n");
    return no_conflicts(version, text_of(version, "repo"));
}

}  // namespace tributary::cli
