// Any name of a topic is refused, or is the one spelling of one device's: what a broker hands over
// is never taken for another device's word.
//
// Input: the name.
#include "common/base/ids.h"
#include "common/sync/topics.h"
#include "tests/fuzz/fuzz.h"

using namespace tributary;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes copy(data, data + size);  // so that the sanitizer sees a byte too far
    const std::string_view name = as_text(copy);
    const auto topic = sync::parse_topic(name);
    if (!topic) {
        TRIBUTARY_CHECK(topic.error().code == Errc::invalid && topic.error().what.size() < 500);
        return 0;
    }
    TRIBUTARY_CHECK(check_device_id(topic->device).has_value());
    TRIBUTARY_CHECK(sync::topic_of(topic->device, topic->direction) == name);
    TRIBUTARY_CHECK(name.find_first_of("+#") == name.npos);
    return 0;
}
