// A board's first contact: it shows its journal and key, and gets its device id and the keys it
// must pin.
//
// Asked again with the same key it gets the same answer; a new journal under a known key is bound
// to the same device.
#pragma once

#include "common/text/json.h"
#include "hub/config/config.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

class Contact {
public:
    // `approver_keys`: DER, as the configuration's files hold them.
    Contact(Ledger& ledger, const HubConfig& config, std::vector<Bytes> approver_keys)
        : ledger_(ledger), config_(config), approver_keys_(std::move(approver_keys)) {}

    // Body and answer of POST /api/v1/contact (schemas/openapi.json). invalid, or denied when the
    // proof is wrong.
    Result<Json> answer(const Json& request);

private:
    Result<std::string> device_for(const Incarnation& incarnation, const Bytes& public_key,
                                   const std::string& hint);

    Ledger& ledger_;
    const HubConfig& config_;
    std::vector<Bytes> approver_keys_;
};

}  // namespace tributary::hub
