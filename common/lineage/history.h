// The version graph of parents: who is an ancestor of whom, and where histories part.
//
// Pure: versions come through a callback. Clocks are not believed: a version is numbered when it is
// first seen, after its parents, so whoever reaches it has a greater number, and every question is
// one pass over an array from the greatest number down. Keep one History per repository and hand it
// new heads. It holds some 130 bytes a version it has seen. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/lineage/parting.h"
#include "common/record/version.h"

namespace tributary::lineage {

using LoadVersion = std::function<Result<Version>(const VersionId&)>;

// A version that folds heads and states nothing of its own: no incarnation, no author, two or more
// parents.
bool is_merge(const Version& version);

class History {
public:
    explicit History(LoadVersion load) : load_(std::move(load)) {}
    History(const History&) = delete;
    History& operator=(const History&) = delete;

    Result<Version> load(const VersionId& id) { return load_(id); }

    // Sorted and distinct, without those that are ancestors of others.
    Result<std::vector<VersionId>> independent(std::span<const VersionId> heads);
    // What people and devices said, with all folding undone: merges among `heads` are replaced by
    // their parents until none is left, then independent().
    Result<std::vector<VersionId>> stated_heads(std::span<const VersionId> heads);
    // Where each two of these distinct heads part; what a base's number stands for, id() says.
    Result<Partings> partings(std::span<const VersionId> heads);
    const VersionId& id(std::uint32_t number) const { return *ids_[number]; }

private:
    Result<std::uint32_t> number(const VersionId& id);
    Result<std::vector<std::uint32_t>> numbers(std::span<const VersionId> heads);

    LoadVersion load_;
    std::unordered_map<VersionId, std::uint32_t> numbers_;
    std::vector<const VersionId*> ids_;  // of each number: a key of numbers_
    std::vector<bool> merges_;
    ParentTable parents_;
};

}  // namespace tributary::lineage
