// Whether the disk has room for an install.
#pragma once

#include <string>

#include "agent/sync/push_size.h"
#include "common/base/limits.h"
#include "common/env/files.h"

namespace tributary::agent {

// What an install leaves free, for the log and everything else.
inline constexpr std::uint64_t kSpaceReserveBytes = 4 * limits::MiB;

// For anything at all beside what runs; makes the model's folder. exhausted, with the figures.
Status has_any_room(Files& files, const std::string& model_dir);
// For so much in its slot and in the store, which may be on another disk; likewise.
Status has_room_for(Files& files, const PushSize& size, const std::string& model_dir,
                    const std::string& state_dir);

}  // namespace tributary::agent
