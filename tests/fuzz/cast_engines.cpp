// No sequence of events makes Caster or Catcher pass its bounds or stop the process.
//
// Input: bytes that choose events one after another, some answering what was asked, some out of
// nowhere. The reports that one makes do not reach the other: every report is made up.
#include <set>

#include "common/sync/caster.h"
#include "common/sync/catcher.h"
#include "tests/fuzz/fuzz.h"

using namespace tributary;
using namespace tributary::sync;

namespace {

constexpr std::uint32_t kGenerations = 5;
constexpr std::uint32_t kFragments = 4;  // of data, of 64 bytes

class Script {
public:
    explicit Script(ByteView in) : in_(in) {}
    bool done() const { return in_.remaining() == 0; }
    std::uint8_t byte() { return in_.take<std::uint8_t>(); }
    std::uint32_t near(std::uint32_t bound) { return byte() % bound; }

    CasterEvent caster_event(std::optional<std::uint32_t> prepare) {
        const std::string device(1, static_cast<char>('a' + near(4)));
        switch (near(12)) {
            case 0: return Invited{device};
            case 1: return Withdrawn{device};
            case 2: return SessionRenewed{device};
            case 3:
            case 4:
            case 5: return Reported{device, report()};
            case 6:
            case 7: {
                const std::uint32_t g = prepare.value_or(near(kGenerations));
                return Prepared{g, kFragments, g + 1 == kGenerations};
            }
            case 8: return Room{near(40)};
            case 9: return near(16) == 0 ? CasterEvent(NotPrepared{}) : CasterEvent(Tick{});
            case 10: return near(4) == 0 ? CasterEvent(Disconnected{}) : CasterEvent(Connected{});
            default: return Tick{};
        }
    }

    CatcherEvent catcher_event() {
        switch (near(8)) {
            case 0: return near(4) == 0 ? CatcherEvent(Disconnected{}) : CatcherEvent(Connected{});
            case 1: return VersionCommitted{status()};
            case 2:
            case 3: return GenerationStored{near(kGenerations), status()};
            case 4: return Tick{};
            default:
                return FragmentArrived{near(kGenerations),  kFragments * 64, near(4) == 0,
                                       near(kFragmentsMax), byte() * 3u,     near(20)};
        }
    }

private:
    CastReport report() {
        CastReport report;
        report.cast = 1;
        report.number = byte();
        report.state = near(8) == 0 ? static_cast<CastState>(near(3)) : CastState::taking_part;
        report.seen = byte() * 2u;
        for (std::uint32_t i = near(8); i > 0; --i) report.held.push_back(near(2) == 0);
        for (std::uint32_t i = near(3); i > 0; --i) report.lacks.push_back({near(7), near(255)});
        return report;
    }
    Status status() {
        if (near(3) > 0) return {};
        return fail(static_cast<Errc>(near(10)), "made up");
    }

    ByteReader in_;
};

void run_caster(Script& script) {
    Caster caster{CasterOptions{}};
    MonoTime now{1};
    std::set<std::uint32_t> held;
    std::optional<std::uint32_t> prepare;
    std::uint32_t serial = 0;
    std::uint32_t room = 0;
    bool over = false;
    while (!script.done()) {
        now = now + (script.near(8) == 0 ? script.byte() * 400u : script.byte());
        CasterEvent event = script.caster_event(prepare);
        if (const auto* given = std::get_if<Room>(&event)) room = given->fragments;
        if (std::holds_alternative<Prepared>(event)) prepare.reset();
        for (const CasterAction& action : caster.step(now, std::move(event))) {
            TRIBUTARY_CHECK(!over);
            if (const auto* asked = std::get_if<Prepare>(&action)) {
                TRIBUTARY_CHECK(!prepare && held.insert(asked->generation).second);
                TRIBUTARY_CHECK(held.size() <= kOpenGenerationsMax);
                prepare = asked->generation;
            } else if (const auto* released = std::get_if<Release>(&action)) {
                TRIBUTARY_CHECK(held.erase(released->generation) == 1);
                if (prepare == released->generation) prepare.reset();
            } else if (const auto* fragment = std::get_if<PublishFragment>(&action)) {
                TRIBUTARY_CHECK(held.contains(fragment->generation) && room-- > 0);
                TRIBUTARY_CHECK(fragment->index < kFragmentsMax && fragment->serial == ++serial);
            } else if (std::holds_alternative<Over>(action)) {
                over = true;
                TRIBUTARY_CHECK(held.empty());
            }
        }
        TRIBUTARY_CHECK(!caster.next_deadline() || *caster.next_deadline() > now);
    }
}

void run_catcher(Script& script) {
    CatcherOptions options;
    options.fragment_bytes_max = 64;
    Catcher catcher(1, options, script.byte());
    MonoTime now{1};
    std::set<std::uint32_t> held;     // parts of these
    std::set<std::uint32_t> storing;  // of which these are being stored
    while (!script.done()) {
        now = now + (script.near(8) == 0 ? script.byte() * 4'000u : script.byte());
        CatcherEvent event = script.catcher_event();
        if (const auto* stored = std::get_if<GenerationStored>(&event))
            if (storing.erase(stored->generation) == 1) held.erase(stored->generation);
        for (const CatcherAction& action : catcher.step(now, std::move(event))) {
            if (const auto* keep = std::get_if<KeepFragment>(&action)) {
                held.insert(keep->generation);
                TRIBUTARY_CHECK(held.size() <= kOpenGenerationsMax);
                TRIBUTARY_CHECK(!storing.contains(keep->generation));
            } else if (const auto* forget = std::get_if<ForgetGeneration>(&action)) {
                TRIBUTARY_CHECK(held.erase(forget->generation) == 1);
            } else if (const auto* store = std::get_if<StoreGeneration>(&action)) {
                TRIBUTARY_CHECK(storing.insert(store->generation).second);
            } else if (const auto* send = std::get_if<SendCastReport>(&action)) {
                TRIBUTARY_CHECK(encode_message({1, Channel::push, send->report}));
            }
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Script script({data, size});
    if (script.near(2) == 0)
        run_caster(script);
    else
        run_catcher(script);
    return 0;
}
