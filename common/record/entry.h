// Journal entries: a fixed 114-byte header that is hashed and chained, and beside it a body in
// FlatBuffers.
//
//   header = u8 form (1), incarnation (16), u64 sequence (from 1), previous entry's hash (33; none
//   for sequence 1),
//            time (13), u64 fence (0 on a device), u16 kind, digest of the body (33) =
//            sha256_of("tributary/1/body", body)
//   hash   = sha256_of("tributary/1/entry", header)
//
// Entries hold ids, numbers and configured names only: what a person may ask to have erased lives
// in objects.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace tributary {

enum class EntryKind : std::uint16_t {
    start = 1,            // a journal begins
    commit = 2,           // a version became the head of a branch
    device_bound = 3,     // hub: incarnation → key → device
    ref_moved = 4,        // hub: a shared branch, tag or alias moved
    approved = 5,         // hub: a sealed approval was accepted
    assigned = 6,         // hub: a device was told to run a version
    install = 7,          // device: how an assignment went
    retired = 8,          // hub: a device is counted on no more, or again
    thinned = 9,          // device: a version was dropped before any hub had it
    key_changed = 10,     // device: the journal's key is another from here on
    token_issued = 11,    // hub: who holds the token may enrol one device
    token_used = 12,      // hub: it has been, and is worth nothing any more
    token_revoked = 13,   // hub: likewise, before it was used
    certified = 14,       // hub: a device was given a certificate
    revoked = 15,         // hub: a device, or one key of it, is believed no more
    admitted = 16,        // hub: an operator decided about a key that asks to enrol
    quarantined = 17,     // hub: nothing of a device is read any more, or it is again
    security_event = 18,  // either: something was refused that no sound peer sends
    root_followed = 19,   // hub: whom it believes is said by this root document from here on
};

struct EntryHeader {
    Incarnation incarnation;
    std::uint64_t sequence = 0;
    EntryHash previous;
    HybridTime time;
    std::uint64_t fence = 0;
    EntryKind kind{};  // unknown kinds are carried, never rejected
    Digest body;

    static constexpr std::size_t kBytes =
        1 + 16 + 8 + Digest::kStoredBytes + HybridTime::kStoredBytes + 8 + 2 + Digest::kStoredBytes;
    bool operator==(const EntryHeader&) const = default;
};
static_assert(EntryHeader::kBytes == 114);

// CHECKs that sequence and previous fit each other, and that incarnation and body are given.
Bytes encode_entry_header(const EntryHeader& header);
EntryHash entry_hash(ByteView header_bytes);
Digest body_digest(ByteView body);

// An entry as it is stored and sent: the header's 114 bytes, then the body.
struct EntryView {
    EntryHeader header;
    EntryHash hash;
    ByteView body;  // into the parsed buffer
};
// corrupt unless the header is canonical (only sequence 1 has no previous entry) and names exactly
// this body.
Result<EntryView> parse_entry(ByteView plain);

// ---- Bodies. One FlatBuffers table each (schemas/entry.fbs); verified with our limits before any
// field is read. ----

struct StartBody {
    Bytes public_key;       // this journal's P-256 key, SubjectPublicKeyInfo in DER
    Incarnation continues;  // none, or the journal this one goes on from
    std::uint64_t continues_sequence = 0;
    EntryHash continues_hash;
    std::string software;  // "tributary-agent 0.1.0"
    bool operator==(const StartBody&) const = default;
};
struct CommitBody {
    std::string repo;
    std::string branch;
    VersionId version;
    bool operator==(const CommitBody&) const = default;
};
struct DeviceBoundBody {
    std::string device;
    Incarnation incarnation;
    Bytes public_key;
    std::string group = {};
    bool operator==(const DeviceBoundBody&) const = default;
};
struct RefMovedBody {
    std::string repo;
    std::string ref;     // "main", "tags/v1", "@production"
    VersionId from;      // none when it is new
    VersionId to;        // none when it goes
    std::string reason;  // "merge", "cli"
    std::string actor;   // a configured name
    bool operator==(const RefMovedBody&) const = default;
};
struct ApprovedBody {
    std::string repo;
    VersionId version;
    Digest document;  // a record of kind document
    bool operator==(const ApprovedBody&) const = default;
};
struct AssignedBody {
    std::string device;
    std::uint64_t number = 0;
    std::string model;
    std::string repo;
    VersionId version;
    Digest document;  // the sealed assignment
    bool operator==(const AssignedBody&) const = default;
};
struct InstallBody {
    std::uint64_t number = 0;  // the assignment
    std::string model;
    VersionId version;  // what the assignment asked for
    std::string state;  // a device state of design section 9: "committed", "rolled_back", "failed",
                        // "rejected"
    VersionId running;  // what runs after it
    Digest running_content;  // content id of what runs, read back from the slot
    std::string detail;      // one word for a machine: "unproven", "health", "digest", ...
    bool operator==(const InstallBody&) const = default;
};
struct RetiredBody {
    std::string device;
    bool retired = true;  // false: it is back
    std::string actor;    // a configured name
    bool operator==(const RetiredBody&) const = default;
};
struct ThinnedBody {
    VersionId version;
    bool operator==(const ThinnedBody&) const = default;
};
// What both keys sign is trust::key_change_digest(); nothing here checks it.
struct KeyChangedBody {
    Digest old_key;    // trust::key_id() of the key in force so far
    Bytes public_key;  // DER of the one in force from the next entry on
    Bytes by_old;
    Bytes by_new;
    bool operator==(const KeyChangedBody&) const = default;
};
// A token is named by the SHA-256 of its secret.
struct TokenIssuedBody {
    Digest token;
    std::string group;
    std::string device;  // the only one that may use it; empty: a new one
    WallTime expires;
    std::string actor;  // a configured name
    bool operator==(const TokenIssuedBody&) const = default;
};
struct TokenUsedBody {
    Digest token;
    std::string device;
    bool operator==(const TokenUsedBody&) const = default;
};
struct TokenRevokedBody {
    Digest token;
    std::string actor;
    bool operator==(const TokenRevokedBody&) const = default;
};
struct CertifiedBody {
    std::string device;
    Digest key;          // trust::key_id() of the key in the certificate
    Bytes certificate;   // DER, at most limits::kCertificateBytesMax
    WallTime not_after;  // as the certificate says
    std::string why;     // one word: "enrolled", "renewed", "replaced"
    bool operator==(const CertifiedBody&) const = default;
};
struct RevokedBody {
    std::string device;
    Digest key;  // this one alone; none: all that the device had so far
    std::string actor;
    std::string reason;
    bool operator==(const RevokedBody&) const = default;
};
// About a key that asked to enrol without a token, or is going to ask.
struct AdmittedBody {
    Digest key;
    std::string device;  // empty: the hub picks a name
    std::string group;
    bool accepted = false;  // false: turned away
    std::string actor;
    bool operator==(const AdmittedBody&) const = default;
};
struct QuarantinedBody {
    std::string device;
    bool quarantined = true;  // false: it is heard again
    std::string reason;       // a sentence; empty when it is heard again
    std::string actor;        // a configured name; empty: the hub by itself
    bool operator==(const QuarantinedBody&) const = default;
};
// What was refused since the last entry of the same event and device. On a board from hub, broker
// or door; at a hub from a device, or from nobody in particular.
struct SecurityEventBody {
    std::string event;         // a word of common/record/security_event.h
    std::string device = {};   // hub: whose it was, if its key or its topic shows that
    std::uint64_t count = 1;   // at least 1
    std::string detail = {};   // why the last one was refused: a sentence
    std::string address = {};  // hub: where the last one came from
    bool operator==(const SecurityEventBody&) const = default;
};
// What the hub signs and takes from here on is by whom this root document names, until the next
// such entry; its version is greater in each.
struct RootFollowedBody {
    std::uint64_t version = 0;  // at least 1
    Digest root;                // trust::root_digest(): SHA-256 of its payload
    bool operator==(const RootFollowedBody&) const = default;
};
struct UnknownBody {
    EntryKind kind{};
    bool operator==(const UnknownBody&) const = default;
};

using EntryBody =
    std::variant<StartBody, CommitBody, DeviceBoundBody, RefMovedBody, ApprovedBody, AssignedBody,
                 InstallBody, RetiredBody, ThinnedBody, KeyChangedBody, TokenIssuedBody,
                 TokenUsedBody, TokenRevokedBody, CertifiedBody, RevokedBody, AdmittedBody,
                 QuarantinedBody, SecurityEventBody, RootFollowedBody, UnknownBody>;

EntryKind kind_of(const EntryBody& body);
// The same bytes for the same values. CHECKs that parse_body() would accept them: not UnknownBody,
// no text longer than 255 bytes, and present what schemas/entry.fbs calls required.
Bytes encode_body(const EntryBody& body);
// An unknown kind gives UnknownBody; corrupt when a known one does not verify. Lengths are checked,
// the grammar of names (check_repo_name() and so on) is not.
Result<EntryBody> parse_body(EntryKind kind, ByteView body);

}  // namespace tributary
