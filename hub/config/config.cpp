#include "hub/config/config.h"

#include "common/base/ids.h"
#include "common/env/files.h"
#include "common/net/peer_url.h"

namespace tributary::hub {
namespace {

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
    broker.text("key", config.broker_key, "PEM file of that certificate's key.");

    ConfigTable& api =
        table.section("api", "HTTP interface for people and for a board's first contact.");
    api.text("listen", config.api_listen,
             "HOST:PORT to listen on; keep it on loopback until access control is set up.");

    ConfigTable& approval = table.section("approval", "Who may say that a version may run.");
    approval.texts("keys", config.approvers, "PEM files of the approvers' public keys.");

    ConfigTable& quarantine =
        table.section("quarantine", "A board that sends what no sound agent sends.");
    quarantine.integer("after", config.quarantine_after,
                       "So many of its messages and plans may be refused in an hour; then nothing "
                       "of it is read until `tributary device release`. 0: never.",
                       std::uint32_t{0}, std::uint32_t{1'000'000'000});

    ConfigTable& merge =
        table.section("merge", "Folding of the boards' branches into shared ones.");
    merge.duration("delay", config.merge_delay_ms,
                   "How long to wait for more heads before folding.");
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
    for (std::string* file : {&config.broker_ca, &config.broker_certificate, &config.broker_key})
        anchor(*file, base);
    for (std::string& key : config.approvers) anchor(key, base);
    const auto wrong = [&path](const std::string& what) {
        return fail(Errc::invalid, path + ": " + what);
    };
    const auto broker = parse_broker_url(config.broker_url);
    if (!broker) return wrong("[broker] url " + broker.error().what);
    if (!is_tls(*broker) &&
        !(config.broker_ca + config.broker_certificate + config.broker_key).empty())
        return wrong("[broker] ca, cert and key are for TLS: write mqtts:// in url");
    if (config.broker_certificate.empty() != config.broker_key.empty())
        return wrong("[broker] cert and key go together; give both or none");
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
