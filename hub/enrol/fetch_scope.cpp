#include "hub/enrol/fetch_scope.h"

#include <algorithm>
#include <utility>

namespace tributary::hub {

// A small file may be one piece to a board that lost its recipe.
std::vector<ShortName> FetchScope::names_of(const RecordKey& object) {
    std::vector<ShortName> names{shortened(object)};
    if (object.kind == RecordKind::piece)
        names.push_back(shortened({RecordKind::recipe, object.name}));
    return names;
}

void FetchScope::check(const std::string& device, const VersionId& version, const RecordKey& object,
                       Answer answer) {
    forget_question_of(device);
    Question question{device,
                      names_of(object),
                      {Errc::not_found, "version " + version.text() + " of device '" + device +
                                            "' with such an object is not here"},
                      std::move(answer)};
    const auto refuse = [&](bool theirs) {
        question.answer({tl::make_unexpected(question.not_there), theirs});
    };
    const auto too_many = [&] {
        question.answer({fail(Errc::unavailable,
                              "too much is looked through for boards just now; try again in a "
                              "minute")});
    };
    const Catalog& catalog = ledger_.catalog();
    const KnownVersion* held = catalog.version(version);
    if (!held) return refuse(false);
    if (!catalog.may_read(device, *held)) return refuse(true);

    const auto known = std::ranges::find(known_, version, &Known::version);
    if (known != known_.end()) {
        known_.splice(known_.begin(), known_, known);
        const bool needed = std::ranges::any_of(question.names, [&](const ShortName& name) {
            return std::ranges::binary_search(known->needed, name);
        });
        return needed ? question.answer({}) : refuse(true);
    }
    auto walk = std::ranges::find(walks_, version, &Walk::version);
    if (walk != walks_.end()) {
        const bool needed = std::ranges::any_of(question.names, [&](const ShortName& name) {
            return std::ranges::find(walk->needed, name) != walk->needed.end();
        });
        if (needed) return question.answer({});
        if (walk->questions.size() == kQuestionsMax) return too_many();
        walk->questions.push_back(std::move(question));
        return;
    }
    end_walk_of(device);
    if (walks_.size() == kWalksMax) return too_many();
    walk = walks_.insert(
        walks_.end(),
        {device, version, {ledger_.store(), version, VersionNames::Pace::swift}, {}, {}, nullptr});
    walk->questions.push_back(std::move(question));
    go_on(*walk);
}

// It asks again because nobody waits for that answer any more.
void FetchScope::forget_question_of(const std::string& device) {
    for (Walk& walk : walks_) {
        const auto before = std::ranges::find(walk.questions, device, &Question::device);
        if (before == walk.questions.end()) continue;
        Question question = std::move(*before);
        walk.questions.erase(before);
        question.answer({fail(Errc::unavailable, "asked again meanwhile")});
        return;
    }
}

// It wants something else now. Where others wait for the answer it goes on.
void FetchScope::end_walk_of(const std::string& device) {
    std::erase_if(
        walks_, [&](const Walk& walk) { return walk.device == device && walk.questions.empty(); });
}

void FetchScope::go_on(Walk& walk) {
    const auto done = walk.names.step(kRecordsAStep, [&](const RecordKey& key) -> Status {
        need(walk, key);
        if (walk.needed.size() <= kObjectsMax) return {};
        return fail(Errc::exhausted, "version " + walk.version.text() + " needs more than " +
                                         std::to_string(kObjectsMax) +
                                         " objects, too many to have some of them again here; "
                                         "restore it as a whole");
    });
    if (!done) return end(walk, tl::make_unexpected(done.error()));
    if (*done) return end(walk, {});
    walk.timer = loop_.at(loop_.now(), [this, &walk] { go_on(walk); });
}

void FetchScope::need(Walk& walk, const RecordKey& key) {
    const ShortName name = shortened(key);
    walk.needed.push_back(name);
    for (auto question = walk.questions.begin(); question != walk.questions.end();) {
        if (std::ranges::find(question->names, name) == question->names.end()) {
            ++question;
            continue;
        }
        const Answer answer = std::move(question->answer);
        question = walk.questions.erase(question);
        answer({});
    }
}

// Who still asks did not find it.
void FetchScope::end(Walk& walk, const Status& walked) {
    const auto here = std::ranges::find_if(walks_, [&](const Walk& one) { return &one == &walk; });
    std::list<Walk> ended;
    ended.splice(ended.begin(), walks_, here);
    if (walked) {
        std::ranges::sort(walk.needed);
        walk.needed.erase(std::unique(walk.needed.begin(), walk.needed.end()), walk.needed.end());
        known_.push_front({walk.version, std::move(walk.needed)});
        std::size_t remembered = 0;
        for (auto one = known_.begin(); one != known_.end();) {
            remembered += one->needed.size();
            one = remembered > kRememberedMax && one != known_.begin() ? known_.erase(one)
                                                                       : std::next(one);
        }
    }
    for (Question& question : walk.questions)
        question.answer(walked ? Verdict{tl::make_unexpected(question.not_there), true}
                               : Verdict{walked});
}

}  // namespace tributary::hub
