// How often strangers of one address may knock, how often a device may fetch, and how much the log
// says of those that fail. Bounded, whoever knocks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/base/time.h"

namespace tributary::hub {

class DoorLimits {
public:
    static constexpr std::uint32_t kTriesAMinute = 10;
    // After so many in vain nothing of that address is looked at: each costs a signature or two.
    static constexpr std::uint32_t kLooksAMinute = 300;
    static constexpr std::uint32_t kAnswersAMinute = 6;
    static constexpr std::uint32_t kFetchesAMinute = 600;
    // To one address, that bring any; a site of boards asks when there is a new one.
    static constexpr std::uint32_t kRootAnswersAMinute = 1000;
    static constexpr std::uint32_t kLinesAMinute = 20;
    static constexpr std::size_t kAddressesMax = 4096;

    // One attempt to enrol or renew by somebody who proved nothing: neither that he is a device nor
    // that he was let in. A site of a thousand boards is one address, so those that prove it do not
    // count. False: too many of this address within a minute.
    bool admit(const std::string& address, MonoTime now);
    // Whether the next one would be one too many.
    bool is_spent(const std::string& address, MonoTime now) const;
    // Whether there were so many that no proof of this address is looked at any more.
    bool is_unheard(const std::string& address, MonoTime now) const;
    // One answer to a board that proved itself or waits, by what it is known by. Who says what was
    // good over and over gets no more than these.
    bool admit_answer(const std::string& board, MonoTime now);
    // One object was asked for, by a device that proved itself.
    void count_fetch(const std::string& device, MonoTime now);
    // Whether it has had those of this minute.
    bool has_fetched_enough(const std::string& device, MonoTime now) const;
    // One answer with root documents, to whoever asks.
    bool admit_roots(const std::string& address, MonoTime now);
    // Whether to log a refusal: how many were not logged since the last that was; nullopt: not now.
    std::optional<std::uint64_t> may_log(MonoTime now);

private:
    // Counts within a minute, then anew.
    struct Minute {
        MonoTime began;
        std::uint32_t count = 0;
        bool admit(MonoTime now, std::uint32_t most);
        bool is_over(MonoTime now) const;
    };
    using Minutes = std::map<std::string, Minute>;
    static bool admit(Minutes& minutes, const std::string& whose, MonoTime now, std::uint32_t most);
    static bool has_had(const Minutes& minutes, const std::string& whose, MonoTime now,
                        std::uint32_t most);

    Minutes tries_;    // by address
    Minutes answers_;  // by device, or by the key of a board that waits
    Minutes fetches_;  // by device
    Minutes roots_;    // by address
    Minute lines_;
    std::uint64_t unlogged_ = 0;
};

}  // namespace tributary::hub
