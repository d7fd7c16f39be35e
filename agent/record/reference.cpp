#include "agent/record/reference.h"

#include <algorithm>
#include <set>
#include <vector>

namespace tributary::agent {
namespace {

constexpr std::string_view kDefaultBranch = "main";
constexpr std::string_view kIdPrefix = "sha256:";
constexpr std::size_t kDigitsMin = 4;
constexpr std::size_t kListedMax = 8;  // candidates that an error names

Result<VersionId> head_of_repository(Store& store, const std::string& repo) {
    TRIBUTARY_ASSIGN(const std::optional<VersionRow> main,
                     find_branch_head(store, repo, kDefaultBranch));
    if (main) return main->id;
    TRIBUTARY_ASSIGN(const std::vector<VersionRow> rows, store.branches(repo));
    std::set<std::string> names;
    for (const VersionRow& row : rows) names.insert(row.branch);
    if (names.size() == 1) return rows.front().id;
    std::string what = repo + " has no branch main; say which of its branches:";
    for (const std::string& name : names) what += " " + repo + "@" + name;
    return fail(Errc::invalid, std::move(what));
}

// The heads of all branches of this name.
Result<std::vector<VersionRow>> heads_named(Store& store, std::string_view branch,
                                            const std::optional<std::string>& repo) {
    std::vector<std::string> repos;
    if (repo) {
        repos = {*repo};
    } else {
        TRIBUTARY_ASSIGN(repos, store.repositories());
    }
    std::vector<VersionRow> heads;
    for (const std::string& name : repos) {
        TRIBUTARY_ASSIGN(const std::optional<VersionRow> head,
                         find_branch_head(store, name, branch));
        if (head) heads.push_back(*head);
    }
    return heads;
}

bool is_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<VersionId> by_digits(Store& store, std::string_view digits, std::string_view text) {
    TRIBUTARY_ASSIGN(const std::vector<VersionRow> rows,
                     store.versions_by_prefix(digits, kListedMax));
    std::set<VersionId> ids;
    for (const VersionRow& row : rows) ids.insert(row.id);
    if (ids.size() == 1) return *ids.begin();
    if (ids.empty()) {
        return fail(Errc::not_found, "no version here begins with '" + std::string(text) +
                                         "'; 'tributary-agent log' lists them");
    }
    std::string what = "'" + std::string(text) + "' begins more than one id; write more of it:";
    for (const VersionId& id : ids) what += " " + id.text();
    return fail(Errc::invalid, std::move(what));
}

}  // namespace

Result<std::optional<VersionRow>> find_branch_head(Store& store, const std::string& repo,
                                                   std::string_view branch) {
    TRIBUTARY_ASSIGN(const std::vector<VersionRow> rows, store.branches(repo));
    const Incarnation own = store.head().incarnation;
    const VersionRow* best = nullptr;
    for (const VersionRow& row : rows) {
        if (row.branch != branch) continue;
        const bool is_own = row.incarnation == own;
        if (!best || is_own || (best->incarnation != own && row.time > best->time)) best = &row;
    }
    return best ? std::optional(*best) : std::nullopt;
}

Result<VersionId> resolve_version(Store& store, std::string_view text,
                                  const std::optional<std::string>& repo) {
    // a whole id
    const bool tagged = text.starts_with(kIdPrefix);
    if (tagged && text.size() == kIdPrefix.size() + 2 * kDigestBytes) {
        TRIBUTARY_ASSIGN(const Digest digest, Digest::parse(text));
        return VersionId{digest};
    }
    const std::string_view digits = tagged ? text.substr(kIdPrefix.size()) : text;
    if (!tagged && digits.size() == 2 * kDigestBytes && is_hex(digits)) {
        TRIBUTARY_ASSIGN(const Digest digest,
                         Digest::parse(std::string(kIdPrefix) + std::string(digits)));
        return VersionId{digest};
    }

    // a repository, with or without a branch
    const std::size_t at = text.find('@');
    const std::string before_at(text.substr(0, at));
    if (!tagged && check_repo_name(before_at)) {
        TRIBUTARY_ASSIGN(const std::vector<std::string> repos, store.repositories());
        const bool held = std::find(repos.begin(), repos.end(), before_at) != repos.end();
        if (held && at == std::string_view::npos) return head_of_repository(store, before_at);
        if (held) {
            const std::string_view branch = text.substr(at + 1);
            TRIBUTARY_ASSIGN(const std::optional<VersionRow> head,
                             find_branch_head(store, before_at, branch));
            if (head) return head->id;
            return fail(Errc::not_found, before_at + " has no branch '" + std::string(branch) +
                                             "' here; 'tributary-agent log " + before_at +
                                             "' shows its branches");
        }
    }

    // a branch
    if (!tagged && check_branch_name(text)) {
        TRIBUTARY_ASSIGN(const std::vector<VersionRow> heads, heads_named(store, text, repo));
        if (heads.size() == 1) return heads.front().id;
        if (heads.size() > 1) {
            std::string what =
                "more than one repository has a branch '" + std::string(text) + "'; say which:";
            for (std::size_t i = 0; i < std::min(heads.size(), kListedMax); ++i) {
                what += " " + heads[i].repo + "@" + heads[i].branch;
            }
            return fail(Errc::invalid, std::move(what));
        }
    }

    // the first digits of an id
    if (is_hex(digits) && digits.size() >= kDigitsMin && digits.size() < 2 * kDigestBytes) {
        return by_digits(store, digits, text);
    }
    return fail(Errc::not_found, "nothing here is called '" + std::string(text) +
                                     "'; write GROUP/NAME, GROUP/NAME@BRANCH, a branch, or an " +
                                     "id as 'tributary-agent log' shows it");
}

Result<Input> resolve_input(Store& store, std::string_view text,
                            const std::optional<std::string>& repo) {
    Input input;
    const std::size_t equals = text.find('=');
    input.role = equals == std::string_view::npos ? "train_data" : text.substr(0, equals);
    if (equals != std::string_view::npos) text.remove_prefix(equals + 1);
    if (input.role.empty() || text.empty()) {
        return fail(Errc::invalid, "an input is [ROLE=]REF, such as base_model=models/cnn@main");
    }
    TRIBUTARY_ASSIGN(const VersionId id, resolve_version(store, text, repo));
    input.id = id.digest;
    return input;
}

}  // namespace tributary::agent
