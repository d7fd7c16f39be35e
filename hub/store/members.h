// Who may be a device here, and who no more: tokens, decisions about keys, certificates,
// revocations. Folded by the Catalog from the hub's own journals alone, in their order; holds no
// fact of its own. Bounded: of tokens and decisions the oldest go when there are too many, and what
// is forgotten grants nothing.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/record/entry.h"

namespace tributary::hub {

// What a revoked board is told, wherever it asks. By whom and why is nothing for who holds it now.
inline constexpr std::string_view kRevoked =
    "revoked: this board's key is believed no more; let it enrol anew, with a new key";

struct Token {
    enum class State : std::uint8_t { open, used, revoked };  // whether it expired, the clock says

    Digest id;  // SHA-256 of its secret
    std::string group;
    std::string device;  // the one that it replaces; empty: it is for a new one
    WallTime expires;
    std::string actor;
    HybridTime issued;
    State state = State::open;
    std::string used_by;  // a device
};

// What an operator decided about a key.
struct Admission {
    Digest key;
    std::string device;     // empty: the hub picks a name
    bool replaces = false;  // that device was there when it was decided
    std::string group;
    bool accepted = false;
    std::string actor;
    HybridTime time;
};

struct IssuedCertificate {
    Digest key;
    Bytes certificate;  // DER
    WallTime not_after;
    HybridTime time;
    bool renewed = false;  // for a certificate of before
    Bytes issuer_key;      // of the authority, as certificates identify it
};

struct Revocation {
    std::string actor;
    std::string reason;
    HybridTime time;
};

// What the hub said about one device.
struct Member {
    std::string group;
    std::vector<IssuedCertificate> certificates;  // the newest last, at most kCertificatesMax
    std::vector<Digest> keys;                     // all that were bound or certified
    // Of all its certificates, whatever became of them: the key, the serial number.
    std::vector<std::pair<Digest, Bytes>> serials;
    std::vector<Incarnation> journals;       // all that were bound
    std::vector<HybridTime> journals_since;  // when each was, the first time
    std::size_t revocation = 0;  // of all of them, while no other key was bound since; 0: none

    static constexpr std::size_t kCertificatesMax = 8;
    // nullptr: none that is remembered.
    const IssuedCertificate* certificate_of(const Digest& key) const;
};

class Members {
public:
    static constexpr std::size_t kTokensMax = 16'384;
    static constexpr std::size_t kAdmissionsMax = 16'384;

    // An entry of the hub's own journal, durable; kinds that say nothing of this are passed over.
    void apply(const EntryBody& body, HybridTime time);

    const Token* token(const Digest& id) const;
    const std::map<Digest, Token>& tokens() const { return tokens_; }
    // Of a key that has no device since.
    const Admission* admission(const Digest& key) const;
    const std::map<Digest, Admission>& admissions() const { return admissions_; }
    // Whether an accepted key is to have this name.
    bool is_promised(const std::string& device) const;

    // nullptr: the hub never bound or certified it.
    const Member* member(const std::string& device) const;
    // Which has or had this key, by an entry of the hub; empty: none.
    std::string device_of(const Digest& key) const;

    // nullptr: it is believed.
    const Revocation* revocation_of(const std::string& device) const;
    const Revocation* revocation_of(const Digest& key) const;
    const Revocation* revocation_of(const Incarnation& journal) const;
    // denied, with kRevoked, when one of the two was revoked.
    Status check_believed(const Digest& key, const Incarnation& journal) const;
    // Devices of which nothing is believed at present.
    const std::set<std::string>& revoked() const { return revoked_; }
    // Serial numbers of all certificates whose key was revoked, sorted: also those of a board that
    // another one has replaced.
    std::vector<Bytes> revoked_serials() const;

private:
    struct OfKey {
        std::string device;
        std::size_t revocation = 0;  // 1: revocations_[0]; 0: none
    };

    void bind(const DeviceBoundBody& body, HybridTime time);
    void issue(const TokenIssuedBody& body, HybridTime time);
    void certify(const CertifiedBody& body, HybridTime time);
    void revoke(const RevokedBody& body, HybridTime time);
    void decide(const AdmittedBody& body, HybridTime time);
    void forget_decision(const Digest& key);
    void own(Member& member, const std::string& device, const Digest& key);
    const Revocation* at(std::size_t number) const;

    std::map<Digest, Token> tokens_;
    std::deque<Digest> token_order_;  // the oldest first
    std::map<Digest, Admission> admissions_;
    std::deque<Digest> admission_order_;
    std::map<std::string, Member> members_;
    std::unordered_map<Digest, OfKey> keys_;
    std::unordered_map<Incarnation, std::size_t> revoked_journals_;
    std::deque<Revocation> revocations_;  // as many as operators pronounced
    std::set<std::string> revoked_;
};

}  // namespace tributary::hub
