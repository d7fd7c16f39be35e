#include "common/net/refused_topics.h"

namespace tributary {

std::string RefusedTopics::trouble(const std::string& topic, MonoTime now) const {
    const auto found = of_.find(topic);
    if (found == of_.end()) return {};
    const auto& [why, until, pause_ms] = found->second;
    if (until <= now) return why + "; it is tried again with the next message";
    const std::uint64_t minutes = (until.ms - now.ms + 59'999) / 60'000;
    return why + "; nothing is sent there for " + std::to_string(minutes) + " min";
}

std::string RefusedTopics::trouble(MonoTime now) const {
    if (of_.empty()) return {};
    const std::string text = trouble(of_.begin()->first, now);
    return of_.size() == 1
               ? text
               : text + "; and so it is with " + std::to_string(of_.size() - 1) + " more";
}

}  // namespace tributary
