#include "hub/enrol/root_shelf.h"

#include <gtest/gtest.h>

#include "tests/support/sim_clock.h"

namespace tributary::hub {
namespace {

class TrustRootShelf : public testing::Test {
protected:
    Bytes version(std::uint64_t number) {
        Root root;
        root.version = number;
        root.issued = {1};
        root.keys = {signer->public_key()};
        root.hub_keys = {hub->public_key()};
        root.authorities = {Bytes(100, 1)};
        return trust::sign_root(*signer, root).value();
    }
    std::string error_of(std::vector<Bytes> documents) {
        const auto shelf = RootShelf::of(std::move(documents), hub->public_key());
        return shelf ? "" : shelf.error().what;
    }

    test::SimEntropy entropy{3};
    std::unique_ptr<trust::Signer> signer = trust::generate_key(entropy).value();
    std::unique_ptr<trust::Signer> hub = trust::generate_key(entropy).value();
};

TEST_F(TrustRootShelf, GivesWhatABoardLacks) {
    const auto shelf =
        RootShelf::of({version(1), version(2), version(3)}, hub->public_key()).value();
    EXPECT_EQ(shelf.newest().version, 3u);
    EXPECT_EQ(shelf.after(0).size(), 3u);
    EXPECT_EQ(shelf.after(2).size(), 1u);
    EXPECT_EQ(shelf.after(2).front(), version(3));
    EXPECT_EQ(shelf.after(3).size(), 0u);
    EXPECT_EQ(shelf.after(UINT64_MAX).size(), 0u);
}

TEST_F(TrustRootShelf, GivesNoMoreAtOnceThanABoardReads) {
    const auto shelf =
        RootShelf::of({version(1), version(2), version(3)}, hub->public_key()).value();
    const std::size_t one = shelf.document().size();
    EXPECT_EQ(shelf.after(0, 2 * one + one / 2).size(), 2u);
    EXPECT_EQ(shelf.after(0, 1).size(), 1u);
    EXPECT_EQ(shelf.after(2, 1).size(), 1u);
    EXPECT_TRUE(shelf.after(3, 1).empty());
}

TEST_F(TrustRootShelf, TakesNoHistoryThatABoardWouldNotTake) {
    EXPECT_EQ(error_of({version(1)}), "");
    EXPECT_NE(error_of({}), "");
    EXPECT_NE(error_of({version(2)}).find("instead of 1"), std::string::npos);
    EXPECT_NE(error_of({version(1), version(3)}).find("does not follow"), std::string::npos);
    EXPECT_NE(error_of({Bytes(10, 1)}), "");
    const auto other = RootShelf::of({version(1)}, signer->public_key());
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().what.find("does not name this hub's key"), std::string::npos);
}

}  // namespace
}  // namespace tributary::hub
