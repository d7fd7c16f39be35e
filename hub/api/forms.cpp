#include "hub/api/forms.h"

#include "common/trust/trust.h"
#include "hub/lineage/query.h"
#include "hub/lineage/settle.h"

namespace tributary::hub {
namespace {

std::string_view name_of(ClockQuality quality) {
    switch (quality) {
        case ClockQuality::unknown: return "unknown";
        case ClockQuality::ratchet: return "ratchet";
        case ClockQuality::synced: return "synced";
    }
    return "unknown";
}

template <class AnyId>
Json text_or_null(const AnyId& id) {
    return id.is_none() ? Json() : Json(id.text());
}

Json form_of(const std::string& model, const InstallState& state, const Catalog& catalog) {
    return Json::object({{"model", model},
                         {"assignment", state.number},
                         {"repo", state.repo},
                         {"wanted", text_or_null(state.wanted)},
                         {"state", state.state},
                         {"running", text_or_null(state.running)},
                         {"running_held", catalog.version(state.running) != nullptr},
                         {"running_content", text_or_null(state.running_content)},
                         {"detail", state.detail},
                         {"at", hub::form_of(state.time)}});
}

// The file or folder that one side of a conflict shows; null: nothing is there.
Json form_of(const lineage::ConflictSide& side) {
    if (!side.item) return {};
    return Json::object({{"kind", side.item->is_tree() ? "folder" : "file"},
                         {side.item->is_tree() ? "tree" : "blob", side.item->target.text()},
                         {"bytes", side.item->size}});
}

}  // namespace

Json form_of(HybridTime time) {
    return Json::object(
        {{"time", to_text(WallTime{time.wall_ms})}, {"clock", name_of(time.quality)}});
}

namespace {

// Null for a device that is believed.
Json form_of(const Revocation* revocation) {
    if (!revocation) return {};
    return Json::object({{"time", to_text(WallTime{revocation->time.wall_ms})},
                         {"actor", revocation->actor},
                         {"reason", revocation->reason}});
}

void add(Json& to, const EventTallies& tallies, std::string_view by) {
    for (const auto& [event, tally] : tallies)
        to.push(Json::object({{"event", event},
                              {"by", by},
                              {"count", tally.count},
                              {"last", hub::form_of(tally.last)},
                              {"detail", tally.detail}}));
}

// What was refused, here of what it sent and there of what it was sent.
Json events_of(const Device& device) {
    Json events = Json::array();
    add(events, device.refused_here, "hub");
    add(events, device.refused_by_it, "board");
    return events;
}

// Of a secured hub: until when its newest certificate is valid.
Json certified_until(const Member* member) {
    if (!member || member->certificates.empty()) return {};
    return to_text(member->certificates.back().not_after);
}

}  // namespace

Json form_of(const Device& device, const Catalog& catalog) {
    Json incarnations = Json::array();
    for (const Incarnation& incarnation : device.incarnations)
        incarnations.push(incarnation.text());
    Json models = Json::array();
    for (const auto& [model, state] : device.models) models.push(form_of(model, state, catalog));
    Json refs = Json::array();
    for (const std::string& repo : catalog.repositories())
        for (const NamedRef& ref : catalog.refs(repo))
            if (ref.name.starts_with("device/" + device.id + "/"))
                refs.push(Json::object(
                    {{"repo", repo}, {"ref", ref.name}, {"version", ref.version.text()}}));
    const Member* member = catalog.members().member(device.id);
    const Bytes* key =
        device.incarnations.empty() ? nullptr : catalog.key_of(device.incarnations.back());
    return Json::object(
        {{"id", device.id},
         {"enrolled", form_of(device.bound)},
         {"retired", device.retired},
         {"quarantine", device.quarantine.empty() ? Json() : Json(device.quarantine)},
         {"group", member && !member->group.empty() ? Json(member->group) : Json()},
         {"key", key ? Json(trust::key_id(*key).text()) : Json()},
         {"certified_until", certified_until(member)},
         {"revoked", form_of(catalog.members().revocation_of(device.id))},
         {"incarnations", std::move(incarnations)},
         {"models", std::move(models)},
         {"refs", std::move(refs)},
         {"security_events", events_of(device)},
         {"not_whole", catalog.not_whole(device)}});
}

Json journals_of(const Device& device, Ledger& ledger) {
    const Catalog& catalog = ledger.catalog();
    Json journals = Json::array();
    for (const Incarnation& incarnation : device.incarnations) {
        const auto origin = catalog.origin(ledger.store(), incarnation);
        Json continues;
        if (origin)
            continues = Json::object({{"incarnation", origin->journal.text()},
                                      {"entry", origin->sequence},
                                      {"device", catalog.device_of(origin->journal)},
                                      {"forked", origin->forked}});
        journals.push(Json::object(
            {{"incarnation", incarnation.text()}, {"continues", std::move(continues)}}));
    }
    return journals;
}

Json not_whole_of(const Device& device, const Catalog& catalog) {
    Json all = Json::array();
    for (const Incarnation& incarnation : device.incarnations)
        for (const auto& [id, why] : catalog.refused(incarnation)) {
            const std::string lack = catalog.lack(incarnation, VersionId{id});
            all.push(
                Json::object({{"id", id.text()}, {"why", lack.empty() ? why : why + ": " + lack}}));
        }
    return all;
}

Json form_of(const KnownVersion& known, Ledger& ledger) {
    const Version& version = known.version;
    const Catalog& catalog = ledger.catalog();
    Json parents = Json::array();
    for (const VersionId& parent : version.parents) parents.push(parent.text());
    Json inputs = Json::array();
    for (const Input& input : version.inputs)
        inputs.push(Json::object(
            {{"id", input.id.text()}, {"role", input.role}, {"selector", input.selector}}));
    Json refs = Json::array();
    for (const NamedRef& ref : catalog.refs(known.repo))
        if (ref.version == known.id) refs.push(ref.name);

    Json form = Json::object({{"id", known.id.text()},
                              {"content", version.tree.text()},
                              {"repo", known.repo},
                              {"branch", known.branch},
                              {"device", catalog.device_of(version.incarnation)},
                              {"author", version.author},
                              {"time", to_text(WallTime{version.time.wall_ms})},
                              {"clock", name_of(version.time.quality)},
                              {"parents", std::move(parents)},
                              {"inputs", std::move(inputs)},
                              {"refs", std::move(refs)},
                              {"approved", catalog.approvals(known.id) != nullptr},
                              {"message", Json()},
                              {"metadata", Json()}});
    form.set("conflicts", 0);
    form.set("conflict_between", Json::array());
    // Objects that cannot be read are told where the version itself is asked for.
    (void)add_conflicts(form, known, ledger);
    // Notes may be gone while the version still stands; null says so.
    if (const auto notes = read_notes(ledger.store(), version.notes)) {
        Json metadata = Json::object();
        for (const auto& [key, value] : notes->metadata) metadata.set(key, value);
        form.set("message", notes->message);
        form.set("metadata", std::move(metadata));
    }
    return form;
}

Status add_conflicts(Json& form, const KnownVersion& known, Ledger& ledger) {
    TRIBUTARY_ASSIGN(const auto open, open_conflicts(ledger.store(), known.version));
    Json boards = Json::array();
    for (std::string& board : boards_of(open, ledger.catalog())) boards.push(std::move(board));
    form.set("conflicts", open.size());
    form.set("conflict_between", std::move(boards));
    return {};
}

Result<Json> conflicts_form(const std::vector<lineage::Conflict>& conflicts,
                            const Catalog& catalog) {
    Json forms = Json::array();
    ListBudget budget;
    for (const lineage::Conflict& conflict : conflicts) {
        Json sides = Json::array();
        for (const lineage::ConflictSide& side : conflict.sides) {
            TRIBUTARY_TRY(budget.take(conflict.path));
            const KnownVersion* known = catalog.version(side.version);
            sides.push(Json::object(
                {{"version", side.version.text()},
                 {"device", known ? catalog.device_of(known->version.incarnation) : ""},
                 {"shows", form_of(side)}}));
        }
        forms.push(Json::object({{"path", conflict.path},
                                 {"base", form_of(conflict.base)},
                                 {"sides", std::move(sides)}}));
    }
    return forms;
}

Json form_of(const NamedRef& ref, Ledger& ledger) {
    Json form = Json::object({{"name", ref.name},
                              {"version", ref.version.text()},
                              {"conflicts", 0},
                              {"conflict_between", Json::array()}});
    if (const KnownVersion* known = ledger.catalog().version(ref.version))
        (void)add_conflicts(form, *known,
                            ledger);  // what cannot be read shows where it is asked for
    return form;
}

Json path_form(const std::string& path) {
    Json form = Json::object({{"path", path}});
    const auto shown = parse_json(form.text());
    if (!shown || shown->text_at("path") != path) form.set("path_hex", to_hex(as_bytes(path)));
    return form;
}

Json form_of(const TreeItem& file, const std::string& path) {
    Json form = path_form(path);
    form.set("blob", file.target.text());
    form.set("bytes", file.size);
    form.set("executable", file.type == TreeItem::Type::executable);
    return form;
}

HttpResponse answer(Json body, unsigned status) {
    HttpResponse response;
    response.status = status;
    response.body = body.text() + "\n";
    return response;
}

HttpResponse answer(const Error& error) {
    return answer(Json::object({{"error", Json::object({{"code", tributary::name_of(error.code)},
                                                        {"message", error.what}})}}),
                  http_status_of(error.code));
}

}  // namespace tributary::hub
