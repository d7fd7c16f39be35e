#include "common/trust/fragment.h"

#include <gtest/gtest.h>

#include "tests/support/random.h"

namespace tributary::trust {
namespace {

sync::Fragment some_fragment() { return {9, 3, 70'000, true, 200, 77, 5, {}}; }

TEST(TrustFragment, OpensUnderItsKeyAlone) {
    test::Random random(1);
    const Bytes key = random.bytes(sync::kCastKeyBytes);
    const Bytes plain = random.bytes(1000);
    sync::Fragment fragment = some_fragment();
    fragment.sealed = seal_fragment(key, fragment, plain);
    EXPECT_EQ(fragment.sealed.size(), plain.size() + sync::kFragmentTagBytes);
    EXPECT_EQ(open_fragment(key, fragment), plain);
    const auto other = open_fragment(random.bytes(sync::kCastKeyBytes), fragment);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Errc::denied);
}

TEST(TrustFragment, WhatItSaysOfItselfIsSealedToo) {
    const Bytes key(sync::kCastKeyBytes, 1);
    sync::Fragment fragment = some_fragment();
    fragment.sealed = seal_fragment(key, fragment, Bytes(100, 2));
    for (const auto change :
         {+[](sync::Fragment& f) { ++f.cast; }, +[](sync::Fragment& f) { ++f.generation; },
          +[](sync::Fragment& f) { ++f.generation_bytes; },
          +[](sync::Fragment& f) { f.last = false; }, +[](sync::Fragment& f) { --f.index; },
          +[](sync::Fragment& f) { f.sealed[50] ^= 1; },
          +[](sync::Fragment& f) { f.sealed.pop_back(); },
          +[](sync::Fragment& f) { f.sealed.clear(); }}) {
        sync::Fragment changed = fragment;
        change(changed);
        EXPECT_FALSE(open_fragment(key, changed));
    }
}

TEST(TrustFragment, MayBePublishedAgainAsAnotherMessage) {
    const Bytes key(sync::kCastKeyBytes, 1);
    sync::Fragment fragment = some_fragment();
    fragment.sealed = seal_fragment(key, fragment, Bytes(100, 2));
    fragment.serial += 100;
    fragment.left = 0;
    EXPECT_TRUE(open_fragment(key, fragment));
}

// So that another implementation seals the same.
TEST(TrustFragment, IsSealedAsEver) {
    const Bytes sealed =
        seal_fragment(Bytes(sync::kCastKeyBytes, 7), {1, 2, 3, false, 4, 5, 6, {}}, Bytes{1, 2, 3});
    EXPECT_EQ(to_hex(sealed), "81d188b5b4aa08d309be7c067c0075ca9f2c69");
}

}  // namespace
}  // namespace tributary::trust
