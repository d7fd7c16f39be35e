// The authorities of a secured hub, and what is written anew when a root document names others.
//
// The root document says which certificates count; the keys are here, in ca.key.pem and, from
// `root next --new-authority` until the one before is dropped, in ca.next.key.pem. The first that
// is named vouches for the servers (broker, door, API) and the hub's own connection: it is the one
// that boards know which were away. The last one issues to boards. With one named, it does both.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/trust/certificate.h"
#include "common/trust/key_file.h"
#include "common/trust/root.h"
#include "hub/config/config.h"

namespace tributary::hub {

class Authorities {
public:
    // denied when the root document names none whose key is here; an error names the file.
    static Result<Authorities> load(Files& files, const HubConfig& config,
                                    const trust::MasterKey& master, const Root& root);

    const trust::Authority& vouching() const { return held_.front(); }
    trust::Authority& vouching() { return held_.front(); }
    trust::Authority& issuing() { return held_.back(); }
    // Which certificates hold no more (PEM), by each whose key is here: a broker refuses those of
    // an authority that has no list.
    Result<std::string> lists_of_revoked(std::span<const Bytes> serials, WallTime now);
    // The key in ca.key.pem is of one that was dropped; that in ca.next.key.pem takes its place.
    bool next_takes_over() const { return next_takes_over_; }

private:
    std::vector<trust::Authority> held_;
    bool next_takes_over_ = false;
};

// The authority that is to take over (its key in ca.next.key.pem, under the master key), made here
// and now, for the root document of that version; its certificate in DER. conflict when there is a
// key: a copy of what lay there all the time may be in other hands.
Result<Bytes> next_authority(Files& files, Entropy& entropy, const HubConfig& config,
                             std::uint64_t version);

// At start, before anything is read from them: ca.pem and the broker's are what the root document
// names; what hub and broker prove themselves with is by the authority that vouches (papers.h); the
// key of one that was dropped is gone. Done again after a power cut, it goes on.
Status follow_root(Files& files, Entropy& entropy, const HubConfig& config,
                   const trust::MasterKey& master, const Root& root, Authorities& authorities);

}  // namespace tributary::hub
