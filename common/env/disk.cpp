#include "common/env/disk.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "common/env/file_error.h"
#include "common/env/files.h"

namespace tributary {

Result<std::uint64_t> disk_bytes(const std::string& path) {
    struct statvfs raw {};
    std::string at = path;
    while (::statvfs(at.c_str(), &raw) != 0) {
        const int error_number = errno;
        if (error_number == EINTR) continue;
        if (error_number != ENOENT || at == "/" || at == ".")
            return file_error("ask for the size of the disk of", path, error_number);
        at = std::string(parent_path(at));
    }
    return std::uint64_t{raw.f_blocks} * raw.f_frsize;
}

namespace {

bool tells_what_failed(int descriptor) {
    struct utsname system {};
    struct statfs disk {};
    if (::uname(&system) != 0 || ::fstatfs(descriptor, &disk) != 0) return false;
    unsigned major = 0, minor = 0;
    if (std::sscanf(system.release, "%u.%u", &major, &minor) != 2) return false;
    return std::pair(major, minor) >= std::pair(5U, 8U) && disk.f_type != FUSE_SUPER_MAGIC;
}

}  // namespace

Status sync_disk(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return file_error("open", path, errno);
    const bool tells = tells_what_failed(descriptor);
    const int error_number = !tells || ::syncfs(descriptor) == 0 ? 0 : errno;
    ::close(descriptor);
    if (!tells) return fail(Errc::unsupported, path + " cannot be synced as a whole");
    return error_number == 0 ? Status{} : file_error("sync the disk of", path, error_number);
}

}  // namespace tributary
