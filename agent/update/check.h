// Whether an assignment may be followed: the documents alone, without time, files or state.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "agent/sync/pins.h"
#include "common/record/document.h"
#include "common/trust/trust.h"

namespace tributary::agent {

// The assignment, once it is known to be our hub's and meant for this board. Until then it is
// nobody's word and is answered by nothing but a line in the log. denied: not sealed by the pinned
// hub key, or for another device; invalid: larger than any may be; corrupt: not an assignment.
Result<Assignment> verify_assignment(trust::Verifier& verifier, const Pins& pins,
                                     ByteView document);

// Success when `pins.approvals_needed` different pinned approvers approve this version with this
// content in this repository. Documents that do not count are passed over. `latest` becomes the
// greatest time that an approver with a synchronised clock gave.
Status verify_approvals(trust::Verifier& verifier, const Pins& pins, const Assignment& assignment,
                        std::span<const Bytes> documents, WallTime& latest);

}  // namespace tributary::agent
