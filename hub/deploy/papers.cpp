#include "hub/deploy/papers.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "common/base/limits.h"
#include "common/text/log.h"
#include "hub/deploy/deployment.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kPemBytesMax = 256 * limits::KiB;

struct Paper {
    std::string folder, name;
    std::string_view role;  // of its key's passphrase; empty: mosquitto would ask a terminal
    std::string certificate() const { return join_path(folder, name + ".pem"); }
    std::string key() const { return join_path(folder, name + ".key.pem"); }
    std::string next_key() const { return join_path(folder, name + ".next.key.pem"); }
};

std::vector<Paper> papers_of(const HubConfig& config) {
    std::vector<Paper> papers;
    if (!config.broker_acl.empty())
        papers.push_back({std::string(parent_path(config.broker_acl)), "server", {}});
    papers.push_back({config.trust_dir, "hub", role::kBrokerClient});
    papers.push_back({config.trust_dir, "api", role::kApi});
    return papers;
}

struct Shown {
    Bytes certificate;
    trust::Certificate says;
    bool is_by(std::span<const Bytes> authorities) const {
        const auto use =
            says.server ? trust::CertificateUse::server : trust::CertificateUse::client;
        return trust::verify_certificate(certificate, authorities, use).has_value();
    }
};

Result<Shown> read_pem(std::string_view pem) {
    Shown shown;
    TRIBUTARY_ASSIGN(shown.certificate, trust::from_pem(trust::kCertificateLabel, pem));
    TRIBUTARY_ASSIGN(shown.says, trust::parse_certificate(shown.certificate));
    return shown;
}

// Nullopt: there is none.
Result<std::optional<Shown>> read(Files& files, const Paper& paper) {
    const auto pem = read_file(files, paper.certificate(), kPemBytesMax);
    if (!pem && pem.error().code == Errc::not_found) return std::nullopt;
    if (!pem) return tl::make_unexpected(pem.error());
    auto shown = read_pem(as_text(*pem));
    if (!shown) return with_context(paper.certificate(), shown.error());
    return std::optional(*std::move(shown));
}

// Those that an authority in ca.pem issued.
Result<std::vector<Paper>> papers_of_ours(Files& files, const HubConfig& config) {
    TRIBUTARY_ASSIGN(const Bytes bundle,
                     read_file(files, join_path(config.trust_dir, "ca.pem"), kPemBytesMax));
    TRIBUTARY_ASSIGN(const std::vector<Bytes> ours,
                     trust::all_from_pem(trust::kCertificateLabel, as_text(bundle)));
    std::vector<Paper> papers;
    for (Paper& paper : papers_of(config)) {
        TRIBUTARY_ASSIGN(const auto shown, read(files, paper));
        if (shown && shown->is_by(ours)) papers.push_back(std::move(paper));
    }
    return papers;
}

class Renewal {
public:
    Renewal(Files& files, Entropy& entropy, const trust::MasterKey& master)
        : files_(files), entropy_(entropy), master_(master) {}

    // The one that waits, or one made now. One that cannot be used (damaged, or under another
    // master key) gives way to another: a hub that could take neither could not start.
    Result<Bytes> next_key(const Paper& paper) {
        std::optional<trust::Passphrase> passphrase;
        if (!paper.role.empty()) passphrase.emplace(master_.passphrase(paper.role));
        const auto load_or_create = [&] {
            return trust::load_or_create_key(files_, entropy_, paper.next_key(),
                                             passphrase ? &*passphrase : nullptr);
        };
        auto key = load_or_create();
        if (!key && files_.stat(paper.next_key())) {
            log_failure(LogLevel::warn,
                        "a server's next key cannot be used; another one is made in its place",
                        key.error());
            TRIBUTARY_TRY(files_.remove(paper.next_key()));
            key = load_or_create();
        }
        if (!key) return tl::make_unexpected(key.error());
        return (*key)->public_key();
    }

    Status renew(const Paper& paper, trust::Authority& by, std::span<const Bytes> ours) {
        TRIBUTARY_ASSIGN(const auto shown, read(files_, paper));
        if (!shown || !shown->is_by(ours)) return {};
        const bool of_now = shown->is_by(std::span(&by.certificate(), 1));
        if (of_now && !files_.stat(paper.next_key())) return {};
        TRIBUTARY_ASSIGN(const Bytes key, next_key(paper));
        if (!of_now || shown->says.public_key != key)
            TRIBUTARY_TRY(write(paper, by, shown->says, key));
        TRIBUTARY_TRY(files_.rename(paper.next_key(), paper.key()));
        TRIBUTARY_TRY(files_.sync_directory(paper.folder));
        log_warn("another key and certificate", {{"certificate", paper.certificate()}});
        return {};
    }

private:
    // For the names and the role of the one before.
    Status write(const Paper& paper, trust::Authority& by, const trust::Certificate& before,
                 const Bytes& key) {
        std::string pem;
        if (before.server) {
            TRIBUTARY_ASSIGN(const Bytes der,
                             before.door
                                 ? by.issue_door(entropy_, key, before.names, before.addresses)
                                 : by.issue_server(entropy_, key, before.names, before.addresses));
            // With the authority's own behind it, for boards that pin its digest.
            pem = trust::to_pem(trust::kCertificateLabel, der) +
                  trust::to_pem(trust::kCertificateLabel, by.certificate());
        } else {
            TRIBUTARY_ASSIGN(const Bytes der, by.issue_hub(entropy_, key));
            pem = trust::to_pem(trust::kCertificateLabel, der);
        }
        return replace_file(files_, paper.certificate(), as_bytes(pem), Readers::owner);
    }

    Files& files_;
    Entropy& entropy_;
    const trust::MasterKey& master_;
};

}  // namespace

Status make_next_server_keys(Files& files, Entropy& entropy, const HubConfig& config,
                             const trust::MasterKey& master) {
    TRIBUTARY_ASSIGN(const std::vector<Paper> papers, papers_of_ours(files, config));
    if (papers.empty())
        return fail(Errc::invalid,
                    "no certificate of door and API, broker or hub here is by an authority in " +
                        join_path(config.trust_dir, "ca.pem") +
                        ": whoever issued them makes their next keys");
    for (const Paper& paper : papers)
        if (files.stat(paper.next_key()))
            return fail(Errc::conflict,
                        paper.next_key() +
                            " is there already, and may have been copied since: let the hub take "
                            "it (`tributary-hub up`), or remove this file and begin anew");
    Renewal renewal(files, entropy, master);
    for (const Paper& paper : papers) TRIBUTARY_TRY(renewal.next_key(paper));
    return {};
}

bool next_server_keys_wait(Files& files, const HubConfig& config) {
    const auto waits = [&](const Paper& paper) { return files.stat(paper.next_key()).has_value(); };
    if (std::ranges::none_of(papers_of(config), waits)) return false;  // asked all the time
    const auto papers = papers_of_ours(files, config);
    return papers && !papers->empty() && std::ranges::all_of(*papers, waits);
}

Status renew_papers(Files& files, Entropy& entropy, const HubConfig& config,
                    const trust::MasterKey& master, trust::Authority& by,
                    std::span<const Bytes> ours) {
    Renewal renewal(files, entropy, master);
    for (const Paper& paper : papers_of(config)) TRIBUTARY_TRY(renewal.renew(paper, by, ours));
    return {};
}

}  // namespace tributary::hub
