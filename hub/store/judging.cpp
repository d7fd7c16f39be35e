#include "hub/store/judging.h"

#include <utility>

namespace tributary::hub {
namespace {

// Parents beside which a version is checked; more would only spare reading.
constexpr std::size_t kParentsBeside = 8;

bool is_for_ever(const Error& error) {
    return error.code == Errc::corrupt || error.code == Errc::invalid ||
           error.code == Errc::unsupported;
}

}  // namespace

Judging::Judging(const Catalog& catalog, Store& store, const Incarnation& journal,
                 const std::vector<VersionId>& versions)
    : catalog_(catalog), store_(store), journal_(journal), versions_(versions) {
    begin();
}

void Judging::begin() {
    damaged_records_ = store_.damaged_records();
    questions_.clear();
    open_.reset();
    verdicts_.clear();
    for (const VersionId& version : versions_) questions_.push_back({version});
}

Result<bool> Judging::step(std::size_t records) {
    for (;; --records) {
        // What was found damaged since may be what a verdict rests on.
        if (store_.damaged_records() != damaged_records_) begin();
        if (!open_ && questions_.empty()) return true;
        if (records == 0) return false;
        TRIBUTARY_TRY(next());
    }
}

// One that is known already costs a record as well.
Status Judging::next() {
    if (!open_) {
        const Question question = questions_.front();
        questions_.pop_front();
        if (!question.again && verdicts_.contains(question.id)) return {};
        if (catalog_.version(question.id))
            settle(question, {true, false, {}});
        else
            open(question);
        return {};
    }
    auto verdict = judge(*open_, 1);
    if (verdict && !*verdict) return {};
    const Question question = open_->question;
    open_.reset();
    if (verdict)
        settle(question, **std::move(verdict));
    else if (is_for_ever(verdict.error()))
        settle(question, {false, false, verdict.error().what});
    else if (!question.again)
        return tl::make_unexpected(std::move(verdict).error());
    return {};
}

bool Judging::is_whole(const VersionId& version) const {
    if (catalog_.version(version)) return true;
    const auto judged = verdicts_.find(version);
    return judged != verdicts_.end() && judged->second.whole;
}

void Judging::open(const Question& question) {
    // They were whole when they were taken; what was found damaged since is missed in them as well.
    const bool parents_vouch = catalog_.is_rebuilding() || store_.damaged_records() == 0;
    std::vector<VersionId> beside;
    auto version = read_version(store_, question.id);
    if (version && parents_vouch)
        for (const VersionId& parent : version->parents)
            if (beside.size() < kParentsBeside && is_whole(parent)) beside.push_back(parent);
    open_.emplace(
        Case{question,
             version ? std::optional(*std::move(version)) : std::nullopt,
             MissingSearch(store_, question.id, std::move(beside), ClosureWalk::Pieces::by_recipe),
             false,
             {}});
}

Result<std::optional<Verdict>> Judging::judge(Case& open, std::size_t records) {
    if (!open.searched) {
        TRIBUTARY_ASSIGN(open.searched, open.search.step(records));
        if (!open.searched) return std::nullopt;
        // Not what: that may stand in what others sent, and the device is told why.
        if (open.search.missing())
            return Verdict{false, true, "something that it needs did not arrive",
                           open.search.missing()};
        // Folds state no journal, and what people settle here states ours. Those that the hub made
        // are known by its own word.
        const Incarnation& author = open.version->incarnation;
        if (author.is_none() || catalog_.is_own(author))
            return Verdict{false, false,
                           "it passes for one that the hub made, which the hub did not"};
        open.measure.emplace(open.version->tree, catalog_.extents());
    }
    TRIBUTARY_ASSIGN(const auto extent, open.measure->step(records, tree_loader(store_)));
    if (!extent) return std::nullopt;
    TRIBUTARY_TRY(check_tree_extent(*extent));
    return Verdict{true, false, {}};
}

// A version that is whole may have brought what its parents lacked.
void Judging::settle(const Question& question, Verdict verdict) {
    const bool whole = verdict.whole;
    verdicts_.insert_or_assign(question.id, std::move(verdict));
    if (!whole) return;
    const KnownVersion* known = catalog_.version(question.id);
    const auto version =
        known ? Result<Version>(known->version) : read_version(store_, question.id);
    if (!version) return;
    for (const VersionId& parent : version->parents) {
        const auto judged = verdicts_.find(parent);
        const bool in_vain = judged != verdicts_.end() ? !judged->second.whole
                                                       : catalog_.is_refused(journal_, parent);
        if (in_vain) questions_.push_front({parent, true});
    }
}

}  // namespace tributary::hub
