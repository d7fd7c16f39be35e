// What came of a record before the link, or the node that receives it, was gone for long: kept by
// its owner, so that only the rest is sent when it is offered again (KeepBeginning,
// Receiver::beginning()).
#pragma once

#include <string_view>

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

// A memo that this program alone reads back: no format to be kept. The checksum covers its owner,
// who is not written, so that no damage hands it to another one; empty: there is but one.
Bytes encode_beginning(const Beginning& beginning, std::string_view owner = {});
// corrupt: these are not bytes that encode_beginning() made for that owner.
Result<Beginning> parse_beginning(ByteView bytes, std::string_view owner = {});

}  // namespace tributary::sync
