// The storages of a file that torch.save or torch.jit.save wrote: a zip archive whose entries
// NAME/data/0, NAME/data/1 ... are the bytes of tensors, stored as they are, and whose entry
// NAME/data.pkl, a pickle, says the type of each. Formats:
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT,
// https://github.com/python/cpython/blob/main/Lib/pickletools.py.
//
// Of the pickle only the words are read, one behind the other: no object is made. The reader
// believes nothing that does not add up.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "common/codec/layout.h"
#include "common/codec/tensor.h"

namespace tributary::codec {

// The storages of at least kTensorBytesMin in file order, without overlaps, inside the file, of
// type bytes where the pickle does not say more. Nullopt for a file that is no such archive, or of
// which they are less than half. Only an error of `read` is an error.
Result<std::optional<std::vector<Tensor>>> read_torch(std::uint64_t file_bytes, const ReadAt& read);

}  // namespace tributary::codec
