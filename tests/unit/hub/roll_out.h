// Somebody approves a version that the hub has, and boards are told to run it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/trust/seal.h"
#include "hub/registry/registry.h"
#include "tests/support/sim_clock.h"

namespace tributary::test {

inline void roll_out(hub::Ledger& ledger, Clock& clock, const VersionId& version,
                     const std::vector<std::string>& devices, const std::string& model = "model") {
    SimEntropy entropy(9);
    const auto approver = trust::generate_key(entropy).value();
    hub::Registry registry(ledger, clock, {approver->public_key()}, 1);
    const hub::KnownVersion& known = *ledger.catalog().version(version);
    Approval approval;
    approval.repo = known.repo;
    approval.version = version;
    approval.content = known.version.tree;
    approval.approver = "tester";
    const auto document =
        trust::sign_document(*approver, trust::kApprovalPurpose, encode_approval(approval).value());
    ASSERT_TRUE(registry.approve(document.value()));
    ASSERT_TRUE(registry.assign(model, version, devices, true));
}

}  // namespace tributary::test
