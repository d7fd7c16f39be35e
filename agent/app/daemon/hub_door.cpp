#include "agent/app/daemon/hub_door.h"

#include <algorithm>
#include <span>
#include <utility>

#include "agent/trust/enrolment.h"
#include "common/text/log.h"
#include "common/trust/fetch.h"
#include "common/trust/renewal.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kLookEveryMs = 3'600'000;
constexpr std::uint64_t kRetryMs = 30'000;  // the mean after a failure
// Whatever broker and hub say of our certificate, the flash gets a new key so often at most.
constexpr std::uint64_t kRenewEveryMs = 24 * 3'600'000;
constexpr std::uint64_t kRenewRetryMs = 15 * 60'000;
constexpr std::uint64_t kRootEveryMs = 15'000;
constexpr std::uint64_t kAnswerBytesMax = 256 * 1024;
// Of root documents that a board missed, twice what a hub answers at once: more come with the next
// errand. It is read into memory, perhaps from a stranger.
constexpr std::uint64_t kRootsBytesMax = 1024 * 1024;
// Names nothing; only whether we may ask is asked.
constexpr std::string_view kProbeTarget =
    "/api/v1/object?kind=piece&name="
    "sha256:0000000000000000000000000000000000000000000000000000000000000000&version="
    "sha256:0000000000000000000000000000000000000000000000000000000000000000";

}  // namespace

HubDoor::HubDoor(Host host)
    : host_(std::move(host)), no_broker_(host_.node.world.entropy.number()) {}

void HubDoor::stop() {
    stopped_ = true;
    call_.reset();
    timer_.reset();
}

// ---- what to do, and when ----

void HubDoor::look() {
    troubles_.erase(Errand::probe);  // it speaks with us
    go_on();
}

void HubDoor::tell_new_journal() {
    due_.new_journal = true;
    go_on();
}

void HubDoor::on_turned_away(bool by_broker) {
    due_.turned_away = due_.ask_root = true;
    due_.by_broker = due_.by_broker || by_broker;
    go_on();
}

void HubDoor::on_unproven() {
    due_.ask_root = true;
    go_on();
}

void HubDoor::on_no_broker() {
    if (no_broker_.asks(host_.loop.now())) on_unproven();
}

void HubDoor::go_on() {
    if (stopped_) return;
    if (busy_) {
        again_ = true;
        return;
    }
    const MonoTime now = host_.loop.now();
    if (now < not_before_) return;
    busy_ = true;
    again_ = false;
    timer_.reset();
    auto job = std::make_shared<Job>();
    host_.queue.run(
        [self = shared_from_this(), job, due = due_, now](Store& store) {
            job->hastened = self->mind_issuer();
            job->errand = next_errand(due, *self->host_.node.trust, now);
            self->prepare(store, *job);
        },
        [self = shared_from_this(), job] {
            if (self->stopped_) return;
            if (job->hastened) {
                self->due_.renewal_not_before = {};
                self->again_ = true;
            }
            if (job->request)
                self->ask(job);
            else
                self->end(*job);
        });
}

HubDoor::Errand HubDoor::next_errand(const Due& due, const TrustKeeper& trust, MonoTime now) {
    if (due.new_journal) return Errand::new_journal;
    if (trust.lags() || (due.ask_root && now >= due.root_not_before)) return Errand::root;
    if (due.turned_away) return Errand::probe;
    const WallTime renew_after = trust.state().renew_after;
    const bool old = renew_after.ms != 0 && trust.now() >= renew_after;
    if ((due.must_renew || old) && now >= due.renewal_not_before) return Errand::renewal;
    return Errand::none;
}

// Once for each root document: whether its authorities are still those of our certificate. If they
// are not, its signers say so and no stranger: then it is renewed however lately it was.
bool HubDoor::mind_issuer() {
    TrustKeeper& trust = *host_.node.trust;
    const std::uint64_t version = trust.root()->root.version;
    if (minded_root_ == version) return false;
    const auto certificate =
        trust::load_certificate(host_.node.world.files, host_.node.config.key_path());
    const auto hastened = certificate ? trust.hasten_renewal(*certificate)
                                      : Result<bool>(tl::make_unexpected(certificate.error()));
    if (!hastened) {
        log_failure(LogLevel::warn, "whether this board must renew early", hastened.error());
        return false;
    }
    minded_root_ = version;
    return *hastened;
}

void HubDoor::prepare(Store& store, Job& job) {
    switch (job.errand) {
        case Errand::new_journal: job.outcome = prepare_new_journal(store, job); break;
        case Errand::root: job.outcome = prepare_root(job); break;
        case Errand::renewal: job.outcome = prepare_renewal(store, job); break;
        case Errand::probe: job.outcome = prepare_probe(job); break;
        case Errand::none: break;
    }
}

void HubDoor::ask(std::shared_ptr<Job> job) {
    call_ = http_call(host_.loop, *job->request,
                      [this, job](auto response) { answered(job, std::move(response)); });
}

// While we were away the authority that we know may have gone. Root documents prove themselves,
// whoever hands them out, so they are taken from one whom we do not believe as well; nothing else
// is, and nothing but our version is said to him.
bool HubDoor::may_ask_anyone(const Job& job, const Error& why) {
    return job.errand == Errand::root && why.code == Errc::denied && !job.request->trust.anyone;
}

void HubDoor::answered(std::shared_ptr<Job> job, Result<HttpClientResponse> response) {
    if (!response && may_ask_anyone(*job, response.error())) {
        job->unproven = std::move(response).error();
        job->request->trust = {};
        job->request->trust.anyone = true;
        return ask(std::move(job));
    }
    if (!response) {
        job->outcome = tl::make_unexpected(job->unproven.value_or(response.error()));
        return end(*job);
    }
    job->answered = true;
    job->status = response->status;
    job->body = std::move(response->body);
    host_.queue.run([self = shared_from_this(), job](Store& store) { self->settle(store, *job); },
                    [self = shared_from_this(), job] {
                        if (!self->stopped_) self->end(*job);
                    });
}

void HubDoor::settle(Store& store, Job& job) {
    switch (job.errand) {
        case Errand::new_journal: job.outcome = settle_new_journal(job); break;
        case Errand::root: job.outcome = settle_root(job); break;
        case Errand::renewal: job.outcome = settle_renewal(store, job); break;
        case Errand::probe: job.outcome = settle_probe(job); break;
        case Errand::none: break;
    }
}

void HubDoor::end(const Job& job) {
    busy_ = false;
    const MonoTime now = host_.loop.now();
    const bool renewal = job.errand == Errand::renewal;
    if (renewal) due_.renewal_not_before = now + (job.outcome ? kRenewEveryMs : kRenewRetryMs);
    if (job.pins) {
        host_.pins = *job.pins;
        host_.pins_changed(*job.pins);
    }
    if (job.key_changed) host_.key_changed();
    if (job.outcome) {
        troubles_.erase(job.errand);
        not_before_ = {};
        if (renewal) due_.must_renew = false;
        if (job.errand == Errand::root) {
            due_.ask_root = again_;  // for what came meanwhile the answer may be too old
            due_.root_not_before = now + kRootEveryMs;
        }
        if (job.errand == Errand::probe) {
            due_.turned_away = false;
            (due_.by_broker ? due_.must_renew : due_.new_journal) = true;
            due_.by_broker = false;
        }
        if (job.errand == Errand::new_journal) {
            due_.new_journal = false;
            host_.journal_known();
        }
    } else {
        tell_refused(job);
        note_trouble(job.errand, job.outcome.error());
        if (!renewal) not_before_ = now + kRetryMs / 2 + host_.node.world.entropy.below(kRetryMs);
    }
    if (job.outcome && job.errand != Errand::none) return go_on();
    const bool soon = !job.outcome || std::exchange(again_, false);
    MonoTime next = soon ? std::max(not_before_, now + 1'000) : now + kLookEveryMs;
    if (due_.renewal_not_before > now) next = std::min(next, due_.renewal_not_before);
    if (due_.ask_root)
        next = std::min(next, std::max({not_before_, due_.root_not_before, now + 1'000}));
    timer_ = host_.loop.at(next, [this] {
        due_.ask_root = true;
        go_on();
    });
}

// What a sound hub never shows; that it refuses us is its word and no attack.
void HubDoor::tell_refused(const Job& job) const {
    const Error& why = job.outcome.error();
    const bool wrong = why.code == Errc::denied || why.code == Errc::corrupt;
    if (!wrong || !host_.refused) return;
    if (job.unproven || (!job.answered && job.request))
        host_.refused(SecurityEvent::door_unproven, why.what);
    else if (job.errand == Errand::root && job.status == 200)
        host_.refused(SecurityEvent::root_refused, why.what);
}

// Said once, until it is another or none. A probe that is refused says why nobody takes us.
void HubDoor::note_trouble(Errand errand, const Error& error) {
    const bool probe = errand == Errand::probe;
    if (probe) due_.turned_away = due_.by_broker = false;  // asked again the next time
    if (probe && error.code != Errc::denied) return;
    std::string& kept = troubles_[errand];
    const std::string text =
        probe ? "the hub does not let this board in any more (" + error.what +
                    "); it goes on recording and running. If it should belong to the hub, enrol it "
                    "again with 'tributary-agent enroll --anew'"
              : error.what;
    if (text == kept) return;
    kept = text;
    if (probe)
        log_error("the hub does not let this board in any more", {{"why", error.what}});
    else
        log_failure(error.code == Errc::denied ? LogLevel::error : LogLevel::warn,
                    errand == Errand::renewal ? "no new certificate, trying on"
                    : errand == Errand::root  ? "no new root document, trying on"
                                              : "the hub does not know our new journal, trying on",
                    error);
}

HttpClientRequest HubDoor::request_of(std::string method, const std::string& target,
                                      std::uint64_t answer_bytes_max) const {
    HttpClientRequest request;
    request.method = std::move(method);
    request.url = host_.url + target;
    request.trust = host_.trust;
    request.body_bytes_max = answer_bytes_max;
    if (request.method == "POST") request.headers = {{"Content-Type", "application/json"}};
    return request;
}

// ---- root documents ----

Status HubDoor::prepare_root(Job& job) {
    const std::uint64_t ours = host_.node.trust->root()->root.version;
    job.request = request_of("GET", "/api/v1/root?after=" + std::to_string(ours), kRootsBytesMax);
    return {};
}

Status HubDoor::settle_root(Job& job) {
    Status followed = follow_roots(job);
    // Who shows nothing new is whom we do not believe, and no more; who shows a document that does
    // not prove itself is told as such.
    if (!job.unproven || job.followed) return followed;
    if (followed || job.status != 200) return tl::make_unexpected(*job.unproven);
    job.unproven.reset();
    return followed;
}

Status HubDoor::follow_roots(Job& job) {
    if (job.status != 200)
        return tl::make_unexpected(error_of_answer("its root documents", job.status, job.body));
    TRIBUTARY_ASSIGN(const std::vector<Bytes> documents, read_root_answer(job.body));
    TrustKeeper& trust = *host_.node.trust;
    const std::uint64_t before = trust.root()->root.version;
    const bool promised = trust.lags();
    Pins pins = host_.pins;
    Status taken =
        take_roots(trust, host_.node.world.files, host_.node.config.ca_path(), documents, pins);
    const std::uint64_t version = trust.root()->root.version;
    job.followed = version != before;
    if (job.followed)
        log_info("a new root document holds", {{"version", version}, {"before", before}});
    if (pins != host_.pins) {
        host_.uplink.set_pins(pins);
        job.pins = std::move(pins);
    }
    if (!taken) return taken;
    if (version == before && promised)
        return fail(Errc::denied, "the hub says that it has a newer root document than version " +
                                      std::to_string(before) + ", and shows none");
    return {};
}

// ---- the next certificate ----

KeySuccession HubDoor::succession(Store& store) const {
    const Node& node = host_.node;
    return {node.world.files, store, node.config, node.trust.get(), host_.passphrase.get()};
}

// While the key before the present one is needed there is no further one. Should the certificate
// be worth nothing meanwhile, for its authority has gone, another one of the same key brings us to
// the broker.
Status HubDoor::prepare_renewal(Store& store, Job& job) {
    job.same_key = host_.keys.former.has_value();
    if (job.same_key) return ask_certificate(store, job, *host_.keys.key);
    KeySuccession keys = succession(store);
    TRIBUTARY_ASSIGN(const Identity next, keys.prepare(host_.node.world.entropy));
    if (is_good(next)) return change_key(store, job);  // what a restart cut short
    return ask_certificate(store, job, *next.key);
}

// Its certificate may have come long ago: the authority that issued it may have gone since, or be
// about to.
bool HubDoor::is_good(const Identity& next) const {
    const TrustKeeper& trust = *host_.node.trust;
    const std::span<const Bytes> named = trust.root()->root.authorities;
    return next.says && next.says->is_valid_at(trust.now()) &&
           trust::verify_certificate(next.certificate, named.last(1), trust::CertificateUse::client)
               .has_value();
}

Status HubDoor::ask_certificate(Store& store, Job& job, trust::Signer& of) {
    TRIBUTARY_ASSIGN(const Bytes csr, trust::make_csr(of));
    const Incarnation journal = store.head().incarnation;
    trust::Signer& key = *host_.keys.key;
    TRIBUTARY_ASSIGN(
        const Bytes signature,
        key.sign(trust::kRenewalPurpose,
                 trust::renewal_digest(journal, trust::key_id(key.public_key()), csr)));
    Json body = Json::object({{"device", host_.pins.device},
                              {"incarnation", journal.text()},
                              {"csr", trust::to_pem(trust::kCsrLabel, csr)},
                              {"signature", to_hex(signature)}});
    if (host_.keys.former) {
        Json changes = Json::array();
        for (const Bytes& change : host_.keys.former->changes) changes.push(to_hex(change));
        body.set("key_changes", std::move(changes));
    }
    job.request = request_of("POST", "/api/v1/renew", kAnswerBytesMax);
    job.request->body = body.text();
    return {};
}

Status HubDoor::settle_renewal(Store& store, Job& job) {
    if (job.same_key) return settle_same_key(job);
    KeySuccession keys = succession(store);
    TRIBUTARY_ASSIGN(const Identity next, keys.prepare(host_.node.world.entropy));
    TRIBUTARY_ASSIGN(const Renewed renewed,
                     read_renewal_answer(host_.pins.device, host_.node.trust->root()->root,
                                         next.key->public_key(), job.status, job.body));
    TRIBUTARY_TRY(keys.keep_certificate(renewed.certificate));
    TRIBUTARY_TRY(host_.node.trust->note_renewal(renewed.renew_after));
    return change_key(store, job);
}

Status HubDoor::settle_same_key(Job& job) {
    const Node& node = host_.node;
    TRIBUTARY_ASSIGN(const Renewed renewed,
                     read_renewal_answer(host_.pins.device, node.trust->root()->root,
                                         host_.keys.key->public_key(), job.status, job.body));
    TRIBUTARY_TRY(node.trust->note_renewal(renewed.renew_after));
    const auto held = trust::load_certificate(node.world.files, node.config.key_path());
    if (held && *held == renewed.certificate) return {};
    TRIBUTARY_TRY(
        trust::put_certificate(node.world.files, node.config.key_path(), renewed.certificate));
    job.key_changed = true;
    log_info("this board has a new certificate for its key");
    return {};
}

Status HubDoor::change_key(Store& store, Job& job) {
    const Node& node = host_.node;
    KeySuccession keys = succession(store);
    TRIBUTARY_TRY(keys.change(*host_.keys.key));
    TRIBUTARY_ASSIGN(Identity now, load_identity(node.world.files, node.config.key_path(),
                                                 host_.passphrase.get()));
    TRIBUTARY_ASSIGN(host_.keys.former, keys.former());
    host_.keys.key = std::move(now.key);
    host_.uplink.set_signer(*host_.keys.key,
                            host_.keys.former ? host_.keys.former->key.get() : nullptr,
                            host_.keys.former ? host_.keys.former->until : 0);
    job.key_changed = true;
    log_info("this board has a new key and certificate",
             {{"good_until", to_text(now.says ? now.says->validity.not_after : WallTime{})}});
    return {};
}

// ---- a new journal ----

Status HubDoor::prepare_new_journal(Store& store, Job& job) {
    EnrolmentTarget target;
    target.url = host_.url;
    TRIBUTARY_ASSIGN(const Json request, enrolment_request(target, store.head().incarnation,
                                                           *host_.keys.key, host_.name, ""));
    job.request = request_of("POST", "/api/v1/enrol", kAnswerBytesMax);
    job.request->body = request.text();
    return {};
}

Status HubDoor::settle_new_journal(Job& job) {
    if (job.status == 202)
        return fail(Errc::unavailable, "the hub asks its operator about this board's new journal");
    if (job.status != 200)
        return tl::make_unexpected(error_of_answer("our new journal", job.status, job.body));
    TRIBUTARY_ASSIGN(const Json answer, parse_json(job.body));
    TRIBUTARY_ASSIGN(const std::string device, answer.text_at("device"));
    if (device == host_.pins.device) return {};
    return fail(Errc::denied, "the hub calls this board '" + device +
                                  "' with its new journal, and "
                                  "it was enrolled as '" +
                                  host_.pins.device + "'");
}

// ---- whether we are still believed ----

std::vector<HttpHeader> HubDoor::proof_of(const std::string& device, const JournalKeys& keys,
                                          const std::string& target) {
    const auto proof = keys.key->sign(trust::kFetchPurpose, trust::fetch_digest(target));
    if (!proof) return {};
    std::vector<HttpHeader> headers = {{std::string(trust::kFetchDeviceHeader), device},
                                       {std::string(trust::kFetchProofHeader), to_hex(*proof)}};
    if (!keys.former) return headers;
    std::string changes;
    for (const Bytes& change : keys.former->changes)
        changes += (changes.empty() ? "" : ",") + to_hex(change);
    headers.push_back({std::string(trust::kFetchKeyChangesHeader), std::move(changes)});
    return headers;
}

Status HubDoor::prepare_probe(Job& job) {
    const std::string target(kProbeTarget);
    job.request = request_of("GET", target, kAnswerBytesMax);
    job.request->headers = proof_of(host_.pins.device, host_.keys, target);
    return {};
}

// What does not exist cannot be had; who may not ask is told so.
Status HubDoor::settle_probe(Job& job) {
    if (job.status == 404 || job.status == 200) return {};
    return tl::make_unexpected(error_of_answer("this board", job.status, job.body));
}

}  // namespace tributary::agent
