// What this board learned when it met the hub, at enrolment or at its first contact, and holds on
// to: who it is there, and whose word counts. Of a board that was enrolled the root document says
// whose (agent/trust).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/env/files.h"
#include "common/text/json.h"
#include "common/trust/trust.h"

namespace tributary::agent {

struct Pins {
    std::string device;  // our id, given by the hub
    Incarnation hub;     // the hub's journal
    std::string hub_name;
    std::vector<Bytes> hub_keys;   // DER; receipts and assignments are sealed with one of them
    std::vector<Bytes> approvers;  // DER; of the people who may approve versions
    std::uint32_t approvals_needed = 1;
    // Where hub and broker are, of a board that was enrolled; what the config says counts more.
    std::string hub_url = {};
    std::string broker_url = {};
    bool operator==(const Pins&) const = default;
};

// The body of POST /api/v1/contact: journal, key, the name this board calls itself, and a proof
// that it holds the key.
Result<Json> contact_request(const Incarnation& incarnation, trust::Signer& signer,
                             const std::string& host_name);
// corrupt when the hub's answer lacks something or a key cannot be read.
Result<Pins> parse_contact_answer(const Json& answer);

// What of `answer` is not as pinned, in words: "the hub's key"; empty when all is as it was. The
// hub's display name may change.
std::string difference(const Pins& pinned, const Pins& answer);

// nullopt when there was no first contact yet; corrupt when the file is damaged.
Result<std::optional<Pins>> load_pins(Files& files, const std::string& path);
Status save_pins(Files& files, const std::string& path, const Pins& pins);

}  // namespace tributary::agent
