#include "agent/trust/identity.h"

#include "common/env/service.h"

namespace tributary::agent {
namespace {

constexpr std::string_view kCredential = "tributary-identity";

Result<std::optional<trust::Certificate>> certificate_in(Files& files, const std::string& path,
                                                         Bytes* der) {
    auto found = trust::load_certificate(files, path);
    if (!found && found.error().code == Errc::not_found) return std::nullopt;
    auto says = found ? trust::parse_certificate(*found)
                      : Result<trust::Certificate>(tl::make_unexpected(found.error()));
    if (!says)
        return fail(Errc::invalid, "the certificate in " + path + " cannot be used (" +
                                       says.error().what +
                                       "); enrol again with 'tributary-agent enroll'");
    if (der) *der = *std::move(found);
    return std::optional(*std::move(says));
}

}  // namespace

Result<IdentityPassphrase> IdentityPassphrase::load(Files& files, const Config& config) {
    IdentityPassphrase loaded;
    std::string path = config.identity.passphrase_file;
    if (path.empty()) path = credential_path(kCredential);
    if (path.empty()) return loaded;
    auto passphrase = trust::Passphrase::load(files, path);
    if (!passphrase)
        return with_context("the passphrase of this board's key", std::move(passphrase).error());
    loaded.passphrase_ = *std::move(passphrase);
    return loaded;
}

Result<Identity> load_identity(Files& files, const std::string& path,
                               const trust::Passphrase* passphrase) {
    Identity identity;
    TRIBUTARY_ASSIGN(identity.key, trust::load_key(files, path, passphrase));
    TRIBUTARY_ASSIGN(identity.says, certificate_in(files, path, &identity.certificate));
    if (identity.says && identity.says->public_key != identity.key->public_key())
        return fail(Errc::invalid,
                    "the certificate in " + path +
                        " is for another key than the one before it; enrol again with "
                        "'tributary-agent enroll'");
    return identity;
}

Result<Bytes> public_key_of(Files& files, const std::string& path,
                            const trust::Passphrase* passphrase) {
    const auto says = certificate_in(files, path, nullptr);
    if (says && *says) return (*says)->public_key;
    TRIBUTARY_ASSIGN(const std::unique_ptr<trust::Signer> key,
                     trust::load_key(files, path, passphrase));
    return key->public_key();
}

}  // namespace tributary::agent
