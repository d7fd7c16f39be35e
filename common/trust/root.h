// The root document: whom a deployment trusts for what (tributary::Root, common/record/document.h),
// signed by some of several keys that their owners keep offline.
//
// A device pins the first one it meets by the digest of its payload, and from then on takes one
// version at a time: N+1 must be signed by as many keys as N asks for, of those that N names, and
// by as many as N+1 itself asks for, of its own. So a stolen key below the threshold changes
// nothing, and keys are replaced without touching a device. Nothing here reads a clock.
#pragma once

#include <span>

#include "common/record/document.h"
#include "common/trust/trust.h"

namespace tributary::trust {

// What a device pins: SHA-256 of the payload, whoever signed it.
Digest root_digest(ByteView payload);

// invalid, saying which, when keys or names stand twice in a list, a threshold is 0 or can never be
// met, a hub's key may also sign roots or approvals, or it expires before it is issued. All below
// ask it.
Status check_root(const Root& root);

// The document with one signature; others add theirs to exactly these bytes.
Result<Bytes> sign_root(Signer& signer, const Root& root);
// conflict when this key signed it already; exhausted when it would pass limits::kRootBytesMax.
Result<Bytes> add_root_signature(Signer& signer, ByteView document);

struct VerifiedRoot {
    Root root;
    Digest digest;  // root_digest()
};

// The three below are denied, with a sentence for each reason, unless all signatures that count are
// there; unsupported when a root carries rules that this program does not know.
//
// The one that was pinned. Signed by its own threshold as well, so that one with which nobody could
// ever go on is refused at once.
Result<VerifiedRoot> verify_first_root(Verifier& verifier, const Digest& pinned, ByteView document);
// One step; conflict when it is not the version after `current`.
Result<VerifiedRoot> verify_next_root(Verifier& verifier, const Root& current, ByteView document);
// Step by step to the last of `documents`, none of which may be left out; exhausted when they are
// more than limits::kRootStepsMax.
Result<VerifiedRoot> verify_root_chain(Verifier& verifier, VerifiedRoot current,
                                       std::span<const Bytes> documents);

// Not part of verifying: what is installed runs on, history stays readable, and a later version is
// always accepted. New installs end. A root that says no time does not expire.
bool is_expired(const Root& root, WallTime now);
// Whether a key of `from` speaks for the hub no longer: what it told a device of numbers and times
// is then worth nothing, for a thief may have said it.
bool drops_hub_key(const Root& from, const Root& to);

}  // namespace tributary::trust
