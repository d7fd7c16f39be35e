#include "common/record/message.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/sync/builders.h"

namespace tributary::sync {
namespace {

Digest digest(std::uint8_t first) {
    Digest value;
    value.bytes[0] = first;
    return value;
}

std::vector<Body> one_of_each() {
    Hello hello;
    hello.role = Role::hub;
    hello.boot = 5;
    hello.head = {{{1, 2}}, 7, {digest(3)}};
    hello.journals = {hello.head, {{{9}}, 0, {}}};
    hello.epoch = 4;
    hello.receipt_sequence = 6;
    hello.limits = {16 * 1024, 4};
    hello.features = 1;
    hello.software = "tributary-hub 0.1.0";
    hello.proof = {1, 2, 3};
    hello.time_ms = 1'769'817'600'000;
    hello.root_version = 3;
    hello.witness = {{{8}}, 70, {digest(8)}};
    hello.answers = 11;
    hello.number = 12;
    hello.key_changes = {{1, 2}, {3}};
    Offer offer = make_offer(8, {make_record(1, 10), make_record(2, 20, digest(4))});
    offer.entries = {{1, 2, 3}, {4}};
    offer.seal = {5, 6};
    offer.version = {digest(7)};
    return {hello,
            offer,
            Next{8, 1, 2},
            Want{8, 1, 2, {true, false, true}, {false, true, true}, 30, 4096},
            Data{8, 2, 100, {1, 2, 3}},
            Credit{8, 2, 103},
            Done{8, {1}, {{digest(1), "too large"}}},
            Refuse{RefuseReason::busy, 8, "the disk is full", 1000},
            Assign{{1, 2}, {3}, {}},
            Assign{{1}, {2}, CastInvitation{9, Bytes(kCastKeyBytes, 4), {digest(1)}, {digest(2)}}},
            Fragment{9, 3, 70'000, true, 254, 77, 5, Bytes(17, 6)},
            CastReport{9, 2, CastState::leaving, 77, {true, false, true}, {{1, 30}, {3, 0}}}};
}

TEST(SyncMessage, EveryKindComesBackAsItWasSent) {
    for (const Body& body : one_of_each()) {
        const Envelope envelope{42, Channel::push, body};
        const auto payload = encode_message(envelope);
        ASSERT_TRUE(payload) << name_of(body);
        EXPECT_EQ(parse_message(*payload), envelope) << name_of(body);
    }
}

TEST(SyncMessage, TheStatementOfAHelloCoversItsTimeRootVersionAndHead) {
    Hello hello = std::get<Hello>(one_of_each()[0]);
    const Bytes said = hello_statement(1, "board-1", hello);
    ++hello.time_ms;
    const Bytes later = hello_statement(1, "board-1", hello);
    --hello.time_ms;
    ++hello.root_version;
    const Bytes other_root = hello_statement(1, "board-1", hello);
    --hello.root_version;
    ++hello.head.sequence;
    const Bytes other_head = hello_statement(1, "board-1", hello);
    hello.time_ms = hello.root_version = 0;
    const Bytes without = hello_statement(1, "board-1", hello);
    EXPECT_EQ((std::set<Bytes>{said, later, other_root, other_head, without}.size()), 5u);
}

TEST(SyncMessage, TheStatementOfAnAgentsHelloCoversAllThatIsInIt) {
    const Hello hello = std::get<Hello>(one_of_each()[0]);
    std::vector<Hello> others(18, hello);
    others[0].boot++;
    others[1].protocol_min++;
    others[2].protocol_max++;
    others[3].head.sequence++;
    others[4].journals.pop_back();
    others[5].epoch++;
    others[6].receipt_sequence++;
    others[7].limits.frame_bytes++;
    others[8].limits.frames_in_flight++;
    others[9].features++;
    others[10].software += "x";
    others[11].rest_ms++;
    others[12].heartbeat_ms++;
    others[13].root_version++;
    others[14].witness.hash.digest.bytes[0] ^= 1;
    others[15].key_changes = {{1}, {2, 3}};
    others[16].answers++;
    others[17].number++;
    std::set<Bytes> statements = {agent_hello_statement(1, "a", hello),
                                  agent_hello_statement(2, "a", hello),
                                  agent_hello_statement(1, "b", hello)};
    for (const Hello& other : others) statements.insert(agent_hello_statement(1, "a", other));
    EXPECT_EQ(statements.size(), 3 + others.size());
}

TEST(SyncMessage, DamageToAnyByteMakesItCorrupt) {
    for (const Body& body : one_of_each()) {
        Bytes payload = encode_message({42, Channel::uplink, body}).value();
        for (std::uint8_t& byte : payload) {
            byte ^= 0x10;
            const auto parsed = parse_message(payload);
            ASSERT_FALSE(parsed);
            EXPECT_EQ(parsed.error().code, Errc::corrupt);
            byte ^= 0x10;
        }
    }
}

TEST(SyncMessage, EveryShorterFormIsCorrupt) {
    const Bytes payload = encode_message({42, Channel::uplink, one_of_each()[1]}).value();
    for (std::size_t size = 0; size < payload.size(); ++size)
        EXPECT_FALSE(parse_message(ByteView(payload).first(size))) << size;
}

TEST(SyncMessage, IsReadAtAnyAlignment) {
    const Envelope envelope{42, Channel::uplink, one_of_each()[0]};
    Bytes shifted{0};
    const Bytes payload = encode_message(envelope).value();
    shifted.insert(shifted.end(), payload.begin(), payload.end());
    EXPECT_EQ(parse_message(ByteView(shifted).subspan(1)), envelope);
}

TEST(SyncMessage, RefusesToEncodeWhatPassesALimit) {
    Hello hello;
    hello.journals.resize(limits::kHelloJournalsMax + 1);
    Want want{1, 0, 1, {true}, {true}, 0, limits::kCreditBytesMax + 1};
    Offer not_last;
    not_last.plan = 1;
    not_last.entries = {{1}};
    const CastInvitation short_key{1, Bytes(kCastKeyBytes - 1), {digest(1)}, {}};
    CastReport many_lacks{1, 1, CastState::taking_part, 0, {}, {}};
    many_lacks.lacks.resize(kOpenGenerationsMax + 1);
    for (const Body& body :
         {Body(hello), Body(want), Body(not_last), Body(Data{1, 1, 0, {}}),
          Body(Data{1, 1, 0, Bytes(limits::kDataBytesMax + 1)}), Body(Assign{{}, {}, short_key}),
          Body(Fragment{1, 0, 100, false, kFragmentsMax, 1, 0, Bytes(20)}),
          Body(Fragment{1, 0, kGenerationBytesMax + 1, false, 0, 1, 0, Bytes(20)}),
          Body(Fragment{1, 0, 100, false, 0, 1, 0, Bytes(kFragmentTagBytes)}),
          Body(CastReport{
              1, 1, CastState::taking_part, 0, std::vector<bool>(kGenerationsMax + 1), {}}),
          Body(many_lacks)}) {
        const auto payload = encode_message({1, Channel::uplink, body});
        ASSERT_FALSE(payload) << name_of(body);
        EXPECT_EQ(payload.error().code, Errc::invalid);
    }
}

TEST(SyncMessage, FullPageWithTheLongestSealFitsOneFrame) {
    for (const std::size_t bases : {0u, 1u, 3u}) {
        Offer offer;
        offer.plan = 1;
        offer.last = true;
        offer.seal.resize(limits::kSealBytesMax);
        PageBudget budget;
        OfferedObject object = make_record(1, 1).offered;
        object.bases.assign(bases, digest(1));
        while (budget.add(object)) offer.objects.push_back(object);
        const auto payload = encode_message({1, Channel::uplink, offer});
        ASSERT_TRUE(payload) << payload.error().what;
        EXPECT_GT(payload->size(), limits::kOfferBytesMax * 9 / 10);
    }
}

TEST(SyncMessage, ManySmallEntriesOrOneLargestFitOneFrame) {
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{300}, 114 + limits::kEntryBodyBytesMax}) {
        Offer offer;
        offer.plan = 1;
        offer.last = true;
        offer.seal.resize(limits::kSealBytesMax);
        PageBudget budget;
        while (budget.add_entry(size)) offer.entries.emplace_back(size);
        EXPECT_FALSE(offer.entries.empty());
        EXPECT_TRUE(encode_message({1, Channel::uplink, offer}));
    }
}

TEST(SyncMessage, GenerationsAreCutIntoEqualFragmentsThatWasteLittle) {
    EXPECT_EQ(shape_of(kGenerationBytesMax), (GenerationShape{128, kFragmentBytesMax}));
    EXPECT_EQ(shape_of(20 * 1024), (GenerationShape{2, 10 * 1024}));
    EXPECT_EQ(shape_of(1), (GenerationShape{1, 1}));
    for (const std::uint32_t bytes : {16'385u, 50'001u, 1'000'003u}) {
        const GenerationShape shape = shape_of(bytes);
        EXPECT_LE(shape.fragment_bytes, kFragmentBytesMax);
        EXPECT_GE(shape.fragments * shape.fragment_bytes, bytes);
        EXPECT_LT(shape.fragments * shape.fragment_bytes, bytes + shape.fragments);
    }
}

}  // namespace
}  // namespace tributary::sync
