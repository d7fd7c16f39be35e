#include "common/rollout/install.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace tributary::rollout {
namespace {

using S = InstallState;
using E = InstallEvent;
using A = InstallAction;

Install in(InstallState state) {
    Install install;
    install.number = 7;
    install.model = "defects";
    install.state = state;
    install.probation_starts = state == S::probation ? 1 : 0;
    return install;
}

InstallState after(InstallState state, InstallEvent event) {
    const auto step = install_step(in(state), event);
    return step ? step->install.state : state;
}

const std::set<S> kTerminalStates = {S::committed, S::rejected, S::cancelled, S::failed,
                                     S::rolled_back};
// `current` may name the new slot.
const std::set<S> kTouchesWhatRuns = {S::activating, S::probation, S::rolling_back};

TEST(Install, GoesFromAssignmentToCommitted) {
    const std::pair<S, A> path[] = {
        {S::checking, A::check_assignment}, {S::admitted, A::prepare_slot},
        {S::downloading, A::fetch_missing}, {S::reconstructing, A::fill_slot},
        {S::verified, A::mark_slot},        {S::staged, A::await_activation},
        {S::activating, A::switch_current}, {S::probation, A::check_health},
        {S::committed, A::report}};
    InstallStep step = *install_step(in(S::checking), E::restart);
    EXPECT_FALSE(step.changed);
    for (const auto& [state, action] : path) {
        EXPECT_EQ(step.install.state, state);
        EXPECT_EQ(step.action, action);
        EXPECT_FALSE(step.finished);
        step = *install_step(step.install, E::done);
    }
    EXPECT_TRUE(step.finished);
}

TEST(Install, EveryStateIsSafeToEnterAgainAfterAPowerCut) {
    for (const S state : kInstallStates) {
        const auto step = install_step(in(state), E::restart);
        ASSERT_TRUE(step) << name_of(state);
        EXPECT_EQ(step->install.state, state);
        EXPECT_EQ(step->action, install_step(step->install, E::restart)->action);
        EXPECT_FALSE(step->finished);
        EXPECT_EQ(step->changed, state == S::probation) << name_of(state);
    }
}

TEST(Install, EveryStateAnswersFailure) {
    const std::map<S, S> expected = {
        {S::checking, S::failed},        {S::deferred, S::failed},
        {S::admitted, S::failed},        {S::downloading, S::failed},
        {S::reconstructing, S::failed},  {S::verified, S::failed},
        {S::staged, S::failed},          {S::activating, S::rolling_back},
        {S::probation, S::rolling_back}, {S::rolling_back, S::rolling_back},
        {S::committed, S::committed},    {S::rejected, S::rejected},
        {S::cancelled, S::cancelled},    {S::failed, S::failed},
        {S::rolled_back, S::rolled_back}};
    for (const S state : kInstallStates)
        EXPECT_EQ(after(state, E::failed), expected.at(state)) << name_of(state);
}

TEST(Install, EveryStateAnswersACancel) {
    const std::map<S, S> expected = {
        {S::checking, S::cancelled},       {S::deferred, S::cancelled},
        {S::admitted, S::cancelled},       {S::downloading, S::cancelled},
        {S::reconstructing, S::cancelled}, {S::verified, S::cancelled},
        {S::staged, S::cancelled},         {S::activating, S::rolling_back},
        {S::probation, S::rolling_back},   {S::rolling_back, S::rolling_back},
        {S::committed, S::committed},      {S::rejected, S::rejected},
        {S::cancelled, S::cancelled},      {S::failed, S::failed},
        {S::rolled_back, S::rolled_back}};
    for (const S state : kInstallStates)
        EXPECT_EQ(after(state, E::cancel), expected.at(state)) << name_of(state);
}

TEST(Install, TheTablesSayEachThingOnce) {
    std::set<S> states;
    for (const StateRow& row : state_table()) {
        EXPECT_TRUE(states.insert(row.state).second) << name_of(row.state);
        EXPECT_EQ(row.terminal, kTerminalStates.contains(row.state));
        EXPECT_NE(std::string_view(row.on_restart), "");
    }
    EXPECT_EQ(states.size(), std::size(kInstallStates));
    std::set<std::pair<S, E>> seen;
    for (const Transition& t : transition_table()) {
        EXPECT_TRUE(seen.insert({t.from, t.event}).second)
            << name_of(t.from) << " " << name_of(t.event);
        EXPECT_FALSE(kTerminalStates.contains(t.from));
        EXPECT_NE(t.event, E::restart);
    }
}

TEST(Install, WhatRunsIsTouchedThroughActivatingOnlyAndEndsWhole) {
    for (const Transition& t : transition_table()) {
        if (!kTouchesWhatRuns.contains(t.from) && kTouchesWhatRuns.contains(t.to)) {
            EXPECT_EQ(t.from, S::staged);
            EXPECT_EQ(t.to, S::activating);
        }
        if (kTouchesWhatRuns.contains(t.from) && !kTouchesWhatRuns.contains(t.to)) {
            EXPECT_TRUE(t.to == S::committed || t.to == S::rolled_back) << name_of(t.to);
        }
        if (t.to == S::committed) {
            EXPECT_EQ(t.from, S::probation);
        }
    }
}

TEST(Install, EveryStateLeadsToAnEnd) {
    for (const S start : kInstallStates) {
        std::set<S> reached{start};
        for (std::size_t i = 0; i < std::size(kInstallStates); ++i)
            for (const Transition& t : transition_table())
                if (reached.contains(t.from)) reached.insert(t.to);
        EXPECT_TRUE(std::any_of(reached.begin(), reached.end(), [](S s) {
            return kTerminalStates.contains(s);
        })) << name_of(start);
    }
}

TEST(Install, AModelThatKeepsRestartingItsBoardIsTakenBack) {
    Install install = install_step(in(S::activating), E::done)->install;
    EXPECT_EQ(install.probation_starts, 1u);
    for (std::uint32_t start = 2; start <= kProbationStartsMax; ++start) {
        install = install_step(install, E::restart)->install;
        EXPECT_EQ(install.state, S::probation);
        EXPECT_EQ(install.probation_starts, start);
    }
    const auto verdict = install_step(install, E::restart);
    EXPECT_EQ(verdict->install.state, S::rolling_back);
    EXPECT_EQ(verdict->action, A::switch_back);
    EXPECT_EQ(verdict->install.detail, "restarts");
}

TEST(Install, ReportsWhyItWentBackAndWhatWasNeverProven) {
    const Install back = install_step(in(S::probation), E::failed, "health")->install;
    EXPECT_EQ(install_step(back, E::done)->install.detail, "health");
    EXPECT_EQ(install_step(in(S::probation), E::unproven)->install.detail, "unproven");
    EXPECT_EQ(install_step(in(S::probation), E::done)->install.detail, "");
    EXPECT_EQ(install_step(in(S::checking), E::refused, "approval")->install.detail, "approval");
}

TEST(Install, EventsThatComeLateMeanNothing) {
    EXPECT_FALSE(install_step(in(S::downloading), E::unproven));
    EXPECT_FALSE(install_step(in(S::staged), E::not_now));
    EXPECT_FALSE(install_step(in(S::rolling_back), E::cancel));
    for (const S state : kTerminalStates)
        for (const E event : kInstallEvents) {
            if (event == E::done || event == E::restart) continue;
            EXPECT_FALSE(install_step(in(state), event)) << name_of(state);
        }
}

TEST(Install, SurvivesBeingStored) {
    Install install = in(S::probation);
    install.repo = "vision/defects";
    install.path = "model.safetensors";
    install.version.digest.bytes[4] = 1;
    install.content.digest.bytes[5] = 2;
    install.approval.bytes[6] = 3;
    install.slot = "b";
    install.old_slot = "a";
    install.probation_starts = 2;
    install.detail = "unproven";
    const Bytes bytes = encode_install(install);
    const auto parsed = parse_install(bytes);
    ASSERT_TRUE(parsed) << parsed.error().what;
    EXPECT_EQ(*parsed, install);
    for (std::size_t length = 0; length < bytes.size(); ++length)
        EXPECT_FALSE(parse_install(ByteView(bytes).first(length))) << length;
    Bytes unknown_state = encode_install(in(static_cast<S>(99)));
    EXPECT_EQ(parse_install(unknown_state).error().code, Errc::corrupt);
}

}  // namespace
}  // namespace tributary::rollout
