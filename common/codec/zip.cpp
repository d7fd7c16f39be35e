#include "common/codec/zip.h"

#include <algorithm>
#include <array>

#include "common/base/bytes.h"
#include "common/codec/header_bytes.h"

namespace tributary::codec {
namespace {

constexpr std::uint32_t kEntryHeader = 0x04034b50;
constexpr std::size_t kEntryHeaderBytes = 30;
constexpr std::uint32_t kDirectoryHeader = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::size_t kEndBytes = 22;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::size_t kEnd64Bytes = 56;
constexpr std::uint32_t kLocator64 = 0x07064b50;
constexpr std::size_t kLocator64Bytes = 20;
constexpr std::uint16_t kExtra64 = 1;
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kEncrypted = 1;

// A field of 16 or 32 bits that is all ones stands elsewhere, in 64 bits.
constexpr std::uint32_t kElsewhere = UINT32_MAX;
constexpr std::uint16_t kElsewhere16 = UINT16_MAX;

struct Directory {
    std::uint64_t entries = 0;
    std::uint64_t begin = 0;
    std::uint64_t bytes = 0;
};

// The bytes at `offset`, all of them; an empty view when the file has fewer.
Result<ByteView> bytes_at(std::uint64_t offset, ByteSpan out, const ReadAt& read) {
    TRIBUTARY_ASSIGN(const std::size_t got, read(offset, out));
    return got == out.size() ? ByteView(out) : ByteView{};
}

// At the end of a file of which the archive has no comment: what writes checkpoints leaves none.
Result<std::optional<Directory>> find_directory(std::uint64_t file_bytes, const ReadAt& read) {
    std::array<std::uint8_t, kLocator64Bytes + kEndBytes> tail{};
    if (file_bytes < tail.size()) return std::nullopt;
    TRIBUTARY_ASSIGN(const ByteView found, bytes_at(file_bytes - tail.size(), tail, read));
    ByteReader locator(found);
    const bool has_locator = locator.take<std::uint32_t>() == kLocator64;
    locator.take<std::uint32_t>();  // disk
    const auto end64 = locator.take<std::uint64_t>();
    locator.take<std::uint32_t>();  // disks
    ByteReader end = locator;
    if (end.take<std::uint32_t>() != kEnd) return std::nullopt;
    end.take<std::uint32_t>();  // disks
    end.take<std::uint16_t>();  // entries of this disk
    Directory directory;
    directory.entries = end.take<std::uint16_t>();
    directory.bytes = end.take<std::uint32_t>();
    directory.begin = end.take<std::uint32_t>();
    const bool elsewhere = directory.entries == kElsewhere16 || directory.bytes == kElsewhere ||
                           directory.begin == kElsewhere;
    if (end.take<std::uint16_t>() != 0 || !end.done()) return std::nullopt;
    if (!elsewhere) return directory;

    std::array<std::uint8_t, kEnd64Bytes> record{};
    if (!has_locator || end64 > file_bytes || file_bytes - end64 < record.size())
        return std::nullopt;
    TRIBUTARY_ASSIGN(const ByteView wide, bytes_at(end64, record, read));
    ByteReader in(wide);
    if (in.take<std::uint32_t>() != kEnd64) return std::nullopt;
    in.take(28);  // its size, versions, disks, entries of this disk
    directory.entries = in.take<std::uint64_t>();
    directory.bytes = in.take<std::uint64_t>();
    directory.begin = in.take<std::uint64_t>();
    if (!in.done()) return std::nullopt;
    return directory;
}

class Parser {
public:
    Parser(HeaderBytes& in, const std::function<void(const ZipEntry&)>& visit)
        : in_(in), visit_(visit) {}

    bool entry() {
        if (in_.number<std::uint32_t>() != kDirectoryHeader) return false;
        in_.skip(4);  // versions
        const auto flags = in_.number<std::uint16_t>();
        const auto method = in_.number<std::uint16_t>();
        in_.skip(8);  // time, checksum
        const std::uint64_t compressed = in_.number<std::uint32_t>();
        ZipEntry entry;
        entry.bytes = in_.number<std::uint32_t>();
        const std::size_t name_bytes = in_.number<std::uint16_t>();
        const std::uint64_t extra_bytes = in_.number<std::uint16_t>();
        const std::uint64_t comment_bytes = in_.number<std::uint16_t>();
        in_.skip(8);  // disk, attributes
        entry.header = in_.number<std::uint32_t>();
        const std::size_t kept = std::min(name_bytes, name_.size());
        for (std::size_t i = 0; i < kept; ++i) name_[i] = static_cast<char>(in_.take());
        in_.skip(name_bytes - kept);
        const bool placed = extra(entry, compressed, extra_bytes);
        in_.skip(comment_bytes);
        if (in_.ran_out() || !placed) return false;
        entry.name = {name_.data(), kept};
        if (method == kStored && (flags & kEncrypted) == 0) visit_(entry);
        return true;
    }

private:
    // Passes over the extra fields; that of ZIP64 has, in this order, what stands elsewhere.
    bool extra(ZipEntry& entry, std::uint64_t compressed, std::uint64_t bytes) {
        bool elsewhere =
            entry.bytes == kElsewhere || compressed == kElsewhere || entry.header == kElsewhere;
        while (bytes >= 4) {
            const auto id = in_.number<std::uint16_t>();
            std::uint64_t left = in_.number<std::uint16_t>();
            bytes -= 4;
            if (left > bytes) return false;
            bytes -= left;
            if (id == kExtra64 && elsewhere) {
                elsewhere = false;
                const auto take = [&](std::uint64_t& value) {
                    if (value != kElsewhere) return true;
                    if (left < 8) return false;
                    left -= 8;
                    value = in_.number<std::uint64_t>();
                    return true;
                };
                if (!take(entry.bytes) || !take(compressed) || !take(entry.header)) return false;
            }
            in_.skip(left);
        }
        in_.skip(bytes);
        return !elsewhere;
    }

    HeaderBytes& in_;
    const std::function<void(const ZipEntry&)>& visit_;
    std::array<char, kZipNameBytesMax> name_{};
};

}  // namespace

Result<bool> read_zip(std::uint64_t file_bytes, const ReadAt& read,
                      const std::function<void(const ZipEntry&)>& visit) {
    std::optional<Directory> directory;
    TRIBUTARY_ASSIGN(directory, find_directory(file_bytes, read));
    if (!directory || directory->entries > kZipEntriesMax || directory->begin > file_bytes ||
        directory->bytes > file_bytes - directory->begin)
        return false;
    HeaderBytes in(read, directory->begin, directory->begin + directory->bytes);
    Parser parser(in, visit);
    bool parsed = true;
    for (std::uint64_t i = 0; i < directory->entries && parsed; ++i) parsed = parser.entry();
    TRIBUTARY_TRY(in.status());
    return parsed && in.at_end();
}

Result<std::uint64_t> zip_entry_begin(const ZipEntry& entry, std::uint64_t file_bytes,
                                      const ReadAt& read) {
    std::array<std::uint8_t, kEntryHeaderBytes> header{};
    if (entry.header > file_bytes || file_bytes - entry.header < header.size()) return 0;
    TRIBUTARY_ASSIGN(const ByteView found, bytes_at(entry.header, header, read));
    ByteReader in(found);
    if (in.take<std::uint32_t>() != kEntryHeader) return 0;
    in.take(22);  // as in the directory
    const std::uint64_t name_bytes = in.take<std::uint16_t>();
    const std::uint64_t extra_bytes = in.take<std::uint16_t>();
    const std::uint64_t begin = entry.header + header.size() + name_bytes + extra_bytes;
    return begin <= file_bytes && entry.bytes <= file_bytes - begin ? begin : 0;
}

}  // namespace tributary::codec
