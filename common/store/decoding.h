// From a record's frame to the plain bytes that its name stands for. Any thread.
#pragma once

#include <string>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/codec.h"
#include "common/record/record.h"

namespace tributary {

std::string text_of(const RecordKey& key);

// Whether `plain` is what the key names. A recipe's name is its blob's, so it can only be well
// formed; one that a peer sent is judged by its blob's digest.
bool is_named(const RecordKey& key, ByteView plain);
tl::unexpected<Error> named_otherwise(const RecordKey& key);

// `frame` is whole: its CRCs were checked when it was read or staged. `base`: its base's plain
// bytes, or nothing.
Result<Bytes> decode_frame(const RecordKey& key, ByteView frame, ByteView base,
                           codec::Coder& coder);

}  // namespace tributary
