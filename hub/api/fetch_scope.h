// What a board may fetch at the door: objects of versions that it committed or was told to run, and
// nothing else, so that a stolen board does not open the whole store.
#pragma once

#include <list>
#include <set>
#include <string>

#include "hub/store/ledger.h"

namespace tributary::hub {

class FetchScope {
public:
    // Versions whose objects are remembered: a board asks for many of one version.
    static constexpr std::size_t kRememberedMax = 4;

    // not_found, in the same words, when the version is not held, is not that device's, or does not
    // need the object: nobody learns what others have. `theirs`: set when it is held, and for
    // others.
    Status check(Ledger& ledger, const std::string& device, const VersionId& version,
                 const RecordKey& object, bool& theirs);

private:
    struct Needs {
        VersionId version;
        std::set<RecordKey> objects;
    };
    Result<const Needs*> needs_of(Store& store, const VersionId& version);

    std::list<Needs> remembered_;  // the last one used first
};

}  // namespace tributary::hub
