// Real programs as processes, for tests/integration.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temp_dir.h"

namespace tributary::test {

using std::chrono::milliseconds;

// Under a sanitizer or an emulator everything takes longer: every timeout here is multiplied by
// this.
inline constexpr int kPatience = TRIBUTARY_PATIENCE;
// What is measured then is theirs, not the program's.
inline constexpr bool kMeasurable = kPatience == 1;
// The program that runs those of this build, when this machine cannot. Else empty.
inline constexpr std::string_view kEmulator = TRIBUTARY_EMULATOR;

// How a program ended: its exit code, or the signal that killed it.
struct Ending {
    int exit_code = -1;
    int signal = 0;
    bool operator==(const Ending&) const = default;
};

// One running program. Killed (SIGKILL) when destroyed, and by the kernel when the thread that
// started it ends: start it from the test's own thread.
class Process {
public:
    // args[0] is the program: a path, or a name looked up in PATH; what program() names is run
    // through the emulator if there is one. `environment` is added to ours. When it cannot be run
    // it ends with exit code 127.
    explicit Process(std::vector<std::string> args,
                     const std::map<std::string, std::string>& environment = {});
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    pid_t pid() const { return pid_; }
    void send_signal(int number);
    // nullopt when it still runs after the timeout.
    std::optional<Ending> wait(milliseconds timeout);
    // SIGTERM, and SIGKILL when that does not end it in time.
    Ending stop(milliseconds timeout = milliseconds(10'000));
    bool running() { return !wait(milliseconds(0)); }

    // What it has written so far.
    std::string out() const;
    std::string err() const;
    // False when the text has not shown up on stderr or stdout within the timeout, or it ended.
    bool wait_for_output(const std::string& text, milliseconds timeout);

private:
    TempDir directory_;  // its stdout and stderr are files there: no pipe can fill up and block it
    pid_t pid_ = -1;
    std::optional<Ending> ending_;
};

struct Finished {
    Ending ending;
    std::string out, err;
    bool timed_out = false;  // and was killed
};
// Runs a program to its end.
Finished run(std::vector<std::string> args,
             const std::map<std::string, std::string>& environment = {},
             milliseconds timeout = milliseconds(60'000));

// A TCP port of the loopback that nobody uses now; somebody else may take it before you do.
std::uint16_t free_port();

// Where the programs of this build are: `program("tributary-agent")`.
std::string program(const std::string& name);

void pause(milliseconds duration);

// Asks every few milliseconds until the answer is true; false after the timeout.
template <class Predicate>
bool eventually(Predicate predicate, milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout * kPatience;
    while (!predicate()) {
        if (std::chrono::steady_clock::now() >= deadline) return false;
        pause(milliseconds(5));
    }
    return true;
}

}  // namespace tributary::test
