#include "common/base/ids.h"

#include <gtest/gtest.h>

namespace tributary {
namespace {

TEST(Digest, PrintsAndParsesItsTextForm) {
    Digest digest;
    digest.bytes[0] = 0xab;
    digest.bytes[31] = 0x01;
    const std::string text = "sha256:ab" + std::string(60, '0') + "01";
    EXPECT_EQ(digest.text(), text);
    EXPECT_EQ(Digest::parse(text), digest);
}

TEST(Digest, RefusesTextThatIsNotAnId) {
    for (const std::string text : {"", "sha256:", "sha256:AB", "md5:00", "ab"}) {
        const auto parsed = Digest::parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, Errc::invalid);
    }
}

TEST(Digest, StoredFormHasOneSpellingOfNone) {
    Bytes stored;
    ByteWriter writer(stored);
    Digest{}.put(writer);
    EXPECT_EQ(stored, Bytes(33, 0));

    stored[0] = 1;  // the tag of SHA-256 before an all-zero digest
    ByteReader reader(stored);
    EXPECT_FALSE(Digest::take(reader));
}

TEST(DeviceId, AcceptsOnlyTheGivenAlphabet) {
    EXPECT_TRUE(check_device_id("board-7"));
    EXPECT_TRUE(check_device_id(std::string(64, 'a')));
    for (const std::string id : {"", "Board", "a_b", "a/b", "a.b"}) EXPECT_FALSE(check_device_id(id)) << id;
    EXPECT_FALSE(check_device_id(std::string(65, 'a')));
}

TEST(RepoName, IsExactlyTwoSegments) {
    EXPECT_TRUE(check_repo_name("vision/defects"));
    EXPECT_TRUE(check_repo_name("a/b.c_d-e"));
    for (const std::string name : {"", "a", "a/", "/a", "a/b/c", "A/b", "a/..", "../a", ".a/b"})
        EXPECT_FALSE(check_repo_name(name)) << name;
}

TEST(BranchName, RefusesWhatWouldReadAsSomethingElse) {
    EXPECT_TRUE(check_branch_name("main"));
    EXPECT_TRUE(check_branch_name("experiments/lr-0.1"));
    for (const std::string name : {"", "-m", "a..b", "a//b", "/a", "a/", "a~1", "a^", "a@{1}", "a b", "x.lock"})
        EXPECT_FALSE(check_branch_name(name)) << name;
}

}  // namespace
}  // namespace tributary
