// The folder of a secured hub on a simulated disk, as `tributary-hub init` makes it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/env/clock.h"
#include "hub/deploy/deployment.h"
#include "hub/deploy/init.h"
#include "hub/deploy/root_draft.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_files.h"

namespace tributary::test {

// Not a person's, which is dear to try.
inline trust::Passphrase passphrase() {
    SimFiles files;
    EXPECT_TRUE(replace_file(files, "/key", as_bytes(std::string(64, 'a').append("\n"))));
    return trust::MasterKey::load(files, "/key").value().passphrase("take-away");
}

class DeploymentTest : public ::testing::Test {
protected:
    DeploymentTest() {
        options.directory = "/hub";
        options.hosts = {"plant-hub", "127.0.0.1"};
        options.user = "tributary-hub";
        options.root_keys = 2;
        options.root_threshold = 2;
    }

    Result<hub::Initialised> make() {
        return hub::make_deployment(files, clock, system_entropy(), options, passphrase());
    }
    Result<hub::HubConfig> config() { return hub::load_config(files, "/hub/hub.toml"); }
    std::unique_ptr<trust::Signer> key(const std::string& name) {
        const trust::Passphrase opens = passphrase();
        auto loaded = trust::load_key(files, "/hub/take-away/" + name, &opens);
        if (!loaded) ADD_FAILURE() << loaded.error().what;
        return loaded ? *std::move(loaded) : nullptr;
    }
    Root newest() { return hub::load_roots(files, "/hub/trust").value().newest.root; }
    // Signed by these, of the keys that were taken away.
    Bytes signed_by(const Root& root, const std::vector<std::string>& names) {
        Bytes document = hub::draft_of(root).value();
        for (const std::string& name : names)
            document = trust::add_root_signature(*key(name), document).value();
        return document;
    }
    Root changed(const hub::RootChange& change) {
        return hub::next_root(newest(), change, clock.wall()).value();
    }
    void publish(const hub::RootChange& change) {
        const auto published = hub::publish_root(
            files, "/hub/trust", signed_by(changed(change), {"root-1.pem", "root-2.pem"}));
        ASSERT_TRUE(published) << published.error().what;
    }
    std::string text_of(const std::string& path) {
        const auto content = read_file(files, path, 1 << 20);
        return content ? std::string(as_text(*content)) : "nothing";
    }

    SimFiles files;
    SimClock clock;
    hub::InitOptions options;
};

}  // namespace tributary::test
