// Reading a segment that has no footer (yet): what is sound, what is damaged, what was torn by a
// crash. Pure; schemas/STORAGE.md, section 9.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/record.h"
#include "common/store/segment.h"

namespace tributary::segment {

// Fills `out` from `offset`, fewer bytes only at the end.
using ReadAt = std::function<Result<std::size_t>(std::uint64_t offset, ByteSpan out)>;

struct Damage {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint64_t batch = 0;       // 0: the header
    std::optional<RecordKey> key;  // when the record's header is sound
};

struct ScannedRecord {
    RecordHeader header;
    std::uint32_t offset = 0;
    // False: it was found by looking for one among damaged bytes, and may as well be a part of a
    // file that was recorded (a segment of another store is full of well-formed records). Its
    // bytes are sound; that they are ours must be borne out by what they say.
    bool shown = true;
};

struct Scan {
    std::optional<Header> header;
    std::uint64_t salt = 0;  // of the header, or of the marks when the header is damaged
    std::vector<Damage> damage;
    // Where sound batches and their marks end, when nothing behind them is wanted: the length to
    // cut the file to. Below the file's length: the rest is a torn tail, or a footer.
    std::uint64_t end = 0;
    std::uint64_t last_batch = 0;     // of the batches kept; first_batch - 1 when there is none
    bool last_acknowledged = false;   // its acknowledged mark is there
    std::uint64_t last_mark_end = 0;  // end of the last kept batch's mark, before its acknowledged
                                      // mark
    std::optional<State> state;       // of the newest sound batch mark
    bool nothing_kept() const { return !header || last_batch + 1 == header->first_batch; }
};

// The names of what is lost; none: not all of it is known.
std::optional<std::vector<RecordKey>> lost_names(const Scan& scan);

// Reads a segment without its footer, as the log's recovery does. A batch is known to be synced
// when its acknowledged mark or the mark of a later batch is there: damage up to its end is damage.
// What follows the last synced batch is either one whole batch or torn. With `all_synced` (a later
// segment exists) nothing can be torn. Each sound record of the batches kept is handed to `visit`
// in order.
//
// Where a record of a damaged batch stands is shown in two ways: sound headers lead to it from the
// start of the batch, or whole records lead from it to the mark that ends the batch.
//
// Fails when `read` or `visit` does, and with `unsupported` at a record of a newer program whose
// place is shown by what stands before it.
Result<Scan> scan(std::uint64_t file_bytes, bool all_synced, const ReadAt& read,
                  const std::function<Status(const ScannedRecord&)>& visit);

}  // namespace tributary::segment
