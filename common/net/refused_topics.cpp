#include "common/net/refused_topics.h"

namespace tributary {

std::string RefusedTopics::trouble(const std::string& topic, MonoTime now) const {
    const auto found = of_.find(topic);
    if (found == of_.end() || found->second.taken) return {};
    const auto& [why, until, pause_ms, taken] = found->second;
    if (until <= now) return why + "; it is tried again with the next message";
    const std::uint64_t minutes = (until.ms - now.ms + 59'999) / 60'000;
    return why + "; nothing is sent there for " + std::to_string(minutes) + " min";
}

std::string RefusedTopics::trouble(MonoTime now) const {
    std::string text;
    std::size_t more = 0;
    for (const auto& [topic, refusal] : of_) {
        if (refusal.taken) continue;
        if (text.empty())
            text = trouble(topic, now);
        else
            ++more;
    }
    return more == 0 ? text : text + "; and so it is with " + std::to_string(more) + " more";
}

}  // namespace tributary
