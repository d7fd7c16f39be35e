// A copy of a log that grows with it, made beside the log's owner, who may go on writing.
//
// It takes no lock. A segment that is not the newest never changes, so it is copied once; of the
// newest one all whole batches are taken, and the next time what came since. What is copied
// is read back and checked as recovery does. All of it together is a log as a power cut might have
// left it: a store opens on it.
//
// A copy's files are as trustworthy as `SegmentCopy`s that name their length and digest: what lies
// behind that length, or in files that none names, is the rest of a copying that was cut short.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/env/files.h"

namespace tributary {

struct SegmentCopy {
    std::uint32_t number = 0;
    std::uint64_t bytes = 0;
    Digest sha256;
    std::vector<std::string> damage;  // in these bytes, which are the log's all the same
    std::string file() const;         // below the copy's directory, as below the store's
};

struct LogCopy {
    std::vector<SegmentCopy> segments;  // in order of number
    // The small files beside the segments, by name, as they were before the segments were read.
    std::map<std::string, Bytes> others;
    std::uint64_t copied_bytes = 0;  // new ones
    // What is wrong in the log, each with its place, that of the segments included. Damaged bytes
    // are copied as they are; of what the log has lost the earlier copy is kept.
    std::vector<std::string> damage;
};

// `before`: the copies of an earlier run that are in `directory`. Durable when it answers success;
// until then they are as they were, whatever comes between. conflict: the log does not go on from
// them, it is another one or was put back.
Result<LogCopy> copy_log(Files& files, const std::string& store, const std::string& directory,
                         const std::vector<SegmentCopy>& before,
                         const std::function<void(std::string_view what, std::uint64_t done,
                                                  std::uint64_t total)>& progress = {});

// SHA-256 of the first bytes of a file; corrupt when it is shorter.
Result<Digest> sha256_of_file(Files& files, const std::string& path, std::uint64_t bytes);

}  // namespace tributary
