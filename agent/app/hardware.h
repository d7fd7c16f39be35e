// Which machine this is, so that a store which wakes on another one (its card was moved or cloned)
// notices.
//
// Kept as hashes in `hardware.json` beside the store. A fact that is not known on both sides says
// nothing; the first kind of facts that is known on both decides: the board's serial number, else
// the permanent addresses of its network hardware, else the machine-id, which a cloned card takes
// along.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "common/base/result.h"
#include "common/env/files.h"

namespace tributary::agent {

struct Hardware {
    // "serial", "network", "machine": hashes, all of one kind of facts.
    std::map<std::string, std::set<std::string>> facts;
    // What only `older` knows of the same machine: root can read more than a daemon's user.
    void add_unknown(const Hardware& older) {
        facts.insert(older.facts.begin(), older.facts.end());
    }
    bool operator==(const Hardware&) const = default;
};

// Reads /proc, /sys and /etc below `root`; what cannot be read is left out.
Hardware read_hardware(Files& files, const std::string& root = "");

bool is_another(const Hardware& known, const Hardware& now);

// nullopt when nothing is noted yet, or what is noted cannot be read.
std::optional<Hardware> load_hardware(Files& files, const std::string& path);
Status save_hardware(Files& files, const std::string& path, const Hardware& hardware);

}  // namespace tributary::agent
