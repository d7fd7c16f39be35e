#include "common/net/unix_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "tests/integration/net/loop_runner.h"
#include "tests/support/temp_dir.h"

namespace tributary {
namespace {

using test::run_for;
using test::run_until;
using test::TempDir;

// Asks from a thread of its own, as another process would.
struct Asker {
    Asker(const std::string& path, std::string request, std::uint32_t timeout_ms = 3'000)
        : thread([=, this] {
              status = ask_local(
                  path, as_bytes(request),
                  [this](std::uint8_t channel, ByteView bytes) -> Status {
                      frames.emplace_back(channel, std::string(as_text(bytes)));
                      return {};
                  },
                  timeout_ms);
              done = true;
          }) {}
    ~Asker() { thread.join(); }
    Status status;
    std::vector<std::pair<std::uint8_t, std::string>> frames;
    std::atomic<bool> done = false;
    std::thread thread;
};

// A socket file that a dead process left.
void leave_stale_socket(const std::string& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ::close(fd);
}

TEST(LocalSocket, AnswersWithFramesOnSeveralChannels) {
    const TempDir directory;
    const auto loop = make_loop();
    const auto server = serve_local(*loop, directory / "s",
                                    [](const Bytes& request, std::unique_ptr<LocalReply> reply) {
                                        EXPECT_TRUE(reply->send(1, request));
                                        EXPECT_TRUE(reply->send(2, as_bytes("")));
                                        EXPECT_FALSE(reply->send(0, {}));
                                        EXPECT_FALSE(reply->send(kLocalChannelEnd, {}));
                                        reply->end();
                                    });
    ASSERT_TRUE(server) << server.error().what;
    const Asker asker(directory / "s", "status");
    ASSERT_TRUE(run_until(*loop, [&] { return asker.done.load(); }));
    ASSERT_TRUE(asker.status) << asker.status.error().what;
    ASSERT_EQ(asker.frames.size(), 2u);
    EXPECT_EQ(asker.frames[0], std::pair(std::uint8_t{1}, std::string("status")));
    EXPECT_EQ(asker.frames[1], std::pair(std::uint8_t{2}, std::string()));
}

TEST(LocalSocket, SaysWhenItsAnswersAreDelivered) {
    const TempDir directory;
    const auto loop = make_loop();
    std::unique_ptr<LocalServer> server;
    server =
        *serve_local(*loop, directory / "s", [&](const Bytes&, std::unique_ptr<LocalReply> reply) {
            for (int i = 0; i < 40; ++i) EXPECT_TRUE(reply->send(1, Bytes(100'000)));
            reply->end();
            reply.reset();
            server->when_delivered([&] { server.reset(); });
            EXPECT_TRUE(server);
        });
    const Asker asker(directory / "s", "log");
    ASSERT_TRUE(run_until(*loop, [&] { return asker.done.load(); }));
    EXPECT_TRUE(asker.status) << asker.status.error().what;
    EXPECT_EQ(asker.frames.size(), 40u);
    EXPECT_FALSE(server);
}

TEST(LocalSocket, ServesTwoClientsAtOnce) {
    const TempDir directory;
    const auto loop = make_loop();
    std::vector<std::unique_ptr<LocalReply>> kept;
    const auto server = serve_local(*loop, directory / "s",
                                    [&](const Bytes& request, std::unique_ptr<LocalReply> reply) {
                                        static_cast<void>(reply->send(1, request));
                                        kept.push_back(std::move(reply));
                                    });
    const Asker first(directory / "s", "one");
    const Asker second(directory / "s", "two");
    ASSERT_TRUE(run_until(*loop, [&] { return kept.size() == 2; }));
    for (const auto& reply : kept) reply->end();
    kept.clear();
    ASSERT_TRUE(run_until(*loop, [&] { return first.done && second.done; }));
    EXPECT_TRUE(first.status);
    EXPECT_TRUE(second.status);
    EXPECT_EQ(first.frames.at(0).second, "one");
    EXPECT_EQ(second.frames.at(0).second, "two");
}

TEST(LocalSocket, TellsTheClientThatAnAnswerIsNotWhole) {
    const TempDir directory;
    const auto loop = make_loop();
    const auto server =
        serve_local(*loop, directory / "s", [](const Bytes&, std::unique_ptr<LocalReply> reply) {
            static_cast<void>(reply->send(1, as_bytes("half")));
        });
    const Asker asker(directory / "s", "x");
    ASSERT_TRUE(run_until(*loop, [&] { return asker.done.load(); }));
    ASSERT_FALSE(asker.status);
    EXPECT_EQ(asker.status.error().code, Errc::unavailable);
    EXPECT_EQ(asker.frames.size(), 1u);
}

TEST(LocalSocket, GivesUpOnASilentDaemon) {
    const TempDir directory;
    const auto loop = make_loop();
    std::unique_ptr<LocalReply> kept;
    const auto server = serve_local(
        *loop, directory / "s",
        [&](const Bytes&, std::unique_ptr<LocalReply> reply) { kept = std::move(reply); });
    const Asker asker(directory / "s", "x", 100);
    ASSERT_TRUE(run_until(*loop, [&] { return asker.done.load(); }));
    EXPECT_EQ(asker.status.error().code, Errc::unavailable);
    EXPECT_TRUE(run_until(*loop, [&] { return kept && kept->gone(); }));
    EXPECT_FALSE(kept->send(1, as_bytes("late")));
}

TEST(LocalSocket, StopsFeedingAClientThatDoesNotRead) {
    const TempDir directory;
    const auto loop = make_loop();
    Status last;
    bool asked = false;
    const auto server =
        serve_local(*loop, directory / "s", [&](const Bytes&, std::unique_ptr<LocalReply> reply) {
            const Bytes block(kLocalFrameBytesMax);
            for (int i = 0; i < 100 && last; ++i) last = reply->send(1, block);
            asked = true;
        });
    const Asker asker(directory / "s", "x");
    ASSERT_TRUE(run_until(*loop, [&] { return asked && asker.done; }));
    EXPECT_EQ(last.error().code, Errc::exhausted);
}

TEST(LocalSocket, IsForThisUserOnly) {
    const TempDir directory;
    const auto loop = make_loop();
    bool asked = false;
    const auto server =
        serve_local(*loop, directory / "s", [&](const Bytes&, const auto&) { asked = true; });
    struct stat status {};
    ASSERT_EQ(::lstat((directory / "s").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    if (::geteuid() != 0) GTEST_SKIP() << "only root can try as somebody else";

    // Even when the modes would let it: the peer's user is asked for.
    ASSERT_EQ(::chmod(directory.path().c_str(), 0755), 0);
    ASSERT_EQ(::chmod((directory / "s").c_str(), 0666), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setuid(65534) != 0) ::_exit(9);
        const Status status_of = ask_local(
            directory / "s", as_bytes("x"), [](auto, auto) { return Status{}; }, 2'000);
        ::_exit(status_of ? 1 : 0);
    }
    int ended = 0;
    bool reaped = false;
    ASSERT_TRUE(run_until(*loop, [&] {
        reaped = reaped || ::waitpid(child, &ended, WNOHANG) == child;
        return reaped;
    }));
    EXPECT_EQ(WEXITSTATUS(ended), 0);
    EXPECT_FALSE(asked);
}

TEST(LocalSocket, ReplacesAStaleFileButNotALiveOneOrAnythingElse) {
    const TempDir directory;
    const auto loop = make_loop();
    const LocalHandler handler = [](const Bytes&, const auto&) {};
    leave_stale_socket(directory / "stale");
    EXPECT_EQ(ask_local(directory / "stale", {}, {}, 100).error().code, Errc::not_found);
    const auto first = serve_local(*loop, directory / "stale", handler);
    ASSERT_TRUE(first) << first.error().what;
    EXPECT_EQ(serve_local(*loop, directory / "stale", handler).error().code, Errc::conflict);

    std::ofstream(directory / "file") << "precious";
    EXPECT_EQ(serve_local(*loop, directory / "file", handler).error().code, Errc::conflict);
    EXPECT_EQ(std::ifstream(directory / "file").get(), 'p');
}

TEST(LocalSocket, RemovesItsFileWhenDestroyed) {
    const TempDir directory;
    const auto loop = make_loop();
    {
        const auto server = serve_local(*loop, directory / "s", [](const Bytes&, const auto&) {});
    }
    EXPECT_NE(::access((directory / "s").c_str(), F_OK), 0);
    EXPECT_EQ(ask_local(directory / "s", {}, {}, 100).error().code, Errc::not_found);
}

TEST(LocalSocket, RefusesAPathThatIsTooLong) {
    const auto loop = make_loop();
    EXPECT_EQ(serve_local(*loop, "/tmp/" + std::string(120, 'x'), {}).error().code, Errc::invalid);
}

}  // namespace
}  // namespace tributary
