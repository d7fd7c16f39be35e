// One board of tributary-bench fleet: the agent's own engine over a journal in RAM. What it
// commits, offers and seals are real; what a real board would do besides, and other machines' CPUs
// would pay for, is left out: the index, the disk, and the check of each receipt's seal, which is
// made up for by check_receipts() when nothing is measured any more.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/sync/pins.h"
#include "common/record/entry.h"
#include "common/record/record.h"
#include "common/sync/conversation.h"
#include "common/trust/trust.h"

namespace tributary::bench {

inline constexpr std::string_view kFleetRepo = "bench/fleet";

// A version that a receipt covers, and its one piece: what the hub must hold in the end.
struct ReceiptedVersion {
    VersionId version;
    Digest piece;
};

class FleetBoard {
public:
    struct Events {
        std::function<void(ByteView payload)> publish;
        std::function<void()> opened;
        // A version, of which a receipt speaks now; when it was committed.
        std::function<void(double made_s)> receipted;
        std::function<void(const Error&)> trouble;
    };

    // Makes its key and begins its journal. Each of its versions is one file of `piece_bytes`, at
    // most a piece. `now_s`: seconds on the clock of all boards.
    FleetBoard(std::string device, std::uint64_t seed, std::size_t piece_bytes,
               std::function<double()> now_s, Events events);

    const std::string& device() const { return pins_.device; }
    const Incarnation& incarnation() const { return incarnation_; }
    const Bytes& public_key() const { return signer_->public_key(); }
    void pin(const agent::Pins& pins);  // the hub's side of a first contact, but the device's id

    void connect() { step(sync::Connected{}); }
    void on_payload(Bytes payload) { step(sync::PayloadArrived{std::move(payload)}); }
    void tick();
    // The next version of its one file. It is offered at once, or with those that follow while the
    // one before waits for its receipt, as an agent does it.
    void commit();

    bool is_open() const { return conversation_.is_open(); }
    bool all_receipted() const { return steps_.empty(); }
    // When each version was committed that no receipt covers yet.
    std::vector<double> waiting_since_s() const;
    std::uint64_t committed() const { return committed_; }
    std::uint64_t sent_bytes() const { return conversation_.sender().counters().stream_bytes; }
    const std::vector<ReceiptedVersion>& receipted() const { return receipted_; }
    Status check_receipts() const;

private:
    struct Object {
        RecordKey key;
        std::uint32_t plain_length = 0;
        Bytes plain;             // none: a piece, which is made again when it is asked for
        std::uint64_t seed = 0;  // of a piece
    };
    struct Step {  // an entry, and what it needs
        Bytes entry;
        std::uint64_t sequence = 0;
        EntryHash hash;
        VersionId version;  // none: the journal's first entry
        std::vector<Object> objects;
        double made_s = 0;
    };

    Bytes piece_of(std::uint64_t seed) const;
    void say(const EntryBody& body, VersionId version, std::vector<Object> objects);
    void step(sync::Event event);
    std::optional<sync::Event> carry_out(sync::Action& action);
    Status check_hello(std::uint64_t nonce, const sync::Hello& hello);
    bool make_plan();
    Result<sync::Page> read_page();
    Result<Bytes> read_object(const RecordKey& key) const;
    Bytes frame_of(const Object& object) const;
    Status take_receipt(const sync::LogReceipt& receipt);

    agent::Pins pins_;
    const std::size_t piece_bytes_;
    std::function<double()> now_s_;
    Events events_;
    std::unique_ptr<trust::Signer> signer_;
    Incarnation incarnation_;
    sync::Conversation conversation_;

    // The journal: its head, and the entries that no receipt covers yet.
    std::uint64_t sequence_ = 0;
    EntryHash head_;
    HybridTime time_;
    VersionId last_version_;
    std::deque<Step> steps_;
    std::size_t planned_ = 0;  // of steps_, from the front
    std::uint64_t committed_ = 0;
    std::vector<ReceiptedVersion> receipted_;
    std::vector<Bytes> receipts_;
};

}  // namespace tributary::bench
