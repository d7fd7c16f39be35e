// A Receiver that asks for content in turns.
#include "tests/unit/sync/receiver_test.h"

namespace tributary::sync {
namespace {

class ReceiverInTurns : public ReceiverTest {
protected:
    ReceiverInTurns() {
        receiver = Receiver{{.credit_bytes = 4000, .turn_bytes = 600, .turn_idle_ms = 10'000}};
        receiver.step({0}, Opened{{1000, 4}});
    }
    Actions give(const Actions& asked, std::optional<Beginning> beginning = {}) {
        return receiver.step({++now}, TurnGiven{the(all_of<TakeTurn>(asked)).ticket, beginning});
    }
    // Of one record, 100 bytes of which came.
    Want begun() {
        const Want want = the(sent<Want>(give(nothing_held(arrive(make_offer(1, {one}))))));
        arrive(data_for(want, one.frame, 0, 100));
        return want;
    }
    void expect_all_given_back(const Actions& actions) {
        const Beginning kept = the(all_of<KeepBeginning>(actions)).beginning;
        EXPECT_EQ(kept.key, one.offered.key);
        EXPECT_EQ(kept.bytes.size(), 100u);
        EXPECT_EQ(all_of<EndTurn>(actions).size(), 1u);
        EXPECT_EQ(receiver.buffered_bytes(), 0u);
    }
};

TEST_F(ReceiverInTurns, TakesAllOfAPageInOneWhileNobodyWaits) {
    const Actions asked = nothing_held(arrive(make_offer(1, {one, two})));
    EXPECT_TRUE(sent<Want>(asked).empty());
    const std::size_t both = one.frame.size() + two.frame.size();
    EXPECT_EQ(the(all_of<TakeTurn>(asked)).bytes, both);
    const Want want = the(sent<Want>(give(asked)));
    EXPECT_EQ(want.missing, (std::vector<bool>{true, true}));
    EXPECT_EQ(want.credit_bytes, both);

    Bytes stream = one.frame;
    stream.insert(stream.end(), two.frame.begin(), two.frame.end());
    const Actions next = stored(arrive(data_for(want, stream, 0, one.frame.size())));
    EXPECT_TRUE(all_of<EndTurn>(next).empty());
    const Actions last = stored(arrive(data_for(want, stream, one.frame.size(), both)));
    EXPECT_EQ(all_of<EndTurn>(last).size(), 1u);
    EXPECT_EQ(all_of<Commit>(last).size(), 1u);
}

// Nothing is on its way then that would have to be sent again, and little has to be kept.
TEST_F(ReceiverInTurns, GivesItsTurnToTheNextWithNoMoreThanAFrameOfARecord) {
    constexpr std::size_t kFrame = 100, kCredit = 300;
    receiver = Receiver{{.credit_bytes = kCredit, .turn_bytes = 400}};
    receiver.step({0}, Opened{{kFrame, 4}});
    const TestRecord large = make_record(3, 800);
    Bytes stream = one.frame;
    for (const Bytes& frame : {large.frame, two.frame})
        stream.insert(stream.end(), frame.begin(), frame.end());
    const std::size_t two_begins = one.frame.size() + large.frame.size();
    const Want want = the(sent<Want>(give(nothing_held(arrive(make_offer(1, {one, large, two}))))));
    ASSERT_EQ(want.credit_bytes, kCredit);

    std::size_t sent_bytes = 0;
    std::uint64_t credited = 0;
    Actions over;
    while (over.empty() && sent_bytes + kFrame <= credited + kCredit) {
        ASSERT_LE(sent_bytes + kFrame, stream.size());
        Actions actions = arrive(data_for(want, stream, sent_bytes, sent_bytes + kFrame));
        sent_bytes += kFrame;
        if (!all_of<Store>(actions).empty()) {
            const Ticket ticket = the(all_of<Store>(actions)).ticket;
            actions = receiver.step({++now}, Stored{ticket, {}, true});
        }
        for (const Credit& credit : sent<Credit>(actions)) credited = credit.through;
        if (!all_of<EndTurn>(actions).empty()) over = std::move(actions);
    }
    ASSERT_FALSE(over.empty());
    EXPECT_GT(sent_bytes + kFrame, credited + kCredit) << "more was on its way";
    const Beginning kept = the(all_of<KeepBeginning>(over)).beginning;
    EXPECT_EQ(kept.bytes.size(), sent_bytes - two_begins);
    EXPECT_LE(kept.bytes.size(), kFrame);
    const Want rest = the(sent<Want>(give(over, kept)));
    EXPECT_EQ(rest.missing, (std::vector<bool>{false, false, true}));
    EXPECT_EQ(rest.resume_offset, kept.bytes.size());
    EXPECT_EQ(receiver.counters().dropped_bytes, 0u);
}

TEST_F(ReceiverInTurns, KeepsAShortTurnEvenWhenOthersWait) {
    const Want want = the(sent<Want>(give(nothing_held(arrive(make_offer(1, {two, one}))))));
    const Actions store = arrive(data_for(want, two.frame, 0, two.frame.size()));
    const Actions next = receiver.step({++now}, Stored{the(all_of<Store>(store)).ticket, {}, true});
    EXPECT_TRUE(all_of<EndTurn>(next).empty());
    arrive(Data{want.plan, want.number, two.frame.size(),
                Bytes(one.frame.begin(), one.frame.begin() + 100)});
    EXPECT_EQ(receiver.buffered_bytes(), 100u);
}

class ReceiverWhoseTurnIsOver : public ReceiverInTurns {
protected:
    ReceiverWhoseTurnIsOver() {
        receiver = Receiver{{.credit_bytes = 200,
                             .turn_bytes = 600,
                             .turn_idle_ms = 10'000,
                             .turn_ms_max = 50'000}};
        receiver.step({0}, Opened{{100, 4}});
        offer = make_offer(1, {one});
        want = the(sent<Want>(give(nothing_held(arrive(offer)))));
        arrive(data_for(want, one.frame, 0, 100));
        now += 50'000;
        EXPECT_TRUE(all_of<EndTurn>(arrive(data_for(want, one.frame, 100, 110))).empty());
    }

    Offer offer;
    Want want;
};

TEST_F(ReceiverWhoseTurnIsOver, TakesTheRestOfTheRecord) {
    std::uint64_t credited = 100;
    std::size_t at = 110;
    for (; at < one.frame.size(); at += 100) {
        const std::size_t end = std::min(at + 100, one.frame.size());
        ASSERT_LE(end, credited + 200);
        const Actions actions = arrive(data_for(want, one.frame, at, end));
        EXPECT_TRUE(all_of<EndTurn>(actions).empty());
        for (const Credit& credit : sent<Credit>(actions)) credited = credit.through;
        if (end != one.frame.size()) continue;
        EXPECT_EQ(all_of<EndTurn>(stored(actions)).size(), 1u);
    }
}

TEST_F(ReceiverWhoseTurnIsOver, WaitsForItNoLongerThanASilenceTakes) {
    const std::uint64_t deadline = receiver.next_deadline().value().ms;
    now += 5'000;
    arrive(data_for(want, one.frame, 110, 111));
    EXPECT_EQ(receiver.next_deadline().value().ms, deadline) << "it dribbles";
    const Actions ended = receiver.step({deadline}, Tick{});
    EXPECT_EQ(the(all_of<KeepBeginning>(ended)).beginning.bytes.size(), 111u);
    EXPECT_EQ(all_of<EndTurn>(ended).size(), 1u);
}

// The Sender offers because it hears nothing: some of what was credited is lost, or still to come.
TEST_F(ReceiverWhoseTurnIsOver, GivesItBackWhenItIsOfferedAgainAndStopsWhatIsStillSent) {
    ++offer.attempt;
    const Actions ended = arrive(offer);
    EXPECT_EQ(the(all_of<KeepBeginning>(ended)).beginning.bytes.size(), 110u);
    EXPECT_EQ(all_of<EndTurn>(ended).size(), 1u);
    EXPECT_EQ(all_of<TakeTurn>(ended).size(), 1u);
    EXPECT_EQ(the(sent<Next>(ended)).page, 0u);
}

TEST_F(ReceiverWhoseTurnIsOver, GivesItBackWhenItsStreamHasAHole) {
    const Actions ended = arrive(data_for(want, one.frame, 150, 200));
    EXPECT_EQ(the(all_of<KeepBeginning>(ended)).beginning.bytes.size(), 110u);
    EXPECT_EQ(all_of<TakeTurn>(ended).size(), 1u);
    EXPECT_TRUE(sent<Want>(ended).empty());
}

TEST_F(ReceiverInTurns, TakesNothingWithoutOne) {
    const Want want = begun();
    receiver.step({++now}, Rest{1'000});
    arrive(data_for(want, one.frame, 100, 200));
    EXPECT_EQ(receiver.buffered_bytes(), 0u);
}

TEST_F(ReceiverInTurns, GivesAllBackWhenTheSessionEndsAndGoesOnFromThereLater) {
    begun();
    const Actions ended = receiver.step({++now}, Closed{});
    expect_all_given_back(ended);
    receiver.step({++now}, Opened{{1000, 4}});
    const Actions asked = nothing_held(arrive(make_offer(2, {one})));
    const Want resumed = the(sent<Want>(give(asked, the(all_of<KeepBeginning>(ended)).beginning)));
    EXPECT_EQ(resumed.resume_offset, 100u);
}

TEST_F(ReceiverInTurns, GivesAllBackWhileTheSenderRests) {
    begun();
    expect_all_given_back(receiver.step({++now}, Rest{3'600'000}));
}

TEST_F(ReceiverInTurns, GivesAllBackWhenTheSenderIsSilent) {
    begun();
    now = receiver.next_deadline().value().ms;
    EXPECT_LE(now, 10'010u);
    expect_all_given_back(receiver.step({now}, Tick{}));
}

TEST_F(ReceiverInTurns, AsksForNoneAnyMoreWhenThePlanIsGivenUp) {
    const Actions asked = nothing_held(arrive(make_offer(1, {one})));
    const Actions other = arrive(make_offer(2, {two}));
    EXPECT_EQ(all_of<EndTurn>(other).size(), 1u);
    EXPECT_TRUE(give(asked).empty()) << "it comes too late";
}

// It would doubt the session when nothing answered; what it offers at once then is answered when
// the turn comes.
TEST_F(ReceiverInTurns, TellsASenderThatWaitsThatItIsHeard) {
    Offer offer = make_offer(1, {one});
    const Actions asked = nothing_held(arrive(offer));
    for (int i = 0; i < 3; ++i) {
        ++offer.attempt;
        EXPECT_EQ(the(sent<Next>(arrive(offer))).page, 0u);
        ++offer.attempt;
        EXPECT_TRUE(arrive(offer).empty());
    }
    EXPECT_EQ(sent<Want>(give(asked)).size(), 1u);
}

class ReceiverThatWaits : public ReceiverInTurns {
protected:
    ReceiverThatWaits() {
        receiver = Receiver{{.credit_bytes = 4000, .turn_bytes = 600, .waiting_page_bytes = 0}};
        receiver.step({0}, Opened{{1000, 4}});
        asked = nothing_held(arrive(make_offer(1, {one, two})));
        const Ticket ticket = the(all_of<TakeTurn>(asked)).ticket;
        EXPECT_TRUE(receiver.step({++now}, TurnWaits{ticket}).empty());
    }
    Actions offered_again(const std::vector<TestRecord>& records) {
        Offer offer = make_offer(1, records);
        offer.attempt = ++attempt;
        return arrive(std::move(offer));
    }
    // Its turn has come, and the page is offered as it is asked for.
    Actions given_and_offered(const std::vector<TestRecord>& records,
                              std::optional<Beginning> beginning = {}) {
        EXPECT_EQ(the(sent<Next>(give(asked, std::move(beginning)))).page, 0u);
        return offered_again(records);
    }
    Actions asked;
    std::uint32_t attempt = 1;
};

TEST_F(ReceiverThatWaits, HoldsNoPageAndAsksForItWhenItsTurnHasCome) {
    EXPECT_EQ(sent<Next>(offered_again({one, two})).size(), 1u);  // it is heard
    EXPECT_TRUE(offered_again({one, two}).empty());
    const Want want = the(sent<Want>(nothing_held(given_and_offered({one, two}))));
    EXPECT_EQ(want.missing, std::vector<bool>(2, true));
    stored(arrive(data_for(want, one.frame, 0, one.frame.size())));
}

TEST_F(ReceiverThatWaits, GoesOnFromWhatItKept) {
    const Beginning before{one.offered.key, true,
                           Bytes(one.frame.begin(), one.frame.begin() + 100)};
    const Actions checked = nothing_held(given_and_offered({one, two}, before));
    EXPECT_EQ(the(sent<Want>(checked)).resume_offset, 100u);
}

TEST_F(ReceiverThatWaits, GivesItsTurnBackWhenNothingIsMissingAnyMore) {
    const Beginning before{one.offered.key, true,
                           Bytes(one.frame.begin(), one.frame.begin() + 100)};
    const Check check = the(all_of<Check>(given_and_offered({one, two}, before)));
    const Actions checked =
        receiver.step({++now}, Checked{check.ticket, std::vector<Held>(2, {true, true})});
    EXPECT_EQ(all_of<Commit>(checked).size(), 1u);
    expect_all_given_back(checked);
}

TEST_F(ReceiverThatWaits, AsksForAnotherTurnForAPageThatTakesMore) {
    const TestRecord large = make_record(3, 3'000);
    const Actions checked = nothing_held(given_and_offered({large, large}));
    EXPECT_EQ(all_of<EndTurn>(checked).size(), 1u);
    EXPECT_GT(the(all_of<TakeTurn>(checked)).bytes, the(all_of<TakeTurn>(asked)).bytes);
    EXPECT_TRUE(sent<Want>(checked).empty());
}

TEST_F(ReceiverThatWaits, GivesItsTurnBackWhenThePageDoesNotCome) {
    give(asked);
    now = receiver.next_deadline().value().ms;
    EXPECT_EQ(all_of<EndTurn>(receiver.step({now}, Tick{})).size(), 1u);
}

TEST_F(ReceiverThatWaits, AnswersAFloodOfOffersOnlySoOften) {
    for (int i = 0; i < 1000; ++i) offered_again({one, two});
    EXPECT_GE(receiver.counters().excess, 100u);
}

// What was found out of it stands in no Offer: it would be found out again, and for ever.
TEST_F(ReceiverThatWaits, KeepsAPageOfWhichARecordFailed) {
    Want want = the(sent<Want>(nothing_held(given_and_offered({one, two}))));
    Actions answer;
    for (int i = 0; i < 2; ++i) {
        answer = arrive(data_for(want, one.frame, 0, one.frame.size()));
        const Ticket store = the(all_of<Store>(answer)).ticket;
        answer = receiver.step({++now}, Stored{store, fail(Errc::corrupt, "it does not fit")});
        if (i == 0) want = the(sent<Want>(answer));
    }
    receiver.step({++now}, TurnWaits{the(all_of<TakeTurn>(answer)).ticket});
    EXPECT_EQ(sent<Want>(give(answer)).size(), 1u);
}

TEST_F(ReceiverInTurns, KeepsAShortPageWhileItWaits) {
    const Actions asked = nothing_held(arrive(make_offer(1, {one})));
    receiver.step({++now}, TurnWaits{the(all_of<TakeTurn>(asked)).ticket});
    EXPECT_EQ(sent<Want>(give(asked)).size(), 1u);
}

TEST_F(ReceiverInTurns, AsksForAnotherOneForARecordThatIsLargerThanItsOfferSaid) {
    Offer offer = make_offer(1, {one});
    offer.objects[0].stored_length = 100;
    const Want small = the(sent<Want>(give(nothing_held(arrive(offer)))));
    const Actions again = arrive(data_for(small, one.frame, 0, 150));
    EXPECT_EQ(the(all_of<TakeTurn>(again)).bytes, one.frame.size());
    const Want want = the(sent<Want>(give(again)));
    EXPECT_EQ(all_of<Store>(arrive(data_for(want, one.frame, 0, one.frame.size()))).size(), 1u);
}

}  // namespace
}  // namespace tributary::sync
