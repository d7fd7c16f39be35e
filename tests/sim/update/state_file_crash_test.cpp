// Wherever the power is cut while state is saved, the value is the old or the new, never neither.
#include <gtest/gtest.h>

#include "common/store/state_file.h"
#include "tests/support/sim_files.h"

namespace tributary {
namespace {

constexpr const char* kPath = "/state/install";
constexpr std::size_t kSaves = 4;

Bytes value_of(std::size_t number) { return Bytes(700 * number, std::uint8_t(number)); }

// Saves 1 to kSaves; how many were acknowledged.
std::size_t save_all(Files& files) {
    auto state = StateFile::open(files, kPath);
    std::size_t saved = 0;
    while (state && saved < kSaves && state->save(value_of(saved + 1))) ++saved;
    return saved;
}

TEST(StateFileCrash, LeavesTheOldOrTheNewWhereverThePowerIsCut) {
    test::SimFiles dry;
    ASSERT_EQ(save_all(dry), kSaves);
    for (std::uint64_t at = 0; at <= dry.effects(); ++at) {
        for (std::uint64_t seed = 0; seed < 16; ++seed) {
            SCOPED_TRACE("cut before effect " + std::to_string(at) + ", seed " +
                         std::to_string(seed));
            test::SimFiles files;
            files.crash_before_effect(at, seed);
            const std::size_t saved = save_all(files);
            if (at == dry.effects()) files.crash(seed);
            files.set_hook({});
            files.restart();
            const auto state = StateFile::open(files, kPath);
            ASSERT_TRUE(state) << state.error().what;
            EXPECT_FALSE(state->damaged());
            const Bytes found = state->value().value_or(Bytes());
            EXPECT_TRUE(found == value_of(saved) || found == value_of(saved + 1)) << found.size();
        }
    }
}

TEST(StateFileCrash, KeepsAValueThroughFailingDisks) {
    using Effect = test::SimFiles::Effect;
    for (const Effect effect :
         {Effect::create, Effect::append, Effect::sync, Effect::rename, Effect::sync_directory}) {
        for (std::uint64_t nth = 1; nth <= kSaves; ++nth) {
            SCOPED_TRACE("effect " + std::to_string(int(effect)) + ", call " + std::to_string(nth));
            test::SimFiles files;
            auto state = StateFile::open(files, kPath);
            ASSERT_TRUE(state);
            files.fail_call(effect, nth, 5);
            std::size_t saved = 0;
            for (std::size_t i = 1; i <= kSaves; ++i)
                if (state->save(value_of(i))) saved = i;
            EXPECT_EQ(state->value(), value_of(saved));
            files.crash(nth);
            files.restart();
            const auto found = StateFile::open(files, kPath);
            ASSERT_TRUE(found) << found.error().what;
            EXPECT_TRUE(found->value() == value_of(saved) || found->value() == value_of(saved + 1));
        }
    }
}

}  // namespace
}  // namespace tributary
