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
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "common/env/loop.h"
#include "hub/store/ledger.h"

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
    // The name of an object, shortened: 128 bits of a hash are as good as all against who looks for
    // another object with the same.
    struct Short {
        std::uint64_t a, b;
        auto operator<=>(const Short&) const = default;
    };
    static Short shortened(const RecordKey& key);
    // It, or what stands for it.
    static std::vector<Short> names_of(const RecordKey& object);

    struct Question {
        std::string device;
        std::vector<Short> names;
        Error not_there;
        Answer answer;
    };
    // To be read: a node of a tree, or a file's recipe.
    struct Open {
        Digest id;
        std::optional<std::uint64_t> file_bytes;  // of a file
    };
    struct Walk {
        std::string device;  // that began it
        VersionId version;
        std::vector<Open> open;
        std::unordered_set<Digest> trees;  // seen
        std::vector<Short> needed;
        std::vector<Question> questions;
        std::unique_ptr<Timer> timer;
    };
    struct Known {
        VersionId version;
        std::vector<Short> needed;  // sorted
    };

    void forget_question_of(const std::string& device);
    void end_walk_of(const std::string& device);
    void go_on(Walk& walk);
    Status begin(Walk& walk);
    Status take_tree(Walk& walk, const Digest& id);
    Status take_recipe(Walk& walk, const Digest& file, std::uint64_t bytes);
    void need(Walk& walk, const RecordKey& key);
    void end(Walk& walk, const Status& walked);

    Loop& loop_;
    Ledger& ledger_;
    std::list<Walk> walks_;
    std::list<Known> known_;  // the last one used first
};

}  // namespace tributary::hub
