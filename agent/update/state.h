// What the installer keeps through a power cut, in a StateFile.
//
//   u8 form (2; 1 had no era), u64 greatest number seen, u64 time ratchet (wall ms), u64 era,
//   u16 count, for each slot that holds a version: text model, text slot, version (33), content
//   (33) u16 count, for each install: u16 length, rollout::encode_install()
//
// Texts as u16 length and bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/rollout/install.h"

namespace tributary::agent {

struct SlotMark {
    std::string model;
    std::string slot;
    VersionId version;
    TreeId content;  // as it was read back
    bool operator==(const SlotMark&) const = default;
};

struct InstallerState {
    // No assignment up to this number is taken again.
    std::uint64_t last_number = 0;
    // It is this late at least, as believed clocks said.
    WallTime ratchet;
    // To which both belong (agent/trust/trust_state.h); 0: this board was not enrolled.
    std::uint64_t era = 0;
    // Slots that are whole; what is not listed may hold anything.
    std::vector<SlotMark> marks;
    // Unfinished or not yet reported, by number; of each model the first is being worked on.
    std::vector<rollout::Install> installs;

    const SlotMark* mark(const std::string& model, const std::string& slot) const;
    void clear_mark(const std::string& model, const std::string& slot);
    bool operator==(const InstallerState&) const = default;
};

// CHECKs that an install, as encoded, is at most 64 KiB.
Bytes encode_installer_state(const InstallerState& state);
Result<InstallerState> parse_installer_state(ByteView bytes);

}  // namespace tributary::agent
