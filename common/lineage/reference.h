// How a person names a version among all repositories: the same on a board and on the hub.
//
//   reference = GROUP/NAME [ "/" expression | suffixes ]     expression, suffixes: refs.h
//             | expression                                   an id; or a ref, when it is clear
//                                                            which repository's
//             | tributary://GROUP/NAME [ "/" REF [ "/" PATH ]]
//
// A repository's name is two segments, so what follows the second slash is the ref. GROUP/NAME
// alone means its branch main, or its only one. In a URI, REF is one segment: the slashes inside it
// are written %2F, and what follows it is a path below the version's root. There %XX stands for any
// byte but NUL.
#pragma once

#include <string>
#include <string_view>

#include "common/lineage/refs.h"

namespace tributary::lineage {

inline constexpr std::string_view kUriScheme = "tributary://";

struct Reference {
    std::string repo;  // a valid name, of a repository that may not exist; empty: none was written
    std::string ref;   // an expression, not yet read; only its suffixes ("~2", ""): the default
                       // branch of `repo`
    std::string path;  // only of a URI: its components with / between; empty: the root
    bool operator==(const Reference&) const = default;
};

// Text that begins with two segments that could be a repository's name is read so, although it
// could be a branch with a slash: who knows the repositories decides. invalid, saying what to write
// instead, for a URI that is none and for GROUP/NAME@ANYTHING.
Result<Reference> parse_reference(std::string_view text);

// `source` is of reference.repo. Errors as in resolve_ref(); also invalid when there is a path, for
// here a version is meant.
Result<VersionId> resolve_reference(const Reference& reference, const RefSource& source);

}  // namespace tributary::lineage
