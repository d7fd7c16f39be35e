// Damage to the small files beside the store: what is read is what was written, or nothing.
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "agent/app/hardware.h"
#include "agent/sync/pins.h"
#include "agent/sync/sync_state.h"
#include "common/hash/hash.h"
#include "common/trust/trust.h"
#include "tests/support/random.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_files.h"

namespace tributary::agent {
namespace {

using test::Random;

const std::string kPath = "/state/file";

class StateDamage : public testing::Test {
protected:
    StateDamage() { EXPECT_TRUE(files.make_directories("/state")); }

    // `is_right`: true when the file is read as what was written, false when it is not read.
    // Answers how often it was not.
    std::size_t damage_all(const std::function<bool()>& is_right) {
        const Bytes sound = read_file(files, kPath, 1 << 20).value();
        std::size_t noticed = 0;
        const auto damage = [&](const std::function<void(Bytes&)>& change) {
            files.rewrite(kPath, [&](Bytes& bytes) { change(bytes = sound); });
            if (!is_right()) ++noticed;
        };
        EXPECT_TRUE(is_right());
        Random random(20261121);
        for (int i = 0; i < 1000; ++i)
            damage([&](Bytes& bytes) {
                bytes[random.below(bytes.size())] ^=
                    static_cast<std::uint8_t>(1U << random.below(8u));
            });
        for (int i = 0; i < 100; ++i)
            damage([&](Bytes& bytes) { bytes.resize(random.below(bytes.size())); });
        for (std::size_t from = 0; from < sound.size(); from += 512)
            damage([&](Bytes& bytes) {
                const std::size_t to = std::min(from + 512, bytes.size());
                for (std::size_t at = from; at < to; ++at) bytes[at] = 0;
            });
        return noticed;
    }

    test::SimFiles files;
    test::SimEntropy entropy{1};
};

TEST_F(StateDamage, OfPinsIsNeverReadAsOthers) {
    const auto hub = trust::generate_key(entropy).value();
    const auto person = trust::generate_key(entropy).value();
    Incarnation journal;
    journal.bytes.fill(3);
    const Pins pins{"board", journal, "hub", {hub->public_key()}, {person->public_key()}, 1};
    ASSERT_TRUE(save_pins(files, kPath, pins));
    const std::size_t noticed = damage_all([&] {
        const auto read = load_pins(files, kPath);
        EXPECT_TRUE(!read || *read == pins);
        return read.has_value();
    });
    EXPECT_GT(noticed, 1000u);
}

TEST_F(StateDamage, OfWhatSyncRemembersIsNeverReadAsAnother) {
    Incarnation journal;
    journal.bytes.fill(3);
    const SyncState state{123'456, {VersionId{sha256(as_bytes("a"))}}, 7, journal};
    ASSERT_TRUE(save_sync_state(files, kPath, state));
    const std::size_t noticed = damage_all([&] {
        const SyncState read = load_sync_state(files, kPath);
        EXPECT_TRUE(read == state || read == SyncState{});
        return read == state;
    });
    EXPECT_GT(noticed, 1000u);
}

TEST_F(StateDamage, OfTheNotedMachineIsNeverReadAsAnotherMachine) {
    const Hardware hardware{{{"serial", {"aa"}}, {"network", {"bb", "cc"}}}};
    ASSERT_TRUE(save_hardware(files, kPath, hardware));
    const std::size_t noticed = damage_all([&] {
        const auto read = load_hardware(files, kPath);
        EXPECT_TRUE(!read || *read == hardware);
        return read.has_value();
    });
    EXPECT_GT(noticed, 1000u);
}

TEST_F(StateDamage, OfTheKeyIsNeverReadAsAKeyThatSignsOtherwise) {
    const auto key = trust::create_key(files, entropy, kPath).value();
    const Digest digest = sha256(as_bytes("what is signed"));
    const Bytes signature = key->sign(trust::kSealPurpose, digest).value();
    damage_all([&] {
        const auto read = trust::load_key(files, kPath);
        if (!read) return false;
        EXPECT_EQ((*read)->public_key(), key->public_key());
        EXPECT_EQ((*read)->sign(trust::kSealPurpose, digest).value(), signature);
        return true;
    });
}

}  // namespace
}  // namespace tributary::agent
