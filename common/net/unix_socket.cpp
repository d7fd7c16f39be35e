#include "common/net/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <deque>
#include <set>

#include "common/net/loop_impl.h"

namespace tributary {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using local = asio::local::stream_protocol;

constexpr std::size_t kHeadBytes = 5;  // u32 length of channel and bytes, u8 channel
constexpr std::size_t kUnreadBytesMax = 8 * 1024 * 1024;
constexpr std::size_t kConversationsMax = 32;
constexpr std::chrono::seconds kRequestLimit{10};

tl::unexpected<Error> system_error(Errc code, const std::string& what) {
    const int native = errno;
    return fail(code, what + ": " + std::strerror(native), native);
}

Bytes frame_of(std::uint8_t channel, ByteView bytes) {
    Bytes frame;
    frame.reserve(kHeadBytes + bytes.size());
    ByteWriter out(frame);
    out.put(static_cast<std::uint32_t>(1 + bytes.size()));
    out.put(channel);
    out.put(bytes);
    return frame;
}

struct FrameHead {
    std::uint8_t channel = 0;
    std::size_t bytes = 0;
};
// False for a length that no frame of ours has.
bool parse_head(const std::array<std::uint8_t, kHeadBytes>& head, FrameHead& out) {
    const std::uint32_t length = load_le<std::uint32_t>(head.data());
    if (length < 1 || length > 1 + kLocalFrameBytesMax) return false;
    out.channel = head[4];
    out.bytes = length - 1;
    return true;
}

bool may_ask(int socket) {
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    return peer.uid == 0 || peer.uid == ::geteuid();
}

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path))
        return fail(Errc::invalid, "the socket path '" + path + "' must have 1 to " +
                                       std::to_string(sizeof(address.sun_path) - 1) +
                                       " bytes; use a shorter state_dir");
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

const sockaddr* as_sockaddr(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

private:
    int fd_;
};

// The server's side

class Conversation;

struct Shared {
    LocalHandler handler;
    std::set<std::shared_ptr<Conversation>> open;
    std::function<void()> ended;
};

class Conversation : public std::enable_shared_from_this<Conversation> {
public:
    Conversation(local::socket socket, Shared& shared)
        : socket_(std::move(socket)), limit_(socket_.get_executor()), shared_(&shared) {}

    void start();

    // The server goes away: nothing of it may be touched again.
    void abandon() {
        shared_ = nullptr;
        limit_.cancel();
        error_code ignored;
        socket_.close(ignored);
    }

    bool gone() const { return shared_ == nullptr; }
    bool finished() const { return finished_; }

    Status send(std::uint8_t channel, ByteView bytes) {
        if (gone()) return fail(Errc::unavailable, "the asking program has gone");
        if (bytes.size() > kLocalFrameBytesMax || channel == 0)
            return fail(Errc::invalid, "a reply frame holds at most 1 MiB, on channels 1 to 254");
        if (unsent_bytes_ + bytes.size() > kUnreadBytesMax)
            return fail(Errc::exhausted, "the asking program does not read its answer");
        unsent_.push_back(frame_of(channel, bytes));
        unsent_bytes_ += unsent_.back().size();
        if (!writing_) write();
        return {};
    }

    void finish() {
        finished_ = true;
        if (!writing_) end();
    }

private:
    template <class Step>
    auto then(Step step) {
        return [self = shared_from_this(), step](const error_code& error, std::size_t) {
            if (!self->gone()) (self.get()->*step)(error);
        };
    }

    void on_head(const error_code& error) {
        FrameHead head;
        if (error || !parse_head(head_, head) || head.channel != 0) return end();
        request_.resize(head.bytes);
        asio::async_read(socket_, asio::buffer(request_), then(&Conversation::on_request));
    }

    void on_request(const error_code& error);

    // Nothing more may come: what does, or the end, means that nobody reads the answer.
    void on_gone(const error_code&) { end(); }

    void write() {
        writing_ = true;
        asio::async_write(socket_, asio::buffer(unsent_.front()), then(&Conversation::on_written));
    }

    void on_written(const error_code& error) {
        if (error) return end();
        writing_ = false;
        unsent_bytes_ -= unsent_.front().size();
        unsent_.pop_front();
        if (!unsent_.empty()) return write();
        if (finished_) end();
    }

    void end() {
        if (gone()) return;
        Shared* shared = shared_;
        const auto self = shared_from_this();
        abandon();
        shared->open.erase(self);
        shared->ended();
    }

    local::socket socket_;
    asio::steady_timer limit_;
    Shared* shared_;  // null once ended
    std::array<std::uint8_t, kHeadBytes> head_{};
    Bytes request_;
    std::deque<Bytes> unsent_;
    std::size_t unsent_bytes_ = 0;
    bool writing_ = false;
    bool finished_ = false;
};

class Reply final : public LocalReply {
public:
    explicit Reply(std::shared_ptr<Conversation> with) : with_(std::move(with)) {}
    ~Reply() override { with_->finish(); }
    Status send(std::uint8_t channel, ByteView bytes) override {
        if (ended_ || channel == kLocalChannelEnd) return with_->send(0, {});
        return with_->send(channel, bytes);
    }
    void end() override {
        if (!std::exchange(ended_, true)) static_cast<void>(with_->send(kLocalChannelEnd, {}));
    }
    bool gone() const override { return with_->gone(); }

private:
    std::shared_ptr<Conversation> with_;  // also held by its operation under way and the server
    bool ended_ = false;
};

void Conversation::start() {
    limit_.expires_after(kRequestLimit);
    limit_.async_wait([self = shared_from_this()](const error_code& error) {
        if (!error) self->end();
    });
    asio::async_read(socket_, asio::buffer(head_), then(&Conversation::on_head));
}

void Conversation::on_request(const error_code& error) {
    if (error) return end();
    limit_.cancel();
    asio::async_read(socket_, asio::buffer(head_.data(), 1), then(&Conversation::on_gone));
    const auto handler = shared_->handler;  // it may end the server
    handler(std::move(request_), std::make_unique<Reply>(shared_from_this()));
}

class Server final : public LocalServer {
public:
    Server(asio::io_context& io, std::string path, LocalHandler handler)
        : acceptor_(io), retry_(io), path_(std::move(path)) {
        shared_.handler = std::move(handler);
        shared_.ended = [this] {
            accept();
            check_delivered();
        };
    }

    ~Server() override {
        *alive_ = false;
        error_code ignored;
        acceptor_.close(ignored);
        const auto open = std::move(shared_.open);
        for (const auto& conversation : open) conversation->abandon();
        struct stat now {};
        if (::lstat(path_.c_str(), &now) == 0 && now.st_ino == inode_ && now.st_dev == device_)
            ::unlink(path_.c_str());
    }

    void when_delivered(std::function<void()> task) override {
        delivered_ = std::move(task);
        check_delivered();
    }

    Status listen() {
        TRIBUTARY_TRY(check_free());
        // Bound beside the path, closed to others, then renamed over it: at every instant the name
        // is the old socket or a finished new one.
        const std::string fresh = path_ + "." + std::to_string(::getpid());
        TRIBUTARY_ASSIGN(const sockaddr_un address, address_of(fresh));
        Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (fd.get() < 0) return system_error(Errc::exhausted, "cannot make a socket");
        ::unlink(fresh.c_str());
        if (::bind(fd.get(), as_sockaddr(address), sizeof(address)) != 0)
            return system_error(errno == EACCES ? Errc::denied : Errc::unavailable,
                                "cannot make the socket " + path_);
        struct stat made {};
        // nobody can connect before listen(), so the mode is in force in time
        if (::chmod(fresh.c_str(), 0600) != 0 || ::listen(fd.get(), 16) != 0 ||
            ::lstat(fresh.c_str(), &made) != 0 || ::rename(fresh.c_str(), path_.c_str()) != 0) {
            const auto error = system_error(Errc::unavailable, "cannot make the socket " + path_);
            ::unlink(fresh.c_str());
            return error;
        }
        inode_ = made.st_ino;
        device_ = made.st_dev;
        acceptor_.assign(local(), fd.release());
        accept();
        return {};
    }

private:
    // That nobody serves the path, and that it is nothing but a socket.
    Status check_free() const {
        TRIBUTARY_ASSIGN(const sockaddr_un address, address_of(path_));
        struct stat there {};
        if (::lstat(path_.c_str(), &there) != 0) {
            if (errno == ENOENT) return {};
            return system_error(errno == EACCES ? Errc::denied : Errc::unavailable,
                                "cannot make the socket " + path_);
        }
        if (!S_ISSOCK(there.st_mode))
            return fail(Errc::conflict, path_ + " is there and is no socket; move it away");
        const Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (fd.get() < 0) return system_error(Errc::exhausted, "cannot make a socket");
        if (::connect(fd.get(), as_sockaddr(address), sizeof(address)) == 0 || errno == EAGAIN)
            return fail(Errc::conflict, "another process serves " + path_ + "; stop it first");
        if (errno == ECONNREFUSED || errno == ENOENT) return {};
        return system_error(errno == EACCES ? Errc::denied : Errc::unavailable,
                            "cannot tell who serves " + path_);
    }

    void check_delivered() {
        const auto on_its_way = [](const auto& conversation) { return conversation->finished(); };
        if (!delivered_ || std::ranges::any_of(shared_.open, on_its_way)) return;
        const auto task = std::exchange(delivered_, nullptr);
        task();  // may end the server
    }

    void accept() {
        if (accepting_ || shared_.open.size() >= kConversationsMax) return;
        accepting_ = true;
        acceptor_.async_accept(
            [this, alive = alive_](const error_code& error, local::socket socket) {
                if (!*alive) return;
                accepting_ = false;
                if (error) return accept_later();
                if (may_ask(socket.native_handle())) {
                    const auto begun = std::make_shared<Conversation>(std::move(socket), shared_);
                    shared_.open.insert(begun);
                    begun->start();
                }
                accept();
            });
    }

    // Out of descriptors, most likely: what ends meanwhile makes room.
    void accept_later() {
        retry_.expires_after(std::chrono::milliseconds(100));
        retry_.async_wait([this, alive = alive_](const error_code& error) {
            if (*alive && !error) accept();
        });
    }

    local::acceptor acceptor_;
    asio::steady_timer retry_;
    std::string path_;
    Shared shared_;
    std::function<void()> delivered_;
    ino_t inode_ = 0;
    dev_t device_ = 0;
    bool accepting_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // read by late handlers
};

// The client's side

Status send_all(int fd, ByteView bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return system_error(Errc::unavailable, "cannot ask " + path);
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return {};
}

Status receive_all(int fd, ByteSpan out, const std::string& path) {
    while (!out.empty()) {
        const ssize_t got = ::recv(fd, out.data(), out.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return fail(Errc::unavailable, "the process that serves " + path + " does not answer");
        if (got <= 0)
            return fail(Errc::unavailable,
                        "the process that serves " + path + " broke off its answer; try again");
        out = out.subspan(static_cast<std::size_t>(got));
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<LocalServer>> serve_local(NetLoop& loop, const std::string& path,
                                                 LocalHandler handler) {
    auto server = std::make_unique<Server>(loop.impl().io, path, std::move(handler));
    TRIBUTARY_TRY(server->listen());
    return server;
}

Status ask_local(const std::string& path, ByteView request, const LocalFrame& frame,
                 std::uint32_t timeout_ms) {
    TRIBUTARY_ASSIGN(const sockaddr_un address, address_of(path));
    if (request.size() > kLocalFrameBytesMax)
        return fail(Errc::invalid, "a local request holds at most 1 MiB");
    const Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd.get() < 0) return system_error(Errc::exhausted, "cannot make a socket");
    timeval limit{};
    limit.tv_sec = timeout_ms / 1000;
    limit.tv_usec = static_cast<suseconds_t>(timeout_ms % 1000) * 1000;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (::connect(fd.get(), as_sockaddr(address), sizeof(address)) != 0) {
        const Errc code = errno == ENOENT || errno == ECONNREFUSED ? Errc::not_found
                          : errno == EACCES || errno == EPERM      ? Errc::denied
                                                                   : Errc::unavailable;
        return system_error(code, "nobody serves " + path);
    }
    TRIBUTARY_TRY(send_all(fd.get(), frame_of(0, request), path));
    Bytes bytes;
    for (;;) {
        std::array<std::uint8_t, kHeadBytes> head_bytes{};
        FrameHead head;
        TRIBUTARY_TRY(receive_all(fd.get(), head_bytes, path));
        if (!parse_head(head_bytes, head))
            return fail(Errc::invalid, "what serves " + path + " is not Tributary");
        if (head.channel == kLocalChannelEnd) return {};
        bytes.resize(head.bytes);
        TRIBUTARY_TRY(receive_all(fd.get(), bytes, path));
        TRIBUTARY_TRY(frame(head.channel, bytes));
    }
}

}  // namespace tributary
