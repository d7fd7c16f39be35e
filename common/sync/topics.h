// Names of MQTT topics: tributary/1/<partition>/<device>/up and /down, and tributary/1/cast/<id> of
// a broadcast.
//
// The partition is the unit by which hub workers share the load: the first byte of
// sha256_of("tributary/1/partition", id). A topic whose partition does not fit its device is no
// topic of ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace tributary::sync {

enum class Direction : std::uint8_t { up, down };  // up: from the device

struct DeviceTopic {
    std::string device;
    Direction direction = Direction::up;
    bool operator==(const DeviceTopic&) const = default;
};

std::uint8_t partition_of(std::string_view device);

// CHECKs that the device id is valid.
std::string topic_of(std::string_view device, Direction direction);
// What a hub worker subscribes to for one partition, or for all of them.
std::string up_filter(std::uint8_t partition);
std::string up_filter_all();

// Of a broadcast: its id in 16 lower-case hexadecimal digits.
std::string cast_topic(std::uint64_t cast);
std::string cast_topics();  // with which all of these begin

// Of a device; invalid when it is not exactly one of ours.
Result<DeviceTopic> parse_topic(std::string_view topic);

}  // namespace tributary::sync
