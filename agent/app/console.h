// Where a verb's words go: a terminal, a file, or later the client of the daemon.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/env/clock.h"

namespace tributary::agent {

class Console {
public:
    virtual ~Console() = default;
    virtual void out(std::string_view text) = 0;  // results
    virtual void err(std::string_view text) = 0;  // what went wrong and what to do
    // One line that replaces the one before; shown only to a person who waits.
    // Called between two uses of the store.
    virtual void progress(std::string_view line) = 0;
    // False when nobody waits for the answer any more: long work may end.
    virtual bool wanted() { return true; }
};

// stdout and stderr of this process. Progress goes to stderr, when that is a terminal.
class ProcessConsole final : public Console {
public:
    explicit ProcessConsole(Clock& clock);
    ~ProcessConsole() override;

    void out(std::string_view text) override;
    void err(std::string_view text) override;
    void progress(std::string_view line) override;
    // Whether all of stdout was taken: a result that nobody got is no success.
    bool flush();

private:
    void clear_line();

    Clock& clock_;
    MonoTime shown_;  // when progress was last shown
    bool is_terminal_ = false;
    bool line_shown_ = false;
    bool failed_ = false;
};

// Keeps what a verb of the daemon says.
class Capture final : public Console {
public:
    void out(std::string_view text) override { text_ += text; }
    void err(std::string_view text) override { error_ += text; }
    void progress(std::string_view) override {}
    const std::string& text() const { return text_; }
    const std::string& error() const { return error_; }

private:
    std::string text_;
    std::string error_;
};

}  // namespace tributary::agent
