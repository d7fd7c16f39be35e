// `tributary-agent enroll` against a hub's door, and against those who pretend to be one.
#include <csignal>
#include <filesystem>
#include <mutex>
#include <thread>

#include "common/net/http_server.h"
#include "tests/integration/agent/agent_fixture.h"
#include "tests/support/secured_hub.h"

namespace tributary::agent {
namespace {

constexpr test::milliseconds kSoon{20'000};

// The door of a secured hub, on a thread of its own.
class Door {
public:
    // `stolen`: it has the key of another server of the deployment, as the broker is.
    explicit Door(test::SecuredHub& hub, const std::string& key_path, bool stolen = false)
        : hub_(hub) {
        auto key = *trust::create_key(system_files(), hub.entropy, key_path);
        const std::vector<std::string> addresses = {"127.0.0.1"};
        const Bytes certificate =
            stolen ? *hub.authority.issue_server(hub.entropy, key->public_key(), {}, addresses)
                   : *hub.authority.issue_door(hub.entropy, key->public_key(), {}, addresses);
        HttpServerOptions options;
        options.tls =
            TlsIdentity{trust::to_pem(trust::kCertificateLabel, certificate) +
                            trust::to_pem(trust::kCertificateLabel, hub.authority.certificate()),
                        file_at(key_path),
                        {}};
        HttpRoutes routes;
        routes.add("POST", "/api/v1/enrol",
                   [this](const HttpRequest& request) { return answer(request); });
        server_ = *make_http_server(loop_, std::move(options), std::move(routes));
        url_ = "https://127.0.0.1:" + std::to_string(server_->port());
        thread_ = std::thread([this] { loop_.run(); });
    }
    ~Door() {
        loop_.post([this] { loop_.stop(); });
        thread_.join();
    }

    const std::string& url() const { return url_; }
    std::string token() {
        trust::EnrolmentToken token = hub_.token();
        token.url = url_;
        token.expires = {4'000'000'000'000};
        return trust::encode_token(token);
    }
    // What each board showed so far.
    std::vector<Bytes> keys() {
        const std::lock_guard lock(mutex_);
        return keys_;
    }
    void decide() {
        const std::lock_guard lock(mutex_);
        decided_ = true;
    }
    void make_undecided() {
        const std::lock_guard lock(mutex_);
        decided_ = false;
    }
    void refuse() {
        const std::lock_guard lock(mutex_);
        refuses_ = true;
    }
    // To the next request, that it is one too many.
    void answer_too_often() {
        const std::lock_guard lock(mutex_);
        too_often_ = true;
    }
    void answer_endlessly() {
        const std::lock_guard lock(mutex_);
        endless_ = true;
    }

private:
    HttpResponse answer(const HttpRequest& request) {
        const std::lock_guard lock(mutex_);
        HttpResponse response;
        const auto json = parse_json(as_text(request.body));
        const auto csr = trust::from_pem(trust::kCsrLabel, json->text_at("csr").value());
        keys_.push_back(trust::parse_csr(*csr).value());
        if (std::exchange(too_often_, false)) {
            response.status = 429;
            response.headers.push_back({"Retry-After", "1"});
            response.body = R"({"error":{"code":"unavailable","message":"too many"}})";
        } else if (endless_) {
            response.stream = [](ByteSpan out) -> Result<std::size_t> {
                std::fill(out.begin(), out.end(), '[');
                return out.size();
            };
        } else if (refuses_) {
            response.status = 403;
            response.body = R"({"error":{"code":"denied","message":"the token was used already"}})";
        } else if (!decided_) {
            response.status = 202;
            response.body = R"({"waiting":true,"fingerprint":"ab12cd","retry_seconds":1})";
        } else {
            response.body = hub_.answer("board-1", keys_.back()).text();
        }
        return response;
    }

    test::SecuredHub& hub_;
    NetLoop loop_;
    std::unique_ptr<HttpServer> server_;
    std::string url_;
    std::thread thread_;
    std::mutex mutex_;  // of all below
    std::vector<Bytes> keys_;
    bool decided_ = true;
    bool refuses_ = false;
    bool endless_ = false;
    bool too_often_ = false;
};

class TrustEnrolVerb : public AgentTest {
protected:
    TrustEnrolVerb() : door(hub, dir / "door.pem") {}

    test::Finished enrol(std::vector<std::string> more) {
        std::vector<std::string> verb = {"enroll"};
        verb.insert(verb.end(), more.begin(), more.end());
        return agent(verb);
    }
    Result<Identity> identity() {
        return load_identity(system_files(), dir / "state/key.pem", nullptr);
    }
    // Of every file below the state folder, and what programs said.
    bool is_anywhere(const std::string& secret, const std::string& except) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(dir / "state")) {
            if (!entry.is_regular_file() || entry.path().filename() == except) continue;
            if (file_at(entry.path()).find(secret) != std::string::npos) return true;
        }
        return said.find(secret) != std::string::npos;
    }

    test::SecuredHub hub;
    Door door;
    std::string said;
};

TEST_F(TrustEnrolVerb, MakesABoardADeviceByAToken) {
    const test::Finished first = enrol({"--token", door.token(), "--json"});

    ASSERT_EQ(first.ending.exit_code, 0) << first.err;
    const auto answer = parse_json(first.out);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->text_at("device").value(), "board-1");
    EXPECT_EQ(answer->text_at("root_pinned_by").value(), "token");
    const auto enrolled = identity();
    ASSERT_TRUE(enrolled) << enrolled.error().what;
    ASSERT_TRUE(enrolled->says);
    EXPECT_EQ(enrolled->says->subject, "board-1");
    EXPECT_TRUE(json_answer({"enroll"}).bool_at("was_enrolled").value());
}

TEST_F(TrustEnrolVerb, BelievesTheFirstRootWithAFileOfTheAuthorityAndSaysSo) {
    write_file_at(dir / "ca.pem",
                  trust::to_pem(trust::kCertificateLabel, hub.authority.certificate()));

    const test::Finished done = enrol({"--hub", door.url(), "--ca", dir / "ca.pem"});

    ASSERT_EQ(done.ending.exit_code, 0) << done.err;
    EXPECT_NE(done.out.find(test::SecuredHub::digest_of(hub.document()).text()), std::string::npos);
}

TEST_F(TrustEnrolVerb, SomeoneInTheMiddleWithAnotherAuthorityIsToldNothing) {
    trust::EnrolmentToken token = *trust::parse_token(door.token());
    test::SecuredHub meant(2);
    token.authority = sha256(meant.authority.certificate());

    const test::Finished done = enrol({"--token", trust::encode_token(token)});

    EXPECT_EQ(done.ending.exit_code, 4) << done.err;
    EXPECT_TRUE(door.keys().empty());
    EXPECT_FALSE(identity()->says);
}

// Right authority, right address, valid: the broker's, in the wrong hands.
TEST_F(TrustEnrolVerb, AServerThatIsNotTheBoardsDoorIsToldNothing) {
    Door stolen(hub, dir / "stolen.key.pem", true);
    const test::Finished done = enrol({"--token", stolen.token()});
    EXPECT_EQ(done.ending.exit_code, 4) << done.err;
    EXPECT_NE(done.err.find("urn:tributary:door"), std::string::npos) << done.err;
    EXPECT_TRUE(stolen.keys().empty());
    EXPECT_FALSE(identity()->says);
}

TEST_F(TrustEnrolVerb, WhatTheHubRefusesIsSaidInItsWords) {
    door.refuse();
    const test::Finished done = enrol({"--token", door.token()});
    EXPECT_EQ(done.ending.exit_code, 4);
    EXPECT_NE(done.err.find("the token was used already"), std::string::npos);
}

// As a site's first hundred boards may find it.
TEST_F(TrustEnrolVerb, ADoorThatIsAskedTooOftenIsAskedAgainWhenItSays) {
    door.answer_too_often();
    const test::Finished done = enrol({"--token", door.token()});
    EXPECT_EQ(done.ending.exit_code, 0) << done.err;
    EXPECT_NE(done.err.find("too many new boards"), std::string::npos) << done.err;
    EXPECT_EQ(door.keys().size(), 2u);
    EXPECT_EQ(door.keys().front(), door.keys().back());
}

TEST_F(TrustEnrolVerb, AHubThatDoesNotAnswerIsOutOfReach) {
    trust::EnrolmentToken token = *trust::parse_token(door.token());
    token.url = "https://127.0.0.1:" + std::to_string(test::free_port());
    EXPECT_EQ(enrol({"--token", trust::encode_token(token)}).ending.exit_code, 5);
}

TEST_F(TrustEnrolVerb, AnAnswerWithoutEndIsGivenUp) {
    door.answer_endlessly();
    const test::Finished done = enrol({"--token", door.token()});
    EXPECT_EQ(done.ending.exit_code, 1) << done.err;
}

TEST_F(TrustEnrolVerb, ASlipInTheTokenIsUsage) {
    std::string token = door.token();
    token[30] = token[30] == 'A' ? 'B' : 'A';
    EXPECT_EQ(enrol({"--token", token}).ending.exit_code, 2);
    EXPECT_EQ(enrol({}).ending.exit_code, 2);
}

TEST_F(TrustEnrolVerb, KilledWhileItWaitsItGoesOnWithTheSameKey) {
    door.make_undecided();
    {
        test::Process waits(words({"enroll", "--token", door.token()}));
        ASSERT_TRUE(waits.wait_for_output("tributary device accept ab12cd", kSoon)) << waits.err();
        waits.send_signal(SIGKILL);
        ASSERT_TRUE(waits.wait(kSoon));
    }
    door.decide();

    ASSERT_EQ(enrol({"--token", door.token()}).ending.exit_code, 0);

    const std::vector<Bytes> keys = door.keys();
    EXPECT_EQ(keys.front(), keys.back());
    EXPECT_EQ(identity()->key->public_key(), keys.front());
}

TEST_F(TrustEnrolVerb, ADaemonThatIsNotEnrolledRecordsAndTakesUpWhatWasEnrolledMeanwhile) {
    write_file_at(config(),
                  "state_dir = \"" + dir / "state" + "\"\n[hub]\nurl = \"" + door.url() + "\"\n");
    write_file_at(dir / "model.bin", "weights");
    test::Process daemon(words({"run"}));
    ASSERT_TRUE(daemon.wait_for_output("enrol first", kSoon)) << daemon.err();
    EXPECT_FALSE(commit(dir / "model.bin").empty());
    EXPECT_NE(answer({"status"}).find("enrol first"), std::string::npos);

    const test::Finished done = enrol({"--token", door.token()});

    ASSERT_EQ(done.ending.exit_code, 0) << done.err;
    EXPECT_TRUE(daemon.wait_for_output("\"device\":\"board-1\"", test::milliseconds(0)) ||
                daemon.wait_for_output("board-1", kSoon))
        << daemon.err();
    EXPECT_EQ(door.keys().back(), identity()->key->public_key());
}

TEST_F(TrustEnrolVerb, ABoardThatWasEnrolledNeverFallsBackToAFirstContact) {
    ASSERT_EQ(enrol({"--token", door.token()}).ending.exit_code, 0);
    write_file_at(
        config(),
        "state_dir = \"" + dir / "state" +
            "\"\n[hub]\nurl = \"http://127.0.0.1:" + std::to_string(test::free_port()) +
            "\"\n[broker]\nurl = \"mqtt://127.0.0.1:" + std::to_string(test::free_port()) + "\"\n");

    test::Process daemon(words({"run"}));

    EXPECT_TRUE(daemon.wait_for_output("by https:// alone", kSoon)) << daemon.err();
}

TEST_F(TrustEnrolVerb, NoSecretIsSaidOrStoredElsewhere) {
    const std::string passphrase = "a horse that nobody guesses";
    write_file_at(dir / "passphrase", passphrase + "\n");
    write_file_at(config(), "state_dir = \"" + dir / "state" +
                                "\"\n[identity]\npassphrase_file = \"passphrase\"\n");
    write_file_at(dir / "model.bin", "weights");
    const std::string token = door.token();
    write_file_at(dir / "token", token);
    for (const std::vector<std::string>& verb :
         {std::vector<std::string>{"enroll", "--token-file", dir / "token"},
          {"commit", "--repo", "models/cnn", dir / "model.bin"},
          {"status"},
          {"doctor"},
          {"enroll", "--json"}}) {
        const test::Finished done = agent(verb);
        said += done.out + done.err;
    }
    {
        test::Process daemon(words({"run"}));
        ASSERT_TRUE(daemon.wait_for_output("board-1", kSoon)) << daemon.err();
        daemon.stop();
        said += daemon.out() + daemon.err();
    }

    const std::string key = file_at(dir / "state/key.pem");
    ASSERT_NE(key.find("ENCRYPTED PRIVATE KEY"), std::string::npos);
    const std::string line = key.substr(key.find('\n') + 1, 64);
    EXPECT_FALSE(is_anywhere(passphrase, ""));
    EXPECT_FALSE(is_anywhere(line, "key.pem"));
    EXPECT_FALSE(is_anywhere(token, ""));
    EXPECT_FALSE(is_anywhere(token.substr(12, 43), ""));
    EXPECT_FALSE(is_anywhere(to_hex(trust::parse_token(token)->secret), ""));
    const auto plain = trust::Passphrase::of_person(passphrase);
    EXPECT_TRUE(load_identity(system_files(), dir / "state/key.pem", &*plain));
}

}  // namespace
}  // namespace tributary::agent
