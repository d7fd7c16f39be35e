#include "common/env/file_error.h"

#include <cerrno>
#include <string>
#include <system_error>

namespace tributary {
namespace {

struct Meaning {
    int error_number;
    Errc code;
    std::string_view advice;  // empty: the system's own words
};

constexpr Meaning kMeanings[] = {
    {ENOENT, Errc::not_found, "there is no such file or directory"},
    {ENOTDIR, Errc::invalid, "a part of this path is not a directory"},
    {EISDIR, Errc::invalid, "it is a directory; name a file"},
    {ENAMETOOLONG, Errc::invalid, "the name is too long; use a shorter path"},
    {EINVAL, Errc::invalid, "the file system does not support this; use a local one such as ext4"},
    {EXDEV, Errc::invalid, "both names must be on one file system"},
    {EEXIST, Errc::conflict, "it exists already"},
    {ENOTEMPTY, Errc::conflict, "the directory is not empty"},
    {EBUSY, Errc::conflict, "it is in use; stop what uses it and try again"},
    {ETXTBSY, Errc::conflict, "it is a program that runs now; stop it and try again"},
    {ENOSPC, Errc::exhausted, "the disk is full; free some space on it and try again"},
    {EDQUOT, Errc::exhausted, "the disk quota is used up; free some space or raise the quota"},
    {EFBIG, Errc::exhausted, "the file would grow past the limit of the file system or of ulimit"},
    {EMFILE, Errc::exhausted, "this process has too many open files; raise its limit (ulimit -n)"},
    {ENFILE, Errc::exhausted, "the system has too many open files; raise fs.file-max"},
    {ENOMEM, Errc::exhausted, "the system is out of memory; stop something and try again"},
    {EACCES, Errc::denied, "permission denied; check owner and mode of the file and its folders"},
    {EPERM, Errc::denied, "the system does not permit it; check owner and attributes of the file"},
    {EROFS, Errc::denied,
     "the file system is read-only, here or for this service; make it writable or choose another"},
    {ELOOP, Errc::denied, "it is a symbolic link, which is not followed here"},
    {EIO, Errc::unavailable, "input/output error; the medium may be failing, see the kernel log"},
};

}  // namespace

tl::unexpected<Error> file_error(std::string_view action, std::string_view path, int error_number) {
    Errc code = Errc::unavailable;
    std::string reason;
    for (const Meaning& meaning : kMeanings) {
        if (meaning.error_number != error_number) continue;
        code = meaning.code;
        reason = meaning.advice;
    }
    if (reason.empty()) reason = std::system_category().message(error_number);
    return fail(code, "cannot " + std::string(action) + " " + std::string(path) + ": " + reason,
                error_number);
}

}  // namespace tributary
