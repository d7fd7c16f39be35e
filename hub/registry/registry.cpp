#include "hub/registry/registry.h"

#include <algorithm>
#include <set>

#include "common/lineage/conflict.h"
#include "common/lineage/reference.h"
#include "common/record/document.h"
#include "common/store/branch_history.h"
#include "common/trust/seal.h"
#include "hub/lineage/settle.h"
#include "hub/store/journal_time.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kAssignmentLifeMs = 7ull * 24 * 3600 * 1000;
constexpr std::string_view kNoApprovers =
    "this hub has no approvers: [approval] keys in its configuration is empty. Name the public "
    "half of a key there (`tributary key` makes one), and restart the hub";

// Also after it went: a tag never names another version.
Status check_new_tag(const Catalog& catalog, const std::string& repo, const std::string& name,
                     const VersionId& to) {
    const auto* moves = catalog.moves(repo, name);
    if (!moves) return {};
    for (const RefMove& move : *moves)
        if (!move.to.is_none() && move.to != to)
            return fail(Errc::conflict,
                        "tag '" + name.substr(5) + "' of " + repo + " named " + move.to.text() +
                            ", and a tag never moves; choose another name, or an alias");
    return {};
}

// How far ahead of our numbers a board's word about its last one is believed: a false word must not
// use them up.
constexpr std::uint64_t kNumbersAheadMax = std::uint64_t{1} << 48;

// The number after all that we gave and, if a restore made us forget, all that this board has
// answered.
Result<std::uint64_t> number_after(std::uint64_t last, const Device& device) {
    std::uint64_t answered = 0;
    for (const auto& [model, state] : device.models) answered = std::max(answered, state.number);
    if (answered > last && answered - last > kNumbersAheadMax)
        return fail(Errc::denied, "device '" + device.id + "' says that it was given assignment " +
                                      std::to_string(answered) +
                                      ", which no hub gave it; it needs a new store");
    return std::max(last, answered) + 1;
}

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
    if (const Status good = check_branch_name(plain); !good)
        return fail(Errc::invalid, "'" + (plain.starts_with("tags/") ? plain.substr(5) : plain) +
                                       "' cannot be a name; use letters, digits, '.', '_', '-' and "
                                       "'/', beginning with a letter, digit or '_'");
    if (name.starts_with("device/"))
        return fail(Errc::denied, "'" + name + "' follows its device and is not moved by hand");
    const KnownVersion* known = catalog.version(to);
    if (!known) return fail(Errc::not_found, "version " + to.text() + " is not held here");
    if (known->repo != repo)
        return fail(Errc::invalid, "version " + to.text() + " is of " + known->repo +
                                       ", so it gets no name in " + repo +
                                       "; `tributary repo list` shows what there is");

    const std::optional<VersionId> now = catalog.ref(repo, name);
    if (now == to) return {};
    if (name.starts_with("tags/")) TRIBUTARY_TRY(check_new_tag(catalog, repo, name, to));
    if (expected && now != expected)
        return fail(Errc::conflict,
                    "'" + name + "' of " + repo + " moved meanwhile" +
                        (now ? ", it names " + now->text() + " now" : std::string(" away")) +
                        "; look at it and say again");
    return ledger_.append({RefMovedBody{repo, name, now.value_or(VersionId{}), to, reason, actor}});
}

Status Registry::remove_ref(const std::string& repo, const std::string& name,
                            const std::string& actor) {
    if (!name.starts_with("tags/") && !name.starts_with("@"))
        return fail(Errc::denied, "only tags and aliases are removed, not '" + name + "'");
    const std::optional<VersionId> now = ledger_.catalog().ref(repo, name);
    if (!now)
        return fail(Errc::not_found, "there is no '" + name + "' in " + repo +
                                         "; `tributary repo list` shows what there is");
    return ledger_.append({RefMovedBody{repo, name, *now, {}, "removed", actor}});
}

Status Registry::set_retired(const std::string& id, bool retired, const std::string& actor) {
    const Device* device = ledger_.catalog().device(id);
    if (!device)
        return fail(Errc::not_found,
                    "no device is called '" + id + "'; `tributary device list` names them");
    if (device->retired == retired) return {};
    return ledger_.append({RetiredBody{id, retired, actor}});
}

Result<VersionId> Registry::approve(ByteView bytes) {
    Store& store = ledger_.store();
    const Catalog& catalog = ledger_.catalog();
    if (approver_keys_.empty()) return fail(Errc::denied, std::string(kNoApprovers));
    auto document = trust::verify_document(trust::system_verifier(), approver_keys_,
                                           trust::kApprovalPurpose, bytes);
    if (!document && document.error().code == Errc::denied)
        document.error().what +=
            "; who may approve is said by the root document of a secured hub (`tributary-hub root "
            "next --add-approver`), else by the hub's [approval] keys, and it is restarted then";
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

    if (valid_approvals(known->id).contains(signed_by.key)) return known->id;
    TRIBUTARY_ASSIGN(const Digest name, store.stage_object(RecordKind::document, bytes));
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

// A typing error would be rejected by every board, and stay in what they were told.
Status Registry::check_model(const std::string& model, bool meant) const {
    if (model.empty() || model.size() > limits::kTextBytesMax)
        return fail(Errc::invalid, "the name of a model has 1 to " +
                                       std::to_string(limits::kTextBytesMax) + " bytes");
    std::set<std::string> known;
    for (const auto& [id, device] : ledger_.catalog().devices())
        for (const auto& [name, state] : device.models)
            if (state.configured) known.insert(name);
    if (meant || known.empty() || known.contains(model)) return {};
    std::string names;
    for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
    return fail(Errc::invalid, "no board is known to have a model '" + model + "'; they have: " +
                                   names + ". Say --force if their configurations name it by now");
}

// Neither retired nor revoked.
bool Registry::is_heard(const std::string& id, const Device& device) const {
    return !device.retired && !ledger_.catalog().members().revocation_of(id);
}

Result<std::vector<std::string>> Registry::receivers(std::vector<std::string> named) const {
    const Catalog& catalog = ledger_.catalog();
    for (const std::string& id : named) {
        const Device* device = catalog.device(id);
        if (!device)
            return fail(Errc::not_found,
                        "no device is called '" + id + "'; `tributary device list` names them");
        if (device->retired)
            return fail(Errc::denied, "device " + id + " is retired; `tributary device retire " +
                                          id + " --undo` takes that back");
        if (catalog.members().revocation_of(id))
            return fail(Errc::denied,
                        "device " + id + " is revoked, and is not heard until it enrols anew");
    }
    if (!named.empty()) return named;
    for (const auto& [id, device] : catalog.devices())
        if (is_heard(id, device)) named.push_back(id);
    if (named.empty()) return fail(Errc::invalid, "there is no device to send it to yet");
    return named;
}

Result<std::map<std::string, std::uint64_t>> Registry::assign(const std::string& model,
                                                              const VersionId& version,
                                                              std::vector<std::string> devices,
                                                              bool meant) {
    const Catalog& catalog = ledger_.catalog();
    const KnownVersion* known = catalog.version(version);
    if (!known) return fail(Errc::not_found, "version " + version.text() + " is not held here");
    if (approver_keys_.empty()) return fail(Errc::denied, std::string(kNoApprovers));
    const std::map<Digest, Digest> approvals = valid_approvals(version);
    if (approvals.empty() || approvals.size() < approvals_needed_)
        return fail(Errc::denied,
                    "version " + version.text() + " has " + std::to_string(approvals.size()) +
                        " of " + std::to_string(approvals_needed_) +
                        " approvals; say `tributary approve` with an approver's key first");
    TRIBUTARY_TRY(check_model(model, meant));
    TRIBUTARY_ASSIGN(devices, receivers(std::move(devices)));

    Assignment assignment;
    assignment.model = model;
    assignment.repo = known->repo;
    assignment.version = version;
    assignment.content = known->version.tree;
    assignment.approval = approvals.begin()->second;
    assignment.expires = WallTime{time_not_before_journal(clock_, ledger_).ms + kAssignmentLifeMs};
    std::map<std::string, std::uint64_t> numbers;
    std::vector<Assignment> assignments;
    std::uint64_t number = catalog.last_assignment_number();
    for (const std::string& device : devices) {
        if (numbers.contains(device)) continue;
        TRIBUTARY_ASSIGN(number, number_after(number, *catalog.device(device)));
        assignment.number = number;
        assignment.device = device;
        assignments.push_back(assignment);
        numbers[device] = number;
    }
    TRIBUTARY_TRY(give(assignments));
    return numbers;
}

// Signed and said in one batch.
Status Registry::give(const std::vector<Assignment>& assignments) {
    std::vector<Bytes> payloads;
    for (const Assignment& assignment : assignments) {
        TRIBUTARY_ASSIGN(Bytes payload, encode_assignment(assignment));
        payloads.push_back(std::move(payload));
    }
    TRIBUTARY_ASSIGN(
        const std::vector<Bytes> documents,
        trust::sign_alone_or_together(ledger_.signer(), trust::kAssignmentPurpose, payloads));
    std::vector<EntryBody> bodies;
    for (std::size_t i = 0; i < documents.size(); ++i) {
        TRIBUTARY_ASSIGN(const Digest document,
                         ledger_.store().stage_object(RecordKind::document, documents[i]));
        const Assignment& given = assignments[i];
        bodies.push_back(AssignedBody{given.device, given.number, given.model, given.repo,
                                      given.version, document});
    }
    return ledger_.append(bodies);
}

// ---- after another key ----

Result<Registry::SignedAnew> Registry::sign_anew() {
    const Catalog& catalog = ledger_.catalog();
    SignedAnew outcome;
    std::vector<Assignment> again;
    for (const auto& [id, device] : catalog.devices())
        for (const auto& [model, state] : device.models) {
            if (state.state != kAssigned || !is_heard(id, device)) continue;
            auto open = signed_before(id, model, state);
            if (!open)
                outcome.left.push_back({id, model, std::move(open).error().what});
            else if (*open)
                again.push_back(**std::move(open));
        }
    // Boards take them in the order of their numbers, which stays as it was.
    std::ranges::sort(again, {}, &Assignment::number);
    std::uint64_t number = catalog.last_assignment_number();
    for (Assignment& assignment : again) {
        auto next = number_after(number, *catalog.device(assignment.device));
        if (!next) {
            outcome.left.push_back(
                {assignment.device, assignment.model, std::move(next).error().what});
            continue;
        }
        assignment.number = number = *next;
        outcome.given.push_back(std::move(assignment));
    }
    if (!outcome.given.empty()) TRIBUTARY_TRY(give(outcome.given));
    return outcome;
}

// What it asks for, if a key that is not ours signed it; an error when it may not be said again.
// The entry that gave it says what it is about: a document that says other things is not signed.
Result<std::optional<Assignment>> Registry::signed_before(const std::string& device,
                                                          const std::string& model,
                                                          const InstallState& state) const {
    TRIBUTARY_ASSIGN(const Bytes bytes,
                     ledger_.store().read_plain({RecordKind::document, state.document}));
    TRIBUTARY_ASSIGN(const SignedDocument document, parse_signed_document(bytes));
    if (document.key == trust::key_id(ledger_.signer().public_key())) return std::nullopt;
    TRIBUTARY_ASSIGN(Assignment assignment, parse_assignment(document.payload));
    if (assignment.device != device || assignment.model != model ||
        assignment.number != state.number || assignment.version != state.wanted)
        return fail(Errc::denied, "its document is not what this hub's journal says of it");
    const std::map<Digest, Digest> approvals = valid_approvals(assignment.version);
    if (approvals.empty() || approvals.size() < approvals_needed_)
        return fail(Errc::denied, "the approvers of now did not approve it");
    assignment.approval = approvals.begin()->second;
    return assignment;
}

}  // namespace tributary::hub
