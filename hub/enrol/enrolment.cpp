// The part for boards: enrol, renew, fetch.
#include "hub/enrol/enrolment.h"

#include <algorithm>
#include <utility>

#include "common/hash/hash.h"
#include "common/text/log.h"
#include "common/trust/contact.h"
#include "common/trust/fetch.h"
#include "common/trust/renewal.h"
#include "hub/enrol/device_name.h"
#include "hub/store/journal_time.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kDayMs = 86'400'000;

// What a stranger calls itself, to be shown on a terminal.
std::string printable(std::string name) {
    for (char& c : name)
        if (c < ' ' || c > '~') c = '?';
    return name;
}

// One that was issued before another authority took over is given to nobody any more: who asks
// again may believe that one alone.
bool is_by(const trust::Authority& authority, const IssuedCertificate& held) {
    return trust::verify_certificate(held.certificate, std::span(&authority.certificate(), 1),
                                     trust::CertificateUse::client)
        .has_value();
}

// Where a renewal is under way its own answer brings the new one.
bool may_be_given(const trust::Authority& authority, const Member& member,
                  const IssuedCertificate& held) {
    return member.certificates.back().key != held.key || is_by(authority, held);
}

std::string group_text(const std::string& group) {
    return group.empty() ? "no group" : "group '" + group + "'";
}

}  // namespace

tl::unexpected<Error> Enrolment::refuse(Refusal why, Errc code, std::string what,
                                        std::string device) {
    ++refused_[static_cast<std::size_t>(why)];
    last_refused_ = Refused{why, what, std::move(device)};
    return fail(code, std::move(what));
}

WallTime Enrolment::now() const { return time_not_before_journal(clock_, ledger_); }

// ---- enrol ----

Result<EnrolAnswer> Enrolment::enrol(const EnrolRequest& request) {
    TRIBUTARY_ASSIGN(const Asker asker, identify(request));
    const Admission* admission = ledger_.catalog().members().admission(asker.key);
    if (admission && !admission->accepted)
        return refuse(Refusal::turned_away, Errc::denied,
                      "an operator turned this board away; `tributary device accept` with its "
                      "fingerprint takes that back");
    if (request.secret) return by_token(asker);
    if (certificate_of(asker)) {
        const Member* member = ledger_.catalog().members().member(asker.device);
        TRIBUTARY_TRY(check_group(request.group, member->group));
        return known(asker);
    }
    return by_decision(asker);
}

// Whose key it is, and that whoever asks holds it.
Result<Enrolment::Asker> Enrolment::identify(const EnrolRequest& request) {
    const Catalog& catalog = ledger_.catalog();
    if (auto named = check_group_name(request.group); !named)
        return refuse(Refusal::form, Errc::invalid, std::move(named).error().what);
    TRIBUTARY_ASSIGN(Bytes public_key, key_of_csr(request.csr));
    const Status proved = trust::bulk_verifier().verify(
        public_key, trust::kContactPurpose, trust::contact_digest(request.journal, public_key),
        request.signature);
    if (!proved)
        return refuse(Refusal::proof, Errc::denied,
                      "'signature' is not by the key of the request for a certificate, over this "
                      "journal");
    const Digest key = trust::key_id(public_key);
    if (auto believed = catalog.members().check_believed(key, request.journal); !believed)
        return refuse(Refusal::revoked, Errc::denied, std::move(believed).error().what,
                      catalog.members().device_of(key));
    // A key that a revoked journal went over to by itself was never certified, and is its board's.
    for (const Incarnation& journal : catalog.keys().journals_with(public_key))
        if (catalog.members().revocation_of(journal))
            return refuse(Refusal::revoked, Errc::denied, std::string(kRevoked),
                          catalog.device_of(journal));
    std::string device = catalog.device_with_key(public_key);
    if (device.empty() && !catalog.members().device_of(key).empty())
        return refuse(Refusal::replaced_key, Errc::denied,
                      "this key was replaced by a newer one of device '" +
                          catalog.members().device_of(key) +
                          "'; an older image was put back, or this is a copy of its card. Let it "
                          "enrol anew, with a new key",
                      catalog.members().device_of(key));
    const std::string owner = catalog.device_of(request.journal);
    if (catalog.is_own(request.journal) || (!owner.empty() && owner != device))
        return refuse(Refusal::journal, Errc::denied,
                      "journal " + request.journal.text() +
                          " is known under another key; begin a new one with the new key");
    return Asker{request, std::move(public_key), key, std::move(device)};
}

Result<Bytes> Enrolment::key_of_csr(ByteView csr) {
    auto key = trust::parse_csr(csr);
    if (!key) return refuse(Refusal::csr, key.error().code, "'csr': " + key.error().what);
    return key;
}

Status Enrolment::check_group(const std::string& wanted, const std::string& granted) {
    if (wanted.empty() || wanted == granted) return {};
    return refuse(Refusal::token_group, Errc::denied,
                  "this board says that it is of group '" + wanted + "', and it was let in for " +
                      group_text(granted));
}

// An operator's word lets it in again: a token for it, or a decision.
Status Enrolment::check_explained(const std::string& device) {
    if (!options_.unexplained || !options_.unexplained(device)) return {};
    return refuse(Refusal::revoked, Errc::denied,
                  "the broker denies device '" + device +
                      "', and this hub's store does not know why: it was put back from a backup, "
                      "or the broker's acl was changed; `tributary device show " +
                      device + "` tells an operator what to do",
                  device);
}

Status Enrolment::check_answer(const MayAnswer& may_answer, const std::string& device) {
    if (!may_answer || may_answer(device)) return {};
    return fail(Errc::unavailable, "device '" + device + "' asks again and again");
}

WallTime Enrolment::a_day_ago() const { return {now().ms - std::min(now().ms, kDayMs)}; }

Result<EnrolAnswer> Enrolment::by_token(const Asker& asker) {
    const Token* token = ledger_.catalog().members().token(trust::token_id(*asker.request.secret));
    if (!token)
        return refuse(Refusal::token_unknown, Errc::denied,
                      "this hub issued no such token; `tributary device token` makes one");
    if (token->state == Token::State::used) {
        // The answer was lost, and the same board asks again.
        if (token->used_by == asker.device && certificate_of(asker)) return known(asker);
        return refuse(Refusal::token_used, Errc::denied,
                      "the token was used already, by device '" + token->used_by +
                          "'; each lets one board in, have another one made");
    }
    if (token->state == Token::State::revoked)
        return refuse(Refusal::token_revoked, Errc::denied,
                      "the token was revoked; have another one made");
    if (token->expires <= now())
        return refuse(Refusal::token_expired, Errc::denied,
                      "the token expired at " + to_text(token->expires) +
                          "; have another one made with `tributary device token`");
    TRIBUTARY_TRY(check_group(asker.request.group, token->group));
    return admit(asker, {token->device, token->group, token->actor, token->id});
}

Result<EnrolAnswer> Enrolment::by_decision(const Asker& asker) {
    const Admission* admission = ledger_.catalog().members().admission(asker.key);
    if (!admission) {
        const bool again = waiting_.contains(asker.key);
        if (!asker.request.may_wait && !again)
            return refuse(
                Refusal::too_often, Errc::unavailable,
                "too many boards of this address ask to be let in; try again in a minute");
        waiting_.ask({.key = asker.key,
                      .journal = asker.request.journal,
                      .name = printable(asker.request.name),
                      .group = asker.request.group,
                      .device = asker.device,
                      .peer = asker.request.peer,
                      .since = now(),
                      .last = now()});
        return Waiting{asker.key, again};
    }
    TRIBUTARY_TRY(check_group(asker.request.group, admission->group));
    const bool taken = !admission->device.empty() && admission->device != asker.device &&
                       ledger_.catalog().device(admission->device);
    if (taken && !admission->replaces)
        return refuse(Refusal::name, Errc::conflict,
                      "another board has become device '" + admission->device +
                          "' meanwhile; let an operator accept this one under another name");
    return admit(asker, {admission->device, admission->group, admission->actor, {}});
}

// A device that asks again; its journal may be a new one.
Result<EnrolAnswer> Enrolment::known(const Asker& asker) {
    TRIBUTARY_TRY(check_explained(asker.device));
    TRIBUTARY_TRY(check_answer(asker.request.may_answer, asker.device));
    if (ledger_.catalog().device_of(asker.request.journal).empty())
        TRIBUTARY_TRY(bind_journal(asker));
    const IssuedCertificate& held = *certificate_of(asker);
    const Member& member = *ledger_.catalog().members().member(asker.device);
    if (may_be_given(authority_, member, held))
        return credentials(asker.device, held.certificate, held.not_after);
    TRIBUTARY_ASSIGN(CertifiedBody certified, certify(asker.device, asker.public_key, "renewed"));
    Credentials given = credentials(asker.device, certified.certificate, certified.not_after);
    TRIBUTARY_TRY(ledger_.append({std::move(certified)}));
    return given;
}

// It begins one where it lost the one before; one that does so without end fills ours.
Status Enrolment::bind_journal(const Asker& asker) {
    const Incarnation& journal = asker.request.journal;
    const Member* member = ledger_.catalog().members().member(asker.device);
    const auto lately = std::ranges::count_if(
        member->journals_since, [&](HybridTime since) { return since.wall_ms >= a_day_ago().ms; });
    if (static_cast<std::size_t>(lately) >= kJournalsADayMax)
        return refuse(Refusal::too_often, Errc::unavailable,
                      "device '" + asker.device + "' began " + std::to_string(lately) +
                          " journals within a day; try again tomorrow",
                      asker.device);
    TRIBUTARY_TRY(ledger_.append({DeviceBoundBody{asker.device, journal, asker.public_key}}));
    log_info("a device goes on in a new journal",
             {{"device", asker.device}, {"journal", journal.text()}});
    return {};
}

// Whatever it needs is one batch: a token is used once, and by whom is never in doubt.
Result<EnrolAnswer> Enrolment::admit(const Asker& asker, const Grant& grant) {
    const Catalog& catalog = ledger_.catalog();
    const Incarnation& journal = asker.request.journal;
    std::string device = grant.device.empty() ? asker.device : grant.device;
    if (!asker.device.empty() && device != asker.device)
        return refuse(Refusal::token_device, Errc::denied,
                      "it was let in as device '" + device +
                          "', and this board's key is that of "
                          "device '" +
                          asker.device + "'; give it a new key, or let it in as that one");
    if (device.empty()) {
        auto free = free_device_id(catalog, asker.request.name, journal);
        if (!free) return refuse(Refusal::name, free.error().code, free.error().what);
        device = *std::move(free);
    }
    const bool replaces = asker.device.empty() && catalog.device(device) != nullptr;
    const bool was_revoked = catalog.members().revocation_of(device) != nullptr;

    std::vector<EntryBody> bodies;
    if (!grant.token.is_none()) bodies.push_back(TokenUsedBody{grant.token, device});
    if (replaces && !was_revoked)
        bodies.push_back(RevokedBody{device, {}, grant.actor, "replaced by another board"});
    const Member* member = catalog.members().member(device);
    if (catalog.device_of(journal).empty() || !member || member->group != grant.group)
        bodies.push_back(DeviceBoundBody{device, journal, asker.public_key, grant.group});
    std::optional<Credentials> given;
    const IssuedCertificate* held = certificate_of(asker);
    if (held && may_be_given(authority_, *catalog.members().member(asker.device), *held)) {
        given = credentials(device, held->certificate, held->not_after);
    } else {
        TRIBUTARY_ASSIGN(CertifiedBody certified,
                         certify(device, asker.public_key, replaces ? "replaced" : "enrolled"));
        given = credentials(device, certified.certificate, certified.not_after);
        bodies.push_back(std::move(certified));
    }
    TRIBUTARY_TRY(ledger_.append(bodies));

    ++enrolled_;
    waiting_.remove(asker.key);
    log_info("device enrolled", {{"device", device},
                                 {"key", asker.key.text()},
                                 {"journal", journal.text()},
                                 {"by", grant.token.is_none() ? "decision" : "token"},
                                 {"replaces", replaces}});
    tell_changed(device);
    return *std::move(given);
}

const IssuedCertificate* Enrolment::certificate_of(const Asker& asker) const {
    const Member* member = ledger_.catalog().members().member(asker.device);
    return member ? member->certificate_of(asker.key) : nullptr;
}

Result<CertifiedBody> Enrolment::certify(const std::string& device, const Bytes& public_key,
                                         std::string why) {
    // Valid from 1970 on, for a board without a clock.
    const std::uint64_t latest_ms = trust::kAlways.not_after.ms;
    const WallTime not_after{std::min(now().ms / 1000 * 1000 + options_.device_life_ms, latest_ms)};
    TRIBUTARY_ASSIGN(Bytes certificate,
                     authority_.issue_device(entropy_, device, public_key,
                                             {trust::kAlways.not_before, not_after}));
    return CertifiedBody{device, trust::key_id(public_key), std::move(certificate), not_after,
                         std::move(why)};
}

Credentials Enrolment::credentials(const std::string& device, Bytes certificate,
                                   WallTime not_after) const {
    const std::uint64_t third = options_.device_life_ms / 3;
    return {device, std::move(certificate), {not_after.ms - std::min(third, not_after.ms)}};
}

// ---- renew ----

// As far as the hub holds the journal, and as the board says of the rest: each change by both keys.
Result<Digest> Enrolment::prove(const Incarnation& journal, std::span<const KeyChangedBody> changes,
                                std::string_view purpose,
                                const std::function<Digest(const Digest& key)>& statement,
                                ByteView signature, const std::string& what,
                                const std::string& device) {
    const Catalog& catalog = ledger_.catalog();
    const Digest known = trust::key_id(*catalog.key_of(journal));
    std::vector<std::string> refused;  // also those that the hub has heard of
    const Bytes key = *catalog.keys().shown(journal, changes, refused);
    const Digest in_force = trust::key_id(key);
    if (!trust::bulk_verifier().verify(key, purpose, statement(in_force), signature))
        return refuse(Refusal::proof, Errc::denied,
                      what + (refused.empty() ? "" : "; of its changes of key: " + refused.back()));
    for (const Digest& its : {known, in_force})
        if (auto believed = catalog.members().check_believed(its, journal); !believed)
            return refuse(Refusal::revoked, Errc::denied, std::move(believed).error().what, device);
    return in_force;
}

Result<Credentials> Enrolment::renew(const RenewRequest& request) {
    const Catalog& catalog = ledger_.catalog();
    const Device* device = catalog.device(request.device);
    if (device && catalog.members().revocation_of(request.journal))
        return refuse(Refusal::revoked, Errc::denied, std::string(kRevoked));
    if (!device || device->incarnations.empty() || device->incarnations.back() != request.journal)
        return refuse(Refusal::journal, Errc::denied,
                      "journal " + request.journal.text() + " is not the present one of device '" +
                          request.device + "'; let the board enrol with it first");
    const auto statement = [&](const Digest& key) {
        return trust::renewal_digest(request.journal, key, request.csr);
    };
    TRIBUTARY_ASSIGN(
        const Digest in_force,
        prove(request.journal, request.key_changes, trust::kRenewalPurpose, statement,
              request.signature,
              "'signature' is not by the key that is in force for device '" + request.device + "'",
              request.device));
    TRIBUTARY_TRY(check_explained(request.device));
    TRIBUTARY_ASSIGN(const Bytes new_key, key_of_csr(request.csr));
    TRIBUTARY_ASSIGN(const IssuedCertificate* held,
                     certificate_to_renew(request, in_force, new_key));
    TRIBUTARY_TRY(check_answer(request.may_answer, request.device));
    if (held && is_good(*held))
        return credentials(request.device, held->certificate, held->not_after);

    TRIBUTARY_ASSIGN(CertifiedBody certified, certify(request.device, new_key, "renewed"));
    Credentials given = credentials(request.device, certified.certificate, certified.not_after);
    TRIBUTARY_TRY(ledger_.append({std::move(certified)}));
    ++renewed_;
    log_info("certificate renewed",
             {{"device", request.device}, {"key", trust::key_id(new_key).text()}});
    return given;
}

// By which the journal came to this key: one that we have not heard of, or the board has no
// receipt.
bool Enrolment::tells_of_change(const RenewRequest& request, const Digest& in_force) const {
    const Catalog& catalog = ledger_.catalog();
    if (request.key_changes.empty()) return false;
    const KeyChangedBody& last = request.key_changes.back();
    return trust::key_id(*catalog.key_of(request.journal)) != in_force ||
           (trust::key_id(last.public_key) == in_force &&
            catalog.keys().holds(request.journal, last));
}

bool Enrolment::is_good(const IssuedCertificate& held) const {
    return held.not_after > now() && is_by(authority_, held);
}

// Whether one may be issued for this key; or the one that was: the answer was lost, or the board
// has no other key yet.
Result<const IssuedCertificate*> Enrolment::certificate_to_renew(const RenewRequest& request,
                                                                 const Digest& in_force,
                                                                 ByteView new_key) {
    const Members& members = ledger_.catalog().members();
    const Member& member = *members.member(request.device);
    const Digest key = trust::key_id(new_key);
    if (member.certificates.empty())
        return refuse(
            Refusal::not_certified, Errc::denied,
            "device '" + request.device + "' was never given a certificate; let the board enrol");
    if (key == in_force && tells_of_change(request, in_force))
        if (const IssuedCertificate* held = member.certificate_of(key)) return held;
    if (member.certificates.back().key == key && key != in_force)
        return &member.certificates.back();
    if (!members.device_of(key).empty())
        return refuse(Refusal::same_key, Errc::denied,
                      "a certificate is renewed for a new key, and this one was in use already",
                      request.device);
    const auto lately = std::ranges::count_if(member.certificates, [&](const auto& one) {
        return one.renewed && one.time.wall_ms >= a_day_ago().ms;
    });
    if (static_cast<std::size_t>(lately) >= kRenewalsADayMax)
        return refuse(Refusal::too_often, Errc::unavailable,
                      "device '" + request.device + "' was given " + std::to_string(lately) +
                          " certificates within a day; try again tomorrow",
                      request.device);
    return nullptr;
}

// ---- fetch ----

Result<ProvenBoard> Enrolment::check_fetch(const FetchProof& proof, std::string_view target) {
    const Device* device = ledger_.catalog().device(proof.device);
    if (!device || device->incarnations.empty())
        return refuse(Refusal::proof, Errc::denied,
                      "no device is called '" + proof.device + "' here; let the board enrol");
    ProvenBoard board{proof.device, device->incarnations.back(), {}};
    TRIBUTARY_ASSIGN(
        board.key, prove(
                       board.journal, proof.key_changes, trust::kFetchPurpose,
                       [&](const Digest&) { return trust::fetch_digest(target); }, proof.signature,
                       std::string(trust::kFetchProofHeader) + " is not the word of device '" +
                           proof.device + "' for this request",
                       proof.device));
    TRIBUTARY_TRY(check_explained(proof.device));
    return board;
}

Status Enrolment::check_believed(const ProvenBoard& board) {
    auto believed = ledger_.catalog().members().check_believed(board.key, board.journal);
    if (believed) return {};
    return refuse(Refusal::revoked, Errc::denied, std::move(believed).error().what, board.device);
}

}  // namespace tributary::hub
