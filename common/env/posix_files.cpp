// The real disk. Every descriptor is close-on-exec; every call is repeated when a signal interrupts
// it. Compiled with 64-bit offsets and times on 32-bit machines too (CMakeLists.txt).
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>

#include "common/env/file_error.h"
#include "common/env/files.h"

namespace tributary {
namespace {

static_assert(sizeof(off_t) == 8, "toolchains/modules/BuildFlags.cmake sets it");
static_assert(sizeof(time_t) == 8, "toolchains/modules/BuildFlags.cmake sets it");

template <class Call>
auto without_interruption(Call call) {
    while (true) {
        const auto answer = call();
        if (answer != -1 || errno != EINTR) return answer;
    }
}

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    // An interrupted close has closed on Linux: not repeated.
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    int number() const { return number_; }
    explicit operator bool() const { return number_ >= 0; }

private:
    int number_;
};

Descriptor open_at(const std::string& path, int flags, mode_t mode = 0) {
    return Descriptor(without_interruption(
        [&] { return ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode); }));
}

// Large single transfers are cut: some kernels fail above 2 GiB, and a signal then costs less.
constexpr std::size_t kTransferBytesMax = 1u << 30;

Result<std::size_t> read_descriptor(int number, const std::string& path, std::uint64_t offset,
                                    ByteSpan out) {
    if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()) - out.size())
        return std::size_t{0};
    std::size_t done = 0;
    while (done < out.size()) {
        const std::size_t want = std::min(out.size() - done, kTransferBytesMax);
        const ssize_t got = without_interruption([&] {
            return ::pread(number, out.data() + done, want, static_cast<off_t>(offset + done));
        });
        if (got < 0) return file_error("read", path, errno);
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

Status write_descriptor(int number, const std::string& path, ByteView bytes) {
    while (!bytes.empty()) {
        const std::size_t want = std::min(bytes.size(), kTransferBytesMax);
        const ssize_t put =
            without_interruption([&] { return ::write(number, bytes.data(), want); });
        if (put < 0) return file_error("write", path, errno);
        if (put == 0) return file_error("write", path, EIO);
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return {};
}

class PosixFile final : public File {
public:
    PosixFile(Descriptor descriptor, std::string path)
        : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

    Result<std::size_t> read_at(std::uint64_t offset, ByteSpan out) override {
        return read_descriptor(descriptor_.number(), path_, offset, out);
    }
    Status append(ByteView bytes) override {
        return write_descriptor(descriptor_.number(), path_, bytes);
    }
    Status sync() override {
        if (without_interruption([&] { return ::fdatasync(descriptor_.number()); }) == 0) return {};
        return file_error("sync", path_, errno);
    }
    Status truncate(std::uint64_t size) override {
        if (size > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()))
            return file_error("truncate", path_, EFBIG);
        const auto length = static_cast<off_t>(size);
        if (without_interruption([&] { return ::ftruncate(descriptor_.number(), length); }) == 0)
            return {};
        return file_error("truncate", path_, errno);
    }
    Result<std::uint64_t> size() override {
        struct stat status {};
        if (::fstat(descriptor_.number(), &status) != 0)
            return file_error("read the size of", path_, errno);
        return static_cast<std::uint64_t>(status.st_size);
    }

private:
    Descriptor descriptor_;
    std::string path_;
};

std::uint64_t nanoseconds(const timespec& time) {
    if (time.tv_sec < 0) return 0;
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec);
}

FileStatus file_status(const struct stat& raw) {
    FileStatus status;
    if (S_ISREG(raw.st_mode)) status.kind = FileStatus::Kind::regular;
    if (S_ISDIR(raw.st_mode)) status.kind = FileStatus::Kind::directory;
    if (S_ISLNK(raw.st_mode)) status.kind = FileStatus::Kind::symlink;
    status.size = static_cast<std::uint64_t>(raw.st_size);
    status.executable = (raw.st_mode & S_IXUSR) != 0;
    status.set_id = (raw.st_mode & (S_ISUID | S_ISGID)) != 0;
    status.inode = raw.st_ino;
    status.device = raw.st_dev;
    status.mtime_ns = nanoseconds(raw.st_mtim);
    status.ctime_ns = nanoseconds(raw.st_ctim);
    return status;
}

class PosixLock final : public FileLock {
public:
    explicit PosixLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

private:
    Descriptor descriptor_;
};

class PosixFiles final : public Files {
public:
    Result<std::unique_ptr<File>> open_read(const std::string& path) override {
        return open_regular("open", path, O_RDONLY);
    }
    Result<std::unique_ptr<File>> open_append(const std::string& path) override {
        return open_regular("open", path, O_RDWR | O_APPEND | O_NOFOLLOW);
    }
    Result<std::unique_ptr<File>> create(const std::string& path, bool executable,
                                         Readers readers) override {
        mode_t mode = executable ? 0755 : 0644;
        if (readers == Readers::group) mode &= 0750;
        if (readers == Readers::owner) mode &= 0700;
        Descriptor descriptor = open_at(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL, mode);
        if (!descriptor) return file_error("create", path, errno);
        return std::make_unique<PosixFile>(std::move(descriptor), path);
    }

    Result<FileStatus> stat(const std::string& path) override {
        struct stat raw {};
        if (::lstat(path.c_str(), &raw) != 0) return file_error("look at", path, errno);
        return file_status(raw);
    }
    Result<FileStatus> stat_target(const std::string& path) override {
        struct stat raw {};
        if (::stat(path.c_str(), &raw) != 0) return file_error("look at", path, errno);
        return file_status(raw);
    }

    Result<std::vector<std::string>> list(const std::string& directory) override {
        const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
        if (!stream) return file_error("list", directory, errno);
        std::vector<std::string> names;
        while (true) {
            errno = 0;
            const dirent* entry = ::readdir(stream.get());
            if (entry == nullptr && errno != 0) return file_error("list", directory, errno);
            if (entry == nullptr) break;
            const std::string_view name = entry->d_name;
            if (name != "." && name != "..") names.emplace_back(name);
        }
        std::ranges::sort(names);
        return names;
    }

    Status make_directories(const std::string& path, Readers readers) override {
        const mode_t mode = readers == Readers::owner   ? 0700
                            : readers == Readers::group ? 0750
                                                        : 0755;
        if (::mkdir(path.c_str(), mode) != 0) {
            const int error_number = errno;
            const std::string parent(parent_path(path));
            if (error_number == ENOENT && parent != path && parent != ".") {
                TRIBUTARY_TRY(make_directories(parent, readers));
                if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
                    return file_error("make the directory", path, errno);
            } else {
                // Whatever mkdir says (EEXIST, EROFS, EACCES), one that is there is success.
                const auto there = stat_target(path);
                if (there && there->kind == FileStatus::Kind::directory) return {};
                return file_error("make the directory", path, error_number);
            }
        }
        return sync_directory(std::string(parent_path(path)));
    }

    Status rename(const std::string& from, const std::string& to) override {
        if (::rename(from.c_str(), to.c_str()) == 0) return {};
        return file_error("rename " + from + " to", to, errno);
    }
    Status remove(const std::string& path) override {
        if (std::remove(path.c_str()) == 0) return {};
        return file_error("remove", path, errno);
    }
    Status sync_directory(const std::string& path) override {
        const Descriptor descriptor = open_at(path, O_RDONLY | O_DIRECTORY);
        if (!descriptor) return file_error("open the directory", path, errno);
        if (without_interruption([&] { return ::fsync(descriptor.number()); }) == 0) return {};
        return file_error("sync the directory", path, errno);
    }

    Result<std::string> read_link(const std::string& path) override {
        std::string target(4096, '\0');  // PATH_MAX: no link is longer
        const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
        if (length < 0) return file_error("read the link", path, errno);
        target.resize(static_cast<std::size_t>(length));
        return target;
    }
    Status replace_link(const std::string& path, const std::string& target) override {
        const auto there = stat(path);
        if (there && there->kind != FileStatus::Kind::symlink)
            return file_error("make the link", path, EEXIST);
        const std::string temporary = path + ".tmp";
        if (::unlink(temporary.c_str()) != 0 && errno != ENOENT)  // a crash left it
            return file_error("remove", temporary, errno);
        if (::symlink(target.c_str(), temporary.c_str()) != 0)
            return file_error("make the link", temporary, errno);
        if (::rename(temporary.c_str(), path.c_str()) == 0) return {};
        const int error_number = errno;
        ::unlink(temporary.c_str());
        return file_error("make the link", path, error_number);
    }

    Result<std::uint64_t> free_bytes(const std::string& path) override {
        struct statvfs raw {};
        if (without_interruption([&] { return ::statvfs(path.c_str(), &raw); }) != 0)
            return file_error("ask for the free space of", path, errno);
        return std::uint64_t{raw.f_bavail} * raw.f_frsize;
    }

    Result<std::unique_ptr<FileLock>> lock(const std::string& path,
                                           const std::string& holder) override {
        Descriptor descriptor = open_at(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
        if (!descriptor) return file_error("lock", path, errno);
        const int number = descriptor.number();
        if (without_interruption([&] { return ::flock(number, LOCK_EX | LOCK_NB); }) != 0) {
            if (errno != EWOULDBLOCK) return file_error("lock", path, errno);
            return held_error(number, path);
        }
        // The text only helps whoever finds the lock held: a full disk must not stop a reader.
        if (::ftruncate(number, 0) == 0)
            static_cast<void>(write_descriptor(number, path, as_bytes(holder)));
        return std::make_unique<PosixLock>(std::move(descriptor));
    }

private:
    static Result<std::unique_ptr<File>> open_regular(std::string_view action,
                                                      const std::string& path, int flags) {
        // Without O_NONBLOCK a pipe without a writer would hold us for ever.
        Descriptor descriptor = open_at(path, flags | O_NONBLOCK);
        if (!descriptor) return file_error(action, path, errno);
        struct stat raw {};
        if (::fstat(descriptor.number(), &raw) != 0) return file_error(action, path, errno);
        if (S_ISDIR(raw.st_mode)) return file_error(action, path, EISDIR);
        if (!S_ISREG(raw.st_mode))
            return fail(Errc::invalid, "cannot open " + path + ": it is not a regular file");
        return std::make_unique<PosixFile>(std::move(descriptor), path);
    }

    static tl::unexpected<Error> held_error(int number, const std::string& path) {
        Bytes text(256);
        const auto length = read_descriptor(number, path, 0, text);
        text.resize(length.value_or(0));
        std::string holder(as_text(text));
        if (holder.empty()) holder = "another process";
        return fail(Errc::conflict, "cannot lock " + path + ": held by " + holder, EWOULDBLOCK);
    }
};

}  // namespace

Files& system_files() {
    static PosixFiles files;
    return files;
}

}  // namespace tributary
