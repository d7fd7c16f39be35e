#include "common/sync/sender.h"

#include <gtest/gtest.h>

#include "tests/unit/sync/builders.h"

namespace tributary::sync {
namespace {

class SenderTest : public testing::Test {
protected:
    // Opens and answers until the first page of a plan of `records` is offered.
    Offer offer_of(std::vector<TestRecord> records, LinkLimits limits = {1000, 4}) {
        return offer_of(std::move(records), sender.step({now}, Opened{limits}));
    }
    Offer offer_of(std::vector<TestRecord> records, const Actions& plans) {
        held = std::move(records);
        Page page;
        page.last = true;
        for (const TestRecord& record : held) page.objects.push_back(record.offered);
        const MakePlan make = the(all_of<MakePlan>(plans));
        const ReadPage read = the(all_of<ReadPage>(sender.step({now}, Planned{make.ticket, true})));
        return the(sent<Offer>(sender.step({now}, PageRead{read.ticket, page})));
    }
    static Want want_all(const Offer& offer, std::uint32_t number, std::uint32_t credit) {
        const std::size_t n = offer.objects.size();
        return {
            offer.plan, offer.page, number, std::vector<bool>(n, true), std::vector<bool>(n, true),
            0,          credit};
    }
    // Steps, and answers every ReadObject from `held`; the Data that was sent.
    std::vector<Data> run(Event event) {
        std::vector<Data> data;
        Actions actions = sender.step({now}, std::move(event));
        while (true) {
            for (Data& d : sent<Data>(actions)) data.push_back(std::move(d));
            const auto reads = all_of<ReadObject>(actions);
            if (reads.empty()) return data;
            for (const TestRecord& record : held)
                if (record.offered.key == reads.front().key)
                    actions = sender.step({now}, ObjectRead{reads.front().ticket, record.frame});
        }
    }

    Sender sender{{}, 1};
    std::uint64_t now = 0;
    std::vector<TestRecord> held;
};

TEST_F(SenderTest, SmallRecordsShareAFrame) {
    const Offer offer = offer_of({make_record(1, 20), make_record(2, 30), make_record(3, 40)});
    const auto data = run(Arrived{want_all(offer, 1, 4000)});
    Bytes stream;
    for (const TestRecord& record : held)
        stream.insert(stream.end(), record.frame.begin(), record.frame.end());
    EXPECT_EQ(the(data).bytes, stream);
}

TEST_F(SenderTest, CutsTheStreamWhereFramesAreFullWhateverTheRecords) {
    const Offer offer = offer_of({make_record(1, 700), make_record(2, 10), make_record(3, 2'000),
                                  make_record(4, 990), make_record(5, 1)},
                                 {1000, 8});
    Want want = want_all(offer, 1, 8000);
    want.resume_offset = 300;
    const auto data = run(Arrived{want});
    Bytes stream, sent;
    for (const TestRecord& record : held)
        stream.insert(stream.end(), record.frame.begin(), record.frame.end());
    for (const Data& part : data) {
        EXPECT_EQ(part.offset, sent.size());
        sent.insert(sent.end(), part.bytes.begin(), part.bytes.end());
        EXPECT_TRUE(part.bytes.size() == 1000 || &part == &data.back());
    }
    EXPECT_EQ(sent, Bytes(stream.begin() + 300, stream.end()));
}

TEST_F(SenderTest, NeverSendsMoreThanCreditOrFramesInFlight) {
    const Offer offer = offer_of({make_record(1, 50'000)}, {1000, 3});
    EXPECT_EQ(run(Arrived{want_all(offer, 1, 2500)}).size(), 2u) << "2500 bytes of credit";
    EXPECT_EQ(run(Arrived{want_all(offer, 2, 100'000)}).size(), 3u) << "3 frames";
    EXPECT_EQ(run(Arrived{Credit{offer.plan, 2, 2000}}).size(), 2u);
    EXPECT_TRUE(run(Arrived{Credit{offer.plan, 2, 2000}}).empty()) << "a copy";
    EXPECT_TRUE(run(Arrived{Credit{offer.plan, 2, 99'000}}).empty()) << "more than was sent";
    EXPECT_TRUE(run(Arrived{Credit{offer.plan, 1, 5000}}).empty()) << "of an old Want";
}

TEST_F(SenderTest, SendsNoMoreContentThanMayPass) {
    sender.step({now}, MaySend{2'500});
    const Offer offer = offer_of({make_record(1, 50'000)}, {1000, 8});
    EXPECT_EQ(run(Arrived{want_all(offer, 1, 100'000)}).size(), 2u) << "whole frames only";
    EXPECT_EQ(run(MaySend{1'000}).size(), 1u);
    EXPECT_EQ(run(MaySend{0}).size(), 0u);
    EXPECT_EQ(run(MaySend{std::nullopt}).size(), 5u) << "the rest of 8 in flight";
}

TEST_F(SenderTest, OffersNothingAgainWhileItIsHeldBackItself) {
    sender.step({now}, MaySend{0});
    const Offer offer = offer_of({make_record(1, 5'000)});
    EXPECT_TRUE(run(Arrived{want_all(offer, 1, 4000)}).empty());
    now = sender.next_deadline().value().ms;
    EXPECT_TRUE(sender.step({now}, Tick{}).empty());
    EXPECT_EQ(sender.next_deadline(), std::nullopt) << "nothing to wake up for";
    EXPECT_FALSE(run(MaySend{std::nullopt}).empty());
    now = sender.next_deadline().value().ms;
    EXPECT_EQ(sent<Offer>(sender.step({now}, Tick{})).size(), 1u) << "it waits for credit again";
}

TEST_F(SenderTest, PlansNothingWhileTheOtherSideRests) {
    const Offer offer = offer_of({make_record(1, 5'000)});
    EXPECT_FALSE(run(Arrived{want_all(offer, 1, 4000)}).empty());
    EXPECT_TRUE(sender.step({now}, Rest{600'000}).empty()) << "the plan under way is given up";
    EXPECT_TRUE(sender.step({now}, Wake{}).empty());
    EXPECT_EQ(sender.next_deadline().value().ms, now + 600'000);
    now += 600'000;
    the(all_of<MakePlan>(sender.step({now}, Tick{})));
}

TEST_F(SenderTest, PlansAgainAsSoonAsTheOtherSideSaysSo) {
    sender.step({now}, Rest{600'000});
    EXPECT_TRUE(sender.step({now}, Opened{{1000, 4}}).empty());
    the(all_of<MakePlan>(sender.step({now}, Rest{0})));
    EXPECT_TRUE(sender.step({now}, Rest{0}).empty());
}

TEST_F(SenderTest, BeginsWhereTheReceiverResumes) {
    const Offer offer = offer_of({make_record(1, 100), make_record(2, 100)});
    Want want = want_all(offer, 1, 4000);
    want.missing[0] = false;
    want.resume_offset = 60;
    EXPECT_EQ(the(run(Arrived{want})).bytes,
              Bytes(held[1].frame.begin() + 60, held[1].frame.end()));
}

TEST_F(SenderTest, ReadsWithoutBaseWhatTheReceiverCannotDecode) {
    const Offer offer = offer_of({make_record(1, 100, sha256(as_bytes("base")))});
    Want want = want_all(offer, 1, 4000);
    want.base_held[0] = false;
    const auto read = the(all_of<ReadObject>(sender.step({now}, Arrived{want})));
    EXPECT_FALSE(read.may_use_base);
}

TEST_F(SenderTest, ObeysOnlyANewerWant) {
    const Offer offer = offer_of({make_record(1, 100)});
    EXPECT_FALSE(run(Arrived{want_all(offer, 2, 4000)}).empty());
    EXPECT_TRUE(run(Arrived{want_all(offer, 2, 4000)}).empty());
    EXPECT_TRUE(run(Arrived{want_all(offer, 1, 4000)}).empty());
    EXPECT_EQ(sender.counters().ignored, 2u);
}

TEST_F(SenderTest, ObeysWhatBringsNothingOnOnlySoOften) {
    const Offer offer = offer_of({make_record(1, 50'000)});
    std::uint32_t number = 0;
    const auto obeyed = [&](int wants) {
        int count = 0;
        for (int i = 0; i < wants; ++i)
            count += run(Arrived{want_all(offer, ++number, 100)}).empty() ? 0 : 1;
        return count;
    };
    EXPECT_EQ(obeyed(1000), 41) << "the first, and 40 that repeat it";
    EXPECT_EQ(sender.counters().excess, 959u);
    now += 1000;
    EXPECT_EQ(obeyed(1000), 1);

    for (int i = 0; i < 1000; ++i)
        sender.step({now}, Arrived{Next{offer.plan, offer.page, ++number}});
    EXPECT_EQ(sender.counters().excess, 959u + 999 + 1000);
}

TEST_F(SenderTest, ObeysWhatBringsItOnAsOftenAsItComes) {
    const Offer offer = offer_of({make_record(1, 1'000'000)});
    Want want = want_all(offer, 1, 100);
    for (; want.resume_offset < 1'000'000; want.resume_offset += 16 * 1024, ++want.number)
        EXPECT_EQ(run(Arrived{want}).size(), 1u);
    EXPECT_EQ(sender.counters().excess, 0u);
}

TEST_F(SenderTest, IgnoresAWantThatDoesNotFitThePage) {
    const Offer offer = offer_of({make_record(1, 100)});
    Want want = want_all(offer, 1, 4000);
    want.missing.push_back(true);
    want.base_held.push_back(true);
    EXPECT_TRUE(run(Arrived{want}).empty());
}

TEST_F(SenderTest, ReadsAnewThePageThatIsAskedForAgain) {
    const Offer offer = offer_of({make_record(1, 100)});
    const Actions actions = sender.step({now}, Arrived{Next{offer.plan, 0, 1}});
    const ReadPage read = the(all_of<ReadPage>(actions));
    EXPECT_EQ(read.page, 0u);
    EXPECT_FALSE(read.whole);
    EXPECT_TRUE(sent<Offer>(actions).empty());
}

TEST_F(SenderTest, LeavesOutNothingOfAPlanThatIsAskedForAsAWhole) {
    const Offer offer = offer_of({make_record(1, 100)});
    const auto next = [&](std::uint32_t number, bool whole) {
        const Actions actions = sender.step({now}, Arrived{Next{offer.plan, 0, number, whole}});
        const ReadPage read = the(all_of<ReadPage>(actions));
        Page page;
        page.last = true;
        sender.step({now}, PageRead{read.ticket, page});
        return read.whole;
    };
    EXPECT_TRUE(next(1, true));
    EXPECT_TRUE(next(2, false)) << "until the plan is over";
}

TEST_F(SenderTest, OffersAgainEverMoreSlowlyAndThenDoubtsTheSession) {
    offer_of({make_record(1, 100)});
    std::uint64_t shortest = 0;
    for (std::uint32_t attempt = 2; attempt <= 6; ++attempt) {
        const MonoTime deadline = sender.next_deadline().value();
        EXPECT_GE(deadline.ms - now, shortest);
        shortest = (deadline.ms - now) / 2;
        now = deadline.ms;
        EXPECT_EQ(the(sent<Offer>(sender.step(deadline, Tick{}))).attempt, attempt);
    }
    the(all_of<Reopen>(sender.step(sender.next_deadline().value(), Tick{})));
    EXPECT_FALSE(sender.next_deadline());
}

// Each delay is shortened by up to half.
TEST_F(SenderTest, IsAsPatientAsTheLastAnswerTookLong) {
    const Offer first = offer_of({make_record(1, 100)});
    EXPECT_LE(sender.next_deadline().value().ms, 4'000u);
    now = 7'000;
    EXPECT_EQ(sent<Offer>(sender.step({now}, Tick{})).size(), 1u);
    now = 8'000;
    EXPECT_FALSE(run(Arrived{want_all(first, 1, 4000)}).empty());
    const auto log = the(all_of<LogReceipt>(sender.step({now}, Arrived{Done{first.plan, {}, {}}})));
    const Offer second =
        offer_of({make_record(2, 100)}, sender.step({now}, ReceiptLogged{log.ticket, {}}));
    EXPECT_GE(sender.next_deadline().value().ms, now + 12'000u) << "half of 24 s";
    now += 10'000;
    EXPECT_FALSE(run(Arrived{want_all(second, 1, 4000)}).empty());
    EXPECT_LE(sender.next_deadline().value().ms, now + 4'000u) << "for content as it always was";
}

TEST_F(SenderTest, PlansFurtherOnlyWhenTheReceiptIsLogged) {
    const Offer offer = offer_of({make_record(1, 100)});
    const Actions done = sender.step({now}, Arrived{Done{offer.plan, {7}, {}}});
    EXPECT_TRUE(all_of<MakePlan>(done).empty());
    const LogReceipt log = the(all_of<LogReceipt>(done));
    EXPECT_EQ(log.receipt, Bytes{7});
    the(all_of<MakePlan>(sender.step({now}, ReceiptLogged{log.ticket, {}})));
}

TEST_F(SenderTest, LogsAReceiptInHandEvenWhenTheLinkIsLost) {
    const Offer offer = offer_of({make_record(1, 100)});
    const LogReceipt log =
        the(all_of<LogReceipt>(sender.step({now}, Arrived{Done{offer.plan, {7}, {}}})));
    sender.step({now}, Closed{});
    EXPECT_TRUE(sender.step({now}, Opened{}).empty()) << "one question at a time";
    the(all_of<MakePlan>(sender.step({now}, ReceiptLogged{log.ticket, {}})));
}

TEST_F(SenderTest, RestsUntilWokenAndMissesNoWake) {
    const MakePlan make = the(all_of<MakePlan>(sender.step({now}, Opened{})));
    sender.step({now}, Wake{});
    const MakePlan again = the(all_of<MakePlan>(sender.step({now}, Planned{make.ticket, false})));
    sender.step({now}, Planned{again.ticket, false});
    EXPECT_TRUE(sender.resting());
    the(all_of<MakePlan>(sender.step({now}, Wake{})));
}

TEST_F(SenderTest, WaitsBeforeItTriesARefusedPlanAgain) {
    const Offer offer = offer_of({make_record(1, 100)});
    const Actions actions =
        sender.step({now}, Arrived{Refuse{RefuseReason::denied, offer.plan, "no seal", 0}});
    EXPECT_EQ(the(all_of<Trouble>(actions)).refused, RefuseReason::denied);
    EXPECT_TRUE(sender.step({now}, Wake{}).empty());
    EXPECT_GE(sender.next_deadline()->ms, SenderOptions{}.refused_retry_ms / 2);
    the(all_of<MakePlan>(sender.step(*sender.next_deadline(), Tick{})));
}

TEST_F(SenderTest, IsNotImpatientWhileItsOwnReadIsSlow) {
    const Offer offer = offer_of({make_record(1, 100)});
    sender.step({now}, Arrived{want_all(offer, 1, 4000)});
    EXPECT_TRUE(sender.step(*sender.next_deadline(), Tick{}).empty());
}

}  // namespace
}  // namespace tributary::sync
