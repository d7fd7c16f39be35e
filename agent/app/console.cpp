#include "agent/app/console.h"

#include <cstdio>

#include "common/env/terminal.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kProgressEveryMs = 200;

}  // namespace

ProcessConsole::ProcessConsole(Clock& clock)
    : clock_(clock), shown_(clock.mono()), is_terminal_(stderr_is_terminal()) {}

ProcessConsole::~ProcessConsole() { clear_line(); }

void ProcessConsole::out(std::string_view text) {
    clear_line();
    failed_ |= std::fwrite(text.data(), 1, text.size(), stdout) != text.size();
}

void ProcessConsole::err(std::string_view text) {
    clear_line();
    (void)std::fwrite(text.data(), 1, text.size(), stderr);
}

void ProcessConsole::progress(std::string_view line) {
    if (!is_terminal_ || clock_.mono() < shown_ + kProgressEveryMs) return;
    shown_ = clock_.mono();
    line_shown_ = true;
    // Cut to one line of the narrowest usual terminal, then clear what was longer before.
    const std::string shown = "\r" + std::string(line.substr(0, 79)) + "\033[K";
    (void)std::fwrite(shown.data(), 1, shown.size(), stderr);
}

bool ProcessConsole::flush() {
    failed_ |= std::fflush(stdout) != 0;
    return !failed_;
}

void ProcessConsole::clear_line() {
    if (line_shown_) std::fputs("\r\033[K", stderr);
    line_shown_ = false;
}

}  // namespace tributary::agent
