#include "hub/config/config.h"

#include "common/base/ids.h"
#include "common/env/files.h"
#include "common/net/peer_url.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kDeviceLifeMsMin =
    12 * 3'600'000;  // renewed every 8 hours, of 4 times a day
constexpr std::uint64_t kDeviceLifeMsMax = 36'500 * 86'400'000ull;

void declare_repository(ConfigTable& table, RepositoryConfig& repository) {
    table.text("name", repository.name, "Repository this is for, GROUP/NAME; each side may be *.")
        .require();
    table.text("branch", repository.branch,
               "Branch of the devices that folds into the shared branch of that name.");
    table.text("merge", repository.merge, "What happens to paths that no rule names.")
        .one_of({"union", "conflict"});
    table.texts("rules", repository.rules,
                "Policies for paths, as \"GLOB = POLICY\"; the first that fits decides.");
}

bool fits(std::string_view pattern, std::string_view segment) {
    return pattern == "*" || pattern == segment;
}

bool fits_repo(const std::string& pattern, const std::string& repo) {
    const auto p = pattern.find('/');
    const auto r = repo.find('/');
    if (p == pattern.npos || r == repo.npos) return false;
    return fits(std::string_view(pattern).substr(0, p), std::string_view(repo).substr(0, r)) &&
           fits(std::string_view(pattern).substr(p + 1), std::string_view(repo).substr(r + 1));
}

// Relative paths are taken from the folder of the file, not from wherever the hub was started.
void anchor(std::string& path, std::string_view base) {
    if (!path.empty() && !path.starts_with('/') && base != ".") path = join_path(base, path);
}

// What goes together when the hub is secured, and what is to be left out when it is not. The
// broker's URL was checked before.
Status check_trust(const HubConfig& config) {
    const auto wrong = [](const std::string& what) { return fail(Errc::invalid, what); };
    if (!is_secured(config)) {
        const std::string more = config.master_key + config.devices_listen + config.devices_url +
                                 config.devices_broker_url + config.broker_config +
                                 config.broker_acl + config.broker_reload;
        if (more.empty()) return {};
        return wrong(
            "[trust] master_key, [devices] and [broker] config, acl and reload are of a "
            "secured hub; give [trust] dir as well, or leave them out");
    }
    if (!config.approvers.empty())
        return wrong(
            "[approval] keys and [trust] dir do not go together: the root document names "
            "the approvers of a secured hub (`tributary-hub root next --add-approver`)");
    if (!is_tls(*parse_broker_url(config.broker_url)))
        return wrong("[broker] url of a secured hub begins with mqtts://");
    if (!config.broker_config.empty() && !config.broker_reload.empty())
        return wrong(
            "[broker] config and reload do not go together: the hub reloads the broker "
            "that it runs by itself");
    if (config.broker_config.empty() && config.broker_reload.empty() != config.broker_acl.empty())
        return wrong(
            "[broker] acl and reload go together: the file, and how the broker that reads "
            "it is told");
    if (config.device_life_ms < kDeviceLifeMsMin || config.device_life_ms > kDeviceLifeMsMax)
        return wrong("[trust] device_life must be 12h to 36500d");
    if (config.devices_listen.empty()) return {};
    if (const auto listen = parse_host_port(config.devices_listen); !listen)
        return wrong("[devices] listen " + listen.error().what);
    if (const auto url = parse_url(config.devices_url); !url || url->scheme != "https")
        return wrong("[devices] url '" + config.devices_url +
                     "' is not what boards can reach; write https://HOST:PORT");
    const auto told = parse_broker_url(config.devices_broker_url);
    if (!told || !is_tls(*told))
        return wrong("[devices] broker_url '" + config.devices_broker_url +
                     "' is not what boards can reach; write mqtts://HOST:PORT");
    return {};
}

// Half of it takes a record and its window.
constexpr std::uint64_t kBrokerQueueBytesMin = 4 * limits::MiB;

}  // namespace

void declare(ConfigTable& table, HubConfig& config) {
    table.text("state_dir", config.state_dir, "Where the hub keeps everything: log, index, keys.")
        .require();
    table.text("name", config.name, "Name of this hub in its own statements.");

    ConfigTable& broker = table.section("broker", "The MQTT broker that the boards reach.");
    broker.text("url", config.broker_url, "mqtt://HOST[:PORT] or mqtts://HOST[:PORT].").require();
    broker.text("ca", config.broker_ca,
                "PEM file of the authority that signed the broker's certificate.");
    broker.text("cert", config.broker_certificate, "PEM file of this hub's client certificate.");
    broker.text("key", config.broker_key,
                "PEM file of that certificate's key. Empty: it stands in cert.");
    broker.text("config", config.broker_config,
                "A mosquitto.conf: the hub then runs the broker itself and watches over it.");
    broker.text("acl", config.broker_acl,
                "The broker's acl_file, which the hub writes: revoked boards are denied in it. "
                "Empty: the file acl beside config.");
    broker.text("reload", config.broker_reload,
                "Shell command that makes a broker which others run read its acl_file anew, such "
                "as \"systemctl reload mosquitto\".");
    broker.size("queue", config.broker_queue_bytes,
                "What the broker keeps for this hub before it drops (mosquitto: max_queued_bytes), "
                "4MiB at least. Boards may have half of it under way to the hub, all together; "
                "the hub needs as much memory for it.");

    ConfigTable& api =
        table.section("api", "HTTP interface for people and for a board's first contact.");
    api.text("listen", config.api_listen,
             "HOST:PORT to listen on; keep it on loopback until access control is set up.");
    api.text("cert", config.api_certificate,
             "PEM file of this hub's certificate for its host names, then that of the authority "
             "which signed it. Empty: plain http://, without TLS.");
    api.text("key", config.api_key,
             "PEM file of that certificate's key. Empty: it stands in cert.");

    ConfigTable& trust =
        table.section("trust", "A secured hub: `tributary-hub init` makes what is needed.");
    trust.text("dir", config.trust_dir,
               "Folder of root documents, authority and certificates. What [api] and [broker] do "
               "not say of theirs is taken from it. Empty: boards are trusted at first contact.");
    trust.text("master_key", config.master_key,
               "File of the key under which the private keys are encrypted. Empty: "
               "tributary-master in $CREDENTIALS_DIRECTORY, a systemd credential.");
    trust.duration("device_life", config.device_life_ms,
                   "How long a certificate of a board is valid, 12h at least; boards renew at two "
                   "thirds of it. One that was away for longer still can.");

    ConfigTable& devices = table.section(
        "devices", "The door of a secured hub for boards: HTTPS, to enrol and renew.");
    devices.text("listen", config.devices_listen,
                 "HOST:PORT to listen on. Empty: no board enrols.");
    devices.text("url", config.devices_url,
                 "https://HOST[:PORT] by which boards reach that door; tokens say it.");
    devices.text(
        "broker_url", config.devices_broker_url,
        "mqtts://HOST[:PORT] by which boards reach the broker; they are told at enrolment.");

    ConfigTable& approval = table.section("approval", "Who may say that a version may run.");
    approval.texts("keys", config.approvers, "PEM files of the approvers' public keys.");

    ConfigTable& quarantine =
        table.section("quarantine", "What no sound agent sends, in a board's name.");
    quarantine.integer("after", config.quarantine_after,
                       "So many of its messages may be junk in an hour; then nothing of it is read "
                       "for 15 minutes. So many entries under its own seal may be such; then until "
                       "`tributary device release`. 0: any number.",
                       std::uint32_t{0}, std::uint32_t{1'000'000'000});

    ConfigTable& merge =
        table.section("merge", "Folding of the boards' branches into shared ones.");
    merge.duration(
        "delay", config.merge_delay_ms,
        "How long to wait for more heads before folding; longer after a fold that took long.");
    table.tables<RepositoryConfig>("repository", config.repositories,
                                   "Merge policy of repositories; the first that fits.",
                                   declare_repository);
}

Result<HubConfig> load_config(Files& files, const std::string& path) {
    HubConfig config;
    ConfigTable table;
    declare(table, config);
    TRIBUTARY_TRY(table.read_file(files, path));
    const std::string_view base = parent_path(path);
    anchor(config.state_dir, base);
    for (std::string* file : {&config.broker_ca, &config.broker_certificate, &config.broker_key,
                              &config.broker_config, &config.broker_acl, &config.api_certificate,
                              &config.api_key, &config.trust_dir, &config.master_key})
        anchor(*file, base);
    for (std::string& key : config.approvers) anchor(key, base);
    const auto wrong = [&path](const std::string& what) {
        return fail(Errc::invalid, path + ": " + what);
    };
    if (!config.broker_config.empty() && config.broker_acl.empty())
        config.broker_acl = join_path(parent_path(config.broker_config), "acl");
    if (is_secured(config) && config.broker_certificate.empty() && config.broker_key.empty()) {
        if (config.broker_ca.empty()) config.broker_ca = join_path(config.trust_dir, "ca.pem");
        config.broker_certificate = join_path(config.trust_dir, "hub.pem");
        config.broker_key = join_path(config.trust_dir, "hub.key.pem");
    }
    const auto broker = parse_broker_url(config.broker_url);
    if (!broker) return wrong("[broker] url " + broker.error().what);
    if (config.broker_queue_bytes < kBrokerQueueBytesMin)
        return wrong("[broker] queue must be \"4MiB\" at least");
    if (auto fits = check_trust(config); !fits) return wrong(fits.error().what);
    if (!is_tls(*broker) &&
        !(config.broker_ca + config.broker_certificate + config.broker_key).empty())
        return wrong("[broker] ca, cert and key are for TLS: write mqtts:// in url");
    if (config.broker_certificate.empty() && !config.broker_key.empty())
        return wrong("[broker] key is the key of a cert; name that, too");
    if (config.api_certificate.empty() && !config.api_key.empty())
        return wrong("[api] key is the key of a cert; name that, too");
    if (const auto listen = parse_host_port(config.api_listen); !listen)
        return wrong("[api] listen " + listen.error().what);
    for (const RepositoryConfig& repository : config.repositories) {
        if (repository.name.find('/') == std::string::npos)
            return fail(Errc::invalid, path + ": repository name '" + repository.name +
                                           "' needs two segments, GROUP/NAME; each side may be *");
        if (auto branch = check_branch_name(repository.branch); !branch)
            return with_context(path + ": repository '" + repository.name + "'", branch.error());
    }
    return config;
}

std::string print_config(HubConfig config) {
    ConfigTable table;
    declare(table, config);
    return table.print();
}

RepositoryConfig policy_for(const HubConfig& config, const std::string& repo) {
    for (const RepositoryConfig& repository : config.repositories)
        if (fits_repo(repository.name, repo)) return repository;
    return {};
}

}  // namespace tributary::hub
