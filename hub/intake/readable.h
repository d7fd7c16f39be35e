// Which records a board may read, so that what it is told to be held here says nothing about
// others: what it sent, and what versions need that it recorded or was told to run.
//
// Known in RAM: the names of what it sent last, and, once they were looked through, those of the
// versions nearest to it and of those just before. When that is not enough the board sends bytes
// that are here already; nothing else follows. What it sends of a large version stands in the
// ledger's memo as well, so that a hub that was stopped asks for none of it twice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "common/record/short_name.h"
#include "hub/store/ledger.h"
#include "hub/store/version_names.h"

namespace tributary::hub {

class Readable {
public:
    // Of versions, and as many of what it sent since; about 40 bytes each in RAM.
    static constexpr std::size_t kNearNamesMax = 1 << 15;
    static constexpr std::size_t kSentNamesMax = 1 << 12;        // beside those in the memo
    static constexpr std::uint64_t kSentBytesMax = limits::MiB;  // after so many they go there
    // Versions behind the nearest ones: a record may stand on what is two changes older.
    static constexpr std::uint32_t kGenerationsMax = 8;
    static constexpr std::size_t kLookRecordsMax = kGenerationsMax * kNearNamesMax;
    static constexpr std::size_t kRecordsAStep = 64;

    Readable(std::string device, Ledger& ledger);

    bool contains(const RecordKey& key);
    // Whether all was looked through that contains() may know of.
    bool has_looked() const { return looked_; }
    // Reads kRecordsAStep records for that at most.
    void look();
    // It was told to run something else: also what that needs is its to read.
    void look_anew();

    // It sent this, and it is what its name says.
    void sent(const RecordKey& key, std::uint64_t bytes);
    // What it sent so far belongs to versions that are whole.
    void committed();
    // Its session is over: what can be looked up again is not kept.
    void forget_near();
    // The hub stops: all that it sent goes to the memo.
    void keep_sent();

    // Parents of a version: those that were taken as its own, and those whose statement was taken
    // in the same plan.
    std::vector<VersionId> parents_of(const Version& version);

private:
    struct ToLook {
        VersionId version;
        std::uint32_t generation = 0;
    };

    void begin_to_look();
    void look_next();

    std::string device_;
    Ledger& ledger_;
    std::unordered_set<ShortName> near_;
    // By what it takes of its own alone, whatever the hub found: how long it takes to look, and
    // when it is done anew, tells nothing of how others cut the same files.
    std::size_t looked_through_ = 0;  // records, for what is near
    std::size_t look_ends_ = 0;       // at so many of them
    std::size_t since_looked_ = 0;    // names that came to be near without a look
    bool looked_ = false;
    std::vector<ToLook> to_look_;  // the youngest first
    std::optional<VersionNames> looking_;
    std::unordered_set<ShortName> sent_;
    std::uint64_t sent_bytes_ = 0;
    bool in_memo_ = false;  // some of its names are
};

}  // namespace tributary::hub
