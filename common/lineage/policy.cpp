#include "common/lineage/policy.h"

#include <algorithm>
#include <array>
#include <optional>

#include "common/base/limits.h"
#include "common/hash/hash.h"

namespace tributary::lineage {
namespace {

constexpr std::uint8_t kForm = 1;
constexpr std::size_t kLinesMax = 1024;
constexpr std::array kRules = {Rule::conflict_, Rule::union_, Rule::newest};

std::string_view trim(std::string_view text) {
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::optional<Rule> parse_rule(std::string_view name) {
    for (const Rule rule : kRules)
        if (name_of(rule) == name) return rule;
    return std::nullopt;
}

std::optional<Rule> rule_of(std::uint8_t number) {
    for (const Rule rule : kRules)
        if (static_cast<std::uint8_t>(rule) == number) return rule;
    return std::nullopt;
}

}  // namespace

std::string_view name_of(Rule rule) {
    switch (rule) {
        case Rule::conflict_: return "conflict";
        case Rule::union_: return "union";
        case Rule::newest: return "newest";
    }
    return "unknown";
}

bool glob_matches(std::string_view glob, std::string_view path) {
    // Rows of reachable positions in `path`, one glob part at a time: linear in glob times path,
    // whatever the pattern.
    std::vector<bool> at(path.size() + 1);
    at[0] = true;
    for (std::size_t g = 0; g < glob.size(); ++g) {
        std::vector<bool> next(path.size() + 1);
        const bool star = glob[g] == '*';
        const bool any = star && g + 1 < glob.size() && glob[g + 1] == '*';
        for (std::size_t p = 0; p <= path.size(); ++p) {
            if (star) {
                next[p] = at[p] || (p > 0 && next[p - 1] && (any || path[p - 1] != '/'));
            } else if (p > 0 && at[p - 1]) {
                const char c = path[p - 1];
                next[p] = glob[g] == '?' ? c != '/' : glob[g] == c;
            }
        }
        if (any) ++g;
        at = std::move(next);
    }
    return at[path.size()];
}

Rule Policy::rule_for(std::string_view path) const {
    const auto line = std::find_if(lines.begin(), lines.end(),
                                   [&](const Line& l) { return glob_matches(l.glob, path); });
    return line == lines.end() ? fallback : line->rule;
}

std::string Policy::text() const {
    std::string text;
    for (const Line& line : lines) text += line.glob + " " + std::string(name_of(line.rule)) + "\n";
    return text + "default " + std::string(name_of(fallback)) + "\n";
}

Bytes Policy::canonical() const {
    TRIBUTARY_CHECK(lines.size() <= kLinesMax);
    Bytes bytes;
    ByteWriter out(bytes);
    out.put(kForm);
    out.put(static_cast<std::uint16_t>(lines.size()));
    for (const Line& line : lines) {
        out.put_short_text(line.glob);
        out.put(static_cast<std::uint8_t>(line.rule));
    }
    out.put(static_cast<std::uint8_t>(fallback));
    return bytes;
}

Digest Policy::digest() const { return sha256_of("tributary/1/policy", canonical()); }

Result<Policy> parse_policy(std::string_view text) {
    Policy policy;
    bool has_default = false;
    std::size_t number = 0;
    while (!text.empty()) {
        const std::string_view whole = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(whole.size() + 1, text.size()));
        ++number;
        const std::string_view line = trim(whole);
        if (line.empty() || line.front() == '#') continue;
        const auto wrong = [&](const std::string& why) {
            return fail(Errc::invalid, "merge policy, line " + std::to_string(number) + ": " + why);
        };
        const auto space = line.find_last_of(" \t");
        if (space == line.npos) return wrong("write a glob and its rule, such as `data/** union`");
        const std::string_view glob = trim(line.substr(0, space));
        const std::string_view word = line.substr(space + 1);
        const auto rule = parse_rule(word);
        if (!rule)
            return wrong("there is no rule `" + std::string(word) +
                         "`; use union, newest or conflict");
        if (has_default) return wrong("the default must be the last line");
        if (glob == "default") {
            policy.fallback = *rule;
            has_default = true;
        } else if (glob.size() > limits::kTextBytesMax || policy.lines.size() == kLinesMax) {
            return wrong("the glob is too long, or there are too many lines");
        } else {
            policy.lines.push_back({std::string(glob), *rule});
        }
    }
    if (!has_default)
        return fail(
            Errc::invalid,
            "the merge policy has no default; end it with a line such as `default conflict`");
    return policy;
}

Result<Policy> parse_canonical_policy(ByteView bytes) {
    const auto corrupt = [] { return fail(Errc::corrupt, "a merge policy is not canonical"); };
    ByteReader in(bytes);
    if (in.take<std::uint8_t>() != kForm) return corrupt();
    const auto count = in.take<std::uint16_t>();
    if (count > kLinesMax) return corrupt();
    Policy policy;
    for (std::size_t i = 0; i < count && in.ok(); ++i) {
        const std::string_view glob = in.take_short_text();
        const auto rule = rule_of(in.take<std::uint8_t>());
        if (!in.ok() || !rule || glob.size() > limits::kTextBytesMax) return corrupt();
        policy.lines.push_back({std::string(glob), *rule});
    }
    const auto fallback = rule_of(in.take<std::uint8_t>());
    if (!in.done() || !fallback) return corrupt();
    policy.fallback = *fallback;
    return policy;
}

}  // namespace tributary::lineage
