// The papers of a secured hub and its broker, for as long as the hub lives.
#pragma once

#include <memory>

#include "hub/app/hub.h"
#include "hub/broker/broker_keeper.h"
#include "hub/broker/broker_process.h"
#include "hub/deploy/deployment.h"

namespace tributary::hub {

class SecuredParts {
public:
    // Opens the store, and reads and checks what [trust] names; only then, as no other hub has this
    // state_dir, writes what the newest root document asks for. Starts nothing. CHECKs
    // is_secured().
    static Result<std::unique_ptr<SecuredParts>> open(const World& world, const HubConfig& config);

    std::uint64_t root_version() const { return deployment_->root().root.version; }
    // For Hub::start(), once; refers to this object.
    Result<Secured> secured();
    // Starts the broker, if the hub runs one: after Hub::start(), which says whom it is to deny.
    Status start_broker();

    // Whether this hub could start under that root document.
    Status serves(const Root& root) const {
        return check_root_serves(world_.files, config_, deployment_->master(), root);
    }

private:
    SecuredParts(const World& world, HubConfig config, std::unique_ptr<Store> store,
                 std::unique_ptr<Deployment> deployment);

    const World world_;
    const HubConfig config_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<Deployment> deployment_;
    std::unique_ptr<BrokerProcess> process_;
    std::unique_ptr<BrokerKeeper> keeper_;
};

}  // namespace tributary::hub
