#include "hub/store/members.h"

#include <algorithm>

#include "common/trust/certificate.h"
#include "common/trust/trust.h"

namespace tributary::hub {
namespace {

// Makes room in `items`: the oldest that `may_go`, else the oldest.
template <class Item, class MayGo>
void make_room(std::map<Digest, Item>& items, std::deque<Digest>& order, std::size_t most,
               MayGo may_go) {
    if (items.size() < most) return;
    auto gone = std::ranges::find_if(order, [&](const Digest& id) { return may_go(items.at(id)); });
    if (gone == order.end()) gone = order.begin();
    items.erase(*gone);
    order.erase(gone);
}

}  // namespace

const IssuedCertificate* Member::certificate_of(const Digest& key) const {
    const auto found =
        std::find_if(certificates.rbegin(), certificates.rend(),
                     [&](const IssuedCertificate& issued) { return issued.key == key; });
    return found == certificates.rend() ? nullptr : &*found;
}

void Members::apply(const EntryBody& body, HybridTime time) {
    if (const auto* bound = std::get_if<DeviceBoundBody>(&body)) {
        bind(*bound, time);
    } else if (const auto* issued = std::get_if<TokenIssuedBody>(&body)) {
        issue(*issued, time);
    } else if (const auto* used = std::get_if<TokenUsedBody>(&body)) {
        if (const auto token = tokens_.find(used->token); token != tokens_.end()) {
            token->second.state = Token::State::used;
            token->second.used_by = used->device;
        }
    } else if (const auto* taken_back = std::get_if<TokenRevokedBody>(&body)) {
        if (const auto token = tokens_.find(taken_back->token); token != tokens_.end())
            token->second.state = Token::State::revoked;
    } else if (const auto* certified = std::get_if<CertifiedBody>(&body)) {
        certify(*certified, time);
    } else if (const auto* revoked = std::get_if<RevokedBody>(&body)) {
        revoke(*revoked, time);
    } else if (const auto* admitted = std::get_if<AdmittedBody>(&body)) {
        decide(*admitted, time);
    } else if (const auto* start = std::get_if<StartBody>(&body);
               start && !start->continues.is_none()) {
        // The end of the journal before may be lost, and with it who has used them.
        for (auto& [id, token] : tokens_)
            if (token.state == Token::State::open) token.state = Token::State::revoked;
    }
}

void Members::bind(const DeviceBoundBody& body, HybridTime time) {
    Member& member = members_[body.device];
    if (!body.group.empty()) member.group = body.group;
    if (std::ranges::find(member.journals, body.incarnation) == member.journals.end()) {
        member.journals.push_back(body.incarnation);
        member.journals_since.push_back(time);
    }
    const Digest key = trust::key_id(body.public_key);
    own(member, body.device, key);
    if (keys_[key].revocation == 0) {
        member.revocation = 0;
        revoked_.erase(body.device);
    }
    forget_decision(key);
}

// It has come true.
void Members::forget_decision(const Digest& key) {
    if (admissions_.erase(key) != 0) std::erase(admission_order_, key);
}

void Members::own(Member& member, const std::string& device, const Digest& key) {
    keys_[key].device = device;
    if (std::ranges::find(member.keys, key) == member.keys.end()) member.keys.push_back(key);
}

void Members::issue(const TokenIssuedBody& body, HybridTime time) {
    if (tokens_.contains(body.token)) return;
    make_room(tokens_, token_order_, kTokensMax, [&](const Token& token) {
        return token.state != Token::State::open || token.expires.ms <= time.wall_ms;
    });
    tokens_[body.token] = {.id = body.token,
                           .group = body.group,
                           .device = body.device,
                           .expires = body.expires,
                           .actor = body.actor,
                           .issued = time,
                           .used_by = {}};
    token_order_.push_back(body.token);
}

void Members::certify(const CertifiedBody& body, HybridTime time) {
    Member& member = members_[body.device];
    own(member, body.device, body.key);
    forget_decision(body.key);
    Bytes issuer_key;
    if (auto said = trust::parse_certificate(body.certificate)) {
        member.serials.emplace_back(body.key, std::move(said->serial));
        issuer_key = std::move(said->issuer_key_identifier);
    }
    if (member.certificates.size() == Member::kCertificatesMax)
        member.certificates.erase(member.certificates.begin());
    member.certificates.push_back({body.key, body.certificate, body.not_after, time,
                                   body.why == "renewed", std::move(issuer_key)});
}

void Members::revoke(const RevokedBody& body, HybridTime time) {
    revocations_.push_back({body.actor, body.reason, time});
    const std::size_t number = revocations_.size();
    const auto forbid = [&](const Digest& key) {
        std::size_t& revocation = keys_[key].revocation;
        if (revocation == 0) revocation = number;
    };
    Member& member = members_[body.device];
    if (!body.key.is_none()) {
        own(member, body.device, body.key);
        return forbid(body.key);
    }
    for (const Digest& key : member.keys) forbid(key);
    for (const Incarnation& journal : member.journals) revoked_journals_.emplace(journal, number);
    member.revocation = number;
    revoked_.insert(body.device);
}

void Members::decide(const AdmittedBody& body, HybridTime time) {
    if (!admissions_.contains(body.key)) {
        make_room(admissions_, admission_order_, kAdmissionsMax,
                  [](const Admission& admission) { return !admission.accepted; });
        admission_order_.push_back(body.key);
    }
    admissions_[body.key] = {
        body.key,   body.device,   !body.device.empty() && members_.contains(body.device),
        body.group, body.accepted, body.actor,
        time};
}

const Token* Members::token(const Digest& id) const {
    const auto found = tokens_.find(id);
    return found == tokens_.end() ? nullptr : &found->second;
}

const Admission* Members::admission(const Digest& key) const {
    const auto found = admissions_.find(key);
    return found == admissions_.end() ? nullptr : &found->second;
}

bool Members::is_promised(const std::string& device) const {
    return std::ranges::any_of(admissions_, [&](const auto& one) {
        return one.second.accepted && one.second.device == device;
    });
}

const Member* Members::member(const std::string& device) const {
    const auto found = members_.find(device);
    return found == members_.end() ? nullptr : &found->second;
}

std::string Members::device_of(const Digest& key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() ? std::string() : found->second.device;
}

const Revocation* Members::at(std::size_t number) const {
    return number == 0 ? nullptr : &revocations_[number - 1];
}

const Revocation* Members::revocation_of(const std::string& device) const {
    const Member* known = member(device);
    return known ? at(known->revocation) : nullptr;
}

const Revocation* Members::revocation_of(const Digest& key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() ? nullptr : at(found->second.revocation);
}

const Revocation* Members::revocation_of(const Incarnation& journal) const {
    const auto found = revoked_journals_.find(journal);
    return found == revoked_journals_.end() ? nullptr : at(found->second);
}

std::vector<Bytes> Members::revoked_serials() const {
    std::vector<Bytes> serials;
    for (const auto& [device, member] : members_)
        for (const auto& [key, serial] : member.serials)
            if (revocation_of(key)) serials.push_back(serial);
    std::ranges::sort(serials);
    return serials;
}

Status Members::check_believed(const Digest& key, const Incarnation& journal) const {
    if (!revocation_of(key) && !revocation_of(journal)) return {};
    return fail(Errc::denied, std::string(kRevoked));
}

}  // namespace tributary::hub
