#include "hub/app/secured_parts.h"

#include "common/base/limits.h"
#include "common/hash/hash.h"
#include "common/text/log.h"
#include "common/trust/revocation_list.h"
#include "hub/broker/take_over.h"
#include "hub/deploy/mosquitto_conf.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kPemBytesMax = 256 * limits::KiB;

std::unique_ptr<SessionCutter> make_cutter(const World& world, const HubConfig& config,
                                           trust::Authority& authority) {
    TakeOverOptions options;
    options.broker_url = config.broker_url;
    options.broker_ca = config.broker_ca;
    options.folder = config.state_dir;
    return std::make_unique<TakeOver>(world.loop, world.files, world.clock, world.entropy,
                                      authority, std::move(options));
}

// Else every board would turn away, each in a place where nobody looks.
Status check_door(ByteView pem) {
    TRIBUTARY_ASSIGN(const Bytes der, trust::from_pem(trust::kCertificateLabel, as_text(pem)));
    TRIBUTARY_ASSIGN(const trust::Certificate certificate, trust::parse_certificate(der));
    if (certificate.door) return {};
    return fail(
        Errc::invalid,
        "api.pem in [trust] dir is not a certificate for a boards' door (it does not name " +
            std::string(trust::kDoorRole) +
            "), so no board would believe it. Was this deployment made by an older "
            "tributary-hub init? Then make it anew, and enrol its boards again");
}

}  // namespace

SecuredParts::SecuredParts(const World& world, HubConfig config, std::unique_ptr<Store> store,
                           std::unique_ptr<Deployment> deployment)
    : world_(world),
      config_(std::move(config)),
      store_(std::move(store)),
      deployment_(std::move(deployment)) {
    if (config_.broker_acl.empty()) return;
    BrokerKeeperOptions options;
    options.acl_path = config_.broker_acl;
    options.reload_command = config_.broker_reload;
    options.list_path = join_path(parent_path(config_.broker_acl), kRevocationListName);
    options.read_list = [](std::string_view text) -> Result<std::vector<Bytes>> {
        TRIBUTARY_ASSIGN(const std::vector<Bytes> lists,
                         trust::all_from_pem(trust::kRevocationListLabel, text));
        return trust::listed_in(lists.front());  // they are of the same certificates
    };
    options.sign_list = [this](std::span<const Bytes> serials) {
        return deployment_->authorities().lists_of_revoked(serials, world_.clock.wall());
    };
    if (!config_.broker_config.empty())
        options.reload = [this] { return process_ ? process_->reload() : 0; };
    keeper_ = std::make_unique<BrokerKeeper>(world_.loop, world_.files, world_.commands,
                                             make_cutter(world_, config_, deployment_->authority()),
                                             std::move(options));
}

Result<std::unique_ptr<SecuredParts>> SecuredParts::open(const World& world,
                                                         const HubConfig& config) {
    // Where another hub would make itself a key, this one has the key that its root names.
    const std::string key = join_path(config.state_dir, "key.pem");
    if (const auto there = world.files.stat(key); !there)
        return with_context("the hub's signing key; put it back, or restore a backup",
                            there.error());
    TRIBUTARY_ASSIGN(std::unique_ptr<Store> store, open_hub_store(world, config));
    TRIBUTARY_ASSIGN(const RootFollowedBody followed, read_root_followed(*store));
    auto deployment = Deployment::open(world.files, config, followed);
    if (!deployment) return with_context("[trust] in the configuration", deployment.error());
    const trust::VerifiedRoot& root = (*deployment)->root();
    log_info("root document", {{"version", root.root.version}, {"digest", root.digest.text()}});
    if (trust::is_expired(root.root, world.clock.wall()))
        log_warn(
            "the root document has expired: boards install nothing new until a next one is "
            "published (`tributary-hub root next`)");
    TRIBUTARY_TRY(take_named_key(world.files, config, (*deployment)->master(), root.root));
    TRIBUTARY_TRY(follow_root(world.files, world.entropy, config, (*deployment)->master(),
                              root.root, (*deployment)->authorities()));
    return std::unique_ptr<SecuredParts>(
        new SecuredParts(world, config, std::move(store), *std::move(deployment)));
}

Result<Secured> SecuredParts::secured() {
    const auto read = [&](const char* name) {
        return read_file(world_.files, join_path(config_.trust_dir, name), kPemBytesMax);
    };
    TRIBUTARY_ASSIGN(const Bytes certificate, read("api.pem"));
    TRIBUTARY_TRY(check_door(certificate));
    TRIBUTARY_ASSIGN(const Bytes key, read("api.key.pem"));
    return Secured{deployment_->authority(),
                   deployment_->root_documents(),
                   {std::string(as_text(certificate)), std::string(as_text(key)),
                    std::string(deployment_->passphrase(role::kApi).text())},
                   keeper_.get(),
                   deployment_->passphrase(role::kJournal),
                   deployment_->passphrase(role::kBrokerClient),
                   sha256(deployment_->authorities().vouching().certificate()),
                   std::move(store_)};
}

Status SecuredParts::start_broker() {
    if (config_.broker_config.empty()) return {};
    TRIBUTARY_ASSIGN(process_,
                     BrokerProcess::start(world_.loop, world_.commands, config_.broker_config));
    return {};
}

}  // namespace tributary::hub
