#include "hub/deploy/authorities.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/base/limits.h"
#include "common/text/log.h"
#include "hub/deploy/deployment.h"

namespace tributary::hub {
namespace {

constexpr const char* kKey = "ca.key.pem";
constexpr const char* kNextKey = "ca.next.key.pem";
constexpr const char* kBundle = "ca.pem";
constexpr std::uint64_t kPemBytesMax = 256 * limits::KiB;

std::string pem_of(std::span<const Bytes> certificates) {
    std::string pem;
    for (const Bytes& der : certificates) pem += trust::to_pem(trust::kCertificateLabel, der);
    return pem;
}

// What a hub and its broker show, issued anew for the same key and names when an authority that was
// ours issued it, and not the one that vouches now.
class Papers {
public:
    Papers(Files& files, Entropy& entropy, trust::Authority& by, std::vector<Bytes> ours)
        : files_(files), entropy_(entropy), by_(by), ours_(std::move(ours)) {}

    Status renew(const std::string& path) {
        const auto pem = read_file(files_, path, kPemBytesMax);
        if (!pem && pem.error().code == Errc::not_found) return {};
        if (!pem) return tl::make_unexpected(pem.error());
        auto renewed = reissued(as_text(*pem));
        if (!renewed) return with_context(path, renewed.error());
        if (renewed->empty()) return {};
        TRIBUTARY_TRY(replace_file(files_, path, as_bytes(*renewed), Readers::owner));
        log_info("issued anew by the authority that vouches now", {{"certificate", path}});
        return {};
    }

    // What the broker believes, if that is authorities of ours and no other.
    Status keep_bundle(const std::string& path, const std::string& text) {
        const auto pem = read_file(files_, path, kPemBytesMax);
        if (!pem && pem.error().code == Errc::not_found) return {};
        if (!pem) return tl::make_unexpected(pem.error());
        const auto all = trust::all_from_pem(trust::kCertificateLabel, as_text(*pem));
        const bool of_ours = all && std::ranges::all_of(*all, [&](const Bytes& der) {
                                 return std::ranges::find(ours_, der) != ours_.end();
                             });
        return of_ours && as_text(*pem) != text
                   ? replace_file(files_, path, as_bytes(text), Readers::owner)
                   : Status();
    }

private:
    static bool issued(ByteView der, std::span<const Bytes> by, trust::CertificateUse use) {
        return trust::verify_certificate(der, by, use).has_value();
    }

    // Empty: it stays as it is.
    Result<std::string> reissued(std::string_view pem) {
        TRIBUTARY_ASSIGN(const Bytes der, trust::from_pem(trust::kCertificateLabel, pem));
        TRIBUTARY_ASSIGN(const trust::Certificate says, trust::parse_certificate(der));
        const auto use =
            says.server ? trust::CertificateUse::server : trust::CertificateUse::client;
        if (issued(der, std::span(&by_.certificate(), 1), use) || !issued(der, ours_, use))
            return std::string();
        if (!says.server) {
            TRIBUTARY_ASSIGN(const Bytes hub, by_.issue_hub(entropy_, says.public_key));
            return trust::to_pem(trust::kCertificateLabel, hub);
        }
        TRIBUTARY_ASSIGN(
            const Bytes server,
            says.door ? by_.issue_door(entropy_, says.public_key, says.names, says.addresses)
                      : by_.issue_server(entropy_, says.public_key, says.names, says.addresses));
        // With the authority's own behind it, for boards that pin its digest.
        return pem_of(std::vector<Bytes>{server, by_.certificate()});
    }

    Files& files_;
    Entropy& entropy_;
    trust::Authority& by_;
    const std::vector<Bytes> ours_;
};

}  // namespace

Result<Authorities> Authorities::load(Files& files, const HubConfig& config,
                                      const trust::MasterKey& master, const Root& root) {
    const trust::Passphrase passphrase = master.passphrase(role::kAuthority);
    const auto key_in = [&](const char* name) {
        return trust::load_key(files, join_path(config.trust_dir, name), &passphrase);
    };
    TRIBUTARY_ASSIGN(auto key, key_in(kKey));
    auto next = key_in(kNextKey);
    if (!next && next.error().code != Errc::not_found) return tl::make_unexpected(next.error());

    Authorities made;
    for (const Bytes& der : root.authorities) {
        TRIBUTARY_ASSIGN(const trust::Certificate says, trust::parse_certificate(der));
        std::unique_ptr<trust::Signer> its;
        if (key && key->public_key() == says.public_key)
            its = std::move(key);
        else if (next && *next && (*next)->public_key() == says.public_key)
            its = std::move(*next);
        if (!its) continue;
        TRIBUTARY_ASSIGN(trust::Authority authority, trust::Authority::load(std::move(its), der));
        made.held_.push_back(std::move(authority));
    }
    if (made.held_.empty())
        return fail(Errc::denied,
                    "the root document of version " + std::to_string(root.version) +
                        " names no authority whose key is here (ca.key.pem or ca.next.key.pem in " +
                        config.trust_dir + "): no board would believe its certificates");
    made.next_takes_over_ = key && next && !*next;
    return made;
}

Result<Bytes> next_authority(Files& files, Entropy& entropy, const HubConfig& config,
                             std::uint64_t version) {
    TRIBUTARY_ASSIGN(const trust::MasterKey master, load_master_key(files, config));
    const trust::Passphrase passphrase = master.passphrase(role::kAuthority);
    const std::string path = join_path(config.trust_dir, kNextKey);
    if (files.stat(path))
        return fail(Errc::conflict,
                    path +
                        " is there already, the key of an earlier draft, and may have been "
                        "copied since: publish that draft, or remove this file and begin anew");
    TRIBUTARY_ASSIGN(auto key, trust::create_key(files, entropy, path, &passphrase));
    // A name of its own: a broker looks for an authority's list of the revoked by its name.
    TRIBUTARY_ASSIGN(const trust::Authority authority,
                     trust::Authority::create(std::move(key), entropy,
                                              "authority of root " + std::to_string(version)));
    return authority.certificate();
}

Status follow_root(Files& files, Entropy& entropy, const HubConfig& config, const Root& root,
                   Authorities& authorities) {
    const auto in = [&](const char* name) { return join_path(config.trust_dir, name); };
    if (authorities.next_takes_over()) {
        TRIBUTARY_TRY(files.rename(in(kNextKey), in(kKey)));
        TRIBUTARY_TRY(files.sync_directory(config.trust_dir));
        log_warn("the authority was replaced, as the root document says",
                 {{"root_version", root.version}});
    }
    TRIBUTARY_ASSIGN(const Bytes before, read_file(files, in(kBundle), kPemBytesMax));
    auto ours = trust::all_from_pem(trust::kCertificateLabel, as_text(before));
    if (!ours) return with_context(in(kBundle), ours.error());
    ours->insert(ours->end(), root.authorities.begin(), root.authorities.end());
    Papers papers(files, entropy, authorities.vouching(), *std::move(ours));
    TRIBUTARY_TRY(papers.renew(in("api.pem")));
    TRIBUTARY_TRY(papers.renew(in("hub.pem")));
    const std::string bundle = pem_of(root.authorities);
    if (!config.broker_acl.empty()) {
        const std::string broker(parent_path(config.broker_acl));
        TRIBUTARY_TRY(papers.renew(join_path(broker, "server.pem")));
        TRIBUTARY_TRY(papers.keep_bundle(join_path(broker, kBundle), bundle));
    }
    // The last: it says whose certificates were ours.
    if (as_text(before) == bundle) return {};
    return replace_file(files, in(kBundle), as_bytes(bundle), Readers::everybody);
}

}  // namespace tributary::hub
