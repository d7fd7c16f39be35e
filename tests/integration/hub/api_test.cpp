// The hub's HTTP interface, asked without a socket: a real hub whose broker is away.
#include "hub/api/api.h"

#include <gtest/gtest.h>

#include "common/trust/trust.h"
#include "hub/app/hub.h"
#include "tests/integration/hub/ask.h"
#include "tests/support/temp_dir.h"

namespace tributary::hub {
namespace {

class HubApi : public testing::Test {
protected:
    HubApi() {
        HubConfig config;
        config.state_dir = directory.path() + "/hub";
        config.broker_url = "mqtt://127.0.0.1:1";
        hub = Hub::start({*loop, system_files(), system_clock(), system_entropy()}, config).value();
    }

    Answer ask(const std::string& method, const std::string& target, const std::string& body = "") {
        return ask_from("192.0.2.1", api_routes(*hub), method, target, body);
    }

    test::TempDir directory;
    std::unique_ptr<NetLoop> loop = make_loop();
    std::unique_ptr<Hub> hub;
};

TEST_F(HubApi, AnswersEveryMistakeWithACodeAndASentence) {
    const std::string unknown(64, 'a');
    struct Case {
        std::string method, target, body;
        unsigned status;
        std::string code;
    };
    const std::vector<Case> cases = {
        {"GET", "/api/v1/devices/nobody", "", 404, "not_found"},
        {"GET", "/api/v1/log", "", 400, "invalid"},
        {"GET", "/api/v1/log?ref=a/b/main", "", 404, "not_found"},
        {"GET", "/api/v1/log?ref=a/b/main&limit=many", "", 400, "invalid"},
        {"GET", "/api/v1/version?ref=sha256:" + unknown, "", 404, "not_found"},
        {"GET", "/api/v1/diff?from=a/b", "", 404, "not_found"},
        {"GET", "/api/v1/lineage", "", 400, "invalid"},
        {"GET", "/api/v1/audit?limit=-1", "", 400, "invalid"},
        {"GET", "/api/v1/file", "", 400, "invalid"},
        {"GET", "/api/v1/object?kind=entry&name=sha256:" + unknown, "", 400, "invalid"},
        {"GET", "/api/v1/object?kind=piece&name=sha256:" + unknown, "", 404, "not_found"},
        {"POST", "/api/v1/contact", "{", 400, "invalid"},
        {"POST", "/api/v1/contact", "{}", 400, "invalid"},
        {"POST", "/api/v1/merge", R"({"repo":"one-segment"})", 400, "invalid"},
        {"POST", "/api/v1/refs", "{}", 400, "invalid"},
        {"POST", "/api/v1/approvals", R"({"document":"zz"})", 400, "invalid"},
        {"POST", "/api/v1/assignments", R"({"ref":"a/b","model":"m","devices":[]})", 404,
         "not_found"},
    };
    for (const Case& one : cases) {
        const Answer answer = ask(one.method, one.target, one.body);
        EXPECT_EQ(answer.status, one.status) << one.method << " " << one.target;
        const Json* error = answer.body.find("error");
        ASSERT_NE(error, nullptr) << one.method << " " << one.target;
        EXPECT_EQ(error->text_at("code").value_or(""), one.code) << one.method << " " << one.target;
        EXPECT_GT(error->text_at("message").value_or("").size(), 10u) << one.target;
    }
}

TEST_F(HubApi, IsNotHealthyWhileTheBrokerIsAway) { EXPECT_EQ(ask("GET", "/healthz").status, 503u); }

TEST_F(HubApi, SaysWhoseKeyItsBoardsPinAndThatItHasNoBroker) {
    const Answer health = ask("GET", "/healthz");
    EXPECT_EQ(health.body.text_at("key").value(),
              trust::key_id(hub->ledger().signer().public_key()).text());
    EXPECT_FALSE(health.body.find("broker_connected")->as_bool().value());
}

TEST_F(HubApi, AnswersAnEmptyHubWithEmptyLists) {
    const Answer devices = ask("GET", "/api/v1/devices");
    EXPECT_EQ(devices.status, 200u);
    EXPECT_TRUE(devices.body.array_at("devices").value()->empty());
    EXPECT_TRUE(ask("GET", "/api/v1/repos").body.array_at("repos").value()->empty());
    EXPECT_TRUE(ask("POST", "/api/v1/fsck").body.find("sound"));
}

}  // namespace
}  // namespace tributary::hub
