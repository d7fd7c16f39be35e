// A record that many boards are sent at a time is in RAM once.
#include "hub/intake/push_content.h"

#include <gtest/gtest.h>

#include "tests/support/random.h"
#include "tests/unit/hub/board.h"

namespace tributary::hub {
namespace {

class PushContentTest : public testing::Test {
protected:
    PushContentTest() {
        const Bytes noise = test::Random(1).bytes(PushContent::kSharedBytesMin);
        const VersionId version =
            trainer.commit("fleet/model", {{"weights", std::string(noise.begin(), noise.end())}});
        trainer.bring_to(*home.ledger);
        content.emplace(*home.ledger, PushNeed{{}, version, 65'536});
        EXPECT_TRUE(content->look_through(SIZE_MAX).value());
        key = content->page(0).value()->objects.front().key;
    }
    sync::SharedFrame begin_to_send(bool may_use_base = true) {
        return content->share(key, may_use_base, content->read(key, may_use_base).value().take());
    }

    test::HubHome home{2};
    test::Board trainer{"trainer", 4};
    std::optional<PushContent> content;
    RecordKey key;
};

TEST_F(PushContentTest, HasAFrameOnceForAllThatAreSentIt) {
    EXPECT_FALSE(content->frame(key, true));
    const sync::SharedFrame first = begin_to_send();
    EXPECT_EQ(&*content->frame(key, true), &*first);
    EXPECT_EQ(&*begin_to_send(), &*first) << "two boards asked before it was coded";
    EXPECT_FALSE(content->frame(key, false)) << "that is another one";
}

TEST_F(PushContentTest, HasNoFrameThatNobodyIsSent) {
    begin_to_send();
    EXPECT_FALSE(content->frame(key, true));
    EXPECT_FALSE(begin_to_send()->empty()) << "it is read again";
}

}  // namespace
}  // namespace tributary::hub
