// A secured hub as a board sees it: its keys, its authority, its root documents and its answers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/trust/enrolment.h"
#include "agent/trust/identity.h"
#include "common/hash/hash.h"
#include "common/trust/certificate.h"
#include "tests/support/sim_clock.h"

namespace tributary::test {

struct SecuredHub {
    explicit SecuredHub(std::uint64_t seed = 1)
        : entropy(seed),
          keeper(*trust::generate_key(entropy)),
          hub(*trust::generate_key(entropy)),
          approver(*trust::generate_key(entropy)),
          authority(
              *trust::Authority::create(*trust::generate_key(entropy), entropy, "authority")) {
        root.version = 1;
        root.issued = {agent::TrustKeeper::kBuilt.ms};
        root.keys = {keeper->public_key()};
        root.threshold = 1;
        root.approvers = {{"quality", approver->public_key()}};
        root.approver_threshold = 1;
        root.hub_keys = {hub->public_key()};
        root.authorities = {authority.certificate()};
    }

    Bytes document() { return *trust::sign_root(*keeper, root); }
    static Digest digest_of(const Bytes& document) {
        return trust::root_digest(parse_multi_signed_document(document)->payload);
    }

    trust::EnrolmentToken token() {
        trust::EnrolmentToken token;
        token.secret.fill(7);
        token.authority = sha256(authority.certificate());
        token.root = digest_of(document());
        token.expires = {agent::TrustKeeper::kBuilt.ms + 1000};
        token.url = "https://hub.example:8461";
        return token;
    }

    Bytes certificate(const std::string& device, ByteView key) {
        return *authority.issue_device(entropy, device, key,
                                       {{0}, {agent::TrustKeeper::kBuilt.ms + 60'000}});
    }

    // What it answers to POST /api/v1/enrol.
    Json answer(const std::string& device, ByteView key) {
        Incarnation journal;
        journal.bytes[0] = 9;
        return Json::object(
            {{"device", device},
             {"certificate", trust::to_pem(trust::kCertificateLabel, certificate(device, key))},
             {"root", to_hex(document())},
             {"hub", Json::object({{"name", "plant"},
                                   {"incarnation", journal.text()},
                                   {"public_key", trust::public_key_pem(hub->public_key())},
                                   {"epoch", 1}})},
             {"broker", "mqtts://hub.example:8883"},
             {"renew_after", "2028-01-01T00:00:00Z"}});
    }

    SimEntropy entropy;
    std::unique_ptr<trust::Signer> keeper, hub, approver;
    trust::Authority authority;
    Root root;
};

}  // namespace tributary::test
