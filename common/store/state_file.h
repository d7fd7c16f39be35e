// State: the third, tiny kind of storage, for counters and intents that change and must survive a
// power cut: two files that are written in turn, each with a checksum.
//
//   NAME.0, NAME.1 = 8 bytes "TRBSTAT1", u64 counter (from 1), u32 length of the payload, payload,
//                    u32 CRC-32C of all bytes before it
//
// Little-endian. The sound file with the greater counter holds the value. save() replaces the other
// one, whole (temporary, sync, rename, directory sync), so no crash leaves a file that is not
// sound: one that is not was damaged, and then the value before stands in for what it held.
//
// One owner at a time: the store's lock sees to it. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/base/limits.h"
#include "common/base/result.h"
#include "common/env/files.h"

namespace tributary {

class StateFile {
public:
    static constexpr std::size_t kPayloadBytesMax = 256 * limits::KiB;

    // `path` is NAME with its folder, which is made when missing. corrupt when there are files but
    // none is sound. `files` outlives it.
    static Result<StateFile> open(Files& files, std::string path);

    // What was saved last; nullopt before the first save().
    const std::optional<Bytes>& value() const { return value_; }
    // One of the two was not sound when opened: value() may be the one before the last.
    bool damaged() const { return damaged_; }

    // Durable when it answers success. After an error value() is unchanged here, and on the disk it
    // is the old or the new one. invalid when it is longer than kPayloadBytesMax.
    Status save(Bytes payload);

private:
    StateFile(Files& files, std::string path) : files_(&files), path_(std::move(path)) {}
    std::string file(unsigned which) const { return path_ + (which == 0 ? ".0" : ".1"); }

    Files* files_;
    std::string path_;
    std::optional<Bytes> value_;
    std::uint64_t counter_ = 0;  // of value_
    unsigned newest_ = 1;        // which file holds value_
    bool damaged_ = false;
};

}  // namespace tributary
