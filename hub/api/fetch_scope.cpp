#include "hub/api/fetch_scope.h"

#include <algorithm>
#include <utility>

#include "common/store/closure.h"

namespace tributary::hub {

Result<const FetchScope::Needs*> FetchScope::needs_of(Store& store, const VersionId& version) {
    const auto found = std::ranges::find(remembered_, version, &Needs::version);
    if (found != remembered_.end()) {
        remembered_.splice(remembered_.begin(), remembered_, found);
        return &remembered_.front();
    }
    Needs needs{version, {}};
    TRIBUTARY_TRY(closure_of(store, version, {}, [&](const RecordKey& key) {
        needs.objects.insert(key);
        return Status();
    }));
    remembered_.push_front(std::move(needs));
    if (remembered_.size() > kRememberedMax) remembered_.pop_back();
    return &remembered_.front();
}

Status FetchScope::check(Ledger& ledger, const std::string& device, const VersionId& version,
                         const RecordKey& object, bool& theirs) {
    const auto not_there = [&] {
        return fail(Errc::not_found, "version " + version.text() + " of device '" + device +
                                         "' with such an object is not here");
    };
    const Catalog& catalog = ledger.catalog();
    const KnownVersion* known = catalog.version(version);
    if (!known) return not_there();
    theirs = true;
    const Device* asking = catalog.device(device);
    const bool own = catalog.device_of(known->version.incarnation) == device;
    if (!own && !(asking && asking->given.contains(version))) return not_there();
    TRIBUTARY_ASSIGN(const Needs* needs, needs_of(ledger.store(), version));
    // A small file may be one piece to a board that lost its recipe.
    const bool whole_file = object.kind == RecordKind::piece &&
                            needs->objects.contains({RecordKind::recipe, object.name});
    if (!whole_file && !needs->objects.contains(object)) return not_there();
    theirs = false;
    return {};
}

}  // namespace tributary::hub
