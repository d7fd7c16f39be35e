// Signed statements: the seal over a journal, and documents (receipt, approval, assignment) that
// travel as the bytes that were signed. FlatBuffers, schemas/document.fbs.
//
//   seal      record of kind seal. The hash tree's leaf is the head's entry hash, which binds
//   incarnation
//             and sequence; the signature covers the tree's root. One head alone: its leaf is the
//             tree.
//   receipt   record of kind receipt: a SignedDocument whose purpose is "tributary/1/receipt"
//   approval, assignment
//             records of kind document: a SignedDocument with the purpose of that name
//   root      a MultiSignedDocument whose purpose is "tributary/1/root" (common/trust/root.h)
//
// Checking one: parse the outer form, find the key, verify signed_digest() under the purpose that
// is expected (common/trust), and only then parse the payload. Nothing here verifies a signature.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace tributary {

// All encode functions give the same bytes for the same values, and answer invalid when a text is
// longer than 255 bytes, something required is missing, or the whole is longer than 1 MiB. All
// parse functions answer corrupt for anything else than that, and unsupported for a document that
// carries rules this program does not know.

struct Seal {
    Incarnation incarnation;
    std::uint64_t sequence = 0;  // of the head: everything up to it is sealed
    EntryHash head;
    Digest key;           // trust::key_id()
    std::string purpose;  // trust::kSealPurpose
    std::uint64_t leaf_index = 0;
    std::uint64_t leaf_count = 1;
    std::vector<Digest> path;  // from the leaf's sibling upwards; at most 64
    Bytes signature;
    bool operator==(const Seal&) const = default;
};
Result<Bytes> encode_seal(const Seal& seal);
Result<Seal> parse_seal(ByteView bytes);
// The root that the seal's signature covers; none when the path does not fit index and count.
Digest signed_digest(const Seal& seal);

struct SignedDocument {
    std::string purpose;
    Bytes payload;  // exactly as signed
    Digest key;
    Bytes signature;
    // Of many that one signature covers, as in a seal; one alone has no path.
    std::uint64_t leaf_index = 0;
    std::uint64_t leaf_count = 1;
    std::vector<Digest> path = {};
    bool operator==(const SignedDocument&) const = default;
};
Result<Bytes> encode_signed_document(const SignedDocument& document);
Result<SignedDocument> parse_signed_document(ByteView bytes);
// What the signature covers: sha256_of(purpose, payload), or the root of the tree whose leaf that
// is; none when the path does not fit index and count.
Digest signed_digest(const SignedDocument& document);

// One payload, signed by several keys. How many, and which, is for the reader to ask
// (common/trust).
struct MultiSignedDocument {
    struct Signature {
        Digest key;  // trust::key_id()
        Bytes signature;
        bool operator==(const Signature&) const = default;
    };

    std::string purpose;
    Bytes payload;                      // exactly as signed
    std::vector<Signature> signatures;  // by ascending key; at most limits::kSignaturesMax
    bool operator==(const MultiSignedDocument&) const = default;
};
// Puts the signatures in order; invalid when a key stands twice among them, as corrupt in parse_.
Result<Bytes> encode_multi_signed_document(MultiSignedDocument document);
Result<MultiSignedDocument> parse_multi_signed_document(ByteView bytes);
// sha256_of(purpose, payload).
Digest signed_digest(const MultiSignedDocument& document);

// The hub's word that it holds a journal up to a point; only it lets a device forget.
struct Receipt {
    struct Refused {
        Digest id;           // of a version, or an entry's hash
        std::string reason;  // for a person; names and numbers only
        bool operator==(const Refused&) const = default;
    };

    std::string device;
    Incarnation incarnation;
    std::uint64_t sequence = 0;  // entries 1 to this one are held; 0: none
    EntryHash head;              // of that entry; none when 0
    std::vector<VersionId> whole;
    std::vector<Refused> refused;
    Incarnation hub;  // the hub's journal, and how far it reached when it said this
    std::uint64_t hub_sequence = 0;
    EntryHash hub_head;
    std::uint64_t epoch = 0;
    bool operator==(const Receipt&) const = default;
};
Result<Bytes> encode_receipt(const Receipt& receipt);
Result<Receipt> parse_receipt(ByteView payload);

// A person's word that a version may run.
struct Approval {
    std::string repo;
    VersionId version;
    TreeId content;
    std::string approver;  // a configured name
    HybridTime time;
    bool operator==(const Approval&) const = default;
};
Result<Bytes> encode_approval(const Approval& approval);
Result<Approval> parse_approval(ByteView payload);

// The hub's word that a device shall run a version.
struct Assignment {
    std::uint64_t number = 0;  // grows per device, from 1
    std::string device;
    std::string model;
    std::string repo;
    VersionId version;
    TreeId content;
    std::string path;  // of one file in the tree, '/'-separated, valid names; empty: the whole tree
    Digest approval;   // name of the approval's record
    WallTime expires;
    bool operator==(const Assignment&) const = default;
};
Result<Bytes> encode_assignment(const Assignment& assignment);
Result<Assignment> parse_assignment(ByteView payload);

// Whom a deployment trusts for what. Purpose "tributary/1/root". Keys are SubjectPublicKeyInfo in
// DER, authorities certificates in DER. That keys differ and thresholds can be met is checked by
// trust::check_root(), not here.
struct Root {
    static constexpr std::size_t kListMax = 64;  // items of each list

    struct NamedKey {
        std::string name;  // a configured name
        Bytes key;
        bool operator==(const NamedKey&) const = default;
    };

    std::uint64_t version = 1;  // the next root document has the next number
    WallTime issued;
    WallTime expires;                 // ends new installs, nothing else
    std::vector<Bytes> keys;          // who may sign the next root
    std::uint32_t threshold = 1;      // how many of them must
    std::vector<NamedKey> approvers;  // may be empty: then nothing can be approved
    std::uint32_t approver_threshold = 1;
    std::vector<Bytes> hub_keys;     // who seals receipts, assignments and Hellos
    std::vector<Bytes> authorities;  // who issues certificates of TLS
    bool operator==(const Root&) const = default;
};
Result<Bytes> encode_root(const Root& root);
Result<Root> parse_root(ByteView payload);

}  // namespace tributary
