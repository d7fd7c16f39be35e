// A command is a process group of its own, so that what it started can be killed with it.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "common/env/clock.h"
#include "common/env/command.h"

extern char** environ;

namespace tributary {
namespace {

// Until exec only calls that are safe between fork and exec in a program with threads.
[[noreturn]] void become(const char* shell_command, char* const* environment, int output) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    const int empty = ::open("/dev/null", O_RDONLY);
    if (empty >= 0) ::dup2(empty, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    char shell[] = "/bin/sh";
    char option[] = "-c";
    char* const arguments[] = {shell, option, const_cast<char*>(shell_command), nullptr};
    ::execve(shell, arguments, environment);
    ::_exit(127);
}

class PosixCommand final : public RunningCommand {
public:
    PosixCommand(pid_t pid, int output, const Command& command)
        : pid_(pid), output_(output), output_bytes_max_(command.output_bytes_max) {
        deadline_ = system_clock().mono() + command.timeout_ms;
    }
    PosixCommand(const PosixCommand&) = delete;
    PosixCommand& operator=(const PosixCommand&) = delete;
    ~PosixCommand() override {
        if (pid_ > 0) static_cast<void>(reap(kill_group()));
        ::close(output_);
    }

    std::optional<CommandResult> poll() override {
        drain();
        const bool late = system_clock().mono() >= deadline_;
        const auto status = late ? reap(kill_group()) : reap(WNOHANG);
        if (!status) return std::nullopt;
        drain();
        CommandResult result;
        result.timed_out = late && !WIFEXITED(*status);
        if (WIFEXITED(*status)) result.exit_code = WEXITSTATUS(*status);
        if (WIFSIGNALED(*status)) result.signal = WTERMSIG(*status);
        result.output = std::move(text_);
        return result;
    }

    std::optional<CommandResult> wait(std::uint64_t at_most_ms) override {
        const MonoTime until = system_clock().mono() + at_most_ms;
        while (true) {
            if (auto ended = poll()) return ended;
            if (system_clock().mono() >= until) return std::nullopt;
            ::poll(nullptr, 0, kWaitStepMs);
        }
    }

    void send_signal(int number) override {
        if (pid_ > 0) ::kill(pid_, number);
    }

    std::string take_output() override {
        drain();
        return std::exchange(text_, {});
    }

private:
    static constexpr int kWaitStepMs = 5;

    // Answers the options of waitpid() for a process that is certain to end: none.
    int kill_group() const {
        ::kill(-pid_, SIGKILL);
        ::kill(pid_, SIGKILL);  // if it has not made its group yet
        return 0;
    }

    std::optional<int> reap(int options) {
        int status = 0;
        pid_t ended = 0;
        do {
            ended = ::waitpid(pid_, &status, options);
        } while (ended < 0 && errno == EINTR);
        if (ended == 0) return std::nullopt;
        // Somebody else took its ending: all we know is that it is gone.
        if (ended < 0) status = SIGKILL;
        pid_ = -1;
        return status;
    }

    // Keeps the beginning, and drops the rest so that the command never waits for us.
    void drain() {
        std::array<char, 4096> block;
        for (int i = 0; i < 64; ++i) {
            const ssize_t got = ::read(output_, block.data(), block.size());
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return;
            const std::size_t room = output_bytes_max_ - text_.size();
            text_.append(block.data(), std::min(room, static_cast<std::size_t>(got)));
        }
    }

    pid_t pid_;
    const int output_;  // our end of the pipe, not blocking
    const std::size_t output_bytes_max_;
    MonoTime deadline_;
    std::string text_;
};

class PosixCommands final : public CommandRunner {
public:
    Result<std::unique_ptr<RunningCommand>> start(const Command& command) override {
        std::vector<std::string> texts = inherited(command);
        for (const auto& [name, value] : command.environment) texts.push_back(name + "=" + value);
        std::vector<char*> environment;
        for (std::string& text : texts) environment.push_back(text.data());
        environment.push_back(nullptr);

        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) return cannot_start();
        ::fcntl(ends[0], F_SETFL, O_NONBLOCK);  // our end only
        const pid_t pid = ::fork();
        if (pid == 0) become(command.shell.c_str(), environment.data(), ends[1]);
        const int fork_errno = errno;
        ::close(ends[1]);
        if (pid < 0) {
            ::close(ends[0]);
            errno = fork_errno;
            return cannot_start();
        }
        return std::make_unique<PosixCommand>(pid, ends[0], command);
    }

private:
    // Our own environment without what the command sets.
    static std::vector<std::string> inherited(const Command& command) {
        std::vector<std::string> texts;
        for (char** at = environ; *at != nullptr; ++at) {
            const std::string_view text = *at;
            bool set = false;
            for (const auto& [name, value] : command.environment)
                set = set || text.starts_with(name + "=");
            if (!set) texts.emplace_back(text);
        }
        return texts;
    }
    static tl::unexpected<Error> cannot_start() {
        return fail(Errc::unavailable,
                    std::string("cannot start a command: ") + std::strerror(errno) +
                        "; check the limits on processes, memory and open files",
                    errno);
    }
};

}  // namespace

CommandRunner& system_commands() {
    static PosixCommands commands;
    return commands;
}

}  // namespace tributary
