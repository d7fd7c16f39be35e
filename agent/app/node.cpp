#include "agent/app/node.h"

#include <cerrno>
#include <utility>

#include "agent/sync/new_journal.h"
#include "agent/trust/identity.h"
#include "agent/trust/key_succession.h"
#include "common/text/log.h"
#include "common/trust/trust.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kRetryMs = 50;

// Missing: it was moved before.
Status move_if_there(Files& files, const std::string& from, const std::string& to) {
    const Status moved = files.rename(from, to);
    return moved || moved.error().code == Errc::not_found ? Status() : moved;
}

Status remove_if_there(Files& files, const std::string& path) {
    const Status removed = files.remove(path);
    return removed || removed.error().code == Errc::not_found ? Status() : removed;
}

// What the keys of the hub and of the approvers are stays known: see pins.former.json at the next
// first contact, or the root document (agent/trust).
Status set_pins_aside(Files& files, const Config& config) {
    TRIBUTARY_TRY(move_if_there(files, config.pins_path(), config.former_pins_path()));
    return files.sync_directory(config.state_dir);
}

// True when the store woke on another machine. Then it is another device from now on, without its
// key: perhaps the board that it came from goes on, and two boards with one key would drive each
// other off the broker. The machine is noted last, so that a power cut before it changes nothing.
Result<bool> note_machine(Node& node) {
    if (!node.world.hardware) return false;
    Files& files = node.world.files;
    const std::string path = node.config.hardware_path();
    const std::optional<Hardware> known = load_hardware(files, path);
    Hardware now = node.world.hardware();
    const bool another = known && is_another(*known, now);
    if (another) {
        TRIBUTARY_TRY(put_identity_aside(files, node.config));
    } else if (known) {
        now.add_unknown(*known);
    }
    if (known != now && !now.facts.empty()) TRIBUTARY_TRY(save_hardware(files, path, now));
    return another;
}

// Why the store cannot go on in its present journal; empty: it can.
Result<std::string> reason_for_new_journal(Node& node, KeySuccession& keys,
                                           const trust::Passphrase* passphrase,
                                           bool on_another_machine) {
    if (on_another_machine)
        return std::string("it woke on another machine, its card was moved or cloned");
    // One that cannot be read is a matter for 'run' and 'doctor': recording does not need it.
    const auto key = public_key_of(node.world.files, node.config.key_path(), passphrase);
    const bool missing = !key && key.error().code == Errc::not_found;
    const Result<bool> in_force = key ? keys.is_in_force(*key) : Result<bool>(true);
    if (missing || !in_force.value_or(true)) {
        TRIBUTARY_TRY(set_pins_aside(node.world.files, node.config));
        return std::string(missing ? "its key is gone" : "its key is not the one in force in it");
    }
    if (node.store->recovery().head_in_doubt)
        return std::string("the last entries of its journal may be lost");
    return std::string();
}

// A store begins with its key: the journal's first entry names it, seals are made with it.
Status start_journal(Node& node) {
    Files& files = node.world.files;
    JournalKeeper journal(files, *node.store, node.config.new_journal_path());
    auto passphrase = IdentityPassphrase::load(files, node.config);
    KeySuccession keys(files, *node.store, node.config, node.trust.get(),
                       passphrase ? passphrase->get() : nullptr);
    if (node.store->head().sequence != 0) TRIBUTARY_TRY(keys.settle());
    TRIBUTARY_ASSIGN(const bool on_another_machine, note_machine(node));
    const JournalHead head = node.store->head();
    std::string reason;
    if (head.sequence != 0) {
        TRIBUTARY_TRY(journal.finish());
        TRIBUTARY_ASSIGN(
            reason, reason_for_new_journal(node, keys, passphrase ? passphrase->get() : nullptr,
                                           on_another_machine));
        if (reason.empty()) return {};
    }
    if (!passphrase) return tl::make_unexpected(passphrase.error());
    TRIBUTARY_ASSIGN(const std::unique_ptr<trust::Signer> key,
                     trust::load_or_create_key(files, node.world.entropy, node.config.key_path(),
                                               passphrase->get()));
    const SyncState sync = load_sync_state(files, node.config.sync_path());
    TRIBUTARY_TRY(journal.begin(key->public_key(), receipted_entries(*node.store, sync)));
    if (head.sequence != 0)
        log_warn("this store goes on in a new journal; nothing of the old one is lost",
                 {{"why", reason},
                  {"journal", node.store->head().incarnation.text()},
                  {"continues", head.incarnation.text()},
                  {"entry", head.sequence}});
    return {};
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
    // Seen at two looks: who has just come has not written yet whom it is, and the one before is
    // read.
    bool named = false;
    while (true) {
        Result<std::unique_ptr<Store>> store =
            Store::open(world.files, world.clock, world.entropy, config.store_dir(), options);
        if (store || !is_store_in_use(store.error())) return store;
        if (wait.holder_did_it && wait.holder_did_it())
            return fail(Errc::cancelled, "the holder of the store did it");
        const bool stays = !wait.not_for.empty() &&
                           store.error().what.find("held by " + wait.not_for) != std::string::npos;
        if (std::exchange(named, stays) && stays)
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

Status put_identity_aside(Files& files, const Config& config) {
    TRIBUTARY_TRY(move_if_there(files, config.key_path(), config.former_key_path()));
    TRIBUTARY_TRY(remove_if_there(files, config.next_key_path()));
    TRIBUTARY_TRY(remove_if_there(files, config.old_key_path()));
    return set_pins_aside(files, config);
}

bool is_store_in_use(const Error& error) {
    return error.code == Errc::conflict && error.native == EWOULDBLOCK;
}

Result<Node> open_node(const World& world, Config config, StoreUse use, const std::string& holder,
                       Console& console, const StoreWait& wait) {
    Node node{world, std::move(config), nullptr, nullptr, nullptr, {}, nullptr, {}, {}};
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
    auto trust = TrustKeeper::open(world.files, world.clock, trust::system_verifier(),
                                   node.config.trust_path());
    if (trust)
        node.trust = *std::move(trust);
    else
        node.trust_trouble = trust.error().what;
    if (use == StoreUse::record) {
        for (const std::string& what : node.store->recovery().damage) {
            log_warn("the store is damaged; see 'tributary-agent fsck'", {{"damage", what}});
        }
        TRIBUTARY_TRY(start_journal(node));
    }
    return node;
}

}  // namespace tributary::agent
