// How device branches fold into a shared branch: one rule for each path, the first glob that fits
// decides, and a default is mandatory.
//
//   # text form: a glob, then its rule; the rule is the last word of a line
//   data/**        union
//   models/*.ckpt  newest
//   default        conflict
//
// Globs: `*` is any run of bytes but '/', `**` any run at all, `?` one byte but '/'; everything
// else is itself. A glob is matched against the whole path.
//
// Canonical form, which the digest covers: u8 form (1), u16 lines, { u16 + glob, u8 rule } each, u8
// default's rule. The order of lines is kept, for it decides.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace tributary::lineage {

// What to do with a path where heads still differ after what is unchanged gave way to what is
// changed. Numbers are stored; ours/theirs, best:<metric>, keep-both and three-way (inside text
// files) get the next ones.
enum class Rule : std::uint8_t {
    conflict_ = 1,  // a conflict, also when one side deleted what another changed
    union_ = 2,     // a change wins over a deletion; two different contents are a conflict
    newest = 3,     // what the head with the latest time says, a deletion too; then the greater id
};
std::string_view name_of(Rule rule);

struct Policy {
    struct Line {
        std::string glob;
        Rule rule{};
        bool operator==(const Line&) const = default;
    };
    std::vector<Line> lines;
    Rule fallback = Rule::conflict_;
    bool operator==(const Policy&) const = default;

    Rule rule_for(std::string_view path) const;
    std::string text() const;
    Bytes canonical() const;
    Digest digest() const;  // sha256_of("tributary/1/policy", canonical)
};

// invalid, naming the line, for an unknown rule or a missing default.
Result<Policy> parse_policy(std::string_view text);
Result<Policy> parse_canonical_policy(ByteView bytes);  // corrupt unless canonical

bool glob_matches(std::string_view glob, std::string_view path);

}  // namespace tributary::lineage
