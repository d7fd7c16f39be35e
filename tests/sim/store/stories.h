// What happens to a store in the crash tests, and what the world outside it knows meanwhile.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/sim/store/sim_vfs.h"
#include "tests/support/store_builder.h"

namespace tributary::test {

inline const std::string kRepo = "lab/model";
inline const std::string kStore = "/data/store";

enum class IndexOn : std::uint8_t { ram, disk };

// With small segments, so that some are sealed, and rows of open ones in the file of the index.
// Outlives its stores.
struct Machine : StoreMachine {
    explicit Machine(IndexOn index = IndexOn::ram, std::uint64_t seed = 1) : StoreMachine(seed) {
        options.segment_bytes = 6 * 1024;
        options.segment_records = 32;  // 2 entries of it in RAM
        if (index == IndexOn::ram) return;
        options.index_path.clear();  // in its place
        vfs = std::make_unique<SimVfs>(files);
    }
    void power_on() {
        files.set_hook({});
        files.restart();
    }
    std::unique_ptr<SimVfs> vfs;  // while the index is on the disk
};

struct Expected {
    std::map<VersionId, Bytes> acknowledged;
    std::map<VersionId, Bytes> planned;  // that and what was under way
    std::set<VersionId> given_up;        // to make room, or about to be
    std::uint64_t recorded_bytes = 0;
    std::uint64_t head_sequence = 0;
    std::string last_error;
};

// Ends at the first error, as when the power is cut.
using Story = std::function<void(StoreMachine&, Expected&)>;

// Commits one version; true when it was acknowledged.
bool commit_one(StoreMachine& machine, Store& store, std::size_t number, std::size_t size,
                Expected& expected);

// Makes a store, commits through several seals, closes and opens it on the way.
void record_story(StoreMachine& machine, Expected& expected);
// A version larger than a batch goes to the log in parts.
void parts_story(StoreMachine& machine, Expected& expected);
// Versions that go to the log in parts are given up half-way, between others that are whole. In
// segments that hold one part, or several.
void drop_story(StoreMachine& machine, Expected& expected);
void drop_in_large_segments_story(StoreMachine& machine, Expected& expected);
// Another store's records and journal come in, as at a hub.
void intake_story(StoreMachine& machine, Expected& expected);
// Old versions are given up and what they took is won back, with work going on between the steps.
void compact_story(StoreMachine& machine, Expected& expected);
// The index is lost and built anew, then more is recorded.
void rebuild_story(StoreMachine& machine, Expected& expected);

// How many effects it takes on a sound disk.
std::uint64_t effects_of(const Story& story, IndexOn index = IndexOn::ram);
// The disk is sound again: everything promised is there, nothing else, and work goes on.
void expect_whole(StoreMachine& machine, const Expected& expected, std::size_t others_max = 1);
// The version that is committed once the trouble is over.
inline constexpr std::size_t kAfterwards = 40;
Bytes version_bytes(std::size_t number, std::size_t size);

}  // namespace tributary::test
