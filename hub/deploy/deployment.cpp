#include "hub/deploy/deployment.h"

#include <algorithm>
#include <cstdlib>

#include "common/base/limits.h"
#include "common/text/log.h"

namespace tributary::hub {
namespace {

constexpr const char* kCredential = "tributary-master";
constexpr const char* kKey = "key.pem";
constexpr const char* kNextKey = "key.next.pem";

std::string master_path(const HubConfig& config) {
    if (!config.master_key.empty()) return config.master_key;
    const char* const credentials = std::getenv("CREDENTIALS_DIRECTORY");
    return credentials && *credentials ? join_path(credentials, kCredential) : std::string();
}

}  // namespace

Result<trust::MasterKey> load_master_key(Files& files, const HubConfig& config) {
    const std::string path = master_path(config);
    if (path.empty())
        return fail(Errc::invalid,
                    "no master key: name its file in [trust] master_key, or hand it over as the "
                    "systemd credential tributary-master (LoadCredentialEncrypted=). No shell has "
                    "that one; a verb that needs it is run with it by systemd, with whole paths: "
                    "systemd-run --pty --uid=USER -p "
                    "LoadCredentialEncrypted=tributary-master:/etc/credstore.encrypted/"
                    "tributary-master tributary-hub ...");
    auto key = trust::MasterKey::load(files, path);
    if (!key) return with_context("[trust] master_key", key.error());
    return key;
}

std::string root_path(const std::string& trust_dir, std::uint64_t version) {
    return join_path(trust_dir, "root." + std::to_string(version));
}

Result<RootHistory> load_roots(Files& files, const std::string& trust_dir) {
    RootHistory roots;
    for (std::uint64_t version = 1;; ++version) {
        const std::string path = root_path(trust_dir, version);
        auto document = read_file(files, path, limits::kRootBytesMax);
        if (!document && document.error().code == Errc::not_found && version > 1) return roots;
        if (!document) return with_context("root document", std::move(document).error());
        // Nobody pinned the first one for us: it is our own, in our own folder.
        auto verified = Result<trust::VerifiedRoot>(trust::VerifiedRoot{});
        if (version == 1) {
            TRIBUTARY_ASSIGN(const MultiSignedDocument first,
                             parse_multi_signed_document(*document));
            verified = trust::verify_first_root(trust::system_verifier(),
                                                trust::root_digest(first.payload), *document);
        } else {
            verified =
                trust::verify_next_root(trust::system_verifier(), roots.newest.root, *document);
        }
        if (!verified) return with_context(path, std::move(verified).error());
        if (verified->root.version != version)
            return fail(Errc::corrupt, path + " holds version " +
                                           std::to_string(verified->root.version) +
                                           "; put the files back as they were");
        roots.newest = *std::move(verified);
        roots.documents.push_back(*std::move(document));
    }
}

Result<trust::VerifiedRoot> publish_root(Files& files, const std::string& trust_dir,
                                         ByteView document, const RootCheck& check) {
    TRIBUTARY_ASSIGN(const RootHistory roots, load_roots(files, trust_dir));
    TRIBUTARY_ASSIGN(
        trust::VerifiedRoot next,
        trust::verify_next_root(trust::system_verifier(), roots.newest.root, document));
    if (check) TRIBUTARY_TRY(check(roots.newest.root, next.root));
    TRIBUTARY_TRY(
        replace_file(files, root_path(trust_dir, next.root.version), document, Readers::everybody));
    return next;
}

// ---- the hub's own key ----

Result<Bytes> next_hub_key(Files& files, Entropy& entropy, const HubConfig& config) {
    TRIBUTARY_ASSIGN(const trust::MasterKey master, load_master_key(files, config));
    const trust::Passphrase passphrase = master.passphrase(role::kJournal);
    const std::string path = join_path(config.state_dir, kNextKey);
    if (files.stat(path))
        return fail(Errc::conflict,
                    path +
                        " is there already, the key of an earlier draft, and may have been "
                        "copied since: publish that draft, or remove this file and begin anew");
    TRIBUTARY_ASSIGN(const auto key, trust::load_or_create_key(files, entropy, path, &passphrase));
    return key->public_key();
}

namespace {

// Whether key.next.pem is to take the place of key.pem. invalid when neither is named.
Result<bool> next_key_comes(Files& files, const HubConfig& config, const trust::MasterKey& master,
                            const Root& root) {
    const trust::Passphrase passphrase = master.passphrase(role::kJournal);
    const auto named = [&](const char* name) -> Result<bool> {
        TRIBUTARY_ASSIGN(const auto key,
                         trust::load_key(files, join_path(config.state_dir, name), &passphrase));
        return std::ranges::count(root.hub_keys, key->public_key()) > 0;
    };
    TRIBUTARY_ASSIGN(const bool stays, named(kKey));
    if (stays) return false;
    const auto comes = named(kNextKey);
    if (!comes && comes.error().code != Errc::not_found) return tl::make_unexpected(comes.error());
    if (comes && *comes) return true;
    return fail(Errc::invalid,
                "root document " + std::to_string(root.version) +
                    " names no key of this hub (neither key.pem nor key.next.pem in its "
                    "state_dir); sign one that does (`tributary-hub root next --new-hub-key`), or "
                    "put the right key in its place");
}

}  // namespace

Status check_root_serves(Files& files, const HubConfig& config, const trust::MasterKey& master,
                         const Root& root) {
    TRIBUTARY_TRY(Authorities::load(files, config, master, root));
    return next_key_comes(files, config, master, root).map([](bool) {});
}

// One rename, so that a power cut leaves a hub with one key or with the other, and both are named
// by some root document that boards follow.
Status take_named_key(Files& files, const HubConfig& config, const trust::MasterKey& master,
                      const Root& root) {
    TRIBUTARY_ASSIGN(const bool comes, next_key_comes(files, config, master, root));
    if (!comes) return {};
    TRIBUTARY_TRY(
        files.rename(join_path(config.state_dir, kNextKey), join_path(config.state_dir, kKey)));
    TRIBUTARY_TRY(files.sync_directory(config.state_dir));
    log_warn("the key of this hub was replaced, as its root document says",
             {{"root_version", root.version}});
    return {};
}

Deployment::Deployment(trust::MasterKey master, RootHistory roots, Authorities authorities)
    : master_(std::move(master)), roots_(std::move(roots)), authorities_(std::move(authorities)) {}

namespace {

// Boards that follow a document which is not here would be told to believe keys that it dropped.
Status check_goes_on_from(const RootFollowedBody& followed, const RootHistory& roots) {
    if (followed.version == 0) return {};
    const std::string put_back =
        "; put all of [trust] dir back, and broker/ with it, from the copy that was made when that "
        "document was published";
    const std::uint64_t newest = roots.newest.root.version;
    if (followed.version > newest)
        return fail(Errc::invalid,
                    "the folder of trust is older than this hub's journal: boards go by root "
                    "document " +
                        std::to_string(followed.version) + ", and the newest here is " +
                        std::to_string(newest) + put_back);
    const auto index = static_cast<std::size_t>(followed.version - 1);
    TRIBUTARY_ASSIGN(const MultiSignedDocument same,
                     parse_multi_signed_document(roots.documents[index]));
    if (trust::root_digest(same.payload) != followed.root)
        return fail(Errc::invalid,
                    "the folder of trust is another than this hub's journal goes "
                    "by: boards go by root document " +
                        std::to_string(followed.version) + " of digest " + followed.root.text() +
                        ", and the one here has another" + put_back);
    return {};
}

}  // namespace

Result<std::unique_ptr<Deployment>> Deployment::open(Files& files, const HubConfig& config,
                                                     const RootFollowedBody& followed) {
    TRIBUTARY_CHECK(is_secured(config));
    TRIBUTARY_ASSIGN(trust::MasterKey master, load_master_key(files, config));
    TRIBUTARY_ASSIGN(RootHistory roots, load_roots(files, config.trust_dir));
    TRIBUTARY_TRY(check_goes_on_from(followed, roots));
    TRIBUTARY_ASSIGN(Authorities authorities,
                     Authorities::load(files, config, master, roots.newest.root));
    return std::unique_ptr<Deployment>(
        new Deployment(std::move(master), std::move(roots), std::move(authorities)));
}

}  // namespace tributary::hub
