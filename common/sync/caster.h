// The hub's side of a broadcast: one stream for all devices that run the same version and are to
// run the same next one.
//
//   gathering ─→ casting: pass 1, 2, 3 ─→ finishing ─→ over
//
// The stream is cut into generations, each of which stands alone. Two at most are under way. Of
// each the data fragments are published; when the devices have said how many they lack, as many new
// fragments as the worst of them needs: each of these mends a different loss at every device, so a
// repair costs the worst loss, not the sum of all. Who makes the others wait is put aside, and
// shares a further pass with those who joined late. What a single device lacks in the end is
// cheaper by its own push.
//
// Pure: no I/O, no clock. Holds some numbers for each device and two bytes for each generation.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sync/cast_events.h"

namespace tributary::sync {

struct CasterOptions {
    std::uint64_t gather_ms = 5'000;      // before it begins
    std::uint64_t join_ms = 15'000;       // who is invited and has not joined by then is left out
    std::uint64_t report_ms = 2'000;      // after a batch, for all reports; then those that came
    std::uint64_t straggler_ms = 20'000;  // that some may keep at least as many others waiting
    std::uint64_t silent_ms = 60'000;     // without any report
    std::uint64_t finish_ms = 60'000;     // for who has everything to say that it is whole
    std::uint32_t passes_max = 3;
};

struct CasterCounters {
    std::uint64_t fragments = 0;  // published
    std::uint64_t repairs = 0;    // of them: beyond the first ones of a generation in a pass
    std::uint64_t ignored = 0;    // reports that were old, or of nobody who takes part
    std::uint64_t put_aside = 0;  // times that a device was
};

class Caster {
public:
    explicit Caster(CasterOptions options) : options_(options) {}

    CasterActions step(MonoTime now, CasterEvent event);
    std::optional<MonoTime> next_deadline() const { return deadline_; }

    // Whether it is worth while to invite another device.
    bool accepts() const {
        return phase_ == Phase::gathering ||
               (phase_ == Phase::casting && pass_ < options_.passes_max);
    }
    // Invited and not finished: an ordinary push waits.
    bool serves(const std::string& device) const;
    struct Progress {
        std::uint32_t held = 0;                    // generations that the device has stored
        std::optional<std::uint32_t> generations;  // once all were made
    };
    std::optional<Progress> progress(const std::string& device) const;
    const CasterCounters& counters() const { return counters_; }
    std::size_t devices() const { return members_.size(); }

private:
    enum class Phase { gathering, casting, finishing, over };
    struct Member {
        enum class State { invited, active, aside, finished };
        State state = State::invited;
        MonoTime heard;            // or when it was invited
        std::uint32_t number = 0;  // of its last report
        std::uint32_t joined = 0;  // what was published up to this serial is not for it
        std::uint32_t seen = 0;    // the greatest serial that it saw
        std::vector<bool> held;    // generations
        std::vector<CastReport::Lack> lacks;
    };
    struct Known {
        std::uint32_t fragments = 0;   // of data
        std::uint32_t next_index = 0;  // goes round through all fragments that there are
    };
    struct Open {
        std::uint32_t generation = 0;
        bool prepared = false;
        std::uint32_t first_serial = 0;  // 0: none was published yet
        std::uint32_t sent = 0;          // in this pass
        std::uint32_t batch_left = 0;
        std::uint32_t batch_end = 0;         // serial of the batch's last fragment
        std::optional<MonoTime> batch_done;  // handed over
        std::optional<MonoTime> first_done;  // the first batch
    };
    // Of the devices that an open generation is for.
    struct Standing {
        std::vector<Member*> waiting;  // they lack some of it
        std::size_t holding = 0;
    };

    void on(Invited& event);
    void on(Withdrawn& event);
    void on(SessionRenewed& event);
    void on(Reported& event);
    void on(const Prepared& event);
    void on(const NotPrepared& event);
    void on(const Room& event);
    void on(const Connected& event);
    void on(const Disconnected& event);
    void on(const Tick&) {}

    void advance();
    void gather();
    void drop_silent();
    bool judge(Open& open);
    void finish_deaf(const Open& open);
    bool repair(Open& open, const Standing& standing);
    bool open_next();
    bool end_pass();
    void finish_up();
    void publish();
    void end_batch(Open& open);

    void finish(const std::string& device, Member& member, bool whole);
    void put_aside(const std::vector<Member*>& members);
    void close(std::uint32_t generation);
    void wake_at(MonoTime when);
    Standing standing_of(const Open& open);
    bool holds(const Member& member, std::uint32_t generation) const;
    bool holds_all(const Member& member) const;
    std::uint32_t lack_of(const Member& member, std::uint32_t generation) const;
    std::size_t lacking(std::uint32_t generation, bool also_aside) const;
    std::size_t count(Member::State state) const;
    bool is_lively(const Member& member) const;

    CasterOptions options_;
    CasterCounters counters_;
    CasterActions out_;
    MonoTime now_;
    std::optional<MonoTime> deadline_;

    Phase phase_ = Phase::gathering;
    bool link_up_ = true;
    MonoTime started_;  // the first invitation; later: since when we finish
    std::map<std::string, Member> members_;
    std::vector<Known> known_;            // generations that were prepared once
    std::optional<std::uint32_t> total_;  // how many there are
    std::uint32_t pass_ = 1;
    std::uint32_t cursor_ = 0;  // the next generation of this pass
    std::vector<Open> open_;
    std::optional<std::uint32_t> sending_;  // the generation whose batch has begun
    std::uint32_t serial_ = 0;
    std::uint32_t room_ = 0;
};

}  // namespace tributary::sync
