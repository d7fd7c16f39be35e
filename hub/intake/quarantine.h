// Counts what no sound agent sends, by what it proves; both counts are of an hour and in memory.
//
// What the device's own key proves leads to quarantine: nothing of the device is read until a
// person says so, and that stands in the hub's journal. Messages and records prove nothing about
// the device: whoever holds the broker can have made them. After too many its topic is set aside
// for a quarter of an hour, and then heard again by itself. Who did it could have dropped as much,
// so it gives him nothing, it ends with him, and it bounds what he costs here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "common/base/time.h"

namespace tributary::hub {

class Quarantine {
public:
    // `most` of either kind in an hour; 0: any number. `why`: as the journal says; empty: no
    // quarantine.
    explicit Quarantine(std::uint32_t most, std::string why = {})
        : most_(most), why_(std::move(why)) {}

    // Something that it said under its seal. True: the quarantine begins with it.
    bool offend(MonoTime now, const std::string& what);
    // A message or record that was wrong in itself. True: the topic is set aside from now on.
    bool suspect(MonoTime now, const std::string& what);
    // Messages of other sessions, and what was asked too often to be answered; likewise. A broken
    // link makes some; so does who plays back what was said.
    bool stray(MonoTime now, std::uint64_t messages);
    void lift(MonoTime now);

    bool is_heard(MonoTime now) const { return why_.empty() && !(now < aside_until_); }
    // Why it is in quarantine, as a part of a sentence of at most 255 bytes; empty: it is not.
    const std::string& why() const { return why_; }
    // Likewise why it was set aside last.
    const std::string& why_aside() const { return why_aside_; }
    // Whether the device is to be told that it is not heard: seldom, whatever it sends.
    bool tells(MonoTime now);

    static constexpr std::uint64_t kAsideMs = 15 * 60'000;
    static constexpr std::uint64_t kToldEveryMs = 15 * 60'000;

private:
    static constexpr std::uint64_t kStraysOfOneMessage = 50;

    struct Hour {
        MonoTime began;
        std::uint32_t count = 0;
        bool is_over_with_one_more(MonoTime now, std::uint32_t most);
    };

    std::uint32_t most_;
    Hour offences_;
    Hour suspects_;
    std::uint64_t strays_ = 0;  // not yet counted
    std::string why_;
    std::string why_aside_;
    MonoTime aside_until_;
    std::optional<MonoTime> told_;
};

}  // namespace tributary::hub
