// The central directory of a zip archive, ZIP64 included: what lies where in it. Format:
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "common/base/result.h"
#include "common/codec/layout.h"

namespace tributary::codec {

// An entry that is stored as it is, neither compressed nor encrypted.
struct ZipEntry {
    std::string_view name;  // valid during the visit; at most kZipNameBytesMax of it
    std::uint64_t header = 0;
    std::uint64_t bytes = 0;
};
inline constexpr std::size_t kZipNameBytesMax = 1024;
inline constexpr std::uint64_t kZipEntriesMax = 1 << 20;

// Hands out the entries in the directory's order; those that are compressed are left out. False for
// a file that is no zip archive, or whose directory lies. Only an error of `read` is an error.
Result<bool> read_zip(std::uint64_t file_bytes, const ReadAt& read,
                      const std::function<void(const ZipEntry&)>& visit);

// Where the entry's bytes begin, as its own header says. 0 when they would not end inside the file.
Result<std::uint64_t> zip_entry_begin(const ZipEntry& entry, std::uint64_t file_bytes,
                                      const ReadAt& read);

}  // namespace tributary::codec
