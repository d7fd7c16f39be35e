// Who becomes a device of a secured hub, and who is one no more. A board shows its key and either a
// token or an operator's word; it gets its id, a certificate for TLS, and what it must pin. All
// that is decided is an entry of the hub's journal before anyone is told.
//
// Asked again with the same key (the answer was lost) it gets the same answer. What is refused
// changes nothing but a counter. One thread.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/env/clock.h"
#include "common/trust/certificate.h"
#include "common/trust/token.h"
#include "hub/enrol/refusals.h"
#include "hub/enrol/waiting_list.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

// Whether a device that has proved its key is answered once more. Who says no counts it.
using MayAnswer = std::function<bool(const std::string& device)>;

struct EnrolRequest {
    Incarnation journal;
    Bytes csr;                         // DER
    std::string name;                  // what the board calls itself
    Bytes signature;                   // trust::contact_digest(), by the key in the CSR
    std::optional<Bytes> secret = {};  // of a token
    std::string group = {};            // the one it believes to be in; empty: any
    std::string peer = {};             // its address, for people
    bool may_wait = true;              // for an operator's word, if nobody let it in
    MayAnswer may_answer = {};         // of one that is a device already
};

struct RenewRequest {
    std::string device;
    Incarnation journal;
    Bytes csr;
    Bytes signature;  // trust::renewal_digest(), by the key in force
    // By which its journal has come to that key, as far as the hub may not have heard of it.
    std::vector<KeyChangedBody> key_changes = {};
    MayAnswer may_answer = {};
};

struct FetchProof {
    std::string device;
    Bytes signature;  // trust::fetch_digest(), by the key in force
    std::vector<KeyChangedBody> key_changes = {};
};

// By its key, in its journal.
struct ProvenBoard {
    std::string device;
    Incarnation journal;
    Digest key;
};

struct Credentials {
    std::string device;
    Bytes certificate;     // DER
    WallTime renew_after;  // two thirds of its life
};
// No token, and nobody decided yet.
struct Waiting {
    Digest key;
    bool again = false;  // it has asked before, and is on the list
};
using EnrolAnswer = std::variant<Credentials, Waiting>;

struct TokenOrder {
    std::string group;
    std::string replaces;                       // a device; empty: the token is for a new one
    std::uint64_t expires_ms = 24 * 3'600'000;  // from now on
    std::string actor;
};
struct NewToken {
    Digest id;
    std::string text;  // the secret is in it; it is kept nowhere here
    WallTime expires;
};

struct Decision {
    Digest key;
    bool accepted = false;
    std::string device;     // empty: the hub picks a name
    bool replaces = false;  // `device` is there already, and goes on on this board
    std::string group;
    std::string actor;
};

class Enrolment {
public:
    struct Options {
        std::string door_url;  // that tokens say; empty: none can be issued
        std::uint64_t device_life_ms = 730 * 86'400'000ull;
        // Denied at the broker, and this store does not know why.
        std::function<bool(const std::string& device)> unexplained = {};
        // Of the authority that the door's certificate is by (SHA-256 of its own), which tokens
        // pin; none: of the one that issues.
        Digest door_authority = {};
    };
    // A device was let in, revoked or replaced: its entry is durable.
    using Changed = std::function<void(const std::string& device)>;

    static constexpr std::uint64_t kTokenMsMin = 60'000;
    static constexpr std::uint64_t kTokenMsMax = 366 * 86'400'000ull;
    static constexpr std::size_t kOpenTokensMax = 10'000;
    static constexpr std::size_t kPromisesMax = 10'000;  // keys that are accepted and did not come
    static constexpr std::size_t kRenewalsADayMax = 4;   // of one device, with another key each
    static constexpr std::size_t kJournalsADayMax = 8;   // likewise, that it begins by itself

    // `root_digest`: of the newest root document's payload, whenever a token is issued.
    Enrolment(Ledger& ledger, trust::Authority& authority, Clock& clock, Entropy& entropy,
              Options options, std::function<Digest()> root_digest, Changed changed)
        : ledger_(ledger),
          authority_(authority),
          clock_(clock),
          entropy_(entropy),
          options_(std::move(options)),
          root_digest_(std::move(root_digest)),
          changed_(std::move(changed)) {}

    // ---- for boards ----
    Result<EnrolAnswer> enrol(const EnrolRequest& request);
    // A known certificate, expired or not, for one of a new key; or of the key that it has, while
    // the hub may not have heard of the change to it: the board cannot change it once more.
    Result<Credentials> renew(const RenewRequest& request);
    // Which device asked for `target` (common/trust/fetch.h).
    Result<ProvenBoard> check_fetch(const FetchProof& proof, std::string_view target);
    // Whether it is believed now: denied once it was revoked, or another board has its name.
    Status check_believed(const ProvenBoard& board);
    // Counts what did not get as far as a request. Always an error.
    // `device`: whose it was, when its key has shown that.
    tl::unexpected<Error> refuse(Refusal why, Errc code, std::string what, std::string device = {});
    // The last one that was refused and not asked for yet.
    struct Refused {
        Refusal why{};
        std::string what;
        std::string device;
    };
    std::optional<Refused> take_refused() { return std::exchange(last_refused_, std::nullopt); }

    // ---- for people ----
    Result<NewToken> issue_token(const TokenOrder& order);
    // The token that a person means by its id or its first digits.
    Result<Digest> find_token(std::string_view text) const;
    Status revoke_token(const Digest& id, const std::string& actor);
    // The key that a person means, of those that wait or were decided about (WaitingList::find()).
    Result<Digest> find_key(std::string_view fingerprint) const;
    Status decide(const Decision& decision);
    // Believed no more from here on, until it enrols with another key. `retire`: nor counted on.
    Status revoke(const std::string& device, const std::string& actor, const std::string& reason,
                  bool retire = false);
    const WaitingList& waiting() const { return waiting_; }
    // The hub's clock, and not before anything that its journal says.
    WallTime now() const;

    // ---- counted since start ----
    std::uint64_t refused(Refusal why) const { return refused_[static_cast<std::size_t>(why)]; }
    std::uint64_t enrolled() const { return enrolled_; }
    std::uint64_t renewed() const { return renewed_; }

private:
    // A board that has proved its key.
    struct Asker {
        const EnrolRequest& request;
        Bytes public_key;
        Digest key;
        std::string device;  // known by this key; empty: a new one
    };
    // By whose word it may.
    struct Grant {
        std::string device;  // empty: the one it is known as, or a new one
        std::string group;
        std::string actor;
        Digest token;  // none: by an operator's decision
    };

    Result<Asker> identify(const EnrolRequest& request);
    Result<Bytes> key_of_csr(ByteView csr);
    Result<EnrolAnswer> by_token(const Asker& asker);
    Result<EnrolAnswer> by_decision(const Asker& asker);
    Result<EnrolAnswer> known(const Asker& asker);
    Status bind_journal(const Asker& asker);
    Result<EnrolAnswer> admit(const Asker& asker, const Grant& grant);
    // The key in force in a journal, by which `signature` is. `what`: is not so, if it is not.
    Result<Digest> prove(const Incarnation& journal, std::span<const KeyChangedBody> changes,
                         std::string_view purpose,
                         const std::function<Digest(const Digest& key)>& statement,
                         ByteView signature, const std::string& what, const std::string& device);
    Result<const IssuedCertificate*> certificate_to_renew(const RenewRequest& request,
                                                          const Digest& in_force, ByteView new_key);
    bool tells_of_change(const RenewRequest& request, const Digest& in_force) const;
    bool is_good(const IssuedCertificate& held) const;
    const IssuedCertificate* certificate_of(const Asker& asker) const;
    Result<CertifiedBody> certify(const std::string& device, const Bytes& public_key,
                                  std::string why);
    Credentials credentials(const std::string& device, Bytes certificate, WallTime not_after) const;
    Status check_group(const std::string& wanted, const std::string& granted);
    Status check_device(const std::string& device) const;
    Status check_explained(const std::string& device);
    static Status check_answer(const MayAnswer& may_answer, const std::string& device);
    WallTime a_day_ago() const;
    void tell_changed(const std::string& device) {
        if (changed_) changed_(device);
    }

    Ledger& ledger_;
    trust::Authority& authority_;
    Clock& clock_;
    Entropy& entropy_;
    Options options_;
    std::function<Digest()> root_digest_;
    Changed changed_;
    WaitingList waiting_;
    std::array<std::uint64_t, kRefusals> refused_{};
    std::optional<Refused> last_refused_;
    std::uint64_t enrolled_ = 0;
    std::uint64_t renewed_ = 0;
};

}  // namespace tributary::hub
