// How one key of the journal gives way to the next, so that at any instant exactly one is in force,
// and the journal says which.
//
//   key.next.pem   the next key, then its certificate behind it
//   key.old.pem    the present key, while entries that it must seal are not receipted
//   entry          KeyChanged: from it on the next key seals (common/trust/key_change.h)
//   key.pem        becomes key.next.pem by one rename
//
// A power cut anywhere leaves the journal in force: settle() finishes what the entry began, and
// what did not come as far as the entry changed nothing.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "agent/config/config.h"
#include "agent/trust/identity.h"
#include "agent/trust/trust_keeper.h"
#include "common/store/store.h"

namespace tributary::agent {

class KeySuccession {
public:
    // All outlive it; on the worker. `trust` may be null: then nothing is remembered of the
    // journal.
    KeySuccession(Files& files, Store& store, const Config& config, TrustKeeper* trust,
                  const trust::Passphrase* passphrase)
        : files_(files), store_(store), config_(config), trust_(trust), passphrase_(passphrase) {}

    // At start, before anything uses key.pem: a rename that a power cut kept from being made.
    Status settle();
    // Whether key.pem holds the key that is in force in the store's present journal; true also when
    // the journal's beginning cannot be read.
    Result<bool> is_in_force(ByteView public_key);

    // The next key, made when there is none yet, with its certificate if it has one already.
    Result<Identity> prepare(Entropy& entropy);
    // Behind the next key, durably.
    Status keep_certificate(ByteView certificate);
    // The change itself. The entry is in the journal when it answers success, and usually when it
    // answers an error; the identity of now is in key.pem either way after the next settle().
    // conflict, and nothing is changed, while the key before the present one is needed.
    Status change(trust::Signer& present);

    // The key before, from which entry on it seals no more, and how the journal came to the key of
    // now: bodies of its last changes, at most so many as a hub is told. None when it is not
    // needed.
    struct Former {
        std::unique_ptr<trust::Signer> key;
        std::uint64_t until = 0;
        std::vector<Bytes> changes;
    };
    Result<std::optional<Former>> former();
    // `receipted`: how far the hub has the journal for certain. True when the key before is gone.
    Result<bool> forget_former(std::uint64_t receipted);

private:
    struct Change {
        TrustState::KeyChange what;
        Bytes body;
    };
    // The last ones. Reads the journal through.
    Result<std::deque<Change>> changes();
    Result<std::optional<TrustState::KeyChange>> last_change();

    Files& files_;
    Store& store_;
    const Config& config_;
    TrustKeeper* trust_;
    const trust::Passphrase* passphrase_;
};

}  // namespace tributary::agent
