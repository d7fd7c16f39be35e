#include "hub/registry/registry.h"

#include <algorithm>

#include "common/lineage/conflict.h"
#include "common/lineage/reference.h"
#include "common/record/document.h"
#include "common/store/branch_history.h"
#include "common/trust/seal.h"
#include "hub/lineage/settle.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kAssignmentLifeMs = 7ull * 24 * 3600 * 1000;

}  // namespace

Result<VersionId> Registry::resolve(const std::string& reference) const {
    const Catalog& catalog = ledger_.catalog();
    TRIBUTARY_ASSIGN(const lineage::Reference written, lineage::parse_reference(reference));
    lineage::RefSource source;
    source.repo = written.repo;
    source.lookup = [&](const std::string& ref,
                        std::optional<WallTime> at) -> Result<std::optional<VersionId>> {
        if (at) return ref_at(written.repo, ref, *at);
        return catalog.ref(written.repo, ref);
    };
    source.by_prefix = [&](std::string_view digits,
                           std::size_t limit) -> Result<std::vector<VersionId>> {
        std::vector<VersionId> found;
        for (const KnownVersion* known : catalog.versions_by_prefix(digits, limit))
            found.push_back(known->id);
        return found;
    };
    source.parents = [&](const VersionId& id) -> Result<std::vector<VersionId>> {
        const KnownVersion* known = catalog.version(id);
        if (!known) return fail(Errc::not_found, "version " + id.text() + " is not held here");
        return known->version.parents;
    };
    source.names = [&]() -> Result<std::vector<std::string>> {
        std::vector<std::string> names;
        for (NamedRef& ref : catalog.refs(written.repo)) names.push_back(std::move(ref.name));
        return names;
    };
    auto resolved = lineage::resolve_reference(written, source);
    if (!resolved && resolved.error().code == Errc::not_found && written.repo.empty())
        return fail(Errc::not_found, resolved.error().what + " (a ref is written GROUP/NAME/REF)");
    return resolved;
}

Result<std::optional<VersionId>> Registry::ref_at(const std::string& repo, const std::string& ref,
                                                  WallTime at) const {
    const Catalog& catalog = ledger_.catalog();
    if (const auto device = catalog.device_ref(ref))
        return branch_head_at(ledger_.store(), device->journal, repo, device->branch, at);
    std::optional<VersionId> then;
    if (const auto* moves = catalog.moves(repo, ref))
        for (const RefMove& move : *moves)
            if (move.time.wall_ms <= at.ms)
                then = move.to.is_none() ? std::nullopt : std::optional(move.to);
    return then;
}

Status Registry::move_ref(const std::string& repo, const std::string& name, const VersionId& to,
                          std::optional<VersionId> expected, const std::string& reason,
                          const std::string& actor) {
    const Catalog& catalog = ledger_.catalog();
    TRIBUTARY_TRY(check_repo_name(repo));
    const std::string plain = name.starts_with("@") ? name.substr(1) : name;
    TRIBUTARY_TRY(check_branch_name(plain));
    if (name.starts_with("device/"))
        return fail(Errc::denied, "'" + name + "' follows its device and is not moved by hand");
    if (!catalog.version(to))
        return fail(Errc::not_found, "version " + to.text() + " is not held here");

    const std::optional<VersionId> now = catalog.ref(repo, name);
    if (now == to) return {};
    if (name.starts_with("tags/") && now)
        return fail(Errc::conflict,
                    "tag '" + name.substr(5) + "' of " + repo + " names " + now->text() +
                        " already, and a tag never moves; choose another name, or an alias");
    if (expected && now != expected)
        return fail(Errc::conflict,
                    "'" + name + "' of " + repo + " moved meanwhile" +
                        (now ? ", it names " + now->text() + " now" : std::string(" away")) +
                        "; look at it and say again");
    return ledger_.append({RefMovedBody{repo, name, now.value_or(VersionId{}), to, reason, actor}});
}

Result<VersionId> Registry::approve(ByteView bytes) {
    Store& store = ledger_.store();
    const Catalog& catalog = ledger_.catalog();
    auto document = trust::verify_document(trust::system_verifier(), approver_keys_,
                                           trust::kApprovalPurpose, bytes);
    if (!document && document.error().code == Errc::denied)
        document.error().what +=
            "; an approver's public key must stand in the hub's [approval] keys, and the hub be "
            "restarted after";
    TRIBUTARY_ASSIGN(const SignedDocument signed_by, std::move(document));
    TRIBUTARY_ASSIGN(const tributary::Approval approval, parse_approval(signed_by.payload));
    const KnownVersion* known = catalog.version(approval.version);
    if (!known)
        return fail(Errc::not_found, "version " + approval.version.text() + " is not held here");
    if (known->version.tree != approval.content)
        return fail(Errc::invalid, "the approval names another content than its version has");
    if (!lineage::open_conflicts(known->version).empty()) {
        TRIBUTARY_ASSIGN(const auto open, open_conflicts(store, known->version));
        return fail(Errc::denied, "version " + known->id.text() + " leaves " + paths_text(open) +
                                      " in conflict; settle that first, by `tributary settle " +
                                      known->repo + " REF`");
    }

    TRIBUTARY_ASSIGN(const Digest name, store.stage_object(RecordKind::document, bytes));
    if (const auto* approvals = catalog.approvals(known->id))
        for (const Approval& earlier : *approvals)
            if (earlier.document == name) return known->id;
    TRIBUTARY_TRY(ledger_.append({ApprovedBody{known->repo, known->id, name}}));
    return approval.version;
}

std::size_t Registry::approvals_of(const VersionId& version) const {
    return valid_approvals(version).size();
}

// By key: the document of each configured approver who said so.
std::map<Digest, Digest> Registry::valid_approvals(const VersionId& version) const {
    std::map<Digest, Digest> by_key;
    const auto* approvals = ledger_.catalog().approvals(version);
    if (!approvals) return by_key;
    for (const Approval& approval : *approvals) {
        const auto bytes = ledger_.store().read_plain({RecordKind::document, approval.document});
        if (!bytes) continue;
        const auto document = trust::verify_document(trust::system_verifier(), approver_keys_,
                                                     trust::kApprovalPurpose, *bytes);
        if (document) by_key.emplace(document->key, approval.document);
    }
    return by_key;
}

Result<std::map<std::string, std::uint64_t>> Registry::assign(
    const std::string& model, const VersionId& version, const std::vector<std::string>& devices) {
    const Catalog& catalog = ledger_.catalog();
    Store& store = ledger_.store();
    const KnownVersion* known = catalog.version(version);
    if (!known) return fail(Errc::not_found, "version " + version.text() + " is not held here");
    const std::map<Digest, Digest> approvals = valid_approvals(version);
    if (approvals.empty() || approvals.size() < approvals_needed_)
        return fail(Errc::denied,
                    "version " + version.text() + " has " + std::to_string(approvals.size()) +
                        " of " + std::to_string(approvals_needed_) +
                        " approvals; say `tributary approve` with an approver's key first");
    if (devices.empty()) return fail(Errc::invalid, "no device to send it to");
    for (const std::string& device : devices)
        if (!catalog.device(device))
            return fail(Errc::not_found, "no device is called '" + device + "'");

    Assignment assignment;
    assignment.model = model;
    assignment.repo = known->repo;
    assignment.version = version;
    assignment.content = known->version.tree;
    assignment.approval = approvals.begin()->second;
    assignment.expires = WallTime{clock_.wall().ms + kAssignmentLifeMs};
    std::map<std::string, std::uint64_t> numbers;
    std::vector<EntryBody> bodies;
    std::uint64_t number = catalog.last_assignment_number();
    for (const std::string& device : devices) {
        if (numbers.contains(device)) continue;
        assignment.number = ++number;
        assignment.device = device;
        TRIBUTARY_ASSIGN(const Bytes payload, encode_assignment(assignment));
        TRIBUTARY_ASSIGN(
            const Bytes document,
            trust::sign_document(ledger_.signer(), trust::kAssignmentPurpose, payload));
        TRIBUTARY_ASSIGN(const Digest name, store.stage_object(RecordKind::document, document));
        bodies.push_back(AssignedBody{device, number, model, known->repo, version, name});
        numbers[device] = number;
    }
    TRIBUTARY_TRY(ledger_.append(bodies));
    return numbers;
}

}  // namespace tributary::hub
