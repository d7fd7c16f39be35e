// From a record's frame to the plain bytes that its name stands for. Any thread.
#pragma once

#include <array>
#include <span>
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

// unsupported when it stands on more bases than its encoding has use for, corrupt when they are the
// same.
Status check_bases(const RecordHeader& header);

// Plain bytes of what a record stands on, in its header's order; the rest is empty.
using BasePlains = std::array<ByteView, 2>;
BasePlains views_of(std::span<const Bytes> plains);  // at most two

// `frame` is whole: its CRCs were checked when it was read or staged.
Result<Bytes> decode_frame(const RecordKey& key, ByteView frame, const BasePlains& bases,
                           codec::Coder& coder);

}  // namespace tributary
