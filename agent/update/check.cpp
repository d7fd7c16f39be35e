#include "agent/update/check.h"

#include <algorithm>
#include <set>

#include "common/base/limits.h"
#include "common/trust/seal.h"

namespace tributary::agent {

Result<Assignment> verify_assignment(trust::Verifier& verifier, const Pins& pins,
                                     ByteView document) {
    if (document.size() > limits::kSignedDocumentBytesMax)
        return fail(Errc::invalid, "the assignment is larger than any may be");
    TRIBUTARY_ASSIGN(
        const SignedDocument sealed,
        trust::verify_document(verifier, pins.hub_keys, trust::kAssignmentPurpose, document));
    TRIBUTARY_ASSIGN(Assignment assignment, parse_assignment(sealed.payload));
    if (assignment.device != pins.device)
        return fail(Errc::denied, "the assignment is for device " + assignment.device +
                                      ", this is " + pins.device);
    return assignment;
}

Status verify_approvals(trust::Verifier& verifier, const Pins& pins, const Assignment& assignment,
                        std::span<const Bytes> documents, WallTime& latest) {
    std::set<Digest> approvers;  // by key: one person counts once, however often he signs
    std::string last_reason = "there is none";
    for (const Bytes& document : documents) {
        if (document.size() > limits::kSignedDocumentBytesMax) continue;
        const auto sealed =
            trust::verify_document(verifier, pins.approvers, trust::kApprovalPurpose, document);
        if (!sealed) {
            last_reason = sealed.error().what;
            continue;
        }
        const auto approval = parse_approval(sealed->payload);
        if (!approval || approval->repo != assignment.repo ||
            approval->version != assignment.version || approval->content != assignment.content) {
            last_reason = "it is about another version";
            continue;
        }
        approvers.insert(sealed->key);
        if (approval->time.quality == ClockQuality::synced)
            latest = std::max(latest, WallTime{approval->time.wall_ms});
    }
    if (approvers.size() < pins.approvals_needed || approvers.empty())
        return fail(Errc::denied,
                    "approved by " + std::to_string(approvers.size()) + " of " +
                        std::to_string(std::max(1u, pins.approvals_needed)) +
                        " approvers needed (last approval passed over: " + last_reason + ")");
    return {};
}

}  // namespace tributary::agent
