#include "common/net/refused_topics.h"

namespace tributary {

std::string RefusedTopics::trouble(const std::string& topic, MonoTime now) const {
    const auto found = of_.find(topic);
    if (found == of_.end() || found->second.taken) return {};
    const Refusal& refusal = found->second;
    if (refusal.until <= now) return refusal.why + "; it is tried again with the next message";
    const std::uint64_t minutes = (refusal.until.ms - now.ms + 59'999) / 60'000;
    return refusal.why + "; nothing is sent there for " + std::to_string(minutes) + " min";
}

std::string RefusedTopics::trouble(MonoTime now) const {
    const std::string* last = nullptr;
    MonoTime at;
    std::size_t refused = 0;
    for (const auto& [topic, refusal] : of_) {
        if (refusal.taken) continue;
        ++refused;
        if (last && refusal.refused_at < at) continue;
        last = &topic;
        at = refusal.refused_at;
    }
    if (!last) return {};
    const std::string text = trouble(*last, now);
    return refused == 1 ? text
                        : text + "; and so it is with " + std::to_string(refused - 1) + " more";
}

}  // namespace tributary
