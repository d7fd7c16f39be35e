// The board's end: the agent's own uplink over a store, and what the daemon does around it.
#include <set>

#include "agent/record/recorder.h"
#include "agent/sync/hub_link.h"
#include "agent/sync/loop_store_queue.h"
#include "common/net/loop.h"
#include "common/net/outbox.h"
#include "common/store/closure.h"
#include "common/sync/topics.h"
#include "tests/bench/bench.h"
#include "tests/bench/sync.h"
#include "tests/support/random.h"

namespace tributary::bench {
namespace {

constexpr std::size_t kOutboxBytesMax = 2 * limits::MiB;
constexpr std::string_view kRepo = "bench/sync";

std::string key_path(const std::string& state_dir) { return join_path(state_dir, "key.pem"); }

Result<std::unique_ptr<Store>> open_store(const std::string& state_dir) {
    return Store::open(system_files(), system_clock(), system_entropy(),
                       join_path(state_dir, "store"));
}

// Of every record that the hub needs: each once, as it is stored.
Result<std::uint64_t> needed_bytes(Store& store) {
    TRIBUTARY_ASSIGN(const auto versions, store.versions(std::string(kRepo), 1'000'000));
    std::set<RecordKey> seen;
    std::uint64_t bytes = 0;
    for (const VersionRow& row : versions)
        TRIBUTARY_TRY(closure_of(store, row.id, {}, [&](const RecordKey& key) -> Status {
            if (!seen.insert(key).second) return {};
            TRIBUTARY_ASSIGN(const Bytes frame, store.read_record(key));
            bytes += frame.size();
            return {};
        }));
    return bytes;
}

class Board {
public:
    Board(Store& store, trust::Signer& signer, const agent::Pins& pins)
        : store_(store),
          queue_(loop_, store),
          uplink_(store, signer, trust::system_verifier(), pins),
          last_entry_(store.head().sequence) {}

    Result<Json> run(const SyncEnd& end) {
        TRIBUTARY_TRY(uplink_.load());
        TRIBUTARY_TRY(connect(end));
        loop_.run();
        transport_->stop();
        TRIBUTARY_ASSIGN(const std::uint64_t needed, needed_bytes(store_));
        return Json::object({{"seconds", seconds_},
                             {"stream_bytes", link_->sender_counters().stream_bytes},
                             {"needed_bytes", needed}});
    }

private:
    Status connect(const SyncEnd& end) {
        const std::string device(kBoard);
        TRIBUTARY_ASSIGN(
            transport_,
            make_mqtt(loop_, system_entropy(),
                      link_options(end, device, {sync::topic_of(device, sync::Direction::down)})));
        outbox_ = std::make_unique<Outbox>(*transport_, kOutboxBytesMax);

        agent::HubLink::Events events;
        events.publish = [this, topic = sync::topic_of(device, sync::Direction::up)](
                             Bytes payload, Priority priority) {
            outbox_->publish(topic, std::move(payload), priority);
        };
        events.receipted = [this](const Receipt& receipt) {
            if (receipt.sequence < last_entry_) return;
            seconds_ = since_->seconds();
            loop_.stop();
        };
        sync::ConversationOptions options;
        options.hello_retry_ms = 50;  // so that a cut costs the bench little time; no bytes in it
        link_ = std::make_unique<agent::HubLink>(
            loop_, queue_, uplink_, budget_, system_entropy().number(), std::move(events), options);

        Transport::Events transport_events;
        transport_events.connected = [this] {
            if (!since_) since_.emplace();
            outbox_->on_connected();
            link_->on_connected();
        };
        transport_events.disconnected = [this](const Error&) {
            outbox_->on_disconnected();
            link_->on_disconnected();
        };
        transport_events.received = [this](Message message) {
            link_->on_payload(std::move(message.payload));
        };
        transport_events.sent = [this](std::uint64_t token) {
            outbox_->on_sent(token);
            tell_progress();
        };
        transport_->start(std::move(transport_events));
        return {};
    }

    void tell_progress() {
        while (link_->sender_counters().stream_bytes >= (told_ + 1) * kProgressBytes)
            say(std::string(kSentWord) + std::to_string(++told_) + ";");
    }

    NetLoop loop_;
    Store& store_;
    agent::LoopStoreQueue queue_;
    agent::Uplink uplink_;
    agent::LinkBudget budget_{
        system_files(), system_clock(), {}, {}, [](const std::function<void()>& task) { task(); }};
    std::uint64_t last_entry_;
    std::optional<Stopwatch> since_;
    double seconds_ = 0;
    std::uint64_t told_ = 0;  // in kProgressBytes
    // Below: what calls back; destroyed first.
    std::unique_ptr<Transport> transport_;
    std::unique_ptr<Outbox> outbox_;
    std::unique_ptr<agent::HubLink> link_;
};

}  // namespace

std::string pins_path(const std::string& board_dir) { return join_path(board_dir, "pins.json"); }

Result<BoardIdentity> prepare_board(const std::string& state_dir, std::uint64_t versions,
                                    std::uint64_t version_bytes, std::uint64_t seed) {
    TRIBUTARY_TRY(system_files().make_directories(state_dir));
    TRIBUTARY_ASSIGN(const auto signer, trust::load_or_create_key(system_files(), system_entropy(),
                                                                  key_path(state_dir)));
    TRIBUTARY_ASSIGN(const auto store,
                     fresh_store(join_path(state_dir, "store"), signer->public_key()));

    test::Random random(seed);
    agent::CommitRequest request;
    request.repo = kRepo;
    request.level = codec::Level::fast;  // that it is not compressible is found out sooner
    request.paths = {join_path(state_dir, "file")};
    for (std::uint64_t i = 0; i < versions; ++i) {
        TRIBUTARY_TRY(replace_file(system_files(), request.paths.front(),
                                   random.bytes(static_cast<std::size_t>(version_bytes))));
        TRIBUTARY_TRY(agent::Recorder(system_files(), system_clock(), *store).commit(request));
    }
    TRIBUTARY_TRY(system_files().remove(request.paths.front()));
    return BoardIdentity{store->head().incarnation, signer->public_key()};
}

Result<Json> run_board(const SyncEnd& end) {
    TRIBUTARY_ASSIGN(const auto signer, trust::load_key(system_files(), key_path(end.state_dir)));
    TRIBUTARY_ASSIGN(const auto store, open_store(end.state_dir));
    TRIBUTARY_ASSIGN(const auto pins, agent::load_pins(system_files(), pins_path(end.state_dir)));
    if (!pins) return fail(Errc::not_found, "the board has no pins");
    return Board(*store, *signer, *pins).run(end);
}

}  // namespace tributary::bench
