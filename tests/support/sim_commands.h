// Shell commands that run on a simulated clock: how one behaves is decided by a function.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/env/command.h"
#include "tests/support/sim_clock.h"

namespace tributary::test {

class SimCommands final : public CommandRunner {
public:
    static constexpr std::uint64_t kForever = UINT64_MAX;
    struct Behaviour {
        int exit_code = 0;
        std::uint64_t takes_ms = 0;
        std::string output = "said something";
    };

    explicit SimCommands(SimClock& clock) : clock_(clock) {}

    // Asked at each start.
    std::function<Behaviour(const Command&)> behave = [](const Command&) { return Behaviour{}; };
    std::vector<Command> started;
    std::vector<int> signals;  // sent to any of them
    std::string says;          // what take_output() answers next
    std::size_t running = 0;

    Result<std::unique_ptr<RunningCommand>> start(const Command& command) override {
        started.push_back(command);
        return std::make_unique<Running>(*this, behave(command), command.timeout_ms);
    }

private:
    class Running final : public RunningCommand {
    public:
        Running(SimCommands& owner, Behaviour behaviour, std::uint64_t timeout_ms)
            : owner_(owner), behaviour_(behaviour), timeout_ms_(timeout_ms) {
            since_ = owner_.clock_.mono();
            owner_.running += 1;
        }
        ~Running() override { owner_.running -= 1; }

        std::optional<CommandResult> poll() override {
            const std::uint64_t ran_ms = owner_.clock_.mono().ms - since_.ms;
            if (behaviour_.takes_ms < timeout_ms_ && ran_ms >= behaviour_.takes_ms)
                return CommandResult{false, behaviour_.exit_code, 0, behaviour_.output};
            if (ran_ms >= timeout_ms_) return CommandResult{true, -1, 9, ""};
            return std::nullopt;
        }
        std::optional<CommandResult> wait(std::uint64_t) override { return poll(); }
        void send_signal(int number) override { owner_.signals.push_back(number); }
        std::string take_output() override { return std::exchange(owner_.says, {}); }

    private:
        SimCommands& owner_;
        const Behaviour behaviour_;
        const std::uint64_t timeout_ms_;
        MonoTime since_;
    };

    SimClock& clock_;
};

}  // namespace tributary::test
