// Preloaded into a program (LD_PRELOAD): appends each call that changes a file, or makes a change
// durable, to the file TRIBUTARY_FILE_LOG, when it succeeded, in the order in which they ended. Of
// files below TRIBUTARY_FILE_LOG_UNDER only, and of what goes to standard output through stdio: a
// print is logged before it happens. Not for programs that write from several threads at once.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/integration/agent/preload/file_log.h"

namespace {

using tributary::test::FileCall;

template <class Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

const char* variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

bool is_ours(std::string_view path) {
    const std::string_view under = variable("TRIBUTARY_FILE_LOG_UNDER");
    return !under.empty() && path.starts_with(under);
}

template <class Number>
void add(std::string& record, Number number) {
    record.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void log(FileCall call, std::string_view path, std::string_view other, std::uint64_t number) {
    const int kept = errno;
    std::string record;
    add(record, static_cast<std::uint8_t>(call));
    for (const std::string_view text : {path, other}) {
        add(record, static_cast<std::uint32_t>(text.size()));
        record += text;
    }
    add(record, number);
    // Past our own functions.
    const long file = syscall(SYS_openat, AT_FDCWD, variable("TRIBUTARY_FILE_LOG"),
                              O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0 ||
        syscall(SYS_write, file, record.data(), record.size()) != static_cast<long>(record.size()))
        std::abort();
    syscall(SYS_close, file);
    errno = kept;
}

// As it is called now: it may have been renamed since it was opened. Empty: not ours.
std::string path_of(int file) {
    char path[4096];
    const std::string link = "/proc/self/fd/" + std::to_string(file);
    const ssize_t length = readlink(link.c_str(), path, sizeof path);
    if (length <= 0) return {};
    std::string found(path, static_cast<std::size_t>(length));
    return is_ours(found) ? found : std::string();
}

int open_logged(int (*open)(const char*, int, ...), const char* path, int flags, mode_t mode) {
    const bool ours = is_ours(path);
    const bool made = ours && (flags & O_CREAT) != 0 && access(path, F_OK) != 0;
    const int file = open(path, flags, mode);
    if (file < 0 || !ours) return file;
    if (made)
        log(FileCall::create, path, {}, 0);
    else if ((flags & O_TRUNC) != 0)
        log(FileCall::truncate, path, {}, 0);
    return file;
}

mode_t mode_of(int flags, va_list arguments) {
    return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
}

void log_write(int file, const void* bytes, ssize_t written, off_t offset) {
    if (written <= 0) return;
    const std::string path = path_of(file);
    if (path.empty()) return;
    log(FileCall::write, path, {static_cast<const char*>(bytes), static_cast<std::size_t>(written)},
        static_cast<std::uint64_t>(offset));
}

int log_sync(int file, int result) {
    const std::string path = result == 0 ? path_of(file) : std::string();
    struct stat status {};
    if (path.empty() || fstat(file, &status) != 0) return result;
    log(S_ISDIR(status.st_mode) ? FileCall::sync_directory : FileCall::sync, path, {}, 0);
    return result;
}

int log_truncate(int file, int result, off_t size) {
    const std::string path = result == 0 ? path_of(file) : std::string();
    if (!path.empty()) log(FileCall::truncate, path, {}, static_cast<std::uint64_t>(size));
    return result;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_logged(next<int(const char*, int, ...)>("open"), path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_logged(next<int(const char*, int, ...)>("open64"), path, flags, mode);
}

ssize_t write(int file, const void* bytes, size_t count) {
    const ssize_t written = next<ssize_t(int, const void*, size_t)>("write")(file, bytes, count);
    // Where it ended, also of a file that is only appended to.
    log_write(file, bytes, written, written > 0 ? lseek(file, 0, SEEK_CUR) - written : 0);
    return written;
}

ssize_t pwrite(int file, const void* bytes, size_t count, off_t offset) {
    const ssize_t written =
        next<ssize_t(int, const void*, size_t, off_t)>("pwrite")(file, bytes, count, offset);
    log_write(file, bytes, written, offset);
    return written;
}

ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t offset) {
    const ssize_t written =
        next<ssize_t(int, const void*, size_t, off64_t)>("pwrite64")(file, bytes, count, offset);
    log_write(file, bytes, written, static_cast<off_t>(offset));
    return written;
}

int fsync(int file) { return log_sync(file, next<int(int)>("fsync")(file)); }
int fdatasync(int file) { return log_sync(file, next<int(int)>("fdatasync")(file)); }

int ftruncate(int file, off_t size) noexcept {
    return log_truncate(file, next<int(int, off_t)>("ftruncate")(file, size), size);
}
int ftruncate64(int file, off64_t size) noexcept {
    return log_truncate(file, next<int(int, off64_t)>("ftruncate64")(file, size),
                        static_cast<off_t>(size));
}

int rename(const char* from, const char* to) noexcept {
    const int result = next<int(const char*, const char*)>("rename")(from, to);
    if (result == 0 && is_ours(from)) log(FileCall::rename, from, to, 0);
    return result;
}

int unlink(const char* path) noexcept {
    const int result = next<int(const char*)>("unlink")(path);
    if (result == 0 && is_ours(path)) log(FileCall::remove, path, {}, 0);
    return result;
}

int mkdir(const char* path, mode_t mode) noexcept {
    const int result = next<int(const char*, mode_t)>("mkdir")(path, mode);
    if (result == 0 && is_ours(path)) log(FileCall::make_directory, path, {}, 0);
    return result;
}

size_t fwrite(const void* bytes, size_t size, size_t count, FILE* stream) {
    if (stream == stdout)
        log(FileCall::print, {}, {static_cast<const char*>(bytes), size * count}, 0);
    return next<size_t(const void*, size_t, size_t, FILE*)>("fwrite")(bytes, size, count, stream);
}

}  // extern "C"
