// The hub's end: its intake over its ledger, and what the hub does around it for one device.
#include "common/net/loop.h"
#include "common/net/outbox.h"
#include "common/sync/topics.h"
#include "hub/intake/device_link.h"
#include "hub/store/ledger.h"
#include "tests/bench/sync.h"

namespace tributary::bench {
namespace {

constexpr std::size_t kOutboxBytesMax = 64 * limits::MiB;

Result<std::unique_ptr<hub::Ledger>> open_ledger(const std::string& state_dir) {
    StoreOptions options;
    options.segment_bytes = limits::kSegmentBytesHub;
    options.chain_depth_max = limits::kChainDepthMaxHub;
    return hub::Ledger::open(system_files(), system_clock(), system_entropy(), state_dir, options);
}

}  // namespace

Result<agent::Pins> prepare_hub(const std::string& state_dir, const BoardIdentity& board) {
    TRIBUTARY_ASSIGN(const auto ledger, open_ledger(state_dir));
    const std::string device(kBoard);
    TRIBUTARY_TRY(ledger->append({DeviceBoundBody{device, board.incarnation, board.public_key}}));
    agent::Pins pins;
    pins.device = device;
    pins.hub = ledger->store().head().incarnation;
    pins.hub_name = "bench-hub";
    pins.hub_keys = {ledger->signer().public_key()};
    return pins;
}

Result<Json> run_hub(const SyncEnd& end) {
    TRIBUTARY_ASSIGN(const auto ledger, open_ledger(end.state_dir));
    const std::string device(kBoard);
    NetLoop loop;
    TRIBUTARY_ASSIGN(
        const auto transport,
        make_mqtt(loop, system_entropy(), link_options(end, "bench-hub", {sync::up_filter_all()})));
    Outbox outbox(*transport, kOutboxBytesMax);

    hub::Pushes pushes(*ledger);
    hub::DeviceLink::Events events;
    events.pushes = &pushes;
    events.publish = [&](const std::string& to, Bytes payload, Priority priority) {
        outbox.publish(sync::topic_of(to, sync::Direction::down), std::move(payload), priority);
    };
    events.advanced = [](const std::string&, const std::set<std::string>&) {};
    events.beside = [&](std::function<void()> work, std::function<void(MonoTime)> then) {
        loop.work(std::move(work), [&loop, then = std::move(then)] { then(loop.now()); });
    };
    hub::DeviceLink link(device, *ledger, system_clock(), system_entropy().number(),
                         std::move(events));
    std::unique_ptr<Timer> timer;
    const std::function<void()> arm = [&] {
        timer.reset();
        if (const auto deadline = link.next_deadline())
            timer = loop.at(*deadline, [&] {
                link.on_tick(loop.now());
                arm();
            });
    };

    Transport::Events transport_events;
    transport_events.connected = [&] {
        outbox.on_connected();
        say(std::string(kReadyWord));
    };
    transport_events.disconnected = [&](const Error&) { outbox.on_disconnected(); };
    transport_events.received = [&](Message message) {
        link.on_payload(loop.now(), std::move(message.payload));
        arm();
    };
    transport_events.sent = [&](std::uint64_t token) { outbox.on_sent(token); };
    transport->start(std::move(transport_events));
    loop.on_signal([&](int) { loop.stop(); });
    loop.run();
    transport->stop();
    return Json::object({{"received_bytes", link.status().received_bytes}});
}

}  // namespace tributary::bench
