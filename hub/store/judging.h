// Whether versions that a device's journal names can be taken as whole, found out a few records at
// a time, before the entries that name them are taken in.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "common/record/tree_extent.h"
#include "common/store/closure.h"
#include "hub/store/catalog.h"

namespace tributary::hub {

class Judging {
public:
    // Those versions, in the order of their entries; then what they may have made whole of those
    // that `journal` named in vain. All must outlive it.
    Judging(const Catalog& catalog, Store& store, const Incarnation& journal,
            const std::vector<VersionId>& versions);

    // Takes so many records more at most, as ClosureWalk::step() counts. True when all is known.
    // Fails only when the store cannot be read.
    Result<bool> step(std::size_t records);
    const Verdicts& verdicts() const { return verdicts_; }
    Verdicts take_verdicts() { return std::move(verdicts_); }

private:
    struct Question {
        VersionId id;
        bool again = false;  // it was named in vain before
    };
    // The one that is being judged.
    struct Case {
        Question question;
        std::optional<Version> version;  // none: its statement is not here
        MissingSearch search;
        bool searched = false;
        std::optional<TreeMeasure> measure;
    };
    void begin();
    Status next();
    void open(const Question& question);
    // nullopt: not known yet.
    Result<std::optional<Verdict>> judge(Case& open, std::size_t records);
    void settle(const Question& question, Verdict verdict);
    bool is_whole(const VersionId& version) const;

    const Catalog& catalog_;
    Store& store_;
    Incarnation journal_;
    std::vector<VersionId> versions_;
    std::size_t damaged_records_ = 0;  // that the store knew of when it began
    std::deque<Question> questions_;
    std::optional<Case> open_;
    Verdicts verdicts_;
};

}  // namespace tributary::hub
