// No sequence of events makes the engines pass their bounds or stop the process.
//
// Input: bytes that choose events one after another, some answering what was asked, some out of
// nowhere, with numbers near to those that would fit. A Sender and a Receiver get the same events.
#include <algorithm>

#include "common/hash/hash.h"
#include "common/sync/receiver.h"
#include "common/sync/sender.h"
#include "tests/fuzz/fuzz.h"

using namespace tributary;
using namespace tributary::sync;

namespace {

constexpr std::uint32_t kCredit = 700;

Digest name_of(std::uint8_t salt) { return sha256(Bytes(salt * std::size_t{7} + 1, salt)); }

// Those from 3 on are said to be coded on the first one.
Bytes frame_of(std::uint8_t salt) {
    const Bytes plain(salt * std::size_t{7} + 1, salt);
    RecordHeader header;
    if (salt >= 3) {
        header.base_count = 1;
        header.base[0] = name_of(0);
    }
    header.kind = RecordKind::piece;
    header.stored_length = header.plain_length = static_cast<std::uint32_t>(plain.size());
    header.name = name_of(salt);
    Bytes frame;
    append_record(frame, header, plain);
    return frame;
}

Page page_of(std::uint8_t choice) {
    Page page;
    page.last = choice % 2 == 0;
    for (std::uint8_t salt = 0; salt < choice % 5; ++salt) {
        const RecordHeader header = parse_record_header(frame_of(salt)).value();
        page.objects.push_back({header.key(),
                                header.plain_length,
                                header.stored_length,
                                {header.bases().begin(), header.bases().end()}});
    }
    return page;
}

// What the engines last asked for, so that an answer may fit.
struct Asked {
    Ticket make_plan = 0, read_page = 0, read_object = 0, log_receipt = 0, check = 0, store = 0,
           commit = 0, turn = 0;
    std::size_t checked_objects = 0;
    RecordKey object;

    void see(const Actions& actions) {
        for (const Action& action : actions) {
            if (auto* a = std::get_if<MakePlan>(&action)) make_plan = a->ticket;
            if (auto* a = std::get_if<ReadPage>(&action)) read_page = a->ticket;
            if (auto* a = std::get_if<ReadObject>(&action))
                read_object = a->ticket, object = a->key;
            if (auto* a = std::get_if<LogReceipt>(&action)) log_receipt = a->ticket;
            if (auto* a = std::get_if<Check>(&action))
                check = a->ticket, checked_objects = a->objects.size();
            if (auto* a = std::get_if<Store>(&action)) store = a->ticket;
            if (auto* a = std::get_if<Commit>(&action)) commit = a->ticket;
            if (auto* a = std::get_if<TakeTurn>(&action)) turn = a->ticket;
            if (std::holds_alternative<EndTurn>(action)) turn = 0;
        }
    }
};

class Script {
public:
    explicit Script(ByteView in) : in_(in) {}
    bool done() const { return in_.remaining() == 0; }
    std::uint8_t byte() { return in_.take<std::uint8_t>(); }
    std::uint64_t near() { return byte() % 6; }

    Event event(const Asked& asked) {
        const std::uint8_t choice = byte();
        if (choice == 255) return TurnWaits{asked.turn};
        if (choice >= 240) return limit(choice % 5, asked.turn);
        switch (choice % 16) {
            case 0: return Opened{{static_cast<std::uint32_t>(100 + byte()), 1u + byte() % 8}};
            case 1: return Closed{};
            case 2: return Wake{};
            case 3: return Planned{asked.make_plan, byte() % 4 > 0};
            case 4: return page_read(asked.read_page);
            case 5: return object_read(asked);
            case 6: return ReceiptLogged{asked.log_receipt, outcome()};
            case 7: return Checked{asked.check, held(asked.checked_objects), outcome()};
            case 8: return stored(asked.store);
            case 9: return committed(asked.commit);
            case 10: return Arrived{Next{near(), narrow(), narrow()}};
            case 11: return Arrived{want()};
            case 12: return Arrived{Credit{near(), narrow(), std::uint64_t{byte()} * 8}};
            case 13: return Arrived{offer()};
            case 14: return Arrived{data()};
            default: return ending();
        }
    }

private:
    std::uint32_t narrow() { return static_cast<std::uint32_t>(near()); }
    Status outcome() {
        const std::uint8_t choice = byte();
        if (choice % 4 > 0) return {};
        return fail(static_cast<Errc>(choice / 4 % 10), "made up");
    }
    Event stored(Ticket ticket) {
        const std::uint8_t choice = byte();
        if (choice % 4 > 0) return Stored{ticket, {}, choice % 2 == 0};
        return Stored{ticket, fail(static_cast<Errc>(choice / 4 % 10), "made up")};
    }
    Beginning beginning() {
        const std::uint8_t salt = byte() % 5;
        const Bytes frame = frame_of(salt);
        const std::size_t length = byte() % frame.size();
        return {{RecordKind::piece, name_of(salt)},
                salt >= 3,
                Bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length))};
    }
    Event limit(int which, Ticket turn) {
        if (which == 3 && byte() % 2 == 0) return TurnGiven{turn, beginning()};
        if (which == 3) return TurnGiven{turn, {}};
        if (which == 4) return ReceivedBefore{beginning()};
        std::optional<std::uint64_t> bytes;
        if (const std::uint8_t some = byte(); some != 0) bytes = (some - 1u) * std::uint64_t{8};
        if (which == 0) return MaySend{bytes};
        if (which == 1) return MayTake{bytes};
        return Rest{bytes.value_or(0)};
    }
    Event page_read(Ticket ticket) {
        if (const Status status = outcome(); !status)
            return PageRead{ticket, tl::unexpected(status.error())};
        return PageRead{ticket, page_of(byte())};
    }
    Event object_read(const Asked& asked) {
        if (const Status status = outcome(); !status)
            return ObjectRead{asked.read_object, tl::unexpected(status.error())};
        return ObjectRead{asked.read_object, frame_of(byte() % 5)};
    }
    Event committed(Ticket ticket) {
        if (const Status status = outcome(); !status)
            return Committed{ticket, tl::unexpected(status.error())};
        return Committed{ticket, CommitResult{}};
    }
    std::vector<Held> held(std::size_t count) {
        std::vector<Held> all(count);
        for (Held& one : all) one = {byte() % 2 == 0, byte() % 2 == 0};
        return all;
    }
    Want want() {
        const std::size_t count = byte() % 5;
        Want want{near(), narrow(),   narrow(), std::vector<bool>(count), std::vector<bool>(count),
                  byte(), byte() * 3u};
        for (std::size_t i = 0; i < count; ++i) want.missing[i] = byte() % 2 == 0;
        return want;
    }
    Offer offer() {
        const Page page = page_of(byte());
        Offer offer;
        offer.plan = near();
        offer.page = narrow() % 3;
        offer.attempt = byte();
        offer.last = page.last;
        offer.objects = page.objects;
        return offer;
    }
    Data data() {
        Bytes stream;
        for (std::uint8_t salt = 0; salt < 5; ++salt) {
            const Bytes frame = frame_of(salt);
            stream.insert(stream.end(), frame.begin(), frame.end());
        }
        const std::uint64_t plan = near();
        const std::uint32_t number = byte() % 16;
        const std::size_t from = std::min<std::size_t>(byte() * 4u, stream.size());
        const std::size_t count = std::min<std::size_t>(byte() * 2u, stream.size() - from);
        const auto begin = stream.begin() + static_cast<std::ptrdiff_t>(from);
        return {plan, number, from, Bytes(begin, begin + static_cast<std::ptrdiff_t>(count))};
    }
    Event ending() {
        if (byte() % 2 == 0) return Arrived{Done{near(), {}, {}}};
        return Arrived{Refuse{static_cast<RefuseReason>(byte() % 9), near(), "made up", byte()}};
    }

    ByteReader in_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Script script({data, size});
    // By its first byte: whether content is asked for in turns.
    const bool in_turns = !script.done() && script.byte() % 2 == 0;
    Sender sender({}, 1);
    ReceiverOptions options;
    options.credit_bytes = kCredit;
    options.idle_ms = 60'000;
    options.busy_retry_ms = 1000;
    if (in_turns) options.turn_bytes = 40;
    options.waiting_page_bytes = 0;
    Receiver receiver(options);
    Asked asked;
    bool has_turn = false;
    const auto see = [&](const Actions& actions) {
        asked.see(actions);
        for (const Action& action : actions)
            if (std::holds_alternative<EndTurn>(action)) has_turn = false;
    };
    MonoTime now{0};
    while (!script.done()) {
        now.ms += script.byte() * std::uint64_t{100};
        const Event event = script.event(asked);
        if (const auto* given = std::get_if<TurnGiven>(&event); given && given->ticket != 0) {
            has_turn = true;
            asked.turn = 0;
        }
        see(sender.step(now, event));
        see(receiver.step(now, event));
        see(sender.step(now, Tick{}));
        see(receiver.step(now, Tick{}));
        TRIBUTARY_CHECK(sender.in_flight_bytes() <= sender.credit_bytes());
        TRIBUTARY_CHECK(receiver.buffered_bytes() <= kCredit + 2000);
        if (in_turns && !has_turn) TRIBUTARY_CHECK(receiver.buffered_bytes() == 0);
    }
    return 0;
}
