// The part for people: tokens, decisions, revocation.
#include <algorithm>

#include "common/hash/hash.h"
#include "common/text/log.h"
#include "hub/enrol/device_name.h"
#include "hub/enrol/enrolment.h"

namespace tributary::hub {
namespace {

bool is_open(const Token& token, WallTime now) {
    return token.state == Token::State::open && token.expires > now;
}

}  // namespace

Status Enrolment::check_device(const std::string& device) const {
    if (ledger_.catalog().device(device)) return {};
    return fail(Errc::not_found,
                "no device is called '" + device + "'; `tributary device list` names them");
}

// ---- tokens ----

Result<NewToken> Enrolment::issue_token(const TokenOrder& order) {
    if (options_.door_url.empty())
        return fail(Errc::unsupported,
                    "boards have no door here: set [devices] listen and url in the hub's "
                    "configuration, and restart it");
    TRIBUTARY_TRY(check_group_name(order.group));
    if (!order.replaces.empty()) TRIBUTARY_TRY(check_device(order.replaces));
    if (order.expires_ms < kTokenMsMin || order.expires_ms > kTokenMsMax)
        return fail(Errc::invalid, "a token is good for a minute at least, and 366 days at most");
    const WallTime now = this->now();
    const auto open =
        std::ranges::count_if(ledger_.catalog().members().tokens(),
                              [&](const auto& one) { return is_open(one.second, now); });
    if (static_cast<std::size_t>(open) >= kOpenTokensMax)
        return fail(Errc::exhausted, std::to_string(open) +
                                         " tokens are open already; revoke some with `tributary "
                                         "device token-revoke`, or let them expire");

    trust::EnrolmentToken token;
    entropy_.fill(token.secret);
    token.authority = options_.door_authority.is_none() ? sha256(authority_.certificate())
                                                        : options_.door_authority;
    token.root = root_digest_();
    token.expires = {now.ms + order.expires_ms};
    token.url = options_.door_url;
    const Digest id = trust::token_id(token.secret);
    TRIBUTARY_TRY(ledger_.append(
        {TokenIssuedBody{id, order.group, order.replaces, token.expires, order.actor}}));
    log_info("token issued", {{"token", id.text()},
                              {"group", order.group},
                              {"replaces", order.replaces},
                              {"actor", order.actor}});
    return NewToken{id, trust::encode_token(token), token.expires};
}

Result<Digest> Enrolment::find_token(std::string_view text) const {
    if (text.starts_with("sha256:")) text.remove_prefix(7);
    std::vector<Digest> found;
    if (text.size() >= 4)
        for (const auto& [id, token] : ledger_.catalog().members().tokens())
            if (to_hex(id.bytes).starts_with(text)) found.push_back(id);
    if (found.size() == 1) return found.front();
    if (found.empty())
        return fail(Errc::not_found, "no token's id begins with '" + std::string(text) +
                                         "' (4 digits at least); `tributary device tokens` shows "
                                         "them");
    return fail(Errc::conflict,
                "several tokens' ids begin with '" + std::string(text) + "'; give more digits");
}

Status Enrolment::revoke_token(const Digest& id, const std::string& actor) {
    const Token* token = ledger_.catalog().members().token(id);
    if (!token) return fail(Errc::not_found, "there is no token " + id.text());
    if (token->state == Token::State::revoked) return {};
    if (token->state == Token::State::used)
        return fail(Errc::conflict, "the token let device '" + token->used_by +
                                        "' in already; `tributary device revoke " + token->used_by +
                                        "` cuts that one off");
    TRIBUTARY_TRY(ledger_.append({TokenRevokedBody{id, actor}}));
    log_info("token revoked", {{"token", id.text()}, {"actor", actor}});
    return {};
}

// ---- decisions ----

Result<Digest> Enrolment::find_key(std::string_view fingerprint) const {
    std::set<Digest> decided;
    for (const auto& [key, admission] : ledger_.catalog().members().admissions())
        decided.insert(key);
    return waiting_.find(fingerprint, decided);
}

Status Enrolment::decide(const Decision& decision) {
    const Members& members = ledger_.catalog().members();
    const std::string owner = members.device_of(decision.key);
    if (members.revocation_of(decision.key))
        return fail(Errc::denied, "that key was revoked, as one of device '" + owner +
                                      "'; let the board make a new one");
    if (const Member* member = members.member(owner);
        member && member->certificate_of(decision.key))
        return fail(
            Errc::conflict,
            "that key is device '" + owner + "' already" +
                (decision.accepted ? "" : "; `tributary device revoke " + owner + "` cuts it off"));
    TRIBUTARY_TRY(check_group_name(decision.group));
    if (!owner.empty() && !decision.device.empty() && decision.device != owner)
        return fail(Errc::conflict, "that key is device '" + owner + "', and becomes no other one");
    if (!decision.device.empty()) {
        TRIBUTARY_TRY(check_device_id(decision.device));
        const bool there = ledger_.catalog().device(decision.device) != nullptr;
        if (decision.replaces && !there) TRIBUTARY_TRY(check_device(decision.device));
        if (decision.device == trust::kHubCommonName ||
            (there && !decision.replaces && decision.device != owner) ||
            (!there && members.is_promised(decision.device)))
            return fail(Errc::conflict, "the name '" + decision.device +
                                            "' is taken; choose another one, or say --replaces if "
                                            "this board takes the place of that one");
    }
    const auto promised = std::ranges::count_if(
        members.admissions(), [](const auto& one) { return one.second.accepted; });
    if (decision.accepted && static_cast<std::size_t>(promised) >= kPromisesMax)
        return fail(Errc::exhausted,
                    std::to_string(promised) + " keys are accepted that did not come yet");
    TRIBUTARY_TRY(ledger_.append({AdmittedBody{decision.key, decision.device, decision.group,
                                               decision.accepted, decision.actor}}));
    log_info(
        decision.accepted ? "a key is accepted" : "a key is rejected",
        {{"key", decision.key.text()}, {"device", decision.device}, {"actor", decision.actor}});
    waiting_.remove(decision.key);
    return {};
}

// ---- revocation ----

Status Enrolment::revoke(const std::string& device, const std::string& actor,
                         const std::string& reason, bool retire) {
    TRIBUTARY_TRY(check_device(device));
    const Catalog& catalog = ledger_.catalog();
    std::vector<EntryBody> bodies;
    if (!catalog.members().revocation_of(device))
        bodies.push_back(RevokedBody{device, {}, actor, reason});
    if (retire && !catalog.device(device)->retired)
        bodies.push_back(RetiredBody{device, true, actor});
    if (bodies.empty()) return {};
    TRIBUTARY_TRY(ledger_.append(bodies));
    log_warn("device revoked", {{"device", device}, {"actor", actor}, {"reason", reason}});
    tell_changed(device);
    return {};
}

}  // namespace tributary::hub
