// Installs the versions that the hub assigns to this board: the daemon's view of it.
//
// The daemon hands over assignments as they arrive and says when a version has become whole in the
// store; the installer checks them, fills slots, switches, watches over probation, and reports. It
// keeps its own state in the state folder, so that it goes on after a restart.
//
// On the loop's thread; what needs the store goes through the StoreQueue.
#pragma once

#include <functional>
#include <memory>

#include "agent/config/config.h"
#include "agent/sync/pins.h"
#include "agent/sync/push_size.h"
#include "agent/sync/security_log.h"
#include "agent/sync/store_queue.h"
#include "agent/trust/trust_keeper.h"
#include "common/env/clock.h"
#include "common/env/command.h"
#include "common/env/files.h"
#include "common/env/loop.h"
#include "common/record/entry.h"
#include "common/record/message.h"
#include "common/trust/trust.h"

namespace tributary::agent {

// What the daemon lends; outlives the installer.
struct InstallerHost {
    Loop& loop;
    StoreQueue& store;
    Files& files;
    Clock& clock;
    const Config& config;
    // Of a board that may be enrolled; null: its own clock and the pins alone count.
    TrustKeeper* trust;
    // Puts the entry into the journal, durably, and wakes the sync; then `done` on the loop's
    // thread.
    std::function<void(InstallBody body, std::function<void(Status)> done)> report;
    // deciding() has become false, or admits() is true of other versions: who held a push back may
    // ask again, and who has one under way that is wanted no more may end it.
    std::function<void()> decided = {};
    OnRefused refused = {};
};

class Installer {
public:
    virtual ~Installer() = default;

    // When the pins are known (at each start of the daemon): from now on assignments can be
    // checked. What a restart cut short goes on. Again when other keys count.
    virtual void start(const Pins& pins) = 0;
    // The sealed documents as they came; repeated by the hub until the journal answers them. Not
    // checked at all.
    virtual void on_assign(sync::Assign documents) = 0;
    // An assignment is being checked: hold back what a push brings meanwhile, the hub sends both at
    // once.
    virtual bool deciding() const = 0;
    // Whether objects of a push may be stored now: some assignment is admitted and not yet whole.
    virtual bool expects_push() const = 0;
    // Whether that push is what an admitted assignment asks for.
    virtual bool admits(const VersionId& version) const = 0;
    // What is going to come by a push, some of which may be here already.
    virtual void on_push_offered(const PushSize& size) = 0;
    // Every object of an admitted version is durably in the store.
    virtual void on_version_whole(const VersionId& version) = 0;
};

// Verifier and commands outlive it, like what `host` names. It may be destroyed while its work is
// queued: nothing of `host` is called after that, and no health command goes on.
std::unique_ptr<Installer> make_installer(InstallerHost host, trust::Verifier& verifier,
                                          CommandRunner& commands);

}  // namespace tributary::agent
