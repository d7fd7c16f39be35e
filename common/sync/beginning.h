// What came of a record before the node that receives it was stopped: kept by its owner, so that
// only the rest is sent when it is offered again (Receiver::beginning(), ReceivedBefore).
#pragma once

#include <optional>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/record/record.h"

namespace tributary::sync {

struct Beginning {
    RecordKey key;
    bool based = false;  // as it was asked for: its bases are held
    Bytes bytes;         // of its frame; perhaps of what follows it, too
    bool operator==(const Beginning&) const = default;
};

// A memo that this program alone reads back: no format to be kept.
Bytes encode_beginning(const Beginning& beginning);
// corrupt: these are not bytes that encode_beginning() made.
Result<Beginning> parse_beginning(ByteView bytes);

}  // namespace tributary::sync
