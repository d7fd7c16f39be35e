// The agent's end of a broadcast: joins what an admitted assignment invites to, opens and collects
// fragments, and stages the records that they make.
//
// At most one at a time. It only fills the store; what it does not bring comes by a push. On the
// loop's thread; the store is reached through the queue.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/sync/store_queue.h"
#include "common/codec/erasure.h"
#include "common/env/loop.h"
#include "common/record/message.h"
#include "common/sync/catcher.h"

namespace tributary::agent {

class CastLink {
public:
    struct Events {
        std::function<void(sync::CastReport report)> report;  // to the hub, if a session is open
        // Of the transport; subscribed() answers.
        std::function<void(const std::string& topic)> subscribe;
        std::function<void(const std::string& topic)> unsubscribe;
        // See agent/update/installer.h.
        std::function<bool()> deciding;
        std::function<bool(const VersionId& version)> admits;
        std::function<void(const VersionId& version)> version_whole;
    };

    // All outlive it. The seed must differ between boards.
    CastLink(Loop& loop, StoreQueue& store, std::uint64_t seed, Events events);
    ~CastLink();
    CastLink(const CastLink&) = delete;
    CastLink& operator=(const CastLink&) = delete;

    // After the installer has been told of it.
    void on_assign(const sync::Assign& documents);
    void on_decided();  // deciding() is false again, or other versions are admitted
    void on_connected();
    void on_disconnected();
    void on_subscribed(const std::string& topic);
    void on_refused(const std::string& topic);  // the broker does not let us hear it
    void on_payload(ByteView payload);          // from the topic of a broadcast

    struct Progress {
        VersionId version;
        std::uint64_t received_bytes = 0;
        std::uint32_t held = 0;  // parts of about 2 MiB
        std::optional<std::uint32_t> parts;
    };
    std::optional<Progress> progress() const;  // while it takes part

private:
    struct Cast {
        sync::CastInvitation invitation;
        sync::Catcher catcher;
        std::map<std::uint32_t, codec::ErasureAssembly> parts;
        std::uint64_t received_bytes = 0;
        bool joined = false;  // we want its topic
        bool left = false;
    };
    struct Records;  // of one generation, on their way into the store

    void consider();
    void join();
    void decline();
    void drop();
    void step(sync::CatcherEvent event);
    void carry_out(sync::CatcherAction& action, ByteView opened);
    void store(const sync::StoreGeneration& action);
    void store_next(std::shared_ptr<Records> records);
    void commit();
    void arm();
    // Runs `then` here after `work`, if this broadcast is still the one.
    void run(std::function<void(Store&)> work, std::function<void(CastLink&)> then);

    Loop& loop_;
    StoreQueue& store_;
    Events events_;
    Random random_;
    std::optional<sync::CastInvitation> invited_;  // until the installer has decided
    std::unique_ptr<Cast> cast_;
    bool connected_ = false;
    std::shared_ptr<CastLink*> self_;
    // Below: what calls back.
    std::unique_ptr<Timer> timer_;
};

}  // namespace tributary::agent
