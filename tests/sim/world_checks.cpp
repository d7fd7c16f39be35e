// What the judge of a world sees: on the wire, in the stores, in the end.
#include <algorithm>

#include "tests/sim/world.h"

namespace tributary::sim {

// Judges by the wire alone: what was granted, what is taken of it.
void World::watch_wire(Side from, std::size_t a, ByteView payload) {
    const auto envelope = sync::parse_message(payload);
    if (!envelope) return report("a node published what does not parse: " + envelope.error().what);
    const auto stream = [&](std::uint64_t plan, std::uint32_t number) -> Stream& {
        return streams_[{a, envelope->channel, envelope->session, plan, number}];
    };
    if (const auto* want = std::get_if<sync::Want>(&envelope->body)) {
        stream(want->plan, want->number).credit = want->credit_bytes;
        if (from == Side::hub && turn_bytes_ != 0 && turn_of_ != a)
            report("content was asked for out of turn");
    } else if (const auto* credit = std::get_if<sync::Credit>(&envelope->body)) {
        stream(credit->plan, credit->number).through = credit->through;
    } else if (const auto* data = std::get_if<sync::Data>(&envelope->body)) {
        const Stream& s = stream(data->plan, data->number);
        if (s.credit == 0 && wire_is_sound_) report("data that nobody wanted");
        if (data->offset + data->bytes.size() > s.through + s.credit && wire_is_sound_)
            report("the credit was exceeded");
        if (data->bytes.size() > options_.limits.frame_bytes)
            report("a frame is longer than agreed");
    } else if (const auto* done = std::get_if<sync::Done>(&envelope->body);
               done && from == Side::hub) {
        const auto receipt = Statement::parse(done->receipt);
        if (!receipt || (receipt->epoch == epoch_ &&
                         hub_.head_of(receipt->at.incarnation).sequence < receipt->at.sequence))
            report("a receipt was sent for what is not durable");
    }
    if (verbose_)
        say(std::string(from == Side::agent ? "agent " : "hub → ") + std::to_string(a) + " " +
            std::string(sync::name_of(envelope->body)));
}

void World::check_bounds(Side side, std::size_t a) {
    const sync::Conversation& c = *link(side, a).conversation;
    if (c.sender().in_flight_bytes() > c.sender().credit_bytes())
        report("more in flight than the credit");
    if (c.receiver().buffered_bytes() > options_.receiver.credit_bytes +
                                            limits::kRecordPayloadBytesMax +
                                            RecordHeader::kBytesMax + 4)
        report("a receiver holds more than a record and its credit");
    const std::uint64_t may_hold = turn_of_ == a ? turn_holds_ : 0;
    if (side == Side::hub && turn_bytes_ != 0 && c.receiver().buffered_bytes() > may_hold)
        report("a receiver holds more content than its turn is for");
}

// What a receipt of this epoch covers is durable at the hub, whole and unchanged.
void World::check_receipts() {
    for (const Agent& agent : agents_) {
        if (!agent.receipt || agent.receipt->epoch < epoch_) continue;
        const auto& truth = ledger_[agent.incarnation];
        const auto& journal = hub_.journals[agent.incarnation];
        if (journal.size() < agent.receipt->at.sequence)
            return report("the hub lost an entry it gave a receipt for");
        for (std::size_t i = 0; i < agent.receipt->at.sequence; ++i) {
            if (journal[i] != truth[i]) return report("the hub changed an entry");
            const Digest version = ModelEntry::parse(truth[i])->version;
            if (!hub_.holds_durably(version_key(version)))
                return report("the hub lost a version it gave a receipt for");
            for (const Digest& piece :
                 ModelVersion::parse(ledger_records_.at(version_key(version))).pieces)
                if (!hub_.holds_durably({RecordKind::piece, piece}))
                    return report("the hub lost a receipted piece");
        }
    }
}

bool World::converged() {
    if (!hub_up_) return false;
    for (std::size_t a = 0; a < agents_.size(); ++a) {
        const Agent& agent = agents_[a];
        const std::uint64_t head = ledger_[agent.incarnation].size();
        if (!agent.link.conversation || !agent.link.conversation->sender().resting()) return false;
        if (head > 0 && (!agent.receipt || agent.receipt->at.sequence != head ||
                         agent.receipt->epoch != epoch_))
            return false;
        if (peers_[a].target != peers_[a].delivered) return false;
    }
    return true;
}

// The hub is a function of what was recorded, whatever the order in which it came.
void World::check_end() {
    check_receipts();
    std::map<RecordKey, Bytes> expected;
    for (const auto& [incarnation, truth] : ledger_) {
        if (hub_.journals[incarnation] != truth)
            return report("the hub's journal is not the one recorded");
        for (const Bytes& entry : truth) {
            const RecordKey key = version_key(ModelEntry::parse(entry)->version);
            expected[key] = ledger_records_.at(key);
            for (const Digest& piece : ModelVersion::parse(expected[key]).pieces)
                expected[{RecordKind::piece, piece}] =
                    ledger_records_.at({RecordKind::piece, piece});
        }
    }
    std::map<RecordKey, Bytes> held;
    for (const auto& [key, record] : hub_.records()) held[key] = record.plain;
    if (held != expected) report("the hub holds more or less than what was recorded");
    for (std::size_t a = 0; a < agents_.size(); ++a)
        if (!may_forget_ && peers_[a].delivered &&
            !agents_[a].store.holds_whole(*peers_[a].delivered))
            report("a pushed version is not whole on its device");
}

}  // namespace tributary::sim
