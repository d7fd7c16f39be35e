// Makes the deployment of a secured hub (deployment.h) in an empty folder.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/trust/key_file.h"

namespace tributary::hub {

struct InitOptions {
    std::string directory;
    std::string name = "hub";
    // Under which boards and people reach this machine, names and addresses; the first one is what
    // boards are told. At least one.
    std::vector<std::string> hosts;
    std::string bind = "0.0.0.0";  // where the broker and the door for boards listen
    std::uint16_t api_port = 8460, devices_port = 8461, broker_port = 8883;
    std::uint32_t root_keys = 3, root_threshold = 2;
    std::vector<std::pair<std::string, std::string>> approvers;  // name, file of the public key
    std::vector<std::string> made_approvers;                     // names
    std::string user;  // under which the broker runs when root starts it
};

struct Initialised {
    std::string directory, config_path;
    std::string api_url, devices_url, broker_url;
    std::string ca_path;
    Digest root;                         // what boards pin
    std::vector<std::string> take_away;  // paths of keys that are not to stay
};

// What `init` says of a folder: not there or empty is a success. conflict: a deployment, the rest
// of one that was cut short, or something else; says which and what to do.
Status check_free(Files& files, const std::string& directory);
bool is_deployment(Files& files, const std::string& directory);

// A passphrase of 125 bits for a person to write down: five groups of five letters and digits.
std::string make_passphrase(Entropy& entropy);

// hub.toml is written last: without it no deployment is there. `passphrase` is for the keys that
// are taken away.
Result<Initialised> make_deployment(Files& files, Clock& clock, Entropy& entropy,
                                    const InitOptions& options,
                                    const trust::Passphrase& passphrase);

}  // namespace tributary::hub
