// What a board that was enrolled asks of its hub's door, over HTTPS: newer root documents, the next
// certificate in time, that the hub takes its new journal, and, when the broker or the hub turns it
// away, why.
//
// One thing at a time, each tried again later when it fails. On the loop's thread; what touches
// store, keys and trust runs on the worker, which keeps it alive that long.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/app/daemon/broker_absence.h"
#include "agent/app/node.h"
#include "agent/sync/pins.h"
#include "agent/sync/security_log.h"
#include "agent/sync/store_queue.h"
#include "agent/sync/uplink.h"
#include "agent/trust/identity.h"
#include "agent/trust/key_succession.h"
#include "common/net/http_client.h"
#include "common/net/loop.h"

namespace tributary::agent {

// The journal's keys, on the worker: the one in force, and while entries before its change are not
// receipted the one before.
struct JournalKeys {
    std::unique_ptr<trust::Signer> key;
    std::optional<KeySuccession::Former> former;
};

class HubDoor : public std::enable_shared_from_this<HubDoor> {
public:
    struct Host {
        NetLoop& loop;
        StoreQueue& queue;
        Node& node;         // its store and trust: on the worker
        JournalKeys& keys;  // likewise
        Uplink& uplink;     // likewise
        const IdentityPassphrase& passphrase;
        std::string url;  // without the path
        TlsTrust trust;
        Pins pins;         // as they are at the start
        std::string name;  // what this board calls itself
        // Other keys count from now on; on the worker they do already.
        std::function<void(const Pins& pins)> pins_changed;
        // Or its certificate: the plan under way is to be made anew, by another connection.
        std::function<void()> key_changed;
        std::function<void()> journal_known;  // the hub knows our new journal
        OnRefused refused = {};
    };

    explicit HubDoor(Host host);

    // Ends what is under way. To be called before its owner lets go of it; what the worker still
    // does for it then ends unheard.
    void stop();

    // Looks what is due, now and from then on every hour. To be called when the hub was heard of.
    void look();
    // The journal is a new one, of which the hub must be told.
    void tell_new_journal();
    // The broker does not take us, or else the hub does not answer us: whether it still believes
    // us, and if so, by another certificate or by telling it of our journal once more.
    void on_turned_away(bool by_broker);
    // Who answers at the broker does not prove a key that we know: perhaps the root names another.
    void on_unproven();
    // The broker cannot be reached, or is not believed: perhaps the root names another authority.
    void on_no_broker();
    void on_broker() { no_broker_.is_over(); }
    // Why the hub does not want this board any more, or what else a person should see to; empty:
    // nothing.
    // A probe was refused.
    bool denied() const { return troubles_.contains(Errand::probe); }
    std::string trouble() const { return troubles_.empty() ? "" : troubles_.rbegin()->second; }

    // The headers by which the hub's door knows us. On the worker.
    static std::vector<HttpHeader> proof_of(const std::string& device, const JournalKeys& keys,
                                            const std::string& target);

private:
    // That the hub wants us no more, as a probe finds out, explains the rest: it stands last.
    enum class Errand : std::uint8_t { none, new_journal, root, renewal, probe };
    // One errand: prepared on the worker, asked on the loop, settled on the worker.
    struct Job {
        Errand errand = Errand::none;
        std::optional<HttpClientRequest> request;
        unsigned status = 0;
        std::string body;
        Status outcome;
        bool answered = false;
        std::optional<Error> unproven;  // why who answers is not believed; asked all the same
        std::optional<Pins> pins;       // changed
        bool same_key = false;          // the certificate that is asked for is of the key of now
        bool key_changed = false;
        bool followed = false;  // a newer root document
        bool hastened = false;  // the renewal, by one
    };

    void go_on();
    struct Due;
    static Errand next_errand(const Due& due, const TrustKeeper& trust, MonoTime now);
    bool mind_issuer();
    void prepare(Store& store, Job& job);
    void settle(Store& store, Job& job);
    void ask(std::shared_ptr<Job> job);
    static bool may_ask_anyone(const Job& job, const Error& why);
    void answered(std::shared_ptr<Job> job, Result<HttpClientResponse> response);
    void end(const Job& job);
    void tell_refused(const Job& job) const;
    void note_trouble(Errand errand, const Error& error);

    Status prepare_new_journal(Store& store, Job& job);
    Status prepare_root(Job& job);
    Status prepare_renewal(Store& store, Job& job);
    Status prepare_probe(Job& job);
    Status settle_new_journal(Job& job);
    Status settle_root(Job& job);
    Status follow_roots(Job& job);
    Status settle_renewal(Store& store, Job& job);
    bool is_good(const Identity& next) const;
    Status ask_certificate(Store& store, Job& job, trust::Signer& of);
    Status settle_same_key(Job& job);
    Status settle_probe(Job& job);
    Status change_key(Store& store, Job& job);
    KeySuccession succession(Store& store) const;

    HttpClientRequest request_of(std::string method, const std::string& target,
                                 std::uint64_t answer_bytes_max) const;

    // What is to be done when it is time for it.
    struct Due {
        bool new_journal = false;
        bool turned_away = false;
        bool by_broker = false;
        bool ask_root = true;     // also when nobody said that there is a newer one
        bool must_renew = false;  // the hub believes us, the broker does not: another certificate
        MonoTime root_not_before;
        MonoTime renewal_not_before;
    };

    Host host_;
    Due due_;
    BrokerAbsence no_broker_;
    bool busy_ = false;
    bool again_ = false;
    MonoTime not_before_;
    std::map<Errand, std::string> troubles_;  // of the last try of each
    std::unique_ptr<HttpCall> call_;
    std::unique_ptr<Timer> timer_;
    bool stopped_ = false;
    std::uint64_t minded_root_ = 0;  // on the worker
};

}  // namespace tributary::agent
