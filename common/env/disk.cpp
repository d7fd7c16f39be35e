#include "common/env/disk.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

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

Status sync_disk(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return file_error("open", path, errno);
    const int error_number = ::syncfs(descriptor) == 0 ? 0 : errno;
    ::close(descriptor);
    return error_number == 0 ? Status{} : file_error("sync the disk of", path, error_number);
}

}  // namespace tributary
