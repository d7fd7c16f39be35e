// A device's side of a broadcast: says what it lacks, until it has everything.
//
// It holds parts of two generations at most; a third one takes the place of what was left behind.
// A report says all that the hub needs to know, so any of them may be lost: it comes when a
// generation is stored, when the end of a batch shows that something is lacking, and in silence,
// more and more rarely.
//
// Pure: no I/O, no clock. Its owner holds the bytes: 4 MiB at most, and what rebuilding takes.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/random.h"
#include "common/sync/cast_events.h"

namespace tributary::sync {

struct CatcherOptions {
    std::uint64_t silence_ms = 1'500;  // before a report is repeated, doubled each time in vain
    std::uint64_t silence_ms_max = 20'000;
    std::uint64_t abandoned_ms = 600'000;  // without any fragment: there is nobody any more
    std::uint32_t failures_max = 2;        // generations whose bytes were wrong
    std::uint32_t fragment_bytes_max = kFragmentBytesMax;
};

class Catcher {
public:
    Catcher(std::uint64_t cast, CatcherOptions options, std::uint64_t seed)
        : options_(options), random_(seed), cast_(cast) {}

    CatcherActions step(MonoTime now, CatcherEvent event);
    std::optional<MonoTime> next_deadline() const { return deadline_; }

    // Whether this fragment is worth opening. What was not opened is not an event.
    bool wants(const Fragment& fragment) const;

    std::uint32_t generations_held() const { return held_count_; }
    std::optional<std::uint32_t> generations() const { return total_; }  // once that is known
    bool is_whole() const { return state_ == State::whole; }

private:
    enum class State { taking_part, committing, whole, gone };
    struct Part {
        std::uint32_t generation = 0;
        std::uint32_t bytes = 0;
        GenerationShape shape;
        std::bitset<kFragmentsMax> have;
        std::uint32_t lacks = 0;
        std::uint32_t touched = 0;    // the greatest serial of a fragment of it
        std::uint32_t batch_end = 0;  // the serial with which its present batch ends
        std::uint32_t told_end = 0;   // the batch that it was last reported for
    };

    void on(const FragmentArrived& event);
    void on(GenerationStored& event);
    void on(const VersionCommitted& event);
    void on(const Unwanted&);
    void on(const Connected&);
    void on(const Disconnected&);
    void on(const Tick&);

    const Part* part_of(std::uint32_t generation) const;
    Part* room_for(const FragmentArrived& event);
    void report_ends();
    void report();
    void arm();
    void leave(bool whole);
    void commit_if_all_held();
    bool holds(std::uint32_t generation) const {
        return generation < held_.size() && held_[generation];
    }

    CatcherOptions options_;
    Random random_;
    CatcherActions out_;
    MonoTime now_;
    std::optional<MonoTime> deadline_;

    std::uint64_t cast_;
    State state_ = State::taking_part;
    bool connected_ = false;
    MonoTime heard_;  // of the last fragment, or when it began
    std::uint32_t silences_ = 0;
    std::uint32_t failures_ = 0;
    std::uint32_t number_ = 0;  // of the last report
    std::uint32_t seen_ = 0;
    std::vector<bool> held_;
    std::uint32_t held_count_ = 0;
    std::optional<std::uint32_t> total_;
    std::vector<Part> parts_;  // those with lacks 0 are being stored
};

}  // namespace tributary::sync
