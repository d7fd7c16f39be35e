#include "tests/unit/sync/receiver_test.h"

namespace tributary::sync {
namespace {

TEST_F(ReceiverTest, SaysDoneOnlyAfterTheCommit) {
    const Want want = want_for(make_offer(1, {one}));
    const Actions store = arrive(data_for(want, one.frame, 0, one.frame.size()));
    const Actions commit = stored(store);
    EXPECT_TRUE(sent<Done>(commit).empty());
    const Actions done = receiver.step(
        {++now}, Committed{the(all_of<Commit>(commit)).ticket, CommitResult{{7}, {}}});
    EXPECT_EQ(the(sent<Done>(done)).receipt, Bytes{7});
}

TEST_F(ReceiverTest, AnswersACommittedPlanWithDoneAgainWithoutCommittingTwice) {
    Offer offer = make_offer(1, {});
    receiver.step({++now}, Committed{the(all_of<Commit>(arrive(offer))).ticket, CommitResult{}});
    EXPECT_TRUE(arrive(offer).empty()) << "a copy by the broker is no question";
    offer.attempt = 2;
    const Actions again = arrive(offer);
    the(sent<Done>(again));
    EXPECT_EQ(again.size(), 1u);
}

TEST_F(ReceiverTest, RefusesAPlanForWhichThereIsNoRoomBeforeItsContentIsSent) {
    const Offer offer = make_offer(1, {one});
    const Check check = the(all_of<Check>(arrive(offer)));
    const Actions actions =
        receiver.step({++now}, Checked{check.ticket, {}, fail(Errc::exhausted, "no room")});
    const Refuse refuse = the(sent<Refuse>(actions));
    EXPECT_EQ(refuse.reason, RefuseReason::busy);
    EXPECT_EQ(refuse.text, "no room");
    EXPECT_EQ(refuse.retry_after_ms, 5000u);
    EXPECT_TRUE(sent<Want>(actions).empty());

    want_for(make_offer(2, {one}));
}

TEST_F(ReceiverTest, AnswersAFloodOfOffersOnlySoOften) {
    Receiver limited{{.offers_at_once = 5, .offer_every_ms = 100}};
    limited.step({0}, Opened{{1000, 4}});
    const auto answers = [&](std::uint64_t at, int offers) {
        int answered = 0;
        for (int i = 0; i < offers; ++i, ++plan_number) {
            const Actions actions = limited.step({at}, Arrived{make_offer(plan_number, {})});
            answered += actions.empty() ? 0 : 1;
            for (const Commit& commit : all_of<Commit>(actions))
                limited.step({at}, Committed{commit.ticket, CommitResult{}});
        }
        return answered;
    };
    EXPECT_EQ(answers(1000, 50), 5);
    EXPECT_EQ(answers(1100, 50), 1);
    EXPECT_EQ(answers(10'000, 50), 5);
    EXPECT_EQ(limited.counters().excess, 139u);
}

TEST_F(ReceiverTest, TakesThePagesOfOnePlanAsFastAsTheyCome) {
    Receiver limited{{.offers_at_once = 1, .offer_every_ms = 100'000}};
    limited.step({0}, Opened{{1000, 4}});
    for (std::uint32_t page = 0; page < 50; ++page) {
        Offer offer = make_offer(1, {one}, page == 49);
        offer.page = page;
        offer.attempt = page + 1;
        const Check check = the(all_of<Check>(limited.step({1}, Arrived{offer})));
        EXPECT_EQ(limited.step({1}, Checked{check.ticket, {{true, true}}}).size(), 1u);
    }
}

TEST_F(ReceiverTest, DoesNotFollowEmptyPagesForEver) {
    Receiver limited{{.offers_at_once = 5, .offer_every_ms = 100}};
    limited.step({0}, Opened{{1000, 4}});
    std::size_t answered = 0;
    for (std::uint32_t page = 0; page < 50; ++page) {
        Offer offer = make_offer(1, {}, false);
        offer.page = page;
        offer.attempt = page + 1;
        answered += limited.step({1}, Arrived{offer}).size();
    }
    EXPECT_EQ(answered, 5u);
}

TEST_F(ReceiverTest, WantsOnlyWhatIsMissingAndSaysWhichBasesAreHere) {
    const TestRecord based = make_record(3, 50, one.offered.key.name);
    const TestRecord foreign = make_record(4, 60, sha256(as_bytes("elsewhere")));
    const Check check = the(all_of<Check>(arrive(make_offer(1, {one, two, based, foreign}))));
    const Actions actions = receiver.step(
        {++now},
        Checked{check.ticket, {{false, false}, {true, false}, {false, false}, {false, false}}});
    const Want want = the(sent<Want>(actions));
    EXPECT_EQ(want.missing, (std::vector<bool>{true, false, true, true}));
    EXPECT_EQ(want.base_held, (std::vector<bool>{true, true, true, false}))
        << "the base of the third comes before it";
}

TEST_F(ReceiverTest, AsksAnewFromWhereItStandsWhenTheStreamHasAHole) {
    const Want want = want_for(make_offer(1, {one}));
    arrive(data_for(want, one.frame, 0, 100));
    const Want again = the(sent<Want>(arrive(data_for(want, one.frame, 200, 300))));
    EXPECT_EQ(again.number, want.number + 1);
    EXPECT_EQ(again.resume_offset, 100u);
    EXPECT_TRUE(arrive(data_for(want, one.frame, 100, 200)).empty()) << "of the old Want";
}

TEST_F(ReceiverTest, ResumesARecordInTheNextSession) {
    const Want want = want_for(make_offer(1, {one}));
    arrive(data_for(want, one.frame, 0, 100));
    receiver.step({++now}, Closed{});
    receiver.step({++now}, Opened{{1000, 4}});
    const Want resumed = want_for(make_offer(1, {one}));
    EXPECT_EQ(resumed.resume_offset, 100u);
    const Bytes rest(one.frame.begin() + 100, one.frame.end());
    EXPECT_EQ(the(all_of<Store>(arrive(data_for(resumed, rest, 0, rest.size())))).frame, one.frame);
}

TEST_F(ReceiverTest, GoesOnFromWhatAnEarlierLifeReceived) {
    const Want want = want_for(make_offer(1, {one}));
    arrive(data_for(want, one.frame, 0, 200));
    receiver.step({++now}, Closed{});
    const Beginning kept = parse_beginning(encode_beginning(receiver.beginning())).value();

    receiver = Receiver({.credit_bytes = 4000, .idle_ms = 60'000});
    receiver.step({++now}, ReceivedBefore{kept});
    receiver.step({++now}, Opened{{1000, 4}});
    const Want again = want_for(make_offer(1, {one}));
    EXPECT_EQ(again.resume_offset, 200u);
    const Bytes rest(one.frame.begin() + 200, one.frame.end());
    const Store store = the(all_of<Store>(arrive(data_for(again, rest, 0, rest.size()))));
    EXPECT_EQ(store.frame, one.frame);
}

TEST_F(ReceiverTest, OfALongSilenceOnlyTheMemoryIsFreed) {
    const Want want = want_for(make_offer(1, {one}));
    arrive(data_for(want, one.frame, 0, 200));
    for (const bool session_ends : {true, false}) {
        SCOPED_TRACE(session_ends);
        if (session_ends) receiver.step({++now}, Closed{});
        now = receiver.next_deadline().value().ms;
        const KeepBeginning aside = the(all_of<KeepBeginning>(receiver.step({now}, Tick{})));
        EXPECT_EQ(aside.beginning.bytes.size(), 200u);
        EXPECT_EQ(receiver.buffered_bytes(), 0u);
        if (session_ends) receiver.step({++now}, Opened{{1000, 4}});
        EXPECT_EQ(want_with(aside.beginning, make_offer(session_ends ? 1 : 2, {one})).resume_offset,
                  200u);
    }
}

TEST_F(ReceiverTest, KeepsWhatThereIsNoRoomFor) {
    const Want want = want_for(make_offer(1, {one}));
    arrive(data_for(want, one.frame, 0, 200));
    const Check check = the(all_of<Check>(arrive(make_offer(2, {one}))));
    const Actions refused =
        receiver.step({++now}, Checked{check.ticket, {}, fail(Errc::exhausted, "no room")});
    EXPECT_EQ(the(all_of<KeepBeginning>(refused)).beginning.bytes.size(), 200u);
}

// The session that asked for it is over, or another plan came.
TEST_F(ReceiverTest, WhatIsGivenBackTooLateForItsSessionIsNotLost) {
    arrive(make_offer(1, {one}));
    receiver.step({++now}, Closed{});
    const Bytes begun(one.frame.begin(), one.frame.begin() + 200);
    receiver.step({++now}, ReceivedBefore{{one.offered.key, true, begun}});
    EXPECT_EQ(receiver.beginning().bytes, begun);
}

// One that is whole, or is of another coding, is no beginning of what is asked for.
TEST_F(ReceiverTest, WhatWasKeepBeginningOfAnotherRecordIsLetGo) {
    const Beginning other{two.offered.key, true, Bytes(100)};
    EXPECT_EQ(want_with(other, make_offer(1, {one})).resume_offset, 0u);
    const Beginning otherwise{one.offered.key, false, Bytes(100)};
    EXPECT_EQ(want_with(otherwise, make_offer(2, {one})).resume_offset, 0u);
}

// The record before it was held back by the owner, kept with it, and is held by now.
TEST_F(ReceiverTest, GoesOnBehindARecordThatWasKeptWholeAndIsHeldByNow) {
    const TestRecord coded = make_record(4, 300, sha256(as_bytes("base")));
    TestRecord coded_whole = make_record(4, 300);
    coded_whole.offered = coded.offered;
    const auto held_then_begun = [this](const TestRecord& next, std::size_t begun) {
        Beginning kept{one.offered.key, true, one.frame};
        kept.bytes.insert(kept.bytes.end(), next.frame.begin(),
                          next.frame.begin() + static_cast<std::ptrdiff_t>(begun));
        return kept;
    };
    const auto resumes_at = [this](const Beginning& kept, const TestRecord& next, bool base_held) {
        const Check check = the(all_of<Check>(arrive(make_offer(plan_number++, {one, two, next}))));
        receiver.step({++now}, ReceivedBefore{kept});
        const Actions actions = receiver.step(
            {++now}, Checked{check.ticket, {{true, true}, {true, true}, {false, base_held}}});
        const std::uint32_t offset = the(sent<Want>(actions)).resume_offset;
        receiver.step({now}, Rest{1});  // lets the buffer go
        return offset;
    };
    const TestRecord three = make_record(3, 300);
    EXPECT_EQ(resumes_at(held_then_begun(three, 100), three, false), 100u);
    EXPECT_EQ(resumes_at(held_then_begun(coded, 100), coded, true), 100u);
    EXPECT_EQ(resumes_at(held_then_begun(coded, 100), coded, false), 0u) << "it needs a base";
    EXPECT_EQ(resumes_at(held_then_begun(coded_whole, 100), coded, false), 100u);
    EXPECT_EQ(resumes_at(held_then_begun(coded_whole, 100), coded, true), 0u) << "it had no base";
    EXPECT_EQ(resumes_at(held_then_begun(two, 100), three, false), 0u) << "it is held, too";
    EXPECT_EQ(resumes_at(held_then_begun(three, 30), three, false), 0u) << "nobody knows whose";
    EXPECT_EQ(resumes_at(held_then_begun(three, 0), three, false), 0u);
    EXPECT_EQ(receiver.counters().unsound_frames, 0u) << "nobody is to blame";
}

// Since then the sender coded it on another base, which is held as well.
TEST_F(ReceiverTest, WhatWasKeptOfARecordOnAnotherBaseIsLetGo) {
    const TestRecord was = make_record(3, 300, sha256(as_bytes("a base")));
    const TestRecord is = make_record(3, 300, sha256(as_bytes("another base")));
    const Bytes begun(was.frame.begin(), was.frame.begin() + 100);
    Bytes behind_one = one.frame;
    behind_one.insert(behind_one.end(), begun.begin(), begun.end());
    const auto resumes_at = [this](const Beginning& kept, const TestRecord& offered) {
        const Check check = the(all_of<Check>(arrive(make_offer(plan_number++, {one, offered}))));
        receiver.step({++now}, ReceivedBefore{kept});
        const Actions actions =
            receiver.step({++now}, Checked{check.ticket, {{true, true}, {false, true}}});
        const std::uint32_t offset = the(sent<Want>(actions)).resume_offset;
        receiver.step({now}, Rest{1});  // lets the buffer go
        return offset;
    };
    for (const Beginning& kept :
         {Beginning{was.offered.key, true, begun}, Beginning{one.offered.key, true, behind_one}}) {
        EXPECT_EQ(resumes_at(kept, was), 100u);
        EXPECT_EQ(resumes_at(kept, is), 0u);
    }
    const Bytes half_a_header(begun.begin(), begun.begin() + 50);
    EXPECT_EQ(resumes_at({was.offered.key, true, half_a_header}, is), 0u) << "it may be of either";
    EXPECT_EQ(receiver.counters().unsound_frames, 0u) << "nobody is to blame";
}

TEST_F(ReceiverTest, ShowsTheBeginningOfTheNextRecordWhileOneIsStored) {
    const Want want = want_for(make_offer(1, {one, two}));
    Bytes both = one.frame;
    both.insert(both.end(), two.frame.begin(), two.frame.end());
    const Actions store = arrive(data_for(want, both, 0, one.frame.size() + 50));
    const Beginning next{two.offered.key, true, {two.frame.begin(), two.frame.begin() + 50}};
    EXPECT_EQ(receiver.beginning(), next);
    stored(store);
    EXPECT_EQ(receiver.beginning(), next);
}

TEST(Beginning, ThatIsDamagedAnywhereIsNotBelieved) {
    const Beginning beginning{{RecordKind::piece, sha256(as_bytes("p"))}, true, Bytes(50, 9)};
    const Bytes sound = encode_beginning(beginning);
    EXPECT_EQ(parse_beginning(sound).value(), beginning);
    for (std::size_t bit = 0; bit < 8 * sound.size(); ++bit) {
        Bytes damaged = sound;
        damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
        EXPECT_FALSE(parse_beginning(damaged)) << bit;
    }
    for (std::size_t size = 0; size < sound.size(); ++size)
        EXPECT_FALSE(parse_beginning(ByteView(sound).first(size))) << size;
}

TEST(Beginning, IsNoneOfAnotherOwner) {
    const Beginning beginning{{RecordKind::piece, sha256(as_bytes("p"))}, true, Bytes(50, 9)};
    const Bytes of_a = encode_beginning(beginning, "board-a");
    EXPECT_EQ(parse_beginning(of_a, "board-a").value(), beginning);
    EXPECT_FALSE(parse_beginning(of_a, "board-c"));
    EXPECT_FALSE(parse_beginning(of_a));
}

TEST_F(ReceiverTest, KeepsWhatFollowsARecordThatIsBeingStoredWhenTheLinkDrops) {
    const Offer offer = make_offer(1, {one, two});
    const Want want = want_for(offer);
    Bytes stream = one.frame;
    stream.insert(stream.end(), two.frame.begin(), two.frame.end());
    const Actions store = arrive(data_for(want, stream, 0, one.frame.size() + 100));
    receiver.step({++now}, Closed{});
    receiver.step({++now}, Opened{{1000, 4}});
    arrive(make_offer(1, {one, two}));
    const Check check = the(all_of<Check>(stored(store)));
    const Actions actions =
        receiver.step({++now}, Checked{check.ticket, {{true, false}, {false, false}}});
    EXPECT_EQ(the(sent<Want>(actions)).resume_offset, 100u);
}

TEST_F(ReceiverTest, TakesNoMoreThanItsCreditWhileARecordIsStored) {
    const TestRecord large = make_record(3, 20'000);
    const Want want = want_for(make_offer(1, {one, large}));
    Bytes stream = one.frame;
    stream.insert(stream.end(), large.frame.begin(), large.frame.end());
    const std::size_t first = one.frame.size();
    arrive(data_for(want, stream, 0, first));
    for (std::size_t at = first; at + 1000 <= 10'000; at += 1000)
        EXPECT_TRUE(arrive(data_for(want, stream, at, at + 1000)).empty());
    EXPECT_LE(receiver.buffered_bytes(), 4000u);
    EXPECT_GT(receiver.counters().dropped_bytes, 0u);
}

TEST_F(ReceiverTest, WantsNothingWhileNothingMayPass) {
    receiver.step({now}, MayTake{0});
    const Actions checked = nothing_held(arrive(make_offer(1, {one})));
    EXPECT_TRUE(sent<Want>(checked).empty());
    Offer again = make_offer(1, {one});
    again.attempt = 2;
    EXPECT_TRUE(arrive(again).empty());
    the(sent<Want>(receiver.step({now}, MayTake{1})));
}

TEST_F(ReceiverTest, GivesNoCreditBeyondWhatMayPass) {
    const TestRecord large = make_record(3, 20'000);
    const Want want = want_for(make_offer(1, {large}));
    receiver.step({now}, MayTake{1'500});
    EXPECT_TRUE(arrive(data_for(want, large.frame, 0, 1'000)).empty());
    EXPECT_TRUE(arrive(data_for(want, large.frame, 1'000, 2'000)).empty()) << "credit is due";
    const Actions allowed = receiver.step({now}, MayTake{500});
    EXPECT_EQ(the(sent<Credit>(allowed)).through, 2'000u);
}

TEST_F(ReceiverTest, KeepsTheBeginningOfARecordWhileNothingMayPass) {
    const Want want = want_for(make_offer(1, {one}));
    arrive(data_for(want, one.frame, 0, 100));
    receiver.step({now}, MayTake{0});
    for (int i = 0; i < 3; ++i) {
        now = receiver.next_deadline().value().ms;
        receiver.step({now}, Tick{});
    }
    EXPECT_EQ(receiver.buffered_bytes(), 100u);
}

TEST_F(ReceiverTest, APageThatIsHeldLeavesTheBeginningOfALaterRecordAlone) {
    const Want want = want_for(make_offer(1, {two}));
    arrive(data_for(want, two.frame, 0, 100));
    const Check check = the(all_of<Check>(arrive(make_offer(2, {one}, false))));
    receiver.step({++now}, Checked{check.ticket, {{true, true}}});
    Offer rest = make_offer(2, {two});
    rest.page = 1;
    rest.attempt = 2;
    EXPECT_EQ(want_for(rest).resume_offset, 100u);
}

TEST_F(ReceiverTest, CountsFramesThatAreUnsoundApartFromThoseThatCannotBeStored) {
    const Want want = want_for(make_offer(1, {one}));
    const Actions store = arrive(data_for(want, one.frame, 0, one.frame.size()));
    receiver.step({++now}, Stored{the(all_of<Store>(store)).ticket, fail(Errc::corrupt, "here")});
    EXPECT_EQ(receiver.counters().bad_frames, 1u);
    EXPECT_EQ(receiver.counters().unsound_frames, 0u);
    Want again = want;
    again.number = want.number + 1;
    const Bytes junk(one.frame.size(), 7);
    arrive(data_for(again, junk, 0, junk.size()));
    EXPECT_EQ(receiver.counters().unsound_frames, 1u);
}

TEST_F(ReceiverTest, TellsHowMuchOfThePageIsToCome) {
    EXPECT_EQ(receiver.bytes_left(), 0u);
    const Want want = want_for(make_offer(1, {one, two}));
    EXPECT_EQ(receiver.bytes_left(), 800u);
    arrive(data_for(want, one.frame, 0, 100));
    EXPECT_EQ(receiver.bytes_left(), 700u);
}

TEST_F(ReceiverTest, GivesCreditAfterHalfTheFramesInFlight) {
    const Want want = want_for(make_offer(1, {one}));
    EXPECT_TRUE(arrive(data_for(want, one.frame, 0, 10)).empty());
    EXPECT_EQ(the(sent<Credit>(arrive(data_for(want, one.frame, 10, 20)))).through, 20u);
}

TEST_F(ReceiverTest, AsksForABadFrameAgainWithoutBaseAndThenRefusesThePlan) {
    const TestRecord based = make_record(3, 50, one.offered.key.name);
    const Check check = the(all_of<Check>(arrive(make_offer(1, {based}))));
    Want want = the(sent<Want>(receiver.step({++now}, Checked{check.ticket, {{false, true}}})));
    const auto answer_bad = [&] {
        const Actions taken = arrive(data_for(want, based.frame, 0, based.frame.size()));
        if (!want.base_held[0]) return taken;  // then a frame that needs a base is bad itself
        const Ticket ticket = the(all_of<Store>(taken)).ticket;
        return receiver.step({++now}, Stored{ticket, fail(Errc::corrupt, "bad")});
    };
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(want.base_held[0], i < 2);
        want = the(sent<Want>(answer_bad()));
        EXPECT_EQ(want.resume_offset, 0u);
    }
    const Refuse refuse = the(sent<Refuse>(answer_bad()));
    EXPECT_EQ(refuse.reason, RefuseReason::malformed);
    EXPECT_EQ(refuse.plan, 1u);
}

TEST_F(ReceiverTest, AsksAgainForARecordWhoseHeaderIsDamaged) {
    const Want want = want_for(make_offer(1, {one}));
    Bytes bad = one.frame;
    bad[5] ^= 1;
    const Want again = the(sent<Want>(arrive(data_for(want, bad, 0, bad.size()))));
    EXPECT_EQ(again.number, want.number + 1);
}

TEST_F(ReceiverTest, RefusesAnotherRecordThanTheOneOffered) {
    const Want want = want_for(make_offer(1, {one}));
    const Want again = the(sent<Want>(arrive(data_for(want, two.frame, 0, two.frame.size()))));
    EXPECT_EQ(again.number, want.number + 1);
    EXPECT_EQ(receiver.counters().bad_frames, 1u);
}

TEST_F(ReceiverTest, PullsPagesInOrderAndCommitsWhatTheLastOneSays) {
    Offer offer = make_offer(1, {}, false);
    EXPECT_EQ(the(sent<Next>(arrive(offer))).page, 1u);
    offer.page = 2;
    offer.attempt = 2;
    EXPECT_EQ(the(sent<Next>(arrive(offer))).page, 1u) << "not the one that was asked for";
    offer.page = 1;
    offer.attempt = 3;
    offer.last = true;
    offer.entries = {{1}, {2}};
    EXPECT_EQ(the(all_of<Commit>(arrive(offer))).entries, offer.entries);
}

TEST_F(ReceiverTest, BeginsAtTheFirstPageAgainWhenTheCommitMissesAnObject) {
    Offer offer = make_offer(1, {}, false);
    arrive(offer);
    offer.page = 1;
    offer.attempt = 2;
    offer.last = true;
    const Commit commit = the(all_of<Commit>(arrive(offer)));
    const Actions actions =
        receiver.step({++now}, Committed{commit.ticket, fail(Errc::not_found, "gone")});
    EXPECT_EQ(the(sent<Next>(actions)).page, 0u);
    EXPECT_TRUE(the(sent<Next>(actions)).whole);
    offer.attempt = 3;  // the Next was lost
    EXPECT_TRUE(the(sent<Next>(arrive(offer))).whole);
}

TEST_F(ReceiverTest, IgnoresAnOfferOfAnEarlierPlan) {
    want_for(make_offer(2, {one}));
    EXPECT_TRUE(arrive(make_offer(1, {two})).empty());
}

TEST_F(ReceiverTest, AnswerOfACommitThatTheLinkOutlivedBelongsToNoNewPlan) {
    const Commit old = the(all_of<Commit>(arrive(make_offer(1, {}))));
    receiver.step({++now}, Closed{});
    receiver.step({++now}, Opened{{1000, 4}});
    EXPECT_TRUE(arrive(make_offer(1, {})).empty()) << "one question at a time";
    const Actions actions = receiver.step({++now}, Committed{old.ticket, CommitResult{{7}, {}}});
    EXPECT_TRUE(sent<Done>(actions).empty());
    the(all_of<Commit>(actions));
}

TEST_F(ReceiverTest, FreesItsMemoryWhenTheSenderIsSilentAndGoesOnWhenItIsBack) {
    Offer offer = make_offer(1, {one});
    const Want want = want_for(offer);
    arrive(data_for(want, one.frame, 0, 100));
    receiver.step(receiver.next_deadline().value(), Tick{});
    EXPECT_EQ(receiver.buffered_bytes(), 0u);
    EXPECT_FALSE(receiver.next_deadline());
    offer.attempt = 2;
    const Want fresh = want_for(offer);
    EXPECT_EQ(fresh.resume_offset, 0u);
    EXPECT_GT(fresh.number, want.number);
}

}  // namespace
}  // namespace tributary::sync
