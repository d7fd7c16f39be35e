#include "common/env/disk.h"

#include <sys/statvfs.h>

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

}  // namespace tributary
