#include "agent/app/node.h"

#include <cerrno>

#include "common/text/log.h"
#include "common/trust/trust.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kRetryMs = 50;

// A store begins with its key: the journal's first entry names it, seals are made with it. A
// journal whose last entries may be lost is not written on: a new one says which it continues.
Status start_journal(Node& node) {
    const JournalHead head = node.store->head();
    const bool in_doubt = node.store->recovery().head_in_doubt;
    if (head.sequence != 0 && !in_doubt) return {};
    TRIBUTARY_ASSIGN(
        const std::unique_ptr<trust::Signer> key,
        trust::load_or_create_key(node.world.files, node.world.entropy, node.config.key_path()));
    StartBody start;
    start.public_key = key->public_key();
    if (head.sequence != 0) {
        start.continues = head.incarnation;
        start.continues_sequence = head.sequence;
        start.continues_hash = head.hash;
    }
    start.software = "tributary-agent " TRIBUTARY_VERSION;
    TRIBUTARY_TRY(node.store->start_journal(std::move(start)));
    return node.store->commit();
}

// A disk whose size nobody tells sets no limit.
SpaceLimits limits_of(const Node& node) {
    std::uint64_t disk = 0;
    if (node.world.disk_bytes) disk = node.world.disk_bytes(node.config.state_dir).value_or(0);
    return space_limits(node.config.store.quota, disk);
}

Result<std::unique_ptr<Store>> open_store(const World& world, const Config& config,
                                          const StoreOptions& options, const StoreWait& wait,
                                          Console& console) {
    const MonoTime give_up = world.clock.mono() + wait.ms;
    while (true) {
        Result<std::unique_ptr<Store>> store =
            Store::open(world.files, world.clock, world.entropy, config.store_dir(), options);
        if (store || !is_store_in_use(store.error())) return store;
        if (wait.holder_did_it && wait.holder_did_it())
            return fail(Errc::cancelled, "the holder of the store did it");
        if (!wait.not_for.empty() &&
            store.error().what.find("held by " + wait.not_for) != std::string::npos)
            return fail(Errc::conflict,
                        store.error().what +
                            ": an agent runs with this state_dir already; stop that one, or give "
                            "this one a state_dir of its own",
                        store.error().native);
        if (world.clock.mono() >= give_up) {
            return fail(Errc::conflict,
                        store.error().what + "; waited " + std::to_string(wait.ms / 1000) +
                            " s: let it finish or stop it, then try again",
                        store.error().native);
        }
        console.progress("waiting: " + store.error().what);
        world.sleep_ms(kRetryMs);
    }
}

}  // namespace

bool is_store_in_use(const Error& error) {
    return error.code == Errc::conflict && error.native == EWOULDBLOCK;
}

Result<Node> open_node(const World& world, Config config, StoreUse use, const std::string& holder,
                       Console& console, const StoreWait& wait) {
    Node node{world, std::move(config), nullptr, nullptr, nullptr, {}};
    const SpaceLimits space = limits_of(node);
    StoreOptions options;
    options.segment_bytes = space.segment_bytes;
    options.create = use == StoreUse::record;
    options.holder = holder;
    options.progress = [&console, working = world.working](
                           std::string_view what, std::uint64_t done, std::uint64_t total) {
        if (working) working();
        console.progress(std::string(what) + ": " + std::to_string(done) + " of " +
                         std::to_string(total));
    };
    if (use == StoreUse::record) {
        const auto there = world.files.stat_target(node.config.state_dir);
        if (there && there->kind != FileStatus::Kind::directory)
            return fail(Errc::invalid, "state_dir " + node.config.state_dir +
                                           " is a file; name a folder, which is made if missing");
        TRIBUTARY_TRY(world.files.make_directories(node.config.state_dir));
    }
    Result<std::unique_ptr<Store>> store = open_store(world, node.config, options, wait, console);
    if (!store && use == StoreUse::read && store.error().code == Errc::not_found) return node;
    if (!store) return tl::unexpected<Error>(std::move(store).error());
    node.store = *std::move(store);
    node.space =
        std::make_unique<SpaceKeeper>(world.files, world.clock, *node.store, node.config, space);
    node.writes =
        std::make_unique<WriteBudget>(world.files, world.clock, *node.store,
                                      node.config.writes_path(), node.config.store.written_per_day);
    if (use == StoreUse::record) {
        for (const std::string& what : node.store->recovery().damage) {
            log_warn("the store is damaged; see 'tributary-agent fsck'", {{"damage", what}});
        }
        TRIBUTARY_TRY(start_journal(node));
    }
    return node;
}

}  // namespace tributary::agent
