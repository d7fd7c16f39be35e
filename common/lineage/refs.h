// How a person names a version inside a repository. With the repository: reference.h.
//
//   expression = start [ "@{" TIME "}" ] { "~" [N] | "^" [N] }
//   start      = sha256:DIGITS      a whole id, or its first digits (at least 4)
//              | DIGITS             likewise, when no ref has this name
//              | @ALIAS             @production
//              | tags/NAME          a tag
//              | heads/NAME         a shared branch
//              | device/ID/BRANCH[@INCARNATION]
//              | NAME               a shared branch or a tag; ambiguous when they differ
//
// ~N goes N first parents up (~ is ~1); ^N to the N-th parent (^ is ^1, ^0 stays). @{TIME} asks
// what the ref was then: ISO 8601 in UTC, such as main@{2026-01-31T00:00Z}.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace tributary::lineage {

struct RefExpression {
    enum class Start : std::uint8_t { id, name, branch, tag, alias, device };
    struct Step {
        char kind = '~';  // or '^'
        std::uint32_t count = 1;
        bool operator==(const Step&) const = default;
    };

    Start start = Start::name;
    // id: the digits. name, branch, tag: without heads/ or tags/. alias: without the @. device:
    // all of it.
    std::string name;
    std::optional<WallTime> at;
    std::vector<Step> steps;
    bool operator==(const RefExpression&) const = default;
};

// invalid, saying what was expected where.
Result<RefExpression> parse_ref(std::string_view text);

// What resolving needs. Names are full: "main", "tags/v1", "@production",
// "device/board-7/main". A callback's own errors are passed on.
struct RefSource {
    // Where a ref points now, or pointed at a time; nullopt: there is, or was, no such ref.
    std::function<Result<std::optional<VersionId>>(const std::string& ref,
                                                   std::optional<WallTime> at)>
        lookup;
    // Versions whose hexadecimal digits start so, at most `limit`.
    std::function<Result<std::vector<VersionId>>(std::string_view digits, std::size_t limit)>
        by_prefix;
    std::function<Result<std::vector<VersionId>>(const VersionId&)> parents;
    // The repository, for messages; empty: none is meant, so nothing but ids can be found.
    std::string repo;
    // All refs of the repository; asked only for the default branch and when something is missing.
    std::function<Result<std::vector<std::string>>()> names;
};

// not_found, or conflict when the name is ambiguous: the message lists the candidates and how to
// write each. A whole id is its own answer: what it names need not be held here.
Result<VersionId> resolve_ref(const RefExpression& expression, const RefSource& source);
Result<VersionId> resolve_ref(std::string_view text, const RefSource& source);

// The first few of these refs as a list for a message, each as a person may write it.
std::string written_refs(const std::string& repo, const std::vector<std::string>& names);

}  // namespace tributary::lineage
