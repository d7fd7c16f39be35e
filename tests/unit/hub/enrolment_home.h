// A secured hub's door without a network, and boards that knock on it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/trust/contact.h"
#include "common/trust/fetch.h"
#include "common/trust/key_change.h"
#include "common/trust/renewal.h"
#include "hub/enrol/enrolment.h"
#include "tests/unit/hub/board.h"

namespace tributary::test {

struct BoardKey {
    explicit BoardKey(std::uint64_t seed) : entropy(seed) {}
    SimEntropy entropy;
    std::unique_ptr<trust::Signer> signer = trust::generate_key(entropy).value();
    const Bytes& bytes() const { return signer->public_key(); }
    Digest id() const { return trust::key_id(bytes()); }
    Bytes csr() const { return trust::make_csr(*signer).value(); }
};

inline Incarnation journal_named(const std::string& digits) {
    std::string text = digits;
    text.resize(32, '0');
    return Incarnation::parse(text).value();
}

class EnrolmentHome {
public:
    explicit EnrolmentHome(std::uint64_t seed) : home(seed), authority_entropy(seed + 1) {
        authority = std::make_unique<trust::Authority>(
            trust::Authority::create(trust::generate_key(authority_entropy).value(),
                                     authority_entropy, "test authority")
                .value());
        begin();
    }
    // As after a crash or a stop: what is not in the journal is forgotten.
    void reopen() {
        enrolment.reset();
        home.reopen();
        begin();
    }

    hub::EnrolRequest request(const Incarnation& journal, BoardKey& key,
                              const std::string& name = "Board One") {
        hub::EnrolRequest request;
        request.journal = journal;
        request.csr = key.csr();
        request.name = name;
        request.signature =
            key.signer->sign(trust::kContactPurpose, trust::contact_digest(journal, key.bytes()))
                .value();
        request.peer = "192.0.2.1";
        return request;
    }
    Result<hub::EnrolAnswer> enrol(const Incarnation& journal, BoardKey& key,
                                   const std::optional<Bytes>& secret = {},
                                   const std::string& name = "Board One") {
        hub::EnrolRequest asked = request(journal, key, name);
        asked.secret = secret;
        return enrolment->enrol(asked);
    }
    // The secret of a new token.
    Bytes token(const hub::TokenOrder& order = {.group = "", .replaces = "", .actor = "me"}) {
        last_token = enrolment->issue_token(order).value();
        const auto read = trust::parse_token(last_token.text).value();
        return {read.secret.begin(), read.secret.end()};
    }
    hub::RenewRequest renewal(const std::string& device, const Incarnation& journal, BoardKey& old,
                              BoardKey& next) {
        hub::RenewRequest request{device, journal, next.csr(), {}};
        request.signature = old.signer
                                ->sign(trust::kRenewalPurpose,
                                       trust::renewal_digest(journal, old.id(), request.csr))
                                .value();
        return request;
    }
    const hub::Catalog& catalog() const { return home.ledger->catalog(); }
    const hub::Members& members() const { return catalog().members(); }

    HubHome home;
    SimEntropy authority_entropy;
    std::unique_ptr<trust::Authority> authority;
    std::unique_ptr<hub::Enrolment> enrolment;
    std::string unexplained;           // the device that the broker denies, nobody knows why
    std::vector<std::string> changed;  // devices, as they were told
    hub::NewToken last_token;

private:
    void begin() {
        enrolment = std::make_unique<hub::Enrolment>(
            *home.ledger, *authority, home.clock, home.entropy,
            hub::Enrolment::Options{
                .door_url = "https://127.0.0.1:8461",
                .unexplained = [this](const std::string& device) { return unexplained == device; }},
            [] { return sha256(as_bytes("root")); },
            [this](const std::string& device) { changed.push_back(device); });
    }
};

// Asks, and looks at what is refused why.
class EnrolmentTest : public testing::Test {
protected:
    static hub::Credentials given(const Result<hub::EnrolAnswer>& answer) {
        EXPECT_TRUE(answer) << answer.error().what;
        return std::get<hub::Credentials>(*answer);
    }
    template <class T>
    void expect_refused(const Result<T>& answer, hub::Refusal why, std::string_view text) {
        ASSERT_FALSE(answer);
        EXPECT_NE(answer.error().what.find(text), std::string::npos) << answer.error().what;
        EXPECT_EQ(at.enrolment->refused(why), ++refusals[why]) << hub::name_of(why);
    }
    std::uint64_t entries() { return at.home.ledger->store().head().sequence; }

    EnrolmentHome at{1};
    BoardKey key{2}, other{3}, next{4};
    Incarnation journal = journal_named("ab"), elsewhere = journal_named("cd");
    std::map<hub::Refusal, std::uint64_t> refusals;
};

}  // namespace tributary::test
