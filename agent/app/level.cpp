#include "agent/app/level.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kSlowLink = 64 * limits::KiB;  // bytes a second

}  // namespace

Result<codec::Level> level_for(const std::string& name,
                               std::optional<std::uint64_t> link_bytes_per_second) {
    if (name == "auto") {
        const bool slow = link_bytes_per_second && *link_bytes_per_second < kSlowLink;
        return slow ? codec::Level::max : codec::Level::standard;
    }
    const std::optional<codec::Level> level = codec::parse_level(name);
    if (!level)
        return fail(Errc::invalid, "'" + name + "' is not a level; use auto, fast, default or max");
    return *level;
}

}  // namespace tributary::agent
