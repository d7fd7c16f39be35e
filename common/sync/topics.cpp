#include "common/sync/topics.h"

#include <array>

#include "common/base/ids.h"
#include "common/hash/hash.h"

namespace tributary::sync {
namespace {

constexpr std::string_view kPrefix = "tributary/1/";

std::string_view suffix_of(Direction direction) {
    return direction == Direction::up ? "up" : "down";
}

}  // namespace

std::uint8_t partition_of(std::string_view device) {
    return sha256_of("tributary/1/partition", as_bytes(device)).bytes[0];
}

std::string topic_of(std::string_view device, Direction direction) {
    TRIBUTARY_CHECK(check_device_id(device).has_value());
    std::string topic(kPrefix);
    topic += std::to_string(partition_of(device));
    topic += '/';
    topic += device;
    topic += '/';
    topic += suffix_of(direction);
    return topic;
}

std::string up_filter(std::uint8_t partition) {
    return std::string(kPrefix) + std::to_string(partition) + "/+/up";
}

std::string up_filter_all() { return std::string(kPrefix) + "+/+/up"; }

std::string cast_topics() { return std::string(kPrefix) + "cast/"; }

std::string cast_topic(std::uint64_t cast) {
    std::array<std::uint8_t, 8> id{};
    for (std::size_t i = 0; i < id.size(); ++i)
        id[i] = static_cast<std::uint8_t>(cast >> (8 * (id.size() - 1 - i)));
    return cast_topics() + to_hex(id);
}

Result<DeviceTopic> parse_topic(std::string_view topic) {
    if (topic.starts_with(kPrefix)) {
        const std::string_view rest = topic.substr(kPrefix.size());
        const auto first = rest.find('/');
        const auto last = rest.rfind('/');
        if (first != rest.npos && first < last) {
            DeviceTopic parsed{std::string(rest.substr(first + 1, last - first - 1)),
                               Direction::up};
            if (rest.substr(last + 1) == "down") parsed.direction = Direction::down;
            // Only the one spelling: the partition must be this device's, without leading zeros.
            if (check_device_id(parsed.device) &&
                topic_of(parsed.device, parsed.direction) == topic)
                return parsed;
        }
    }
    return fail(
        Errc::invalid,
        "'" + std::string(topic.substr(0, 200)) +
            "' is not a topic of ours; one is tributary/1/PARTITION/DEVICE/up or /down, with the "
            "partition that belongs to the device");
}

}  // namespace tributary::sync
