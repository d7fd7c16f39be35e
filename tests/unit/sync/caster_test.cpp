#include "common/sync/caster.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/random.h"

namespace tributary::sync {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint32_t kFragments = 10;  // of each generation

template <class T>
std::vector<T> all_of(const CasterActions& actions) {
    std::vector<T> found;
    for (const CasterAction& action : actions)
        if (const T* one = std::get_if<T>(&action)) found.push_back(*one);
    return found;
}

// A hub that prepares at once and has room for everything.
class CasterTest : public testing::Test {
protected:
    CasterActions step(CasterEvent event) {
        CasterActions all;
        std::vector<CasterEvent> events{std::move(event)};
        while (!events.empty()) {
            CasterEvent next = std::move(events.front());
            events.erase(events.begin());
            for (CasterAction& action : caster.step(now, std::move(next))) {
                if (const auto* prepare = std::get_if<Prepare>(&action))
                    events.emplace_back(Prepared{prepare->generation, kFragments,
                                                 prepare->generation + 1 == generations});
                all.push_back(std::move(action));
            }
        }
        return all;
    }
    CasterActions later(std::uint64_t ms) {
        now = now + ms;
        return step(Tick{});
    }
    CasterActions report(const std::string& device, std::vector<bool> held,
                         std::vector<CastReport::Lack> lacks = {},
                         CastState state = CastState::taking_part, std::uint32_t seen = 1'000'000) {
        return step(
            Reported{device, {1, ++number, state, seen, std::move(held), std::move(lacks)}});
    }
    // All joined and the first two generations published.
    CasterActions begin(const std::vector<std::string>& devices) {
        for (const std::string& device : devices) step(Invited{device});
        for (const std::string& device : devices) report(device, {});
        step(Room{1'000});
        return later(5'000);
    }

    Caster caster{CasterOptions{}};
    MonoTime now{1'000};
    std::uint32_t generations = 4;
    std::uint32_t number = 0;
};

TEST_F(CasterTest, GathersBeforeItBegins) {
    step(Room{1'000});
    step(Invited{"a"});
    step(Invited{"b"});
    EXPECT_TRUE(all_of<PublishFragment>(report("a", {})).empty());
    EXPECT_TRUE(all_of<PublishFragment>(later(6'000)).empty());  // b may still come
    EXPECT_FALSE(all_of<PublishFragment>(report("b", {})).empty());
}

TEST_F(CasterTest, PublishesTwoGenerationsAndWaitsForReports) {
    const auto published = all_of<PublishFragment>(begin({"a", "b"}));
    ASSERT_EQ(published.size(), 2 * kFragments);
    for (std::uint32_t i = 0; i < published.size(); ++i) {
        EXPECT_EQ(published[i].generation, i / kFragments);
        EXPECT_EQ(published[i].index, i % kFragments);
        EXPECT_EQ(published[i].serial, i + 1);
        EXPECT_EQ(published[i].left, kFragments - 1 - i % kFragments);
    }
    const auto stored_first = [&](const char* device) {
        return report(device, {true}, {}, CastState::taking_part, kFragments);
    };
    EXPECT_THAT(all_of<PublishFragment>(stored_first("a")), IsEmpty());
    const auto more = stored_first("b");
    EXPECT_EQ(all_of<Release>(more).size(), 1u);
    EXPECT_EQ(all_of<PublishFragment>(more).size(), kFragments);  // of generation 2
}

TEST_F(CasterTest, NeverPassesTheRoomThatThereIs) {
    step(Invited{"a"});
    step(Invited{"b"});
    report("a", {});
    report("b", {});
    now = now + 5'000;
    EXPECT_EQ(all_of<PublishFragment>(step(Room{3})).size(), 3u);
    EXPECT_THAT(all_of<PublishFragment>(later(1)), IsEmpty());
    EXPECT_EQ(all_of<PublishFragment>(step(Room{2})).size(), 2u);
}

TEST_F(CasterTest, RepairIsAsLargeAsTheWorstLossAndNew) {
    begin({"a", "b", "c"});
    report("a", {false, true}, {{0, 3}});
    report("b", {false, true}, {{0, 2}});
    const auto repair = all_of<PublishFragment>(report("c", {true, true}));
    std::vector<std::uint32_t> indexes;
    for (const PublishFragment& fragment : repair)
        if (fragment.generation == 0) indexes.push_back(fragment.index);
    EXPECT_THAT(indexes, ElementsAre(kFragments, kFragments + 1, kFragments + 2));
}

TEST_F(CasterTest, RepairsForThoseWhoReportedWhenOthersAreSilent) {
    begin({"a", "b"});
    EXPECT_THAT(all_of<PublishFragment>(report("a", {false, true}, {{0, 3}})), IsEmpty());
    EXPECT_EQ(all_of<PublishFragment>(later(2'000)).size(), 3u);
}

TEST_F(CasterTest, WaitsForWhoIsStillStoring) {
    begin({"a", "b"});
    report("a", {true, true});
    report("b", {false, true}, {{0, 0}});
    EXPECT_THAT(all_of<PublishFragment>(later(10'000)), IsEmpty());
}

TEST_F(CasterTest, WhoKeepsOthersWaitingIsPutAsideAndSharesTheNextPass) {
    begin({"a", "b", "c", "d"});
    for (const char* device : {"a", "b"}) report(device, {true, true});
    later(20'000);
    EXPECT_EQ(caster.counters().put_aside, 2u);
    for (const char* device : {"c", "d"}) report(device, {false, false});
    for (const char* device : {"a", "b"}) report(device, {true, true, true, false});
    std::uint32_t sent = 0;
    report("a", {true, true, true, true});
    for (const PublishFragment& fragment :
         all_of<PublishFragment>(report("b", {true, true, true, true})))
        sent += fragment.generation == 0;
    EXPECT_EQ(sent, kFragments);  // the second pass has begun
}

TEST_F(CasterTest, WhatOneDeviceAloneLacksIsLeftToItsOwnPush) {
    generations = 1;
    begin({"a", "b", "c"});
    report("a", {true}, {}, CastState::whole);
    report("b", {true}, {}, CastState::whole);
    const auto ending = later(60'000);
    EXPECT_THAT(all_of<PublishFragment>(ending), IsEmpty());
    const auto finished = all_of<Finished>(ending);
    ASSERT_EQ(finished.size(), 1u);
    EXPECT_EQ(finished[0].device, "c");
    EXPECT_FALSE(finished[0].whole);
    EXPECT_EQ(all_of<Over>(ending).size(), 1u);
}

TEST_F(CasterTest, WhoJoinsLateIsNotWaitedForInWhatItMissed) {
    begin({"a", "b"});
    step(Invited{"late"});
    report("late", {});
    report("a", {true, true});
    const auto more = report("b", {true, true});
    EXPECT_EQ(all_of<Release>(more).size(), 2u);
    EXPECT_EQ(all_of<PublishFragment>(more).size(), 2 * kFragments);
    report("a", {true, true, true, true});
    report("b", {true, true, true, true});
    EXPECT_TRUE(caster.serves("late"));  // and is for the two that it joined for
    EXPECT_THAT(all_of<Release>(report("late", {false, false, true, true})).size(), 2u);
}

TEST_F(CasterTest, OneDeviceAloneGetsItsPush) {
    step(Invited{"a"});
    report("a", {});
    const auto ending = later(5'000);
    EXPECT_EQ(all_of<Finished>(ending).size(), 1u);
    EXPECT_EQ(all_of<Over>(ending).size(), 1u);
    EXPECT_THAT(all_of<PublishFragment>(ending), IsEmpty());
}

TEST_F(CasterTest, WhoIsInvitedAndDoesNotJoinIsLeftOut) {
    step(Invited{"a"});
    step(Invited{"b"});
    step(Invited{"c"});
    report("a", {});
    report("b", {});
    step(Room{1'000});
    const auto begun = later(15'000);
    const auto finished = all_of<Finished>(begun);
    ASSERT_EQ(finished.size(), 1u);
    EXPECT_EQ(finished[0].device, "c");
    EXPECT_EQ(all_of<PublishFragment>(begun).size(), 2 * kFragments);
}

TEST_F(CasterTest, AnUnusualLackIsNotPaidForByAll) {
    std::vector<std::string> devices;
    for (int d = 0; d < 20; ++d) devices.push_back("d" + std::to_string(d));
    generations = 1;
    begin(devices);
    for (std::size_t d = 1; d < devices.size(); ++d) report(devices[d], {false}, {{0, 1}});
    const auto repair = all_of<PublishFragment>(report(devices[0], {false}, {{0, 254}}));
    EXPECT_LE(repair.size(), kFragments);  // never more than there are
}

TEST_F(CasterTest, WhoIsDeafGetsItsPush) {
    begin({"a", "b", "c"});
    report("a", {true, true});
    report("b", {true, true});
    now = now + 2'500;
    const auto finished = all_of<Finished>(report("c", {}, {}, CastState::taking_part, 0));
    ASSERT_EQ(finished.size(), 1u);
    EXPECT_EQ(finished[0].device, "c");
    EXPECT_FALSE(finished[0].whole);
}

TEST_F(CasterTest, NobodyIsMissedWhileTheBrokerIsAway) {
    begin({"a", "b"});
    step(Disconnected{});
    EXPECT_FALSE(caster.next_deadline());
    EXPECT_THAT(later(600'000), IsEmpty());
    step(Connected{});
    EXPECT_THAT(all_of<PublishFragment>(step(Room{1'000})), IsEmpty());
    EXPECT_EQ(caster.counters().put_aside, 0u);
    report("a", {false, true}, {{0, 2}});
    std::uint32_t repaired = 0;
    for (const PublishFragment& fragment : all_of<PublishFragment>(report("b", {true, true})))
        repaired += fragment.generation == 0;
    EXPECT_EQ(repaired, 2u);
}

TEST_F(CasterTest, EndsWhenAllAreWhole) {
    generations = 1;
    begin({"a", "b"});
    report("a", {true});
    EXPECT_THAT(all_of<Over>(report("b", {true})), IsEmpty());  // they make it durable
    report("a", {true}, {}, CastState::whole);
    const auto ending = report("b", {true}, {}, CastState::whole);
    EXPECT_EQ(all_of<Over>(ending).size(), 1u);
    EXPECT_TRUE(all_of<Finished>(ending).at(0).whole);
}

TEST_F(CasterTest, OldReportsAndStrangersAreIgnored) {
    begin({"a", "b"});
    report("a", {true, true});
    step(Reported{"a", {1, 1, CastState::taking_part, 0, {}, {}}});
    step(Reported{"stranger", {1, 1, CastState::taking_part, 0, {}, {}}});
    EXPECT_EQ(caster.counters().ignored, 2u);
    EXPECT_EQ(caster.progress("a")->held, 2u);
    EXPECT_FALSE(caster.progress("stranger"));
    step(SessionRenewed{"a"});  // it has started anew
    step(Reported{"a", {1, 1, CastState::taking_part, 0, {}, {}}});
    EXPECT_EQ(caster.progress("a")->held, 0u);
}

TEST_F(CasterTest, WhatCannotBeReadAnyMoreSendsEverybodyToItsPush) {
    begin({"a", "b"});
    const auto ending = step(NotPrepared{});
    EXPECT_EQ(all_of<Finished>(ending).size(), 2u);
    EXPECT_EQ(all_of<Over>(ending).size(), 1u);
}

// A hundred devices, the size of the figure in docs/benchmarks.md, in numbers alone.
TEST(CasterEgress, CostsTheWorstLossNotTheSumOfAll) {
    static constexpr std::uint32_t kGenerations = 17;
    static constexpr std::uint32_t kOfEach = 128;
    test::Random random(1);
    Caster caster{CasterOptions{}};
    struct Device {
        std::vector<bool> held;
        std::vector<std::uint32_t> lacks = std::vector<std::uint32_t>(kGenerations, kOfEach);
        std::uint32_t number = 0;
    };
    std::map<std::string, Device> devices;
    for (int d = 0; d < 100; ++d) devices["d" + std::to_string(d)];
    MonoTime now{1'000};
    std::uint32_t serial = 0;
    bool over = false;
    const auto run = [&](CasterEvent first) {
        std::vector<CasterEvent> events{std::move(first)};
        while (!events.empty()) {
            CasterEvent next = std::move(events.front());
            events.erase(events.begin());
            for (const CasterAction& action : caster.step(now, std::move(next))) {
                over = over || std::holds_alternative<Over>(action);
                if (const auto* prepare = std::get_if<Prepare>(&action))
                    events.emplace_back(Prepared{prepare->generation, kOfEach,
                                                 prepare->generation + 1 == kGenerations});
                const auto* fragment = std::get_if<PublishFragment>(&action);
                if (fragment == nullptr) continue;
                serial = fragment->serial;
                for (auto& [name, device] : devices)
                    if (std::uint32_t& lacks = device.lacks[fragment->generation];
                        lacks > 0 && !random.chance(20))
                        --lacks;
            }
        }
    };
    const auto report_all = [&] {
        for (auto& [name, device] : devices) {
            CastReport report{1, ++device.number, CastState::taking_part, serial, {}, {}};
            bool whole = true;
            for (std::uint32_t g = 0; g < kGenerations; ++g) {
                report.held.push_back(device.lacks[g] == 0);
                whole = whole && report.held.back();
                if (!report.held.back() && device.lacks[g] < kOfEach && report.lacks.size() < 2)
                    report.lacks.push_back({g, device.lacks[g]});
            }
            if (whole) report.state = CastState::whole;
            run(Reported{name, report});
        }
    };
    for (const auto& [name, device] : devices) run(Invited{name});
    report_all();
    now = now + 5'000;
    run(Room{1'000'000});
    for (int round = 0; round < 1'000 && !over; ++round) {
        report_all();
        now = now + 100;
    }
    ASSERT_TRUE(over);
    EXPECT_LT(caster.counters().fragments, kGenerations * kOfEach * 110 / 100);
    EXPECT_EQ(caster.counters().put_aside, 0u);
}

}  // namespace
}  // namespace tributary::sync
