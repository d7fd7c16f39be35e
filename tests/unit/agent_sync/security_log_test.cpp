// What a board refuses stands in its own journal, and reaches the hub like all else it says.
#include "agent/sync/security_log.h"

#include "tests/unit/agent_sync/bench.h"

namespace tributary {
namespace {

using agent::SecurityLog;
using test::Bench;
using test::must;

std::vector<SecurityEventBody> said(Store& store, const Incarnation& journal) {
    std::vector<SecurityEventBody> found;
    must(store.read_entries(journal, 1, [&](ByteView plain) {
        const auto entry = must(parse_entry(plain));
        const auto body = must(parse_body(entry.header.kind, entry.body));
        if (const auto* one = std::get_if<SecurityEventBody>(&body)) found.push_back(*one);
        return true;
    }));
    return found;
}
std::vector<SecurityEventBody> said(Bench& bench) {
    return said(*bench.store, bench.store->head().incarnation);
}
void settle(Bench& bench) {
    bench.loop.run_until([] { return false; }, 1'000);
}

TEST(TrustBoardsEvents, AHubThatDoesNotProveItselfIsInTheJournalAndLaterAtTheRightHub) {
    Bench bench;
    trust::FakeSigner stranger("stranger");
    bench.pins.hub_keys = {stranger.public_key()};
    bench.boot();
    bench.link->on_connected();
    bench.loop.run_until([&] { return !said(bench).empty(); }, 600'000);
    ASSERT_EQ(said(bench).size(), 1u);
    EXPECT_EQ(said(bench)[0].event, name_of(SecurityEvent::hub_unproven));
    EXPECT_NE(said(bench)[0].detail.find("does not prove"), std::string::npos);

    bench.pins = bench.hub.pins();
    bench.boot();
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_EQ(said(*bench.hub.store, bench.store->head().incarnation).size(), 1u);
}

TEST(TrustBoardsEvents, AMessageThatIsNoneIsInTheJournal) {
    Bench bench;
    bench.link->on_connected();
    bench.link->on_payload(Bytes{1, 2, 3});
    settle(bench);
    ASSERT_EQ(said(bench).size(), 1u);
    EXPECT_EQ(said(bench)[0].event, name_of(SecurityEvent::malformed_message));
}

TEST(TrustBoardsEvents, AReceiptThatIsNotTheHubsIsInTheJournal) {
    Bench bench;
    EXPECT_FALSE(bench.uplink->log_receipt(Bytes(100, 7)));
    settle(bench);
    ASSERT_EQ(said(bench).size(), 1u);
    EXPECT_EQ(said(bench)[0].event, name_of(SecurityEvent::receipt_refused));
}

TEST(TrustBoardsEvents, AFloodIsTwoEntriesADayAlsoOverRestarts) {
    Bench bench;
    for (int i = 0; i < 500; ++i) bench.security->note(SecurityEvent::bad_record, "again");
    settle(bench);
    for (int restart = 0; restart < 5; ++restart) {
        bench.boot();
        for (int i = 0; i < 500; ++i) bench.security->note(SecurityEvent::bad_record, "again");
        settle(bench);
    }
    ASSERT_EQ(said(bench).size(), 1u);
    bench.loop.run_until([] { return false; }, 26 * 3'600'000);
    ASSERT_EQ(said(bench).size(), 2u);
    EXPECT_EQ(said(bench)[1].count, 500u);  // since the last restart: the rest was in RAM
}

// It boots at the same early time each day: its journal's time stands still.
class StoppedClock final : public Clock {
public:
    explicit StoppedClock(Loop& loop) : loop_(loop) {}
    WallTime wall() override { return {0}; }
    MonoTime mono() override { return loop_.now(); }
    ClockQuality quality() override { return ClockQuality::unknown; }

private:
    Loop& loop_;
};

TEST(TrustBoardsEvents, WithoutAClockTheFirstOfAKindAfterAStartIsWrittenWithinTheCap) {
    Bench bench;
    StoppedClock clock(bench.loop);
    bench.machine.clock.set_quality(ClockQuality::unknown);
    for (std::size_t start = 1; start <= SecurityLog::kMostADay + 4; ++start) {
        SecurityLog log(bench.loop, *bench.queue, clock, [] {});
        log.start();
        for (int i = 0; i < 5; ++i) log.note(SecurityEvent::hub_unproven, "again");
        settle(bench);
        EXPECT_EQ(said(bench).size(), std::min<std::size_t>(start, SecurityLog::kMostADay));
    }
}

TEST(TrustBoardsEvents, NoKindsTogetherFillTheJournal) {
    Bench bench;
    for (int restart = 0; restart < 4; ++restart) {
        for (std::size_t kind = 0; kind < kSecurityEvents; ++kind)
            bench.security->note(static_cast<SecurityEvent>(kind), "again");
        settle(bench);
        bench.boot();
    }
    EXPECT_EQ(said(bench).size(), SecurityLog::kMostADay);
}

}  // namespace
}  // namespace tributary
