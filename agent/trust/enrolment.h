// Enrolment as values: what a board asks of the hub's door, and what it takes of the answer.
//
// Nothing of an answer is believed before all of it fits together: the root document is the one
// that was pinned, the authority that the connection was checked against stands in it, and one
// that it names issued a certificate for our key and for the device that the hub says we are.
// Storing it is safe to be cut anywhere: the certificate beside the key comes last, and until it is
// there the board asks again, with the same key, and is the same device.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/config/config.h"
#include "agent/sync/pins.h"
#include "agent/trust/trust_keeper.h"
#include "common/net/tls.h"
#include "common/text/json.h"
#include "common/trust/token.h"

namespace tributary::agent {

// Who was asked, and by what its answer is checked.
struct EnrolmentTarget {
    std::string url;  // https://HOST[:PORT]
    TlsTrust trust;
    std::optional<Digest> root;  // none: the first root document that comes is believed
    std::optional<trust::EnrolmentToken> token;
    Bytes authority;  // DER, with a file of it; empty with a token, which names its digest
};
// denied when the token has expired by `now`, if anybody knows what time it is.
Result<EnrolmentTarget> target_of_token(std::string_view text, std::optional<WallTime> now);
Result<EnrolmentTarget> target_of_file(Files& files, const std::string& url,
                                       const std::string& ca_file);

// The body of POST /api/v1/enrol.
Result<Json> enrolment_request(const EnrolmentTarget& target, const Incarnation& incarnation,
                               trust::Signer& key, const std::string& name,
                               const std::string& group);

struct Enrolled {
    Pins pins;
    Bytes root;          // as signed
    Digest root_digest;  // of its payload
    Bytes certificate;   // DER
    WallTime renew_after;
};
struct Waiting {
    std::string fingerprint;  // by which an operator decides
    std::uint64_t retry_seconds = 60;
};
// denied with a sentence of its own for each way in which an answer is not what was pinned;
// corrupt when it cannot be read; what the hub refused keeps its code and words.
Result<std::variant<Enrolled, Waiting>> read_enrolment_answer(const EnrolmentTarget& target,
                                                              trust::Verifier& verifier,
                                                              ByteView key, unsigned status,
                                                              std::string_view body);

// How long a door that is asked too often wants to be left alone, by its header Retry-After.
std::uint64_t retry_seconds_of(std::string_view retry_after);

// Root, authorities, pins, and last the certificate.
Status keep_enrolment(Files& files, const Config& config, TrustKeeper& trust,
                      const Enrolled& enrolled);

// Where hub and broker of an enrolled board are and by what each side proves itself there: as the
// config says, and as enrolment brought it where the config says nothing.
Config as_enrolled(Config config, const Pins& pins);

// The answer of POST /api/v1/renew: a certificate for our next key and for the same device, by an
// authority that the root document names.
struct Renewed {
    Bytes certificate;
    WallTime renew_after;
};
Result<Renewed> read_renewal_answer(const std::string& device, const Root& root, ByteView key,
                                    unsigned status, std::string_view body);
// The answer of GET /api/v1/root?after=N. exhausted when there are more than may be taken at once.
Result<std::vector<Bytes>> read_root_answer(std::string_view body);

// Once for all of the hub's doors: what went wrong as it says, `what` was asked for.
Error error_of_answer(std::string_view what, unsigned status, std::string_view body);

}  // namespace tributary::agent
