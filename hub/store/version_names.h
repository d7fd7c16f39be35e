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
    enum class Pace : std::uint8_t {
        swift,
        // As many steps however its files were cut, by whomever. Of one that was cut much finer
        // than boards do it, the recipe alone is handed out.
        even,
    };
    VersionNames(Store& store, const VersionId& version, Pace pace)
        : store_(store), version_(version), pace_(pace) {}

    using Needs = std::function<Status(const RecordKey&)>;
    // After so many names a swift step ends sooner; one record may have more.
    static constexpr std::size_t kNamesAStep = 4096;
    // At an even pace a file counts as a record, and as one more for each of so many bytes, with
    // so many pieces each at most.
    static constexpr std::uint64_t kFileBytesARecord = 256 * limits::KiB;
    static constexpr std::uint64_t kPiecesARecord = 64;

    // Reads up to `records`, and hands out what is needed: again, when it stands in several places.
    // True: that was all. Fails when something cannot be read, or as `needs` did: then it is over.
    Result<bool> step(std::size_t records, const Needs& needs);
    // Records so far.
    std::size_t taken() const { return taken_; }

private:
    // To be read: a node of a tree, or a file.
    struct Open {
        Digest id;
        std::optional<std::uint64_t> file_bytes;  // of a file
    };
    Status begin(const Needs& needs);
    Status next(const Needs& needs);
    Status take_tree(const Digest& id, const Needs& needs);
    Status take_file(const Digest& file, std::uint64_t bytes, const Needs& needs);
    bool is_over() const { return begun_ && open_.empty() && owed_ == 0; }

    Store& store_;
    VersionId version_;
    Pace pace_;
    bool begun_ = false;
    std::size_t taken_ = 0;
    std::uint64_t owed_ = 0;  // records that the file read last counts beside itself
    std::vector<Open> open_;
    std::unordered_set<Digest> trees_;  // seen
};

}  // namespace tributary::hub
