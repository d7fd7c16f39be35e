// How often one address may try to get in, and how much the log says of those that fail. Bounded,
// whoever knocks.
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
    static constexpr std::uint32_t kLinesAMinute = 20;
    static constexpr std::size_t kAddressesMax = 4096;

    // One attempt to enrol or renew. False: too many of this address within a minute.
    bool admit(const std::string& address, MonoTime now);
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

    std::map<std::string, Minute> tries_;
    Minute lines_;
    std::uint64_t unlogged_ = 0;
};

}  // namespace tributary::hub
