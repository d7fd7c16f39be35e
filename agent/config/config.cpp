#include "agent/config/config.h"

#include <set>

#include "common/base/ids.h"
#include "common/net/peer_url.h"
#include "common/text/json.h"

namespace tributary::agent {
namespace {

void declare_model(ConfigTable& table, ModelConfig& model) {
    table
        .text("name", model.name,
              "Name of the model on this board, of a-z, 0-9 and -; the hub's assignments use it.")
        .require();
    table.text("health", model.health,
               "Shell command that exits 0 when the model works; its files are in "
               "$TRIBUTARY_MODEL_DIR. Without it an install ends 'unproven'.");
    table.duration("health_timeout", model.health_timeout_ms,
                   "Longest run of the health command; after that it counts as failed.");
    table.duration("health_interval", model.health_interval_ms,
                   "Time between two runs of the health command in probation.");
    table.duration("probation", model.probation_ms,
                   "How long a new version must prove itself before it is kept.");
    table.text("dir", model.dir,
               "Folder of the model's slots and its 'current' link. Empty: models/NAME in "
               "state_dir.");
}

void declare_watch(ConfigTable& table, WatchConfig& watch) {
    table.text("path", watch.path, "Folder whose finished files are recorded.").require();
    table.text("repo", watch.repo, "Repository they are recorded in, as GROUP/NAME.").require();
    table.text("branch", watch.branch, "Branch they are recorded on.");
    table.duration("settle", watch.settle_ms,
                   "How long a file must rest after its writer closed it.");
}

void anchor(std::string& path, std::string_view base) {
    if (!path.empty() && !path.starts_with('/') && base != ".") path = join_path(base, path);
}

tl::unexpected<Error> wrong(const std::string& file, const std::string& what) {
    return fail(Errc::invalid, file + ": " + what);
}

Status check_link(const Config& config, const std::string& file) {
    const auto& link = config.link;
    if (link.bytes_per_second != 0 &&
        (link.bytes_per_second < limits::KiB || link.bytes_per_second > 1024 * limits::MiB))
        return wrong(file, "[link] bytes_per_second must be \"0B\", or \"1KiB\" to \"1GiB\"");
    if (link.bytes_per_day != 0 && link.bytes_per_day < 2 * limits::MiB)
        return wrong(file, "[link] bytes_per_day must be \"0B\", or \"2MiB\" at least");
    if (link.heartbeat_ms < 10'000 || link.heartbeat_ms > 12 * 3'600'000)
        return wrong(file, "[link] heartbeat must be \"10s\" to \"12h\"");
    const std::uint64_t signs = heartbeat_bytes_a_day(link.heartbeat_ms);
    if (link.bytes_per_day != 0 && link.bytes_per_day / 2 < signs)
        return wrong(file, "[link] bytes_per_day \"" + size_text(link.bytes_per_day) +
                               "\" is mostly taken by signs of life, about " +
                               std::to_string(signs / 1000) +
                               " kB a day: raise it, or make heartbeat rarer than once in " +
                               std::to_string(link.heartbeat_ms / 1000) + " s");
    for (const std::string& hours : link.hours)
        if (const auto parsed = parse_hours(hours); !parsed)
            return wrong(file, "[link] hours: " + parsed.error().what);
    return {};
}

// What a single key's declaration cannot say.
Status check(const Config& config, const std::string& file) {
    if (config.state_dir.empty()) return wrong(file, "state_dir is empty; name a folder");
    const SizeOrPercent& quota = config.store.quota;
    if (quota.percent == 0 && quota.bytes != 0 && quota.bytes < kQuotaBytesMin) {
        return wrong(file, "[store] quota \"" + size_text(quota) + "\" is less than \"" +
                               size_text(kQuotaBytesMin) + "\", in which no space can be won");
    }
    TRIBUTARY_TRY(check_link(config, file));
    std::set<std::string> names;
    for (const ModelConfig& model : config.models) {
        // The name becomes a folder.
        if (!check_device_id(model.name)) {
            return wrong(file,
                         "[[model]] name '" + model.name + "' must be 1 to 64 of a-z, 0-9 and '-'");
        }
        if (!names.insert(model.name).second) {
            return wrong(file, "[[model]] name '" + model.name + "' stands twice; remove one");
        }
    }
    for (const WatchConfig& watch : config.watches) {
        for (const Status& status : {check_repo_name(watch.repo), check_branch_name(watch.branch)})
            if (!status) return wrong(file, "[[watch]] " + status.error().what);
    }
    if (!config.hub.url.empty()) {
        const auto url = parse_hub_url(config.hub.url);
        if (!url) return wrong(file, "[hub] url " + url.error().what);
        if (!is_tls(*url) && !config.hub.ca.empty())
            return wrong(file, "[hub] ca is for TLS: write https:// in url");
    }
    bool tls = true;
    if (!config.broker.url.empty()) {
        const auto url = parse_broker_url(config.broker.url);
        if (!url) return wrong(file, "[broker] url " + url.error().what);
        tls = is_tls(*url);
    }
    if (!tls && !(config.broker.ca + config.broker.cert + config.broker.key).empty())
        return wrong(file, "[broker] ca, cert and key are for TLS: write mqtts:// in url");
    if (config.broker.cert.empty() && !config.broker.key.empty())
        return wrong(file, "[broker] key is the key of a cert; name that, too");
    return {};
}

}  // namespace

std::string Config::model_dir(const ModelConfig& model) const {
    return model.dir.empty() ? join_path(join_path(state_dir, "models"), model.name) : model.dir;
}

TlsTrust Config::hub_trust() const {
    TlsTrust trust;
    trust.ca_file = hub.ca;
    trust.role = hub.role;
    return trust;
}

LinkPolicy link_policy(const Config& config) {
    LinkPolicy policy;
    policy.bytes_per_second = config.link.bytes_per_second;
    policy.bytes_per_day = config.link.bytes_per_day;
    policy.heartbeat_ms = static_cast<std::uint32_t>(config.link.heartbeat_ms);
    for (const std::string& text : config.link.hours)
        if (const auto hours = parse_hours(text)) policy.hours.push_back(*hours);
    return policy;
}

void declare(ConfigTable& table, Config& config) {
    table
        .text("state_dir", config.state_dir,
              "Folder of everything the agent keeps: store, key, models. Made when missing.")
        .require();
    table.text("author", config.author, "Name written into every version recorded here.");

    ConfigTable& hub = table.section("hub", "The hub that unites the boards' histories.");
    hub.text("url", config.hub.url,
             "Its address, such as https://hub:8460; http:// to a hub without TLS.");
    hub.text("ca", config.hub.ca,
             "PEM file of the authority that signed its certificate. Empty: one of this system.");
    hub.text(
        "name", config.hub.name,
        "What this board asks to be called there, of a-z, 0-9 and -; a name that is taken gets "
        "some digits more. Empty: its host name.");

    ConfigTable& broker = table.section("broker", "The MQTT broker that carries everything else.");
    broker.text("url", config.broker.url,
                "Its address, such as mqtt://broker:1883 or mqtts://broker:8883.");
    broker.text("ca", config.broker.ca, "PEM file of the authority that the broker must show.");
    broker.text("cert", config.broker.cert, "PEM file of this board's certificate.");
    broker.text("key", config.broker.key,
                "PEM file of the certificate's key. Empty: it stands in cert.");

    ConfigTable& identity =
        table.section("identity", "The key of this board, by which the hub knows it.");
    identity.text(
        "passphrase_file", config.identity.passphrase_file,
        "File whose first line is the passphrase that the key's file is encrypted with. "
        "Empty: the service's credential 'tributary-identity' if it has one, else the key "
        "is not encrypted.");

    ConfigTable& link = table.section("link", "What the link to the hub may be used for.");
    link.size("bytes_per_second", config.link.bytes_per_second,
              "So much of it sync takes at most, both ways together; while a model comes, what was "
              "recorded waits. 1KiB at least; \"0B\": no limit.");
    link.size("bytes_per_day", config.link.bytes_per_day,
              "So much of it sync takes in 24 hours, both ways together; past it the content of "
              "versions waits, what is a few bytes goes on. 2MiB at least; \"0B\": no limit.");
    link.texts("hours", config.link.hours,
               "When the content of versions may travel, in UTC, such as [\"22:00-06:00\"]; while "
               "the clock is not synchronised always. Empty: always.");
    link.duration("heartbeat", config.link.heartbeat_ms,
                  "How long board and hub may be silent; after three times as long they count as "
                  "gone. Each costs about 1 KiB. 10s to 12h.");

    ConfigTable& store = table.section("store", "What is kept on this board.");
    store.size_or_percent(
        "quota", config.store.quota,
        "How large the store may become, or its share of the disk (then 64MiB at least). Near it "
        "the oldest versions that the hub has receipted are given up; when none may go, recording "
        "is "
        "refused. \"0B\": as large as the disk allows, and nothing is given up.");
    store.integer("keep_versions", config.store.keep_versions,
                  "So many of the newest versions of each branch are never given up.",
                  std::uint32_t{1}, std::uint32_t{1'000'000});
    store
        .text(
            "when_full", config.store.when_full,
            "When the quota is reached and nothing may be given up: 'refuse' to record, or 'thin' "
            "out, while the hub is out of reach or has receipted nothing for 10 minutes: drop "
            "every second of the versions between the first one that the hub does not have and "
            "the newest of a branch. Nobody has those any more.")
        .one_of({"refuse", "thin"});
    store.size("written_per_day", config.store.written_per_day,
               "So much may be written to the store in 24 hours; past it watched folders wait, and "
               "'commit' wants --force. \"0B\": no limit.");
    store.size("flash_size", config.store.flash_bytes,
               "Size of the flash memory, for the estimate of its life in 'status'. \"0B\": not "
               "known.");
    store.integer("flash_cycles", config.store.flash_cycles,
                  "How often each of its cells may be written, as its maker says. 0: not known.",
                  std::uint32_t{0}, std::uint32_t{10'000'000});
    store
        .text("level", config.store.level,
              "How hard to compress: 'fast' spares the processor, 'default' the link and flash; "
              "'max' "
              "spares them more and takes 10 to 30 times as long. 'auto': max while the link takes "
              "less than 64 KiB a second, else default.")
        .one_of({"auto", "fast", "default", "max"});
    store.integer("workers", config.store.workers,
                  "Processor cores that compress at once; each takes up to 24 MiB of memory, at "
                  "level max 30.",
                  std::uint32_t{1}, std::uint32_t{64});
    store.duration("batch_time", config.store.batch_ms,
                   "Longest wait before the daemon makes what it recorded durable.");
    store.integer("batch_entries", config.store.batch_entries,
                  "Versions recorded before the daemon makes them durable without waiting longer.",
                  std::uint32_t{1}, std::uint32_t{4096});

    table.tables<ModelConfig>("model", config.models, "A model that the hub may install here.",
                              declare_model);
    table.tables<WatchConfig>("watch", config.watches, "A folder that the daemon records.",
                              declare_watch);
}

Result<Config> load_config(Files& files, const std::string& path) {
    Config config;
    ConfigTable table;
    declare(table, config);
    if (Status read = table.read_file(files, path); !read) {
        if (read.error().code != Errc::not_found) return tl::unexpected<Error>(read.error());
        return fail(Errc::not_found, "there is no config file " + path +
                                         "; make one with 'tributary-agent " + "--config " + path +
                                         " init', or one that holds state_dir = \"DIR\"");
    }
    const std::string_view base = parent_path(path);
    anchor(config.state_dir, base);
    for (std::string* file : {&config.hub.ca, &config.broker.ca, &config.broker.cert,
                              &config.broker.key, &config.identity.passphrase_file})
        anchor(*file, base);
    for (ModelConfig& model : config.models) anchor(model.dir, base);
    for (WatchConfig& watch : config.watches) anchor(watch.path, base);
    TRIBUTARY_TRY(check(config, path));
    return config;
}

std::string print_config(Config config) {
    ConfigTable table;
    declare(table, config);
    return table.print();
}

std::string commented_config(const std::string& state_dir) {
    Config config;
    ConfigTable table;
    declare(table, config);
    std::string text = commented_toml("The agent's configuration.", table.keys());
    const std::string unset = "#state_dir = \"\"  # required";
    return text.replace(text.find(unset), unset.size(), "state_dir = " + json_quoted(state_dir));
}

}  // namespace tributary::agent
