// The names of all records that a version needs, found by a walk through its trees and recipes a
// few records at a time, between the loop's other work.
#pragma once

#include <functional>
#include <optional>
#include <unordered_set>
#include <vector>

#include "common/store/store.h"

namespace tributary::hub {

class VersionNames {
public:
    VersionNames(Store& store, const VersionId& version) : store_(store), version_(version) {}

    using Needs = std::function<Status(const RecordKey&)>;
    // After so many names a step ends sooner; one record may have more.
    static constexpr std::size_t kNamesAStep = 4096;

    // Reads up to `records`, and hands out what is needed: again, when it stands in several places.
    // True: that was all. Fails when something cannot be read, or as `needs` did: then it is over.
    Result<bool> step(std::size_t records, const Needs& needs);

private:
    // To be read: a node of a tree, or a file's recipe.
    struct Open {
        Digest id;
        std::optional<std::uint64_t> file_bytes;  // of a file
    };
    Status begin(const Needs& needs);
    Status take_tree(const Digest& id, const Needs& needs);
    Status take_recipe(const Digest& file, std::uint64_t bytes, const Needs& needs);

    Store& store_;
    VersionId version_;
    bool begun_ = false;
    std::vector<Open> open_;
    std::unordered_set<Digest> trees_;  // seen
};

}  // namespace tributary::hub
