// What a version needs: the records that must be held before it can be read back whole.
#pragma once

#include <functional>
#include <vector>

#include "common/store/store.h"

namespace tributary {

// Hands out the key of every record that `version` needs, itself last, each before what needs it:
// pieces, then recipe of each file, then tree nodes from the leaves up, notes, version. What the
// versions in `covered` need is left out as far as it stands at the same path there; a covered
// version that is not held here covers nothing, and one that takes much more reading than `version`
// itself covers less. RAM: one file's recipe and one directory's items for each level, for the
// version and each covered one, and the id of each directory and of each file that has a recipe.
Status closure_of(Store& store, const VersionId& version, const std::vector<VersionId>& covered,
                  const std::function<Status(const RecordKey&)>& visit);

// The same of a version that may not be held itself, but what it needs is; its own record is not
// handed out.
Status closure_below(Store& store, const Version& version, const std::vector<VersionId>& covered,
                     const std::function<Status(const RecordKey&)>& visit);

// The first record that is missing for `version` to be whole here; nullopt when nothing is.
// `known_whole` versions are believed to be so, which spares reading them again.
Result<std::optional<RecordKey>> first_missing(Store& store, const VersionId& version,
                                               const std::vector<VersionId>& known_whole);

}  // namespace tributary
