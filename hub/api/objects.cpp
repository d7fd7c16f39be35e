#include "hub/api/objects.h"

#include <algorithm>

#include "common/record/recipe.h"
#include "hub/api/requests.h"
#include "hub/app/hub.h"
#include "hub/lineage/query.h"

namespace tributary::hub {
namespace {

// A small file may be one piece to a board that lost its recipe, and cut otherwise here.
Result<Bytes> read_object(Store& store, const RecordKey& key) {
    auto plain = store.read_plain(key);
    if (plain || key.kind != RecordKind::piece || plain.error().code != Errc::not_found)
        return plain;
    const auto recipe = store.read_plain({RecordKind::recipe, key.name}).and_then(parse_recipe);
    if (!recipe || recipe->blob_bytes > limits::kPieceBytesMax) return plain;
    Bytes file;
    TRIBUTARY_TRY(read_blob(store, {key.name}, recipe->blob_bytes, [&](ByteView bytes) {
        file.insert(file.end(), bytes.begin(), bytes.end());
        return Status();
    }));
    return file;
}

}  // namespace

Result<RecordKey> object_of(const HttpRequest& request) {
    static constexpr RecordKind kServed[] = {RecordKind::piece, RecordKind::recipe,
                                             RecordKind::tree,  RecordKind::version,
                                             RecordKind::notes, RecordKind::conflict};
    TRIBUTARY_ASSIGN(const std::string wanted, required(request, "kind"));
    TRIBUTARY_ASSIGN(const std::string name, required(request, "name"));
    TRIBUTARY_ASSIGN(const Digest digest, Digest::parse(name));
    const auto* kind = std::ranges::find(kServed, wanted, [](RecordKind k) { return name_of(k); });
    if (kind == std::end(kServed))
        return fail(Errc::invalid, "there are no objects of kind '" + wanted + "'");
    return RecordKey{*kind, digest};
}

Result<HttpResponse> show_object(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const RecordKey key, object_of(request));
    TRIBUTARY_ASSIGN(const Bytes plain, read_object(hub.ledger().store(), key));
    HttpResponse response;
    response.content_type = "application/octet-stream";
    response.body = std::string(as_text(plain));
    return response;
}

}  // namespace tributary::hub
