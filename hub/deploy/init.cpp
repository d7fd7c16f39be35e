#include "hub/deploy/init.h"

#include <algorithm>
#include <array>

#include "common/base/limits.h"
#include "common/net/http.h"
#include "hub/broker/acl.h"
#include "hub/deploy/deployment.h"
#include "hub/deploy/mosquitto_conf.h"

namespace tributary::hub {
namespace {

constexpr const char* kConfigName = "hub.toml";

// As certificates tell names from addresses.
bool is_address(const std::string& host) {
    return host.find(':') != host.npos ||
           host.find_first_not_of("0123456789.") == std::string::npos;
}

std::string url_of(std::string_view scheme, const std::string& host, std::uint16_t port) {
    return std::string(scheme) + "://" + (host.find(':') == host.npos ? host : "[" + host + "]") +
           ":" + std::to_string(port);
}

std::string config_text(const InitOptions& options, const Initialised& made) {
    return "# A secured hub, made by `tributary-hub init`. Paths are taken from this file's "
           "folder;\n"
           "# docs/config.md and `man tributary-hub` explain every key.\n"
           "state_dir = \"state\"\n"
           "name = \"" +
           options.name +
           "\"\n\n"
           "[broker]\n"
           "url = \"" +
           url_of("mqtts", "127.0.0.1", options.broker_port) +
           "\"\n"
           "# The hub runs this broker itself. To run your own, give acl and reload instead.\n"
           "config = \"broker/mosquitto.conf\"\n\n"
           "# For people and their tools: keep it on loopback until access control is set up.\n"
           "[api]\n"
           "listen = \"127.0.0.1:" +
           std::to_string(options.api_port) +
           "\"\n\n"
           "# For boards, which enrol here.\n"
           "[devices]\n"
           "listen = \"" +
           (options.bind.find(':') == std::string::npos ? options.bind : "[" + options.bind + "]") +
           ":" + std::to_string(options.devices_port) +
           "\"\n"
           "url = \"" +
           made.devices_url +
           "\"\n"
           "broker_url = \"" +
           made.broker_url +
           "\"\n\n"
           "[trust]\n"
           "dir = \"trust\"\n"
           "# Leave it out to hand the master key over as the systemd credential "
           "tributary-master.\n"
           "master_key = \"master.key\"\n";
}

class Maker {
public:
    Maker(Files& files, Clock& clock, Entropy& entropy, const InitOptions& options,
          const trust::Passphrase& passphrase)
        : files_(files),
          clock_(clock),
          entropy_(entropy),
          options_(options),
          passphrase_(passphrase) {}

    Result<Initialised> make();

private:
    std::string in(std::string_view folder, std::string_view name) const {
        return join_path(join_path(options_.directory, folder), name);
    }
    Status write(const std::string& path, std::string_view text, Readers readers = Readers::owner) {
        return replace_file(files_, path, as_bytes(text), readers);
    }
    Result<Bytes> take_away_key(const std::string& name);
    Status name_approvers();
    Status make_certificates(trust::Authority& authority, const trust::MasterKey& master);
    Status make_server(trust::Authority& authority, const std::string& certificate_path,
                       const std::string& key_path, const trust::Passphrase* passphrase, bool door);
    Status make_broker(trust::Authority& authority);
    Status sign();

    Files& files_;
    Clock& clock_;
    Entropy& entropy_;
    const InitOptions& options_;
    const trust::Passphrase& passphrase_;
    Root root_;
    std::vector<std::unique_ptr<trust::Signer>> root_signers_;
    Initialised made_;
};

Result<Initialised> Maker::make() {
    made_.directory = options_.directory;
    made_.config_path = join_path(options_.directory, kConfigName);
    made_.ca_path = in("trust", "ca.pem");
    made_.api_url = url_of("https", "127.0.0.1", options_.api_port);
    made_.devices_url = url_of("https", options_.hosts.front(), options_.devices_port);
    made_.broker_url = url_of("mqtts", options_.hosts.front(), options_.broker_port);
    TRIBUTARY_TRY(name_approvers());  // the one thing that may be wrong in what we were given
    TRIBUTARY_TRY(check_free(files_, options_.directory));
    for (const char* folder : {"trust", "state", "broker", "take-away"})
        TRIBUTARY_TRY(files_.make_directories(join_path(options_.directory, folder)));

    // 1. What opens everything that stays on the hub.
    TRIBUTARY_ASSIGN(
        const trust::MasterKey master,
        trust::MasterKey::create(files_, entropy_, join_path(options_.directory, "master.key")));
    // 2. Who issues certificates, and what it issues now.
    const trust::Passphrase ca_passphrase = master.passphrase(role::kAuthority);
    TRIBUTARY_ASSIGN(auto ca_key, trust::create_key(files_, entropy_, in("trust", "ca.key.pem"),
                                                    &ca_passphrase));
    TRIBUTARY_ASSIGN(trust::Authority authority,
                     trust::Authority::create(std::move(ca_key), entropy_, options_.name));
    TRIBUTARY_TRY(make_certificates(authority, master));
    TRIBUTARY_TRY(make_broker(authority));
    // 3. The key by which boards know this hub.
    const trust::Passphrase journal = master.passphrase(role::kJournal);
    TRIBUTARY_ASSIGN(const auto hub_key,
                     trust::create_key(files_, entropy_, in("state", "key.pem"), &journal));
    root_.hub_keys = {hub_key->public_key()};
    root_.authorities = {authority.certificate()};
    // 4. Who may say all of that anew.
    for (const std::string& name : options_.made_approvers) {
        TRIBUTARY_ASSIGN(Bytes key, take_away_key("approver-" + name));
        root_.approvers.push_back({name, std::move(key)});
    }
    for (std::uint32_t i = 1; i <= options_.root_keys; ++i) {
        TRIBUTARY_ASSIGN(Bytes key, take_away_key("root-" + std::to_string(i)));
        root_.keys.push_back(std::move(key));
    }
    TRIBUTARY_TRY(sign());
    // 5. From here on it is a deployment.
    TRIBUTARY_TRY(write(made_.config_path, config_text(options_, made_)));
    return std::move(made_);
}

// A private key for a person to take along, and its public half.
Result<Bytes> Maker::take_away_key(const std::string& name) {
    const std::string path = in("take-away", name + ".pem");
    TRIBUTARY_ASSIGN(auto signer, trust::create_key(files_, entropy_, path, &passphrase_));
    made_.take_away.push_back(path);
    Bytes key = signer->public_key();
    if (name.starts_with("root-")) root_signers_.push_back(std::move(signer));
    return key;
}

Status Maker::name_approvers() {
    for (const auto& [name, path] : options_.approvers) {
        TRIBUTARY_ASSIGN(const Bytes pem, read_file(files_, path, 64 * limits::KiB));
        auto key = trust::parse_public_key_pem(as_text(pem));
        if (!key) return with_context("the key of approver " + name, key.error());
        root_.approvers.push_back({name, *std::move(key)});
    }
    return {};
}

Status Maker::make_certificates(trust::Authority& authority, const trust::MasterKey& master) {
    const std::string ca = trust::to_pem(trust::kCertificateLabel, authority.certificate());
    TRIBUTARY_TRY(write(made_.ca_path, ca, Readers::everybody));
    const trust::Passphrase api = master.passphrase(role::kApi);
    TRIBUTARY_TRY(
        make_server(authority, in("trust", "api.pem"), in("trust", "api.key.pem"), &api, true));
    const trust::Passphrase client = master.passphrase(role::kBrokerClient);
    TRIBUTARY_ASSIGN(const auto key,
                     trust::create_key(files_, entropy_, in("trust", "hub.key.pem"), &client));
    TRIBUTARY_ASSIGN(const Bytes certificate, authority.issue_hub(entropy_, key->public_key()));
    return write(in("trust", "hub.pem"), trust::to_pem(trust::kCertificateLabel, certificate));
}

// With the authority's behind it: a board that pins only that one's digest must be sent it.
Status Maker::make_server(trust::Authority& authority, const std::string& certificate_path,
                          const std::string& key_path, const trust::Passphrase* passphrase,
                          bool door) {
    std::vector<std::string> names, addresses;
    for (const std::string& host : options_.hosts)
        (is_address(host) ? addresses : names).push_back(host);
    TRIBUTARY_ASSIGN(const auto key, trust::create_key(files_, entropy_, key_path, passphrase));
    TRIBUTARY_ASSIGN(const Bytes certificate,
                     door ? authority.issue_door(entropy_, key->public_key(), names, addresses)
                          : authority.issue_server(entropy_, key->public_key(), names, addresses));
    return write(certificate_path,
                 trust::to_pem(trust::kCertificateLabel, certificate) +
                     trust::to_pem(trust::kCertificateLabel, authority.certificate()));
}

Status Maker::make_broker(trust::Authority& authority) {
    MosquittoConf conf;
    conf.port = options_.broker_port;
    conf.address = options_.bind == "0.0.0.0" ? "" : options_.bind;
    conf.user = options_.user;
    TRIBUTARY_TRY(write(in("broker", "mosquitto.conf"), mosquitto_conf(conf)));
    TRIBUTARY_TRY(write(in("broker", "acl"), acl_text({})));
    // mosquitto does not start without it.
    TRIBUTARY_ASSIGN(const Bytes list, authority.revocation_list(1, {}));
    TRIBUTARY_TRY(write(in("broker", kRevocationListName),
                        trust::to_pem(trust::kRevocationListLabel, list), Readers::group));
    TRIBUTARY_TRY(write(in("broker", "ca.pem"),
                        trust::to_pem(trust::kCertificateLabel, authority.certificate())));
    return make_server(authority, in("broker", "server.pem"), in("broker", "server.key.pem"),
                       nullptr, false);
}

// By all root keys while they are at hand, though fewer would do.
Status Maker::sign() {
    root_.version = 1;
    root_.issued = clock_.wall();
    root_.threshold = options_.root_threshold;
    TRIBUTARY_ASSIGN(Bytes document, trust::sign_root(*root_signers_.front(), root_));
    for (std::size_t i = 1; i < root_signers_.size(); ++i) {
        TRIBUTARY_ASSIGN(document, trust::add_root_signature(*root_signers_[i], document));
    }
    TRIBUTARY_ASSIGN(const MultiSignedDocument parsed, parse_multi_signed_document(document));
    made_.root = trust::root_digest(parsed.payload);
    return replace_file(files_, root_path(join_path(options_.directory, "trust"), 1), document,
                        Readers::everybody);
}

Status check_options(const InitOptions& options) {
    const auto wrong = [](std::string what) { return fail(Errc::invalid, std::move(what)); };
    if (options.root_threshold == 0 || options.root_threshold > options.root_keys ||
        options.root_keys > Root::kListMax)
        return wrong("--root-threshold must be 1 to --root-keys, and that at most " +
                     std::to_string(Root::kListMax));
    if (options.hosts.empty()) return wrong("--host is missing");
    for (const std::string& host : options.hosts)
        if (!parse_url(url_of("https", host, 1)))
            return wrong("--host " + host + " is neither a name nor an address");
    for (const char c : options.name)
        if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\')
            return wrong("--name may not hold quotes, backslashes or control characters");
    std::vector<std::string> names = options.made_approvers;
    for (const auto& [name, path] : options.approvers) names.push_back(name);
    for (const std::string& name : names)
        if (auto fits = check_device_id(name); !fits)
            return wrong("an approver is called by a-z, 0-9 and -, not '" + name + "'");
    return {};
}

}  // namespace

bool is_deployment(Files& files, const std::string& directory) {
    return files.stat(join_path(directory, kConfigName)).has_value();
}

Status check_free(Files& files, const std::string& directory) {
    const auto names = files.list(directory);
    if (!names && names.error().code == Errc::not_found) return {};
    if (!names) return tl::make_unexpected(names.error());
    if (names->empty()) return {};
    if (is_deployment(files, directory))
        return fail(Errc::conflict, directory +
                                        " holds a hub already: start it with "
                                        "`tributary-hub up " +
                                        directory + "`, or name another folder");
    if (files.stat(join_path(directory, "master.key")) || files.stat(join_path(directory, "trust")))
        return fail(Errc::conflict, directory +
                                        " holds the beginning of an init that was cut short (no "
                                        "hub.toml): nothing relies on it yet; remove the folder "
                                        "and start again");
    return fail(Errc::conflict, directory + " is not empty; name an empty folder, or a new one");
}

std::string make_passphrase(Entropy& entropy) {
    constexpr std::string_view kLetters = "abcdefghjkmnpqrstuvwxyz123456789";
    static_assert(kLetters.size() == 32);
    std::array<std::uint8_t, 25> random{};
    entropy.fill(random);
    std::string text;
    for (std::size_t i = 0; i < random.size(); ++i) {
        if (i > 0 && i % 5 == 0) text += '-';
        text += kLetters[random[i] % kLetters.size()];
    }
    return text;
}

Result<Initialised> make_deployment(Files& files, Clock& clock, Entropy& entropy,
                                    const InitOptions& options,
                                    const trust::Passphrase& passphrase) {
    TRIBUTARY_TRY(check_options(options));
    auto made = Maker(files, clock, entropy, options, passphrase).make();
    if (!made) return with_context("make a hub in " + options.directory, made.error());
    return made;
}

}  // namespace tributary::hub
