// What a board may fetch at the door: objects of versions that it committed or was told to run, and
// nothing else, so that a stolen board does not open the whole store.
//
// Which objects a version needs is found by a walk through its trees and recipes, a few records at
// a time between the loop's other work, once for all who ask meanwhile; the answer to the last
// walks is remembered.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "common/env/loop.h"
#include "common/record/short_name.h"
#include "hub/store/ledger.h"
#include "hub/store/version_names.h"

namespace tributary::hub {

class FetchScope {
public:
    static constexpr std::size_t kRecordsAStep = 64;        // that a walk reads at once
    static constexpr std::size_t kWalksMax = 4;             // at a time
    static constexpr std::size_t kQuestionsMax = 64;        // that wait for one
    static constexpr std::size_t kObjectsMax = 1 << 19;     // of one version; 16 bytes each in RAM
    static constexpr std::size_t kRememberedMax = 1 << 20;  // of all remembered versions together

    struct Verdict {
        // not_found, in the same words, when the version is not held, is not that device's, or does
        // not need the object: nobody learns what others have. unavailable: too many walks now.
        Status may;
        bool theirs = false;  // it is held, and for others
    };
    using Answer = std::function<void(Verdict)>;

    FetchScope(Loop& loop, Ledger& ledger) : loop_(loop), ledger_(ledger) {}

    // Answers now or later, on the loop. A device has one question at a time, and one walk that it
    // began: `answer` of the question before is then called with unavailable.
    void check(const std::string& device, const VersionId& version, const RecordKey& object,
               Answer answer);
    std::size_t walks() const { return walks_.size(); }

private:
    // It, or what stands for it.
    static std::vector<ShortName> names_of(const RecordKey& object);

    struct Question {
        std::string device;
        std::vector<ShortName> names;
        Error not_there;
        Answer answer;
    };
    struct Walk {
        std::string device;  // that began it
        VersionId version;
        VersionNames names;
        std::vector<ShortName> needed;
        std::vector<Question> questions;
        std::unique_ptr<Timer> timer;
    };
    struct Known {
        VersionId version;
        std::vector<ShortName> needed;  // sorted
    };

    void forget_question_of(const std::string& device);
    void end_walk_of(const std::string& device);
    void go_on(Walk& walk);
    void need(Walk& walk, const RecordKey& key);
    void end(Walk& walk, const Status& walked);

    Loop& loop_;
    Ledger& ledger_;
    std::list<Walk> walks_;
    std::list<Known> known_;  // the last one used first
};

}  // namespace tributary::hub
