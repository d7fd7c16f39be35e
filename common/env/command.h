// Running a shell command as a port: what a person wrote into the config to ask whether something
// works, or a program that is to run beside this one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace tributary {

struct Command {
    std::string shell;                                             // for /bin/sh -c
    std::vector<std::pair<std::string, std::string>> environment;  // beside our own
    std::uint64_t timeout_ms = 0;                                  // killed after it
    std::size_t output_bytes_max = 4096;  // of stdout and stderr together; the rest is dropped
};

struct CommandResult {
    bool timed_out = false;
    int exit_code = -1;  // -1 when it did not exit by itself
    int signal = 0;      // that ended it; 0 when it exited
    std::string output;  // its beginning
    bool good() const { return !timed_out && exit_code == 0; }
};

class RunningCommand {
public:
    // Kills it, with all that it started, unless it has ended.
    virtual ~RunningCommand() = default;
    // nullopt while it runs; never waits. Ask every so often: this also drains its output and kills
    // it when its time is over. Not again after it has answered.
    virtual std::optional<CommandResult> poll() = 0;
    // The same, but waits for its end, at most so long.
    virtual std::optional<CommandResult> wait(std::uint64_t at_most_ms) = 0;
    // To the command itself, not to what it started; nothing once poll() has answered.
    virtual void send_signal(int number) = 0;
    // What it has written since this was last asked, which the result then does not hold;
    // output_bytes_max is for what was written in between.
    virtual std::string take_output() = 0;
};

class CommandRunner {
public:
    virtual ~CommandRunner() = default;
    // Its stdin is empty. On the thread that polls it; it is killed when that thread ends.
    virtual Result<std::unique_ptr<RunningCommand>> start(const Command& command) = 0;
};

CommandRunner& system_commands();

}  // namespace tributary
