#include "common/lineage/refs.h"

#include <algorithm>

namespace tributary::lineage {
namespace {

constexpr std::string_view kIdTag = "sha256:";
constexpr std::size_t kPrefixDigitsMin = 4;
constexpr std::size_t kCandidatesShown = 8;
constexpr std::uint32_t kStepMax = 1'000'000;

bool is_digits(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
bool is_id_prefix(std::string_view text) {
    return text.size() >= kPrefixDigitsMin && text.size() <= 2 * kDigestBytes && is_digits(text);
}

bool begins_with_id_tag_in_capitals(std::string_view text) {
    const std::string_view tag = text.substr(0, kIdTag.size());
    return tag.size() == kIdTag.size() &&
           std::equal(tag.begin(), tag.end(), kIdTag.begin(), [](char c, char lower) {
               return c == lower || (c >= 'A' && c <= 'Z' && c - 'A' + 'a' == lower);
           });
}

tl::unexpected<Error> wrong(std::string_view text, std::string_view why) {
    return fail(Errc::invalid,
                "cannot read `" + std::string(text) + "` as a version: " + std::string(why));
}

Status parse_device(std::string_view text, std::string_view name) {
    constexpr std::string_view shape = "write device/ID/BRANCH";
    const std::string_view rest = name.substr(name.find('/') + 1);
    const auto slash = rest.find('/');
    if (slash == rest.npos) return wrong(text, shape);
    if (const auto status = check_device_id(rest.substr(0, slash)); !status)
        return wrong(text, status.error().what);
    std::string_view branch = rest.substr(slash + 1);
    if (const auto at = branch.find('@'); at != branch.npos) {
        if (!Incarnation::parse(branch.substr(at + 1)))
            return wrong(text, "after @ comes an incarnation, 32 hexadecimal digits");
        branch = branch.substr(0, at);
    }
    if (const auto status = check_branch_name(branch); !status)
        return wrong(text, status.error().what);
    return {};
}

Status parse_start(std::string_view text, std::string_view start, RefExpression& out) {
    using Start = RefExpression::Start;
    const auto named = [&](Start kind, std::string_view name) -> Status {
        out.start = kind;
        out.name = name;
        if (const auto status = check_branch_name(name); !status)
            return wrong(text, status.error().what);
        return {};
    };
    if (start.empty()) return wrong(text, "it begins with no branch, tag, alias or id");
    if (start.starts_with(kIdTag)) {
        out.start = Start::id;
        out.name = start.substr(kIdTag.size());
        if (!is_id_prefix(out.name))
            return wrong(text, "after sha256: come 4 to 64 lower-case hexadecimal digits");
        return {};
    }
    if (begins_with_id_tag_in_capitals(start))
        return wrong(text, "ids are written in lower-case letters, such as sha256:0123abcd");
    if (start.front() == '@') return named(Start::alias, start.substr(1));
    if (start.starts_with("tags/")) return named(Start::tag, start.substr(5));
    if (start.starts_with("heads/")) return named(Start::branch, start.substr(6));
    if (start.starts_with("device/")) {
        out.start = Start::device;
        out.name = start;
        return parse_device(text, start);
    }
    return named(Start::name, start);
}

Result<RefExpression::Step> take_step(std::string_view text, std::string_view& rest) {
    RefExpression::Step step{rest.front(), 1};
    rest.remove_prefix(1);
    std::uint32_t count = 0;
    bool counted = false;
    while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
        count = count * 10 + static_cast<std::uint32_t>(rest.front() - '0');
        if (count > kStepMax) return wrong(text, "the number after ~ or ^ is too large");
        rest.remove_prefix(1);
        counted = true;
    }
    if (counted) step.count = count;
    return step;
}

std::string list_of(const std::vector<std::string>& candidates) {
    std::string list;
    for (std::size_t i = 0; i < std::min(candidates.size(), kCandidatesShown); ++i)
        list += "\n  " + candidates[i];
    if (candidates.size() > kCandidatesShown) list += "\n  ...";
    return list;
}

std::string written(const std::string& repo, const std::string& name) {
    return repo.empty() ? name : repo + "/" + name;
}

// not_found: `what`, and which refs there are instead.
Result<VersionId> missing(std::string what, const RefSource& source) {
    if (source.repo.empty()) return fail(Errc::not_found, std::move(what) + " here");
    TRIBUTARY_ASSIGN(const auto names, source.names());
    if (names.empty()) return fail(Errc::not_found, "there is no repository " + source.repo);
    return fail(Errc::not_found, std::move(what) + " in " + source.repo +
                                     "; it has:" + written_refs(source.repo, names));
}

Result<VersionId> resolve_prefix(const std::string& digits, const RefSource& source) {
    // A whole id needs no look-up: what it names need not be held here.
    if (const auto whole = Digest::parse(std::string(kIdTag) + digits)) return VersionId{*whole};
    TRIBUTARY_ASSIGN(auto found, source.by_prefix(digits, kCandidatesShown + 1));
    if (found.empty()) return fail(Errc::not_found, "no version here begins with " + digits);
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    if (found.size() == 1) return found.front();
    std::vector<std::string> candidates;
    for (const VersionId& id : found) candidates.push_back(id.text());
    return fail(Errc::conflict,
                "the id prefix " + digits +
                    " is ambiguous; give more digits of one of these:" + list_of(candidates));
}

Result<VersionId> must_exist(const std::string& ref, std::optional<WallTime> at,
                             const RefSource& source) {
    TRIBUTARY_ASSIGN(const auto found, source.lookup(ref, at));
    if (found) return *found;
    if (at) return fail(Errc::not_found, "there was no " + ref + " at " + to_text(*at));
    return missing("there is no " + ref, source);
}

Result<VersionId> resolve_name(const RefExpression& e, const RefSource& source) {
    TRIBUTARY_ASSIGN(const auto branch, source.lookup(e.name, e.at));
    TRIBUTARY_ASSIGN(const auto tag, source.lookup("tags/" + e.name, e.at));
    if (branch && tag && *branch != *tag)
        return fail(
            Errc::conflict,
            e.name + " is both a branch and a tag; write one of these:" +
                list_of({written(source.repo, "heads/" + e.name) + " (" + branch->text() + ")",
                         written(source.repo, "tags/" + e.name) + " (" + tag->text() + ")"}));
    if (branch) return *branch;
    if (tag) return *tag;
    if (!e.at && is_id_prefix(e.name)) return resolve_prefix(e.name, source);
    if (e.at)
        return fail(Errc::not_found,
                    "there was no branch or tag " + e.name + " at " + to_text(*e.at));
    const bool too_short = is_digits(e.name) && e.name.size() < kPrefixDigitsMin;
    return missing("there is no branch, tag or version " + e.name +
                       (too_short ? " (of an id give at least 4 digits)" : ""),
                   source);
}

Result<VersionId> resolve_start(const RefExpression& e, const RefSource& source) {
    switch (e.start) {
        case RefExpression::Start::id: return resolve_prefix(e.name, source);
        case RefExpression::Start::name: return resolve_name(e, source);
        case RefExpression::Start::branch: return must_exist(e.name, e.at, source);
        case RefExpression::Start::tag: return must_exist("tags/" + e.name, e.at, source);
        case RefExpression::Start::alias: return must_exist("@" + e.name, e.at, source);
        case RefExpression::Start::device: return must_exist(e.name, e.at, source);
    }
    return fail(Errc::invalid, "a version's name of an unknown kind");
}

Result<VersionId> nth_parent(const VersionId& of, std::uint32_t n, const RefSource& source) {
    TRIBUTARY_ASSIGN(const auto parents, source.parents(of));
    if (n <= parents.size()) return parents[n - 1];
    if (parents.empty())
        return fail(Errc::not_found, of.text() + " is the first of its history: it has no parent");
    return fail(Errc::not_found, of.text() + " has " + std::to_string(parents.size()) +
                                     (parents.size() == 1 ? " parent" : " parents") +
                                     ", so there is no ^" + std::to_string(n));
}

Result<VersionId> nth_ancestor(VersionId at, std::uint32_t n, const RefSource& source) {
    for (std::uint32_t i = 0; i < n; ++i) {
        TRIBUTARY_ASSIGN(const auto parents, source.parents(at));
        if (parents.empty())
            return fail(Errc::not_found, "the history begins " + std::to_string(i) +
                                             (i == 1 ? " step" : " steps") + " back, with " +
                                             at.text() + ", so there is no ~" + std::to_string(n));
        at = parents.front();
    }
    return at;
}

}  // namespace

Result<RefExpression> parse_ref(std::string_view text) {
    RefExpression out;
    const std::size_t start_end =
        std::min({text.find('~'), text.find('^'), text.find("@{"), text.size()});
    TRIBUTARY_TRY(parse_start(text, text.substr(0, start_end), out));
    std::string_view rest = text.substr(start_end);
    if (rest.starts_with("@{")) {
        const auto close = rest.find('}');
        if (close == rest.npos) return wrong(text, "the time after @{ is not closed by }");
        out.at = parse_wall_time(rest.substr(2, close - 2));
        if (!out.at) return wrong(text, "write the time like main@{2026-01-31T00:00Z}, in UTC");
        if (out.start == RefExpression::Start::id)
            return wrong(text, "an id never moves; @{TIME} goes with a branch, tag or alias");
        rest.remove_prefix(close + 1);
    }
    while (!rest.empty()) {
        if (rest.front() != '~' && rest.front() != '^')
            return wrong(text, "only ~N and ^N may follow the name and its @{TIME}");
        TRIBUTARY_ASSIGN(const auto step, take_step(text, rest));
        out.steps.push_back(step);
    }
    return out;
}

Result<VersionId> resolve_ref(const RefExpression& expression, const RefSource& source) {
    TRIBUTARY_ASSIGN(VersionId at, resolve_start(expression, source));
    for (const RefExpression::Step& step : expression.steps) {
        if (step.count == 0) continue;
        if (step.kind == '^') {
            TRIBUTARY_ASSIGN(at, nth_parent(at, step.count, source));
            continue;
        }
        TRIBUTARY_ASSIGN(at, nth_ancestor(at, step.count, source));
    }
    return at;
}

Result<VersionId> resolve_ref(std::string_view text, const RefSource& source) {
    TRIBUTARY_ASSIGN(const auto expression, parse_ref(text));
    return resolve_ref(expression, source);
}

std::string written_refs(const std::string& repo, const std::vector<std::string>& names) {
    std::vector<std::string> candidates;
    for (const std::string& name : names) candidates.push_back(written(repo, name));
    return list_of(candidates);
}

}  // namespace tributary::lineage
