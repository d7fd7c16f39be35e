#include "hub/audit/named.h"

#include <algorithm>

namespace tributary::hub {
namespace {

void add_all(std::vector<Bytes>& to, const std::vector<Bytes>& keys) {
    for (const Bytes& key : keys)
        if (std::ranges::find(to, key) == to.end()) to.push_back(key);
}

}  // namespace

Named named_by(std::span<const trust::VerifiedRoot> roots) {
    Named named;
    for (const trust::VerifiedRoot& at : roots) {
        add_all(named.hub_keys, at.root.hub_keys);
        add_all(named.authorities, at.root.authorities);
        for (const Root::NamedKey& approver : at.root.approvers)
            add_all(named.approvers, {approver.key});
        named.approvals_needed = at.root.approver_threshold;
    }
    return named;
}

Result<std::vector<trust::VerifiedRoot>> verify_roots(std::span<const Bytes> documents) {
    if (documents.empty())
        return fail(Errc::invalid, "no root document was given; it is what all else is judged by");
    trust::Verifier& verifier = trust::bulk_verifier();
    TRIBUTARY_ASSIGN(const MultiSignedDocument first,
                     parse_multi_signed_document(documents.front()));
    std::vector<trust::VerifiedRoot> roots(1);
    TRIBUTARY_ASSIGN(
        roots.front(),
        trust::verify_first_root(verifier, trust::root_digest(first.payload), documents.front()));
    for (const Bytes& document : documents.subspan(1)) {
        TRIBUTARY_ASSIGN(trust::VerifiedRoot next,
                         trust::verify_next_root(verifier, roots.back().root, document));
        roots.push_back(std::move(next));
    }
    return roots;
}

bool holds(const std::vector<Bytes>& keys, const Bytes& key) {
    return std::ranges::find(keys, key) != keys.end();
}

}  // namespace tributary::hub
