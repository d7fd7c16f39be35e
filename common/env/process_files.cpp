// Questions about files that only make sense for the machine's own processes.
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>

#include "common/env/file_error.h"
#include "common/env/files.h"

namespace tributary {

// A read lease is granted only while nobody has the file open for writing (fcntl(2), F_SETLEASE).
// It is given back at once; who opens the file for writing in between waits for that moment, and we
// would be told by a signal, so one is chosen that is ignored unless somebody asked for it.
std::optional<bool> has_writer(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
    if (fd < 0) return std::nullopt;
    std::optional<bool> answer;
    if (::fcntl(fd, F_SETSIG, SIGURG) == 0) {
        if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
            answer = false;
            (void)::fcntl(fd, F_SETLEASE, F_UNLCK);
        } else if (errno == EAGAIN) {
            answer = true;
        }
    }
    (void)::close(fd);
    return answer;
}

Result<std::string> act_as_owner_of(const std::string& directory) {
    struct stat status {};
    if (::geteuid() != 0 || ::stat(directory.c_str(), &status) != 0 || status.st_uid == 0)
        return std::string();
    // Its groups too, because they may be what lets it read.
    const passwd* const user = ::getpwuid(status.st_uid);
    const std::string name = user != nullptr ? user->pw_name : std::to_string(status.st_uid);
    const gid_t group = user != nullptr ? user->pw_gid : status.st_gid;
    const int groups = user != nullptr ? ::initgroups(user->pw_name, group) : ::setgroups(0, {});
    if (groups != 0 || ::setgid(group) != 0 || ::setuid(status.st_uid) != 0)
        return file_error("act as the owner of", directory, errno);
    return name;
}

Result<std::string> working_directory() {
    char path[PATH_MAX];
    if (::getcwd(path, sizeof path) == nullptr)
        return file_error("find", "the working directory", errno);
    return std::string(path);
}

}  // namespace tributary
