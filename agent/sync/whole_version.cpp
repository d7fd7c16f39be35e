#include "agent/sync/whole_version.h"

#include "common/store/closure.h"

namespace tributary::agent {

Status commit_whole(Store& store, const VersionId& version) {
    TRIBUTARY_ASSIGN(const auto missing, first_missing(store, version, {}));
    if (missing)
        return fail(Errc::not_found, std::string(name_of(missing->kind)) + " " +
                                         missing->name.text() + " is missing for version " +
                                         version.text());
    return store.commit();
}

}  // namespace tributary::agent
