// What people are shown of each device's link, over a stop of the hub in good order: written once,
// when it ends, and taken once, when it starts. After a kill nothing is said rather than what is no
// longer so.
#pragma once

#include <map>
#include <string>

#include "common/base/time.h"
#include "common/env/files.h"

namespace tributary::hub {

struct LastHeard {
    WallTime message;
    WallTime receipt;  // given; 0: none that is known
    bool operator==(const LastHeard&) const = default;
};
using LastHeardOf = std::map<std::string, LastHeard>;  // by device

Status keep_last_heard(Files& files, const std::string& state_dir, const LastHeardOf& heard);
// Empty: nothing was kept, or it cannot be read.
LastHeardOf take_last_heard(Files& files, const std::string& state_dir);

}  // namespace tributary::hub
