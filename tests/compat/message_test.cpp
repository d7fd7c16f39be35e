// Messages of sync: each kind once, with every field set, as it went over the wire. A board that
// was installed years ago says these very bytes.
#include <gtest/gtest.h>

#include "common/hash/hash.h"
#include "common/record/message.h"
#include "tests/compat/golden.h"

namespace tributary::sync {
namespace {

Digest digest_of(std::string_view text) { return sha256(as_bytes(text)); }
JournalPoint point_of(std::uint8_t fill, std::uint64_t sequence) {
    JournalPoint point{{}, sequence, {digest_of("head")}};
    point.incarnation.bytes.fill(fill);
    return point;
}

void expect_message(const std::string& name, Channel channel, Body body) {
    SCOPED_TRACE(name);
    const Envelope envelope{0x0123456789abcdef, channel, std::move(body), kProtocol};
    const Bytes golden = golden::flat("message " + name);
    EXPECT_EQ(to_hex(*encode_message(envelope)), to_hex(golden));
    const auto read = parse_message(golden);
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(*read, envelope);
}

Hello hello_of_a_board() {
    Hello hello;
    hello.role = Role::agent;
    hello.boot = 11;
    hello.head = point_of(1, 12);
    hello.journals = {point_of(1, 12), point_of(2, 5)};
    hello.epoch = 3;
    hello.receipt_sequence = 9;
    hello.limits = {4096, 4};
    hello.features = kFeatureCast;
    hello.software = "tributary-agent 0.1.0";
    hello.rest_ms = 60'000;
    hello.heartbeat_ms = 300'000;
    hello.proof = Bytes(64, 7);
    hello.witness = point_of(3, 900);
    hello.answers = 21;
    hello.number = 4;
    hello.key_changes = {Bytes(40, 8)};
    return hello;
}

Hello hello_of_a_hub() {
    Hello hello;
    hello.role = Role::hub;
    hello.boot = 21;
    hello.head = point_of(3, 901);
    hello.journals = {point_of(1, 9)};
    hello.epoch = 3;
    hello.software = "tributary-hub 0.1.0";
    hello.proof = Bytes(64, 9);
    hello.time_ms = 1769817600000;
    hello.root_version = 2;
    return hello;
}

TEST(CompatMessage, IsWrittenAndReadAsEver) {
    const VersionId version{digest_of("version")}, base{digest_of("base")};
    expect_message("hello of a board", Channel::uplink, hello_of_a_board());
    expect_message("hello of a hub", Channel::uplink, hello_of_a_hub());
    const OfferedObject object{
        {RecordKind::piece, digest_of("piece")}, 1'048'576, 500, {digest_of("base piece")}};
    expect_message("offer", Channel::uplink,
                   Offer{5, 1, 2, true, {object}, {Bytes(30, 1)}, Bytes(20, 2), {}});
    expect_message("offer of a version", Channel::push,
                   Offer{6, 0, 1, true, {object}, {}, {}, version});
    expect_message("next", Channel::uplink, Next{5, 1, 3});
    expect_message("next of the whole plan", Channel::uplink, Next{5, 0, 3, true});
    expect_message("want", Channel::uplink,
                   Want{5, 1, 4, {true, false, true}, {true, true, false}, 77, 524'288});
    expect_message("data", Channel::uplink, Data{5, 4, 65'536, Bytes(10, 3)});
    expect_message("credit", Channel::uplink, Credit{5, 4, 131'072});
    expect_message("done", Channel::uplink,
                   Done{5, Bytes(25, 4), {{digest_of("entry"), "did not arrive"}}});
    expect_message("refuse", Channel::push, Refuse{RefuseReason::busy, 6, "later", 30'000});
    expect_message(
        "assign", Channel::push,
        Assign{Bytes(15, 5), Bytes(16, 6), CastInvitation{8, Bytes(32, 7), version, base}});
    expect_message("fragment", Channel::push,
                   Fragment{8, 2, 2'000'000, true, 3, 40, 5, Bytes(48, 8)});
    expect_message("cast report", Channel::push,
                   CastReport{8, 3, CastState::taking_part, 40, {true, false}, {{1, 12}}});
}

}  // namespace
}  // namespace tributary::sync
