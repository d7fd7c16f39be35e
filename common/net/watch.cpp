#include "common/net/watch.h"

#include <dirent.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <map>
#include <vector>

#include "common/net/loop_impl.h"

namespace tributary {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::uint32_t kMask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

class Watch final : public DirectoryWatch {
public:
    Watch(asio::io_context& io, int fd, std::string directory, WatchCallback callback)
        : io_(io),
          events_(io, fd),
          directory_(std::move(directory)),
          callback_(std::move(callback)) {}

    ~Watch() override { *alive_ = false; }

    Status start() {
        root_ = ::inotify_add_watch(events_.native_handle(), directory_.c_str(), kMask);
        if (root_ < 0) return cannot_watch();
        folders_[root_] = "";
        read();
        asio::post(io_, [this, alive = alive_] {
            if (*alive) scan("");
        });
        return {};
    }

private:
    tl::unexpected<Error> cannot_watch() const {
        const int native = errno;
        const std::string what = "cannot watch " + directory_ + ": " + std::strerror(native);
        switch (native) {
            case ENOENT: return fail(Errc::not_found, what + "; make the folder first", native);
            case ENOTDIR:
                return fail(Errc::invalid, what + "; name the folder that holds the files", native);
            case EACCES: return fail(Errc::denied, what + "; let the agent's user read it", native);
            case ENOSPC:
                return fail(Errc::exhausted,
                            what + "; raise the sysctl fs.inotify.max_user_watches", native);
            default: return fail(Errc::unavailable, what, native);
        }
    }

    // `folder` is "" or "sub"; names are relative to the watched directory.
    static std::string below(const std::string& folder, std::string_view name) {
        return folder.empty() ? std::string(name) : folder + "/" + std::string(name);
    }
    std::string full(const std::string& relative) const { return directory_ + "/" + relative; }

    // False once a callback has destroyed this watch.
    bool tell(const std::string& path, WatchEvent event) {
        const auto alive = alive_;
        const auto callback = callback_;
        callback(path, event);
        return *alive;
    }

    // Reports what is there, and watches subfolders that are not yet watched.
    bool scan(const std::string& folder) {
        const std::string path = folder.empty() ? directory_ : full(folder);
        std::vector<std::string> names;
        if (DIR* open = ::opendir(path.c_str())) {
            while (const dirent* entry = ::readdir(open))
                if (const std::string_view name = entry->d_name; name != "." && name != "..")
                    names.emplace_back(name);
            ::closedir(open);
        }
        for (const std::string& name : names) {
            const std::string relative = below(folder, name);
            struct stat status {};
            if (::lstat(full(relative).c_str(), &status) != 0) continue;
            if (S_ISREG(status.st_mode) && !tell(full(relative), WatchEvent::found)) return false;
            if (S_ISDIR(status.st_mode) && folder.empty() && !enter(name)) return false;
        }
        return true;
    }

    // Watching begins before the scan, so that a file finished in between is seen by one of them.
    bool enter(const std::string& name) {
        const int watch = ::inotify_add_watch(events_.native_handle(), full(name).c_str(),
                                              kMask | IN_DONT_FOLLOW);
        if (watch < 0) {
            // gone again, or not ours to read; out of watches must not pass in silence
            if (errno == ENOSPC) return tell(directory_, WatchEvent::overflow) && scan(name);
            return true;
        }
        folders_[watch] = name;
        return scan(name);
    }

    void read() {
        events_.async_read_some(asio::buffer(buffer_),
                                [this, alive = alive_](const error_code& error, std::size_t bytes) {
                                    if (!*alive || error) return;
                                    if (on_events(bytes)) read();
                                });
    }

    bool on_events(std::size_t bytes) {
        std::size_t at = 0;
        while (at + sizeof(inotify_event) <= bytes) {
            inotify_event event{};
            std::memcpy(&event, buffer_.data() + at, sizeof(event));
            const char* name = buffer_.data() + at + sizeof(event);
            at += sizeof(event) + event.len;
            const std::string_view text(name, event.len == 0 ? 0 : ::strnlen(name, event.len));
            if (!on_event(event, text)) return false;
        }
        return true;
    }

    bool on_event(const inotify_event& event, std::string_view name) {
        if ((event.mask & IN_Q_OVERFLOW) != 0)
            return tell(directory_, WatchEvent::overflow) && scan("");
        const auto found = folders_.find(event.wd);
        if (found == folders_.end()) return true;
        if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) != 0)
            return on_folder_gone(event.wd, event.mask);
        if (name.empty()) return true;
        const std::string relative = below(found->second, name);
        if ((event.mask & IN_ISDIR) != 0) {
            if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0 && found->second.empty())
                return enter(std::string(name));
            return true;
        }
        return on_file(event.mask, full(relative));
    }

    bool on_file(std::uint32_t mask, const std::string& path) {
        if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0) return tell(path, WatchEvent::removed);
        if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) == 0) return true;
        struct stat status {};
        if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return true;
        return tell(path, (mask & IN_MOVED_TO) != 0 ? WatchEvent::moved_in : WatchEvent::written);
    }

    bool on_folder_gone(int watch, std::uint32_t mask) {
        // A subfolder renamed in place has been entered again under its new name, as the same
        // watch.
        const std::string name = folders_[watch];
        if ((mask & IN_MOVE_SELF) != 0 && watch != root_ &&
            ::inotify_add_watch(events_.native_handle(), full(name).c_str(),
                                kMask | IN_DONT_FOLLOW) == watch)
            return true;
        folders_.erase(watch);
        // a folder that moved away would still report, under a name it no longer has
        ::inotify_rm_watch(events_.native_handle(), watch);
        if (watch != root_) return true;
        static_cast<void>(tell(directory_, WatchEvent::gone));
        return false;
    }

    asio::io_context& io_;
    asio::posix::stream_descriptor events_;
    std::string directory_;
    WatchCallback callback_;
    int root_ = -1;
    std::map<int, std::string> folders_;  // watch descriptor → folder, "" for the directory itself
    std::array<char, 16 * 1024> buffer_{};
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // read by late handlers
};

}  // namespace

Result<std::unique_ptr<DirectoryWatch>> watch_directory(NetLoop& loop, const std::string& directory,
                                                        WatchCallback callback) {
    const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return fail(Errc::exhausted,
                    "cannot watch " + directory + ": " + std::strerror(errno) +
                        "; raise the sysctl fs.inotify.max_user_instances",
                    errno);
    auto watch = std::make_unique<Watch>(loop.impl().io, fd, directory, std::move(callback));
    TRIBUTARY_TRY(watch->start());
    return watch;
}

}  // namespace tributary
