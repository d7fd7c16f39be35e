// Attacks on enrolment, one by one: whose answer a board must not take.
#include "agent/trust/enrolment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/trust/identity.h"
#include "tests/support/full_counts.h"
#include "tests/support/secured_hub.h"
#include "tests/support/sim_files.h"

namespace tributary::agent {
namespace {

using testing::HasSubstr;
using tributary::test::SecuredHub;

class TrustBoardEnrolment : public testing::Test {
protected:
    TrustBoardEnrolment() { config.state_dir = "/state"; }

    EnrolmentTarget target() {
        return *target_of_token(trust::encode_token(hub.token()), std::nullopt);
    }
    Result<std::variant<Enrolled, Waiting>> read(const Json& answer) {
        return read_enrolment_answer(target(), trust::system_verifier(), key->public_key(), 200,
                                     answer.text());
    }
    void expect_refused(const Json& answer, std::string_view why) {
        const auto taken = read(answer);
        ASSERT_FALSE(taken);
        EXPECT_EQ(taken.error().code, Errc::denied);
        EXPECT_THAT(taken.error().what, HasSubstr(why));
    }
    Json sound_answer() { return hub.answer("board-1", key->public_key()); }

    SecuredHub hub;
    tributary::test::SimEntropy entropy{5};
    std::unique_ptr<trust::Signer> key = *trust::generate_key(entropy);
    tributary::test::SimFiles files;
    tributary::test::SimClock clock;
    Config config;
};

TEST_F(TrustBoardEnrolment, TakesTheAnswerOfThePinnedHub) {
    const auto taken = read(sound_answer());

    ASSERT_TRUE(taken) << taken.error().what;
    const Enrolled& enrolled = std::get<Enrolled>(*taken);
    EXPECT_EQ(enrolled.pins.device, "board-1");
    EXPECT_EQ(enrolled.pins.hub_keys, hub.root.hub_keys);
    EXPECT_EQ(enrolled.pins.approvers, std::vector<Bytes>{hub.approver->public_key()});
    EXPECT_EQ(enrolled.pins.broker_url, "mqtts://hub.example:8883");
}

TEST_F(TrustBoardEnrolment, RefusesACertificateForAnothersKey) {
    const auto other = *trust::generate_key(entropy);
    Json answer = sound_answer();
    answer.set("certificate", trust::to_pem(trust::kCertificateLabel,
                                            hub.certificate("board-1", other->public_key())));
    expect_refused(answer, "another key than this board's");
}

TEST_F(TrustBoardEnrolment, RefusesACertificateForAnotherDevice) {
    Json answer = sound_answer();
    answer.set("certificate", trust::to_pem(trust::kCertificateLabel,
                                            hub.certificate("board-2", key->public_key())));
    expect_refused(answer, "is for 'board-2'");
}

TEST_F(TrustBoardEnrolment, RefusesACertificateOfAnotherAuthority) {
    SecuredHub other(2);
    Json answer = sound_answer();
    answer.set("certificate", trust::to_pem(trust::kCertificateLabel,
                                            other.certificate("board-1", key->public_key())));
    expect_refused(answer, "not issued by an authority that this board believes");
}

TEST_F(TrustBoardEnrolment, TakesACertificateOfAnotherAuthorityThatTheRootNames) {
    SecuredHub other(2);
    hub.root.authorities.push_back(other.authority.certificate());
    Json answer = sound_answer();
    answer.set("certificate", trust::to_pem(trust::kCertificateLabel,
                                            other.certificate("board-1", key->public_key())));
    const auto taken = read(answer);
    EXPECT_TRUE(taken) << taken.error().what;
}

TEST_F(TrustBoardEnrolment, RefusesARootThatTheTokenDoesNotName) {
    Json answer = sound_answer();
    SecuredHub other(2);
    answer.set("root", to_hex(other.document()));
    expect_refused(answer, "not the one that the token names");
}

TEST_F(TrustBoardEnrolment, RefusesARootThatItsOwnKeepersDidNotSign) {
    hub.root.threshold = 2;
    hub.root.keys.push_back(hub.approver->public_key());
    hub.root.approvers.clear();
    expect_refused(sound_answer(), "signature");
}

TEST_F(TrustBoardEnrolment, RefusesARootThatDoesNotNameThePinnedAuthority) {
    SecuredHub other(2);
    hub.root.authorities = {other.authority.certificate()};
    expect_refused(sound_answer(), "does not name the authority that was pinned");
}

TEST_F(TrustBoardEnrolment, RefusesAHubKeyThatTheRootDoesNotName) {
    Json answer = sound_answer();
    Json other = *answer.find("hub");
    const auto stranger = *trust::generate_key(entropy);
    other.set("public_key", trust::public_key_pem(stranger->public_key()));
    answer.set("hub", other);
    expect_refused(answer, "not one that its root document names");
}

TEST_F(TrustBoardEnrolment, RefusesABrokerThatIsReachedWithoutTls) {
    Json answer = sound_answer();
    answer.set("broker", "mqtt://hub.example:1883");

    const auto taken = read(answer);

    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().what, HasSubstr("not reached by TLS"));
}

TEST_F(TrustBoardEnrolment, RefusesAnExpiredTokenBeforeItAsks) {
    const auto target =
        target_of_token(trust::encode_token(hub.token()), WallTime{TrustKeeper::kBuilt.ms + 2000});

    ASSERT_FALSE(target);
    EXPECT_EQ(target.error().code, Errc::denied);
}

TEST_F(TrustBoardEnrolment, TakesATokenWhateverAClockSaysThatNobodyBelieves) {
    EXPECT_TRUE(target_of_token(trust::encode_token(hub.token()), std::nullopt));
}

TEST_F(TrustBoardEnrolment, RefusesATokenForAHubWithoutTls) {
    trust::EnrolmentToken token = hub.token();
    token.url = "http://hub.example:8461";

    const auto target = target_of_token(trust::encode_token(token), std::nullopt);

    ASSERT_FALSE(target);
    EXPECT_THAT(target.error().what, HasSubstr("not an https:// address"));
}

TEST_F(TrustBoardEnrolment, WaitsWhileAnOperatorDecides) {
    const auto taken =
        read_enrolment_answer(target(), trust::system_verifier(), key->public_key(), 202,
                              R"({"waiting":true,"fingerprint":"ab12","retry_seconds":5})");

    ASSERT_TRUE(taken);
    EXPECT_EQ(std::get<Waiting>(*taken).fingerprint, "ab12");
}

TEST_F(TrustBoardEnrolment, NothingButRubbishIsAnErrorAndNoMore) {
    for (const std::string body : {"", "[]", "{}", "null", "{\"device\":\"board-1\"}"}) {
        const auto taken =
            read_enrolment_answer(target(), trust::system_verifier(), key->public_key(), 200, body);
        ASSERT_FALSE(taken) << body;
        EXPECT_EQ(taken.error().code, Errc::corrupt) << body;
    }
}

// ---- keeping it ----

TEST_F(TrustBoardEnrolment, ACutAnywhereLeavesABoardThatAsksAgainOrIsEnrolled) {
    const auto answer = read(sound_answer());
    ASSERT_TRUE(answer);
    const Enrolled& enrolled = std::get<Enrolled>(*answer);
    std::uint64_t cut = 0;
    for (bool done = false; !done; ++cut) {
        for (std::uint64_t seed = 0; seed < tributary::test::damage_seeds(2); ++seed) {
            tributary::test::SimFiles disk;
            ASSERT_TRUE(disk.make_directories("/state"));
            ASSERT_TRUE(disk.sync_directory("/"));
            tributary::test::SimEntropy same(5);  // as `key`
            ASSERT_TRUE(trust::create_key(disk, same, "/state/key.pem"));
            auto trust = TrustKeeper::open(disk, clock, trust::system_verifier(), "/state/trust");
            ASSERT_TRUE(trust);
            disk.crash_before_effect(disk.effects() + cut, seed);
            done = keep_enrolment(disk, config, **trust, enrolled).has_value();
            if (!done) disk.restart();

            const auto identity = load_identity(disk, "/state/key.pem", nullptr);
            ASSERT_TRUE(identity) << identity.error().what;
            EXPECT_EQ(identity->key->public_key(), key->public_key());
            auto after = TrustKeeper::open(disk, clock, trust::system_verifier(), "/state/trust");
            ASSERT_TRUE(after) << after.error().what;
            if (!identity->says) continue;  // asks again
            EXPECT_TRUE((*after)->enrolled());
            EXPECT_EQ((**load_pins(disk, "/state/pins.json")).device, "board-1");
        }
    }
    EXPECT_GT(cut, 10u);
}

TEST(TrustAsEnrolled, BelievesTheCertificateOfADoorAlone) {
    Config config;
    config.state_dir = "/state";
    EXPECT_EQ(as_enrolled(config, {}).hub_trust().role, trust::kDoorRole);
    EXPECT_EQ(config.hub_trust().role, "") << "of a hub that nobody enrols at";
    config.hub.ca = "/etc/proxy.pem";  // somebody says himself whom to believe
    EXPECT_EQ(as_enrolled(config, {}).hub_trust().role, "");
}

// ---- renewal ----

TEST_F(TrustBoardEnrolment, RefusesARenewedCertificateOfAnAuthorityThatWasReplaced) {
    SecuredHub other(2);
    Json answer = Json::object(
        {{"certificate",
          trust::to_pem(trust::kCertificateLabel, other.certificate("board-1", key->public_key()))},
         {"renew_after", "2028-01-01T00:00:00Z"}});

    const auto renewed =
        read_renewal_answer("board-1", hub.root, key->public_key(), 200, answer.text());

    ASSERT_FALSE(renewed);
    EXPECT_EQ(renewed.error().code, Errc::denied);
}

TEST_F(TrustBoardEnrolment, RefusesMoreRootDocumentsThanMayBeTakenAtOnce) {
    std::string body = R"({"documents":[)";
    for (std::size_t i = 0; i <= limits::kRootStepsMax; ++i) body += i == 0 ? "\"00\"" : ",\"00\"";

    EXPECT_FALSE(read_root_answer(body + "]}"));
}

TEST_F(TrustBoardEnrolment, WaitsAsLongAsADoorSaysThatIsAskedTooOftenWithinReason) {
    EXPECT_EQ(retry_seconds_of("7"), 7u);
    EXPECT_EQ(retry_seconds_of("0"), 1u);
    EXPECT_EQ(retry_seconds_of("99999999"), 3600u);
    for (const char* none : {"", "soon", "-1", "7s", "99999999999999999999999"})
        EXPECT_EQ(retry_seconds_of(none), 60u) << none;
}

}  // namespace
}  // namespace tributary::agent
