// A secured hub's own papers, as `tributary-hub init` makes them in a folder:
//
//   hub.toml       the configuration, which names the rest; paths in it are relative
//   master.key     opens the encrypted keys below; [trust] master_key
//   trust/         [trust] dir: root.1 to root.N, the authorities that the newest names (ca.pem),
//                  their keys (ca.key.pem, and while one is being replaced ca.next.key.pem), what
//                  the API and the door for boards prove themselves with (api.pem, api.key.pem),
//                  and the hub at the broker (hub.pem, hub.key.pem); papers.h
//   state/         state_dir, with the key that the hub signs with (key.pem), and while it is being
//                  replaced the next one (key.next.pem); whose certificates boards hold
//                  (certificates.json)
//   broker/        mosquitto.conf, acl, revoked.pem, ca.pem, server.pem, and server.key.pem, which
//                  is not encrypted: mosquitto would ask a terminal
//   take-away/     keys that are not to stay: root-1.pem and so on, and approvers'
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/record/entry.h"
#include "common/trust/certificate.h"
#include "common/trust/key_file.h"
#include "common/trust/root.h"
#include "hub/config/config.h"
#include "hub/deploy/authorities.h"

namespace tributary::hub {

// What each encrypted key's passphrase is derived for.
namespace role {
inline constexpr std::string_view kAuthority = "ca";
inline constexpr std::string_view kApi = "api";
inline constexpr std::string_view kBrokerClient = "broker-client";
inline constexpr std::string_view kJournal = "journal";
}  // namespace role

// From the file that the configuration names, or the systemd credential `tributary-master`.
Result<trust::MasterKey> load_master_key(Files& files, const HubConfig& config);

// All root documents of a deployment, from version 1 on, each verified to follow the one before.
struct RootHistory {
    std::vector<Bytes> documents;
    trust::VerifiedRoot newest;
};
std::string root_path(const std::string& trust_dir, std::uint64_t version);
// not_found when there is none; corrupt or denied, naming the file, when one is not what it says.
Result<RootHistory> load_roots(Files& files, const std::string& trust_dir);
// What else is asked of the document that follows `now`.
using RootCheck = std::function<Status(const Root& now, const Root& next)>;
// Puts the next one behind them, once it is known that every device would take it.
Result<trust::VerifiedRoot> publish_root(Files& files, const std::string& trust_dir,
                                         ByteView document, const RootCheck& check = {});

// The key that is to take the place of the hub's own (key.next.pem beside it, under the master
// key), made here and now; its public half. conflict when there is one: a copy of what lay there
// all the time may be in other hands.
Result<Bytes> next_hub_key(Files& files, Entropy& entropy, const HubConfig& config);
// At start: the key that the newest root document names for this hub is in key.pem, if it has it.
// The one before is gone when the root document names it no more. invalid, with what to do, when
// the root document names neither.
Status take_named_key(Files& files, const HubConfig& config, const trust::MasterKey& master,
                      const Root& root);
// Whether a hub could start under this root document: it names an authority whose key is here, and
// a key of the hub that is, this one or the next. Changes nothing.
Status check_root_serves(Files& files, const HubConfig& config, const trust::MasterKey& master,
                         const Root& root);

class Deployment {
public:
    // Writes nothing. CHECKs is_secured(config). An error names the file and what to do; invalid,
    // before any key is looked for, when the root documents do not go on from `followed`.
    static Result<std::unique_ptr<Deployment>> open(Files& files, const HubConfig& config,
                                                    const RootFollowedBody& followed = {});

    const trust::VerifiedRoot& root() const { return roots_.newest; }
    const std::vector<Bytes>& root_documents() const { return roots_.documents; }  // from 1 on
    Authorities& authorities() { return authorities_; }
    trust::Authority& authority() { return authorities_.issuing(); }  // to boards
    trust::Passphrase passphrase(std::string_view role) const { return master_.passphrase(role); }
    const trust::MasterKey& master() const { return master_; }

private:
    Deployment(trust::MasterKey master, RootHistory roots, Authorities authorities);

    trust::MasterKey master_;
    RootHistory roots_;
    Authorities authorities_;
};

}  // namespace tributary::hub
