#include <gtest/gtest.h>

#include <string>

#include "common/hash/hash.h"

namespace tributary {
namespace {

// FIPS 180-4 examples.
TEST(Sha256, AgreesWithTheStandardsExamples) {
    EXPECT_EQ(to_hex(sha256({}).bytes),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(to_hex(sha256(as_bytes("abc")).bytes),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(
        to_hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).bytes),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(to_hex(sha256(Bytes(1000000, 'a')).bytes),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, GivesTheSameInSteps) {
    const std::string text(100000, 'x');
    Sha256 hasher;
    for (std::size_t at = 0; at < text.size(); at += 777)
        hasher.update(as_bytes(std::string_view(text).substr(at, 777)));
    EXPECT_EQ(hasher.finish(), sha256(as_bytes(text)));
}

TEST(Sha256, StartsAgainAfterReset) {
    Sha256 hasher;
    hasher.update(as_bytes("something else"));
    hasher.reset();
    hasher.update(as_bytes("abc"));
    EXPECT_EQ(hasher.finish(), sha256(as_bytes("abc")));
}

TEST(Sha256, OneHasherIsNotDisturbedByAnother) {
    Sha256 outer;
    outer.update(as_bytes("ab"));
    sha256(as_bytes("between"));
    outer.update(as_bytes("c"));
    EXPECT_EQ(outer.finish(), sha256(as_bytes("abc")));
}

TEST(Sha256Of, PutsPurposeAndAZeroByteBeforeTheBytes) {
    EXPECT_EQ(sha256_of("p", as_bytes("q")), sha256(as_bytes(std::string_view("p\0q", 3))));
    EXPECT_NE(sha256_of("pq", {}), sha256_of("p", as_bytes("q")));
}

}  // namespace
}  // namespace tributary
