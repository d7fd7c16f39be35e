#include "tests/support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <thread>

#include "common/base/result.h"
#include "tests/support/places.h"

namespace tributary::test {
namespace {

std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// In the child, between fork and exec: only what is safe there.
[[noreturn]] void become(char* const* args, char* const* environment, const char* out,
                         const char* err) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int in = ::open("/dev/null", O_RDONLY);
    const int out_fd = ::open(out, O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int err_fd = ::open(err, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (::dup2(in, 0) < 0 || ::dup2(out_fd, 1) < 0 || ::dup2(err_fd, 2) < 0) ::_exit(127);
    ::execvpe(args[0], args, environment);
    ::_exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& added) {
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string text = *entry;
        if (!added.contains(text.substr(0, text.find('=')))) all.push_back(text);
    }
    for (const auto& [name, value] : added) all.push_back(name + "=" + value);
    return all;
}

}  // namespace

Process::Process(std::vector<std::string> args,
                 const std::map<std::string, std::string>& environment) {
    TRIBUTARY_CHECK(!args.empty());
    if (!kEmulator.empty() && args[0].starts_with(program("")))
        args.insert(args.begin(), std::string(kEmulator));
    std::vector<std::string> variables = environment_with(environment);
    const std::string out = directory_ / "out";
    const std::string err = directory_ / "err";
    const auto arg_pointers = pointers(args);
    const auto variable_pointers = pointers(variables);
    pid_ = ::fork();
    TRIBUTARY_CHECK(pid_ >= 0);
    if (pid_ == 0) become(arg_pointers.data(), variable_pointers.data(), out.c_str(), err.c_str());
}

Process::~Process() {
    send_signal(SIGKILL);
    wait(milliseconds(10'000));
    // What a sanitizer found in a program fails the test, however the test judges its exit.
    const std::string said = err();
    if (said.find("Sanitizer") != std::string::npos ||
        said.find("runtime error:") != std::string::npos)
        ADD_FAILURE() << said;
}

void Process::send_signal(int number) {
    if (!ending_) ::kill(pid_, number);
}

std::optional<Ending> Process::wait(milliseconds timeout) {
    const auto ended = [this] {
        if (ending_) return true;
        int status = 0;
        const pid_t answer = ::waitpid(pid_, &status, WNOHANG);
        if (answer == pid_ && WIFSIGNALED(status)) ending_ = Ending{-1, WTERMSIG(status)};
        if (answer == pid_ && WIFEXITED(status)) ending_ = Ending{WEXITSTATUS(status), 0};
        return ending_.has_value();
    };
    eventually(ended, timeout);
    return ending_;
}

Ending Process::stop(milliseconds timeout) {
    send_signal(SIGTERM);
    if (wait(timeout)) return *ending_;
    send_signal(SIGKILL);
    return wait(timeout).value_or(Ending{});
}

std::string Process::out() const { return content_of(directory_ / "out"); }
std::string Process::err() const { return content_of(directory_ / "err"); }

bool Process::wait_for_output(const std::string& text, milliseconds timeout) {
    const auto shown = [&] {
        return err().find(text) != std::string::npos || out().find(text) != std::string::npos;
    };
    eventually([&] { return shown() || !running(); }, timeout);
    return shown();
}

Finished run(std::vector<std::string> args, const std::map<std::string, std::string>& environment,
             milliseconds timeout) {
    Process process(std::move(args), environment);
    Finished finished;
    if (const auto ending = process.wait(timeout))
        finished.ending = *ending;
    else {
        finished.timed_out = true;
        process.send_signal(SIGKILL);
        finished.ending = process.wait(timeout).value_or(Ending{});
    }
    finished.out = process.out();
    finished.err = process.err();
    return finished;
}

std::uint16_t free_port() {
    const int number = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    TRIBUTARY_CHECK(number >= 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    TRIBUTARY_CHECK(::bind(number, generic, length) == 0);
    TRIBUTARY_CHECK(::getsockname(number, generic, &length) == 0);
    ::close(number);
    return ntohs(address.sin_port);
}

std::string program(const std::string& name) { return in_build("bin/" + name); }

void pause(milliseconds duration) { std::this_thread::sleep_for(duration); }

}  // namespace tributary::test
