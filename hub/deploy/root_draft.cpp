#include "hub/deploy/root_draft.h"

#include <algorithm>

#include "common/trust/root.h"

namespace tributary::hub {
namespace {

constexpr std::size_t kIdDigitsMin = 4;

Status drop_approver(Root& root, const std::string& name) {
    if (std::erase_if(root.approvers, [&](const auto& one) { return one.name == name; }) > 0)
        return {};
    return fail(Errc::invalid,
                "no approver is called '" + name + "'; `tributary-hub root show` names them");
}

Status drop_root_key(Root& root, std::string id) {
    constexpr std::string_view kAlgorithm = "sha256:";
    if (id.starts_with(kAlgorithm)) id.erase(0, kAlgorithm.size());
    const auto fits = [&](const Bytes& key) {
        return to_hex(trust::key_id(key).bytes).starts_with(id);
    };
    const auto found = std::ranges::count_if(root.keys, fits);
    if (id.size() < kIdDigitsMin || found != 1)
        return fail(Errc::invalid, "'" + id + "' is the beginning of " + std::to_string(found) +
                                       " root keys' ids; `tributary-hub root show` prints them, "
                                       "say at least 4 digits of one");
    std::erase_if(root.keys, fits);
    return {};
}

}  // namespace

Status check_authorities_change(const Root& current, bool adds, bool drops) {
    const std::size_t named = current.authorities.size();
    if (drops && named < 2)
        return fail(Errc::invalid,
                    "one authority is named, and nothing is believed without one: name the next "
                    "one first (`tributary-hub root next --new-authority`)");
    if (adds && !drops && named > 1)
        return fail(Errc::conflict,
                    "two authorities are named already: when the boards have renewed under the "
                    "newer one, drop the other (`tributary-hub root next --drop-authority`)");
    if (adds && drops)
        return fail(Errc::invalid,
                    "an authority is dropped by one document and the next one named by another, "
                    "so that boards can renew in between");
    return {};
}

Result<Root> next_root(const Root& current, const RootChange& change, WallTime now) {
    Root next = current;
    next.version += 1;
    next.issued = now;
    if (change.expires) next.expires = *change.expires;
    // Out first: so an approver gets another key under the same name in one step.
    for (const std::string& name : change.drop_approvers) TRIBUTARY_TRY(drop_approver(next, name));
    for (const std::string& id : change.drop_root_keys) TRIBUTARY_TRY(drop_root_key(next, id));
    next.approvers.insert(next.approvers.end(), change.add_approvers.begin(),
                          change.add_approvers.end());
    next.keys.insert(next.keys.end(), change.add_root_keys.begin(), change.add_root_keys.end());
    TRIBUTARY_TRY(
        check_authorities_change(current, change.authority.has_value(), change.drop_authority));
    if (change.drop_authority) next.authorities.erase(next.authorities.begin());
    if (change.authority) next.authorities.push_back(*change.authority);
    if (change.hub_key) next.hub_keys = {*change.hub_key};
    if (change.root_threshold) next.threshold = *change.root_threshold;
    TRIBUTARY_TRY(trust::check_root(next));
    return next;
}

Result<Bytes> draft_of(const Root& root) {
    MultiSignedDocument document;
    document.purpose = trust::kRootPurpose;
    TRIBUTARY_ASSIGN(document.payload, encode_root(root));
    return encode_multi_signed_document(std::move(document));
}

Result<RootOnPaper> read_root_document(ByteView bytes) {
    TRIBUTARY_ASSIGN(const MultiSignedDocument document, parse_multi_signed_document(bytes));
    if (document.purpose != trust::kRootPurpose)
        return fail(Errc::invalid, "this is no root document but one for " + document.purpose);
    RootOnPaper read;
    TRIBUTARY_ASSIGN(read.root, parse_root(document.payload));
    for (const MultiSignedDocument::Signature& by : document.signatures)
        read.signed_by.push_back(by.key);
    return read;
}

}  // namespace tributary::hub
