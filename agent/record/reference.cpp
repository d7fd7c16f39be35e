#include "agent/record/reference.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <vector>

#include "common/lineage/conflict.h"
#include "common/lineage/reference.h"
#include "common/store/branch_history.h"

namespace tributary::agent {
namespace {

using lineage::RefExpression;

// Where a branch stood: in our own journal if it had begun there, else in the others, the one that
// was written last first.
Result<std::optional<VersionId>> head_at(Store& store, const std::string& repo,
                                         std::string_view branch, WallTime at) {
    TRIBUTARY_ASSIGN(std::vector<JournalHead> journals, store.heads());
    const Incarnation own = store.head().incarnation;
    std::ranges::sort(journals, [&](const JournalHead& a, const JournalHead& b) {
        const bool a_other = a.incarnation != own;
        const bool b_other = b.incarnation != own;
        return std::tie(a_other, b.time) < std::tie(b_other, a.time);
    });
    for (const JournalHead& journal : journals) {
        TRIBUTARY_ASSIGN(const std::optional<VersionId> head,
                         branch_head_at(store, journal.incarnation, repo, branch, at));
        if (head) return head;
    }
    return std::nullopt;
}

// The refs of one repository: its branches. Without a repository nothing but ids is found.
lineage::RefSource source_of(Store& store, const std::string& repo) {
    lineage::RefSource source;
    source.repo = repo;
    source.lookup = [&store, repo](const std::string& ref,
                                   std::optional<WallTime> at) -> Result<std::optional<VersionId>> {
        if (repo.empty()) return std::nullopt;
        if (at) return head_at(store, repo, ref, *at);
        TRIBUTARY_ASSIGN(const std::optional<VersionRow> head, find_branch_head(store, repo, ref));
        return head ? std::optional(head->id) : std::nullopt;
    };
    source.by_prefix = [&store](std::string_view digits,
                                std::size_t limit) -> Result<std::vector<VersionId>> {
        TRIBUTARY_ASSIGN(const std::vector<VersionRow> rows,
                         store.versions_by_prefix(digits, limit));
        std::vector<VersionId> ids;
        for (const VersionRow& row : rows) ids.push_back(row.id);
        return ids;
    };
    source.parents = [&store](const VersionId& id) -> Result<std::vector<VersionId>> {
        if (!store.has({RecordKind::version, id.digest}))
            return fail(Errc::not_found,
                        "version " + id.text() + " is not held here, so its parents are not known");
        TRIBUTARY_ASSIGN(const Version version, read_version(store, id));
        return version.parents;
    };
    source.names = [&store, repo]() -> Result<std::vector<std::string>> {
        TRIBUTARY_ASSIGN(const std::vector<VersionRow> rows, store.branches(repo));
        std::set<std::string> names;
        for (const VersionRow& row : rows) names.insert(row.branch);
        return std::vector<std::string>(names.begin(), names.end());
    };
    return source;
}

Status check_kept_here(const RefExpression& expression, std::string_view text) {
    using Start = RefExpression::Start;
    const bool of_hub = expression.start == Start::tag || expression.start == Start::alias ||
                        expression.start == Start::device;
    if (!of_hub) return {};
    return fail(Errc::unsupported,
                "'" + std::string(text) +
                    "': tags, aliases and devices' refs are the hub's; ask it with 'tributary "
                    "show' and write the id here");
}

// Of the repositories held here, those with such a branch.
Result<std::vector<std::string>> repositories_with(Store& store, const std::string& branch) {
    TRIBUTARY_ASSIGN(const std::vector<std::string> repos, store.repositories());
    std::vector<std::string> found;
    for (const std::string& repo : repos) {
        TRIBUTARY_ASSIGN(const std::optional<VersionRow> head,
                         find_branch_head(store, repo, branch));
        if (head) found.push_back(repo);
    }
    return found;
}

// What was written without a repository.
Result<VersionId> resolve_bare(Store& store, std::string_view text, std::string repo) {
    using Start = RefExpression::Start;
    TRIBUTARY_ASSIGN(const RefExpression expression, lineage::parse_ref(text));
    TRIBUTARY_TRY(check_kept_here(expression, text));
    if (repo.empty() && (expression.start == Start::name || expression.start == Start::branch)) {
        TRIBUTARY_ASSIGN(const auto repos, repositories_with(store, expression.name));
        if (repos.size() > 1) {
            std::vector<std::string> choices;
            for (const std::string& each : repos) choices.push_back(each + "/" + std::string(text));
            return fail(Errc::conflict,
                        "more than one repository has a branch '" + expression.name +
                            "'; write one of these:" + lineage::written_refs({}, choices));
        }
        if (repos.size() == 1) repo = repos.front();
    }
    auto resolved = lineage::resolve_ref(expression, source_of(store, repo));
    if (!resolved && resolved.error().code == Errc::not_found && repo.empty())
        resolved.error().what +=
            "; write GROUP/NAME, GROUP/NAME/REF, a branch, or an id as 'tributary-agent log' "
            "shows it";
    return resolved;
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
    TRIBUTARY_ASSIGN(const lineage::Reference written, lineage::parse_reference(text));
    if (written.repo.empty()) return resolve_bare(store, text, repo.value_or(""));
    TRIBUTARY_ASSIGN(const std::vector<std::string> repos, store.repositories());
    if (std::ranges::find(repos, written.repo) != repos.end()) {
        if (const auto expression = lineage::parse_ref(written.ref)) {
            TRIBUTARY_TRY(check_kept_here(*expression, text));
        }
        return lineage::resolve_reference(written, source_of(store, written.repo));
    }
    // Two words may also be a branch with a slash.
    const bool uri = text.starts_with(lineage::kUriScheme);
    if (uri || !lineage::parse_ref(text))
        return fail(Errc::not_found, "there is no repository " + written.repo +
                                         " here; 'tributary-agent log' lists what is");
    return resolve_bare(store, text, repo.value_or(""));
}

Result<Input> resolve_input(Store& store, std::string_view text,
                            const std::optional<std::string>& repo) {
    Input input;
    const std::size_t equals = text.find('=');
    input.role = equals == std::string_view::npos ? "train_data" : text.substr(0, equals);
    if (equals != std::string_view::npos) text.remove_prefix(equals + 1);
    if (input.role.empty() || text.empty()) {
        return fail(Errc::invalid, "an input is [ROLE=]REF, such as base_model=models/cnn/main");
    }
    // There it names an object, not a version: the hub would wait for that without end.
    if (input.role == lineage::kConflictRole)
        return fail(Errc::invalid,
                    "the role 'conflict' belongs to merges of the hub; write another");
    TRIBUTARY_ASSIGN(const VersionId id, resolve_version(store, text, repo));
    input.id = id.digest;
    return input;
}

}  // namespace tributary::agent
