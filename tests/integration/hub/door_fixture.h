// A secured hub with its door for boards; a real hub whose broker is away.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/net/http_client.h"
#include "common/trust/bulk.h"
#include "common/trust/contact.h"
#include "common/trust/fetch.h"
#include "common/trust/renewal.h"
#include "common/trust/revocation_list.h"
#include "hub/api/api.h"
#include "hub/api/door.h"
#include "hub/api/metrics.h"
#include "hub/app/hub.h"
#include "hub/broker/acl.h"
#include "hub/broker/broker_keeper.h"
#include "hub/cli/print.h"
#include "hub/cli/tributary.h"
#include "hub/store/backup.h"
#include "tests/integration/hub/ask.h"
#include "tests/support/certificates.h"
#include "tests/support/sim_clock.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/hub/board.h"

namespace tributary::hub {

struct Shutter final : BrokerAccess {
    Status deny(const ShutOut& whom) override {
        denied.push_back(whom.devices);
        certificates = whom.certificates;
        return {};
    }
    void cut(const std::string& device) override { cuts.push_back(device); }
    std::set<std::string> unexplained() const override { return {}; }
    void settle(const std::string&) override {}
    std::vector<std::set<std::string>> denied;
    std::vector<Bytes> certificates;
    std::vector<std::string> cuts;
};

class TrustDoor : public testing::Test {
protected:
    TrustDoor() {
        config.state_dir = directory.path() + "/hub";
        config.broker_url = "mqtts://127.0.0.1:1";
        config.trust_dir = directory.path();
        config.devices_listen = config.api_listen = "127.0.0.1:0";
        config.devices_url = "https://127.0.0.1:1";
        config.devices_broker_url = "mqtts://broker.example";
        EXPECT_TRUE(system_files().make_directories(config.state_dir));
        const auto hub_key =
            trust::load_or_create_bulk_key(system_files(), entropy, config.state_dir + "/key.pem")
                .value();
        root.issued = {1};
        root.keys = {root_key->public_key()};
        root.hub_keys = {hub_key->public_key()};
        root.authorities = {authority.certificate()};
        root_document = trust::sign_root(*root_key, root).value();
        hub = start({root_document}).value();
    }

    Result<std::unique_ptr<Hub>> start(std::vector<Bytes> documents) {
        hub.reset();
        const test::Certificate server = tls.issue();
        return Hub::start({*loop, system_files(), system_clock(), system_entropy()}, config,
                          Secured{authority,
                                  std::move(documents),
                                  {server.pem + tls.pem(), server.key, ""},
                                  &shutter});
    }
    Bytes next_root() {
        root.version += 1;
        return trust::sign_root(*root_key, root).value();
    }

    Answer ask(const HttpRoutes& routes, const std::string& method, const std::string& target,
               const std::string& body = "", std::vector<HttpHeader> headers = {}) {
        return ask_from("192.0.2." + std::to_string(++peers), routes, method, target, body,
                        std::move(headers));
    }
    Answer person(const std::string& method, const std::string& target,
                  const std::string& body = "") {
        return ask(api_routes(*hub), method, target, body);
    }
    Answer board(const std::string& method, const std::string& target, const std::string& body = "",
                 std::vector<HttpHeader> headers = {}) {
        return ask(door_routes(*hub, limits), method, target, body, std::move(headers));
    }
    // The secret of a new token.
    std::string token(const std::string& more = "") {
        const Answer made = person("POST", "/api/v1/tokens", R"({"actor":"me")" + more + "}");
        EXPECT_EQ(made.status, 200u);
        const auto read = trust::parse_token(made.text("token"));
        EXPECT_TRUE(read);
        EXPECT_EQ(read->url, "https://127.0.0.1:1");
        EXPECT_EQ(read->root, hub->roots()->digest());
        return to_hex(read->secret);
    }
    Json request_of(trust::Signer& by, const std::string& name = "cam") {
        return Json::object(
            {{"incarnation", journal.text()},
             {"csr", trust::to_pem(trust::kCsrLabel, trust::make_csr(by).value())},
             {"name", name},
             {"signature", to_hex(by.sign(trust::kContactPurpose,
                                          trust::contact_digest(journal, by.public_key()))
                                      .value())}});
    }
    void enrol() {
        Json request = request_of(*key);
        request.set("token", token());
        ASSERT_EQ(board("POST", "/api/v1/enrol", request.text()).status, 200u);
    }

    test::TempDir directory;
    test::SimEntropy entropy{7};
    std::unique_ptr<trust::Signer> key = trust::generate_key(entropy).value();
    std::unique_ptr<trust::Signer> root_key = trust::generate_key(entropy).value();
    trust::Authority authority =
        trust::Authority::create(trust::generate_key(entropy).value(), entropy, "authority")
            .value();
    test::Authority tls;
    HubConfig config;
    Root root;
    Bytes root_document;
    Incarnation journal = Incarnation::parse(std::string(32, 'a')).value();
    Shutter shutter;
    DoorLimits limits;
    unsigned peers = 0;
    std::unique_ptr<NetLoop> loop = make_loop();
    std::unique_ptr<Hub> hub;
};

}  // namespace tributary::hub
