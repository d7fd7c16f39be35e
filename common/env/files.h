// Files as a port: just what a crash-safe store needs, so that a simulated disk can stand in for
// the real one.
//
// Durability contract, the same for every implementation:
//   - append() and truncate() are durable only after File::sync() returned success;
//   - create(), rename(), remove() and replace_link() are durable only after sync_directory() of
//   the
//     containing directory returned success; make_directories() is durable when it returns success;
//   - after a failed sync nothing is known of what was written since the last good one: close,
//     reopen, recover;
//   - rename() and replace_link() are atomic: at any instant, and after a power cut, the name shows
//     the old or the new.
// Paths are '/'-separated and used as given. A symbolic link in the last component is followed by
// open_read(), stat_target() and the calls that name a directory (list(), make_directories(),
// sync_directory(), free_bytes()), and by no other: a state directory may be a link, a file in it
// may not. Calls are thread-safe across files; one File is used by one thread at a time.
//
// Errors: not_found (no such file), conflict (exists, not empty, or locked by another process),
// exhausted (no space, no quota, too many open files), denied (permissions, read-only file system,
// a link that is not followed), invalid (not a file or not a directory, a name too long),
// unavailable (I/O error); native is the errno. `what` names the call, the path and what to do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace tributary {

class File {
public:
    virtual ~File() = default;  // closes; never syncs
    // Reads up to out.size() bytes at `offset`; fewer only at the end of the file.
    virtual Result<std::size_t> read_at(std::uint64_t offset, ByteSpan out) = 0;
    // All or an error; after an error the file may have grown by a part.
    virtual Status append(ByteView bytes) = 0;
    virtual Status sync() = 0;  // fdatasync: content and length
    virtual Status truncate(std::uint64_t size) = 0;
    virtual Result<std::uint64_t> size() = 0;

    // Exactly out.size() bytes, or corrupt when the file ends before.
    Status read_exactly(std::uint64_t offset, ByteSpan out);
};

struct FileStatus {
    enum class Kind : std::uint8_t { regular, directory, symlink, other };
    Kind kind = Kind::other;
    std::uint64_t size = 0;
    bool executable = false;  // owner's execute bit
    bool set_id = false;      // set-user-id or set-group-id bit
    std::uint64_t inode = 0;
    std::uint64_t device = 0;
    std::uint64_t mtime_ns = 0;  // with inode and size: has it changed while we read it?
    std::uint64_t ctime_ns = 0;
    bool operator==(const FileStatus&) const = default;
};

// Who may read what is made: its owner alone, also the owner's group, or everybody. Nobody but the
// owner may ever write.
enum class Readers : std::uint8_t { owner, group, everybody };

// Held until destroyed; the kernel drops it when the process dies.
class FileLock {
public:
    virtual ~FileLock() = default;
};

class Files {
public:
    virtual ~Files() = default;

    // A regular file only: never waits for the other end of a pipe, never reads a device.
    virtual Result<std::unique_ptr<File>> open_read(const std::string& path) = 0;
    // An existing file for read_at() and append() at its end.
    virtual Result<std::unique_ptr<File>> open_append(const std::string& path) = 0;
    // A new file for read_at() and append(); conflict when it exists. Mode 0600, or 0640 for the
    // group, or 0644; with the same readers' execute bits when executable. The umask may take from
    // it.
    virtual Result<std::unique_ptr<File>> create(const std::string& path, bool executable = false,
                                                 Readers readers = Readers::owner) = 0;

    virtual Result<FileStatus> stat(const std::string& path) = 0;  // of a link, the link itself
    virtual Result<FileStatus> stat_target(
        const std::string& path) = 0;  // of a link, what it points to
    virtual Result<std::vector<std::string>> list(
        const std::string& directory) = 0;  // names, sorted, without . and ..
    // Mode 0700, 0750 for the group, or 0755; success when it is there.
    virtual Status make_directories(const std::string& path, Readers readers = Readers::owner) = 0;
    virtual Status rename(const std::string& from, const std::string& to) = 0;
    virtual Status remove(const std::string& path) = 0;  // a file, link or empty directory
    virtual Status sync_directory(const std::string& path) = 0;
    virtual Result<std::string> read_link(const std::string& path) = 0;
    // Makes `path` a symbolic link to `target`, replacing a link that was there, atomically;
    // conflict when something else than a link is there.
    virtual Status replace_link(const std::string& path, const std::string& target) = 0;
    virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;

    // Takes the exclusive kernel lock (flock) on `path`, made if missing, without waiting. conflict
    // when another process holds it; then `what` says "held by ..." with the text that its holder
    // wrote. `holder` is written on success.
    virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path,
                                                   const std::string& holder) = 0;
};

Files& system_files();

// Whether some process has the regular file open for writing now; nullopt when the kernel does not
// tell (another's file, or a file system without leases).
std::optional<bool> has_writer(const std::string& path);
// From now on this process acts as the user who owns `directory`, when we are root and it is
// another's: what root makes in there, its owner could not use. The user's name or number; empty
// when nothing was to be done, as when the directory does not exist.
Result<std::string> act_as_owner_of(const std::string& directory);
// The folder that relative paths start from.
Result<std::string> working_directory();

// Conveniences over the port, used wherever a small file is read or replaced. read_file: invalid
// when the file is larger than bytes_max.
Result<Bytes> read_file(Files& files, const std::string& path, std::uint64_t bytes_max);
// Temporary beside it (path + ".tmp"; one writer per path at a time), sync, rename, directory sync:
// afterwards `path` holds exactly `bytes`, durably; at no instant less.
Status replace_file(Files& files, const std::string& path, ByteView bytes,
                    Readers readers = Readers::owner);

std::string join_path(std::string_view directory, std::string_view name);
std::string_view parent_path(std::string_view path);  // "." when there is none
std::string_view file_name(std::string_view path);

}  // namespace tributary
