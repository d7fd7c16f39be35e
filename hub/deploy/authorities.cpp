#include "hub/deploy/authorities.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/base/limits.h"
#include "common/text/log.h"
#include "common/trust/revocation_list.h"
#include "hub/deploy/deployment.h"
#include "hub/deploy/papers.h"

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

// What the broker believes, if that is authorities of ours and no other.
Status keep_bundle(Files& files, const std::string& path, std::span<const Bytes> ours,
                   const std::string& text) {
    const auto pem = read_file(files, path, kPemBytesMax);
    if (!pem && pem.error().code == Errc::not_found) return {};
    if (!pem) return tl::make_unexpected(pem.error());
    const auto all = trust::all_from_pem(trust::kCertificateLabel, as_text(*pem));
    const bool of_ours = all && std::ranges::all_of(*all, [&](const Bytes& der) {
                             return std::ranges::find(ours, der) != ours.end();
                         });
    return of_ours && as_text(*pem) != text
               ? replace_file(files, path, as_bytes(text), Readers::owner)
               : Status();
}

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

Result<std::string> Authorities::lists_of_revoked(std::span<const Bytes> serials, WallTime now) {
    std::string text;
    for (trust::Authority& authority : held_) {
        TRIBUTARY_ASSIGN(const Bytes list, authority.revocation_list(now.ms, serials));
        text += trust::to_pem(trust::kRevocationListLabel, list);
    }
    return text;
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

Status follow_root(Files& files, Entropy& entropy, const HubConfig& config,
                   const trust::MasterKey& master, const Root& root, Authorities& authorities) {
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
    TRIBUTARY_TRY(renew_papers(files, entropy, config, master, authorities.vouching(), *ours));
    const std::string bundle = pem_of(root.authorities);
    if (!config.broker_acl.empty())
        TRIBUTARY_TRY(
            keep_bundle(files, join_path(parent_path(config.broker_acl), kBundle), *ours, bundle));
    // The last: it says whose certificates were ours.
    if (as_text(before) == bundle) return {};
    return replace_file(files, in(kBundle), as_bytes(bundle), Readers::everybody);
}

}  // namespace tributary::hub
