// The door for boards of a secured hub, and what people decide about them.
#include "tests/integration/hub/door_fixture.h"

namespace tributary::hub {
namespace {

using testing::HasSubstr;

TEST_F(TrustDoor, PutsWhatItRefusesIntoTheJournalOnceAndCountsTheRest) {
    for (int i = 0; i < 5; ++i) EXPECT_EQ(board("POST", "/api/v1/enrol", "{}").status, 400u);
    enrol();
    Json wrong = request_of(*key);
    wrong.set("csr", trust::to_pem(trust::kCsrLabel, Bytes(300, 7)));
    EXPECT_NE(board("POST", "/api/v1/enrol", wrong.text()).status, 200u);

    const EventTallies& strangers = hub->ledger().catalog().strangers();
    EXPECT_EQ(strangers.at("door_form").count, 1u);
    EXPECT_EQ(strangers.at("door_form").address, "192.0.2.1");
    EXPECT_EQ(strangers.count("door_csr"), 1u);
    const std::string metrics = metrics_text(*hub);
    EXPECT_THAT(metrics,
                HasSubstr(R"(tributary_hub_security_events_total{by="hub",event="door_form"} 5)"));
    EXPECT_THAT(person("GET", "/api/v1/audit").body.text(), HasSubstr("door_form"));
}

TEST_F(TrustDoor, ShowsWhatOneDeviceWasRefused) {
    enrol();
    ASSERT_EQ(
        person("POST", "/api/v1/devices/cam/revoke", R"({"actor":"me","reason":"lost"})").status,
        200u);
    EXPECT_EQ(board("POST", "/api/v1/enrol", request_of(*key).text()).status, 403u);
    const Answer shown = person("GET", "/api/v1/devices/cam");
    EXPECT_THAT(shown.body.text(), HasSubstr(R"("event":"door_revoked")"));
}

TEST_F(TrustDoor, LetsABoardInOverHttps) {
    auto door = Door::open(*hub, *loop);
    ASSERT_TRUE(door && *door);
    Json request = request_of(*key);
    request.set("token", token());
    HttpClientRequest post;
    post.method = "POST";
    post.url = "https://127.0.0.1:" + std::to_string((*door)->port()) + "/api/v1/enrol";
    post.trust.ca_pin = tls.fingerprint();
    post.body = request.text();
    std::optional<Result<HttpClientResponse>> got;
    const auto call = http_call(*loop, std::move(post), [&](Result<HttpClientResponse> response) {
        got = std::move(response);
        loop->stop();
    });
    loop->run();

    ASSERT_TRUE(got && *got) << (*got).error().what;
    ASSERT_EQ((*got)->status, 200u) << (*got)->body;
    const Json answer = parse_json((*got)->body).value();
    EXPECT_EQ(answer.text_at("device").value(), "cam");
    EXPECT_EQ(answer.text_at("root").value(), to_hex(root_document));
    EXPECT_EQ(answer.text_at("broker").value(), "mqtts://broker.example");
    EXPECT_TRUE(parse_wall_time(answer.text_at("renew_after").value()));
    const Bytes certificate =
        trust::from_pem(trust::kCertificateLabel, answer.text_at("certificate").value()).value();
    const auto says = trust::verify_certificate(
        certificate, std::vector<Bytes>{authority.certificate()}, trust::CertificateUse::client);
    ASSERT_TRUE(says) << says.error().what;
    EXPECT_EQ(says->subject, "cam");
}

TEST_F(TrustDoor, AnswersEveryAttackWithACodeAndASentence) {
    struct Case {
        std::string what;
        Json request;
        unsigned status;
        std::string code;
    };
    const auto with = [&](std::string_view name, Json value) {
        Json request = request_of(*key);
        request.set(name, std::move(value));
        return request;
    };
    const std::string garbage(64 * 1024, 'A');
    const std::vector<Case> cases = {
        {"no object", Json::array(), 400, "invalid"},
        {"nothing in it", Json::object(), 400, "invalid"},
        {"a journal that is none", with("incarnation", "x"), 400, "invalid"},
        {"garbage for a CSR", with("csr", garbage), 400, "invalid"},
        {"garbage in PEM", with("csr", trust::to_pem(trust::kCsrLabel, Bytes(1000, 0x30))), 400,
         "invalid"},
        {"a long signature", with("signature", garbage), 400, "invalid"},
        {"another signature", with("signature", std::string(128, '0')), 403, "denied"},
        {"a token that is none", with("token", "zz"), 400, "invalid"},
        {"a token of nobody", with("token", std::string(64, '0')), 403, "denied"},
        {"a long name", with("name", std::string(300, 'x')), 400, "invalid"},
        {"a group that is none", with("group", "No Group"), 400, "invalid"},
    };
    for (const Case& one : cases) {
        const Answer answer = board("POST", "/api/v1/enrol", one.request.text());
        EXPECT_EQ(answer.status, one.status) << one.what;
        const Json* error = answer.body.find("error");
        ASSERT_NE(error, nullptr) << one.what;
        EXPECT_EQ(error->text_at("code").value_or(""), one.code) << one.what;
        EXPECT_GT(error->text_at("message").value_or("").size(), 10u) << one.what;
    }
    EXPECT_EQ(board("POST", "/api/v1/enrol", "{").status, 400u);
    EXPECT_EQ(board("POST", "/api/v1/renew", "{}").status, 400u);
    EXPECT_TRUE(hub->ledger().catalog().devices().empty());
    EXPECT_EQ(hub->enrolment()->refused(Refusal::form), 10u);
    EXPECT_NE(metrics_text(*hub).find("enrolment_refused_total{reason=\"token_unknown\"} 1\n"),
              std::string::npos);
}

TEST_F(TrustDoor, TakesSoManyTriesAMinuteOfOneAddress) {
    const HttpRoutes routes = door_routes(*hub, limits);
    HttpRequest request;
    request.method = "POST";
    request.segments = {"api", "v1", "enrol"};
    request.peer = "192.0.2.7";
    std::string allowed;
    const HttpRoutes::Route* route = routes.find(request, allowed);
    ASSERT_NE(route, nullptr);
    unsigned last = 0;
    for (std::uint32_t i = 0; i <= DoorLimits::kTriesAMinute; ++i)
        route->handler(request, [&](const HttpResponse& response) {
            last = response.status;
            EXPECT_EQ(last, i < DoorLimits::kTriesAMinute ? 400u : 429u);
        });
    EXPECT_EQ(hub->enrolment()->refused(Refusal::too_often), 1u);
    request.peer = "192.0.2.8";
    route->handler(request, [&](const HttpResponse& response) { last = response.status; });
    EXPECT_EQ(last, 400u);
}

// A site of many boards is one address, and a stranger may stand in it.
TEST_F(TrustDoor, LetsBoardsInThatProveThemselvesWhoeverKnocksAtTheirAddress) {
    const HttpRoutes routes = door_routes(*hub, limits);
    const auto knock = [&](const std::string& body) {
        HttpRequest request;
        request.method = "POST";
        request.segments = {"api", "v1", "enrol"};
        request.peer = "192.0.2.7";
        request.body.assign(body.begin(), body.end());
        std::string allowed;
        unsigned status = 0;
        routes.find(request, allowed)->handler(request, [&](const HttpResponse& response) {
            status = response.status;
        });
        return status;
    };
    for (std::uint32_t i = 0; i < 2 * DoorLimits::kTriesAMinute; ++i) knock("junk");
    EXPECT_EQ(knock(request_of(*key).text()), 429u) << "nobody let it in";
    EXPECT_EQ(hub->enrolment()->waiting().size(), 0u);
    ASSERT_EQ(board("POST", "/api/v1/enrol", request_of(*key).text()).status, 202u);
    EXPECT_EQ(knock(request_of(*key).text()), 202u) << "it waits already";

    for (std::uint32_t i = 0; i < 3 * DoorLimits::kTriesAMinute; ++i) {
        const auto board_key = trust::generate_key(entropy).value();
        journal.bytes[0] = static_cast<std::uint8_t>(i + 1);
        Json request = request_of(*board_key, "cam" + std::to_string(i));
        request.set("token", token());
        ASSERT_EQ(knock(request.text()), 200u) << i;
    }
}

// Proofs cost a signature or two each: who sends hundreds in vain has none of them looked at.
TEST_F(TrustDoor, LooksAtNothingOfAnAddressThatKnocksWithoutEnd) {
    enrol();
    const std::string good = request_of(*key).text();
    for (std::uint32_t i = 0; i < DoorLimits::kLooksAMinute; ++i)
        limits.admit("192.0.2.7", hub->now());
    const std::uint64_t looked = hub->enrolment()->refused(Refusal::proof);
    const auto from = [&](const std::string& peer, const std::string& method,
                          const std::string& target) {
        return ask_from(peer, door_routes(*hub, limits), method, target, good).status;
    };
    EXPECT_EQ(from("192.0.2.7", "POST", "/api/v1/enrol"), 429u);
    EXPECT_EQ(from("192.0.2.7", "POST", "/api/v1/renew"), 429u);
    EXPECT_EQ(from("192.0.2.7", "GET", "/api/v1/object"), 429u);
    EXPECT_EQ(hub->enrolment()->refused(Refusal::proof), looked);
    EXPECT_EQ(from("192.0.2.7", "GET", "/api/v1/root"), 200u) << "they cost no signature";
    EXPECT_EQ(from("192.0.2.8", "POST", "/api/v1/enrol"), 200u);
}

// What is good, said over and over, by whoever repeats it.
TEST_F(TrustDoor, AnswersABoardThatIsKnownOrWaitsSoOftenAMinute) {
    const auto asks = [&](trust::Signer& by) {
        return board("POST", "/api/v1/enrol", request_of(by).text()).status;
    };
    enrol();
    for (std::uint32_t i = 1; i < DoorLimits::kAnswersAMinute; ++i) EXPECT_EQ(asks(*key), 200u);
    EXPECT_EQ(asks(*key), 429u);
    const std::uint64_t entries = hub->ledger().store().head().sequence;
    journal.bytes[0] = 2;
    EXPECT_EQ(asks(*key), 429u);
    EXPECT_EQ(hub->ledger().catalog().device("cam")->incarnations.size(), 1u);
    EXPECT_LE(hub->ledger().store().head().sequence, entries + 1) << "that it was refused, at most";
    journal.bytes[0] = 1;
    const auto waits = trust::generate_key(entropy).value();
    for (std::uint32_t i = 0; i <= DoorLimits::kAnswersAMinute; ++i) EXPECT_EQ(asks(*waits), 202u);
    EXPECT_EQ(asks(*waits), 429u);
    EXPECT_EQ(hub->enrolment()->refused(Refusal::too_often), 3u);
}

TEST_F(TrustDoor, ServesFewRoutesAndRootDocumentsToAnybody) {
    EXPECT_EQ(board("GET", "/api/v1/devices").status, 404u);
    EXPECT_EQ(board("GET", "/metrics").status, 404u);
    EXPECT_EQ(board("POST", "/api/v1/tokens", R"({"actor":"me"})").status, 404u);
    const Answer all = board("GET", "/api/v1/root?after=0");
    ASSERT_EQ(all.status, 200u);
    EXPECT_EQ((**all.body.array_at("documents")).size(), 1u);
    EXPECT_EQ((**board("GET", "/api/v1/root?after=1").body.array_at("documents")).size(), 0u);
    EXPECT_EQ(board("GET", "/api/v1/root?after=x").status, 400u);
}

// Who has them all costs nothing, and the next address has its own.
TEST_F(TrustDoor, ShowsRootDocumentsSoOftenAMinuteToOneAddress) {
    for (std::uint32_t i = 0; i < DoorLimits::kRootAnswersAMinute; ++i)
        EXPECT_TRUE(limits.admit_roots("192.0.2.1", hub->now()));
    EXPECT_EQ(board("GET", "/api/v1/root?after=0").status, 429u);
    EXPECT_EQ(board("GET", "/api/v1/root?after=0").status, 200u);
    peers = 0;
    EXPECT_EQ(board("GET", "/api/v1/root?after=1").status, 200u);
}

TEST_F(TrustDoor, ListsTokensAndRevokesThem) {
    token(R"(,"group":"north","expires_seconds":3600)");
    const Answer listed = person("GET", "/api/v1/tokens");
    const Json::Array& tokens = **listed.body.array_at("tokens");
    ASSERT_EQ(tokens.size(), 1u);
    EXPECT_EQ(tokens[0].text_at("state").value(), "open");
    const std::string id = tokens[0].text_at("id").value();
    EXPECT_EQ(person("POST", "/api/v1/tokens/revoke",
                     R"({"actor":"me","id":")" + id.substr(0, 20) + "\"}")
                  .text("state"),
              "revoked");
    EXPECT_EQ(
        person("POST", "/api/v1/tokens/revoke", R"({"actor":"me","id":"sha256:zzzz"})").status,
        404u);
    EXPECT_EQ(person("POST", "/api/v1/tokens", "{}").status, 400u);  // by whom?
    EXPECT_EQ(person("POST", "/api/v1/tokens", R"({"actor":"me","device":"gone"})").status, 404u);
}

TEST_F(TrustDoor, LetsPeopleDecideWhoWaits) {
    const Answer waits = board("POST", "/api/v1/enrol", request_of(*key).text());
    ASSERT_EQ(waits.status, 202u);
    EXPECT_EQ(waits.text("fingerprint"), trust::key_id(key->public_key()).text());
    const Answer listed = person("GET", "/api/v1/enrolments");
    const Json::Array& boards = **listed.body.array_at("waiting");
    ASSERT_EQ(boards.size(), 1u);
    const std::string digits = waits.text("fingerprint").substr(7, 12);

    const Answer decided = person("POST", "/api/v1/enrolments/" + digits,
                                  R"({"actor":"me","accepted":true,"device":"front"})");

    ASSERT_EQ(decided.status, 200u);
    EXPECT_EQ(decided.text("device"), "front");
    EXPECT_EQ(board("POST", "/api/v1/enrol", request_of(*key).text()).text("device"), "front");
}

TEST_F(TrustDoor, RevokesADeviceEverywhere) {
    enrol();
    const Answer revoked =
        person("POST", "/api/v1/devices/cam/revoke", R"({"actor":"me","reason":"lost"})");
    ASSERT_EQ(revoked.status, 200u);
    EXPECT_EQ(shutter.denied.back(), std::set<std::string>{"cam"});
    const Answer shown = person("GET", "/api/v1/devices/cam");
    EXPECT_EQ(shown.body.find("revoked")->text_at("reason").value_or(""), "lost");
    EXPECT_EQ(board("POST", "/api/v1/enrol", request_of(*key).text()).status, 403u);
    EXPECT_EQ(person("POST", "/api/v1/devices/gone/revoke", R"({"actor":"me"})").status, 404u);
    const Answer gone = person("POST", "/api/v1/devices/cam/revoke",
                               R"({"actor":"me","reason":"sold","retire":true})");
    EXPECT_TRUE(gone.body.bool_at("retired").value_or(false));
}

// What the broker is to know of revocations is in no backup: the journal is.
TEST_F(TrustDoor, ShutsARevokedBoardOutAtTheBrokerAgainAfterARestoreIntoAnEmptyPlace) {
    enrol();
    ASSERT_EQ(
        person("POST", "/api/v1/devices/cam/revoke", R"({"actor":"me","reason":"lost"})").status,
        200u);
    const std::vector<Bytes> serials = shutter.certificates;
    ASSERT_EQ(serials.size(), 1u);
    const std::string backup = directory.path() + "/backup";
    ASSERT_TRUE(back_up(system_files(), system_clock(), config.state_dir, backup));
    hub.reset();
    config.state_dir = directory.path() + "/again";
    const auto restored =
        restore(system_files(), system_clock(), system_entropy(), backup, config.state_dir);
    ASSERT_TRUE(restored) << restored.error().what;

    const std::string broker = directory.path() + "/broker";
    ASSERT_TRUE(system_files().make_directories(broker));
    BrokerKeeperOptions options;
    options.acl_path = broker + "/acl";
    options.list_path = broker + "/revoked.pem";
    options.sign_list = [this](std::span<const Bytes> revoked) -> Result<std::string> {
        TRIBUTARY_ASSIGN(const Bytes list, authority.revocation_list(1, revoked));
        return trust::to_pem(trust::kRevocationListLabel, list);
    };
    options.reload = [] { return 0; };
    BrokerKeeper keeper(*loop, system_files(), system_commands(), nullptr, std::move(options));
    const test::Certificate server = tls.issue();
    hub =
        Hub::start(
            {*loop, system_files(), system_clock(), system_entropy()}, config,
            Secured{authority, {root_document}, {server.pem + tls.pem(), server.key, ""}, &keeper})
            .value();

    const auto acl = read_file(system_files(), broker + "/acl", 1 << 20).value();
    EXPECT_EQ(denied_in(as_text(acl)), std::set<std::string>{"cam"});
    const auto pem = read_file(system_files(), broker + "/revoked.pem", 1 << 20).value();
    const Bytes list = trust::from_pem(trust::kRevocationListLabel, as_text(pem)).value();
    EXPECT_EQ(trust::listed_in(list).value(), serials);
    hub.reset();
}

// Whom a document drops counts no more behind the entry that says so: an auditor goes by it.
TEST_F(TrustDoor, OpensAfterTheJournalSaysWhichRootDocumentItGoesBy) {
    EXPECT_EQ(hub->ledger().catalog().root_followed().version, 1u);
    const Bytes second = next_root();
    hub = start({root_document, second}).value();
    EXPECT_EQ(hub->ledger().catalog().root_followed().version, 2u);
    const std::uint64_t entries = hub->ledger().store().head().sequence;
    hub = start({root_document, second}).value();
    EXPECT_EQ(hub->ledger().store().head().sequence, entries) << "said once";
}

TEST_F(TrustDoor, IsTheOnlyWayInToASecuredHub) {
    const Answer refused = person("POST", "/api/v1/contact", "{}");
    EXPECT_EQ(refused.status, 403u);
    EXPECT_NE(refused.body.text().find("tributary-agent enroll"), std::string::npos);
}

// ---- by the command line ----

struct Told {
    int code = 0;
    std::string out, err;
};

class TrustCli : public TrustDoor {
protected:
    // The hub answers on its own thread while this runs.
    Told run(std::vector<std::string> words) {
        const auto server = serve_api(*hub, *loop).value();
        const std::string ca = directory.path() + "/ca.pem";
        EXPECT_TRUE(replace_file(system_files(), ca, as_bytes(tls.pem())));
        words.insert(words.begin(),
                     {"tributary", "--hub", "https://127.0.0.1:" + std::to_string(server->port()),
                      "--ca", ca});
        std::vector<char*> argv;
        for (std::string& word : words) argv.push_back(word.data());
        std::thread answering([&] { loop->run(); });
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        Told told;
        told.code = cli::run(static_cast<int>(argv.size()), argv.data());
        told.out = testing::internal::GetCapturedStdout();
        told.err = testing::internal::GetCapturedStderr();
        loop->post([&] { loop->stop(); });
        answering.join();
        return told;
    }
};

TEST_F(TrustCli, PrintsATokenAloneAndShowsWhatBecameOfIt) {
    EXPECT_THAT(run({"device", "tokens"}).out, HasSubstr("No token was issued yet"));
    const Told made = run({"device", "token", "--group", "north", "--expires", "90m"});
    ASSERT_EQ(made.code, 0) << made.err;
    EXPECT_TRUE(trust::parse_token(made.out)) << made.out;
    EXPECT_THAT(run({"device", "tokens"}).out, HasSubstr("open   north"));
    EXPECT_EQ(run({"device", "token", "--expires", "soon"}).code, 2);
    EXPECT_EQ(run({"device", "token", "--replaces", "gone"}).code, 1);
    const auto id = trust::token_id(trust::parse_token(made.out)->secret).text();
    EXPECT_EQ(run({"device", "token-revoke", id.substr(7, 8)}).code, 0);
    EXPECT_THAT(run({"device", "tokens"}).out, HasSubstr("revoked"));
}

TEST_F(TrustCli, LetsAnOperatorDecideAndRevoke) {
    EXPECT_THAT(run({"device", "waiting"}).out, HasSubstr("No board waits"));
    ASSERT_EQ(board("POST", "/api/v1/enrol", request_of(*key, "c\x1b[2Jam").text()).status, 202u);
    const std::string digits = to_hex(trust::key_id(key->public_key()).bytes).substr(0, 12);
    const Told waiting = run({"device", "waiting"});
    EXPECT_THAT(waiting.out, HasSubstr(digits + "  c?[2Jam"));  // nothing that moves a terminal
    EXPECT_EQ(run({"device", "accept", digits, "--as", "Not An Id"}).code, 2);
    ASSERT_EQ(run({"device", "accept", digits, "--as", "front"}).code, 0);
    EXPECT_THAT(run({"device", "waiting"}).out, HasSubstr("accepted  front"));
    ASSERT_EQ(board("POST", "/api/v1/enrol", request_of(*key).text()).text("device"), "front");
    EXPECT_EQ(run({"device", "reject", digits}).code, 1);  // nobody waits by that fingerprint

    EXPECT_EQ(run({"device", "revoke", "front", "--reason", "stolen"}).code, 0);

    EXPECT_THAT(run({"device", "list"}).out, HasSubstr("front   revoked"));
    EXPECT_THAT(run({"device", "show", "front"}).out, HasSubstr(": stolen"));
    EXPECT_EQ(run({"device", "decommission", "front"}).code, 0);
    EXPECT_THAT(run({"device", "list"}).out, HasSubstr("1 retired"));
    EXPECT_EQ(run({"device", "revoke", "gone"}).code, 1);
}

}  // namespace
}  // namespace tributary::hub
