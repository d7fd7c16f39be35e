#include "common/trust/token.h"

#include <gtest/gtest.h>

#include "common/hash/hash.h"

namespace tributary::trust {
namespace {

EnrolmentToken example() {
    EnrolmentToken token;
    token.secret.fill(0xA5);
    token.authority = sha256(as_bytes("authority"));
    token.root = sha256(as_bytes("root"));
    token.expires = {1'767'312'000'000};
    token.url = "https://hub.example:8461";
    return token;
}

TEST(TrustTokenText, IsReadBackAsItWas) {
    const auto read = parse_token(" " + encode_token(example()) + "\n");
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_TRUE(*read == example());
}

TEST(TrustTokenText, HasOneForm) {
    EXPECT_EQ(encode_token(example()),
              "tributary1.AaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlj3b9UBu2jvcfTidrwo8pvOEAO"
              "wwsnZR43oG1v8DN4elIE0lNE34WMbujAdWsq257t6p0zhGF1FZWXvUdc3Z3sgAEAXybAQAAGABodHRwc"
              "zovL2h1Yi5leGFtcGxlOjg0NjFMJMeK");
}

TEST(TrustTokenText, WithAnySlipIsRefused) {
    const std::string text = encode_token(example());
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string wrong = text;
        wrong[at] = wrong[at] == 'x' ? 'y' : 'x';
        EXPECT_FALSE(parse_token(wrong)) << at;
        EXPECT_FALSE(parse_token(text.substr(0, at))) << at;
    }
    EXPECT_FALSE(parse_token(text + "A"));
    EXPECT_FALSE(parse_token(std::string(100'000, 'A')));
}

TEST(TrustTokenText, NamesATokenByItsSecretAlone) {
    EXPECT_EQ(token_id(example().secret), sha256(example().secret));
}

}  // namespace
}  // namespace tributary::trust
