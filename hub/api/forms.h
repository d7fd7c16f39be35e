// How things look as JSON in /api/v1; described in schemas/openapi.json.
#pragma once

#include "common/lineage/conflict.h"
#include "common/net/http_server.h"
#include "common/text/json.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

Json form_of(const Device& device, const Catalog& catalog);
// Its journals, oldest first, and what each goes on from.
Json journals_of(const Device& device, Ledger& ledger);
// Versions (and entries) that its journals name and that are not whole here, with the reason.
Json not_whole_of(const Device& device, const Catalog& catalog);
// id, content, repo, branch, device, author, time, parents, inputs, message, metadata, refs,
// approved, conflicts.
Json form_of(const KnownVersion& version, Ledger& ledger);
// Adds `conflicts`, how many paths are left to a person, and `conflict_between`, the boards that
// differ there.
Status add_conflicts(Json& form, const KnownVersion& version, Ledger& ledger);
// For each path its base and its sides: version, board, and the file, if there is one.
Result<Json> conflicts_form(const std::vector<lineage::Conflict>& conflicts,
                            const Catalog& catalog);
Json form_of(const NamedRef& ref, Ledger& ledger);
// Of a file or folder; with path_hex where the bytes of its name are no text.
Json path_form(const std::string& path);
Json form_of(const TreeItem& file, const std::string& path);
Json form_of(HybridTime time);  // {"time": ..., "clock": "synced"}

HttpResponse answer(Json body, unsigned status = 200);
// {"error": {"code": ..., "message": ...}} with the status that fits the code.
HttpResponse answer(const Error& error);

template <class T>
HttpResponse answer_or_error(Result<T> result) {
    return result ? answer(*std::move(result)) : answer(result.error());
}

}  // namespace tributary::hub
