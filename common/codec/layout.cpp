#include "common/codec/layout.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "common/codec/chunker.h"
#include "common/codec/gguf.h"
#include "common/codec/npy.h"
#include "common/codec/numeric.h"
#include "common/codec/onnx.h"
#include "common/codec/safetensors.h"
#include "common/codec/tflite.h"
#include "common/codec/torch.h"

namespace tributary::codec {
namespace {

using Visit = std::function<Status(const Span&)>;

constexpr std::uint64_t kBlockBytes = 256 * limits::KiB;
constexpr std::uint64_t kBlockRestMin = 64 * limits::KiB;
constexpr std::size_t kNumericSamples = 16;
constexpr std::size_t kReadBytes = 64 * limits::KiB;
constexpr std::uint64_t kBehind = UINT64_MAX;  // in place of a block's number

// Never 0, which means "no name".
std::uint64_t place_of(std::uint64_t name, std::uint64_t block) {
    const std::uint64_t place = (name ^ block) * 0x9e3779b97f4a7c15;
    return place == 0 ? 1 : place;
}

class Cutter {
public:
    Cutter(const ReadAt& read, const Visit& visit) : read_(read), visit_(visit) {}

    // begin .. end by content.
    Status by_content(std::uint64_t begin, std::uint64_t end) {
        buffer_.resize(kReadBytes);
        Chunker chunker;
        std::uint64_t start = begin;
        for (std::uint64_t at = begin; at < end;) {
            const auto want =
                static_cast<std::size_t>(std::min<std::uint64_t>(kReadBytes, end - at));
            TRIBUTARY_ASSIGN(const std::size_t got, read_(at, ByteSpan(buffer_).first(want)));
            if (got != want)
                return fail(Errc::conflict,
                            "the file became shorter while it was read; commit it again when its "
                            "writer has finished");
            at += got;
            for (ByteView rest = ByteView(buffer_).first(got); !rest.empty();) {
                bool ended = false;
                rest = rest.subspan(chunker.take(rest, ended));
                if (!ended) continue;
                TRIBUTARY_TRY(emit_bytes(start, chunker.chunk_bytes()));
                start += chunker.chunk_bytes();
                chunker.start_chunk();
            }
        }
        if (start == end) return {};
        return emit_bytes(start, end - start);
    }

    Status by_tensors(const std::vector<Tensor>& tensors, std::uint64_t file_bytes) {
        if (tensors.empty()) return by_content(0, file_bytes);
        std::uint64_t at = tensors[0].offset;
        TRIBUTARY_TRY(by_content(0, at));
        for (std::size_t i = 0; i < tensors.size();) {
            const std::size_t end = group_end(tensors, i);
            const std::uint64_t begin = tensors[i].offset;
            const Tensor& last = tensors[end - 1];
            at = last.offset + last.bytes;
            TRIBUTARY_TRY(by_blocks(begin, at, tensors[i].type, tensors[i].name,
                                    row_of(std::span(tensors).subspan(i, end - i))));
            const std::uint64_t next = end < tensors.size() ? tensors[end].offset : file_bytes;
            TRIBUTARY_TRY(between(at, next, last.name));
            i = end;
        }
        return {};
    }

    // begin .. end in blocks counted from its start; `name` 0: only their offset tells what they
    // are; `row` 0: no rows.
    Status by_blocks(std::uint64_t begin, std::uint64_t end, ElementType type,
                     std::uint64_t name = 0, std::uint32_t row = 0) {
        const std::uint64_t whole_block = kBlockBytes - kBlockBytes % element_bytes(type);
        std::uint64_t at = begin;
        for (std::uint32_t block = 0; at < end; ++block) {
            std::uint64_t length = std::min(whole_block, end - at);
            if (end - at - length < kBlockRestMin) length = end - at;
            Rows rows{row, 0};
            if (row != 0)
                rows.column = static_cast<std::uint32_t>((at - begin) / element_bytes(type) % row);
            const std::uint64_t place = name == 0 ? 0 : place_of(name, block);
            TRIBUTARY_TRY(
                visit_({at, static_cast<std::uint32_t>(length), type, 0, place, block, rows}));
            at += length;
        }
        return {};
    }

    // Whether most of some evenly spread samples of the file look like numbers.
    Result<bool> is_numeric(std::uint64_t file_bytes) {
        if (file_bytes < kNumericSamples * kNumericSampleBytes) return false;
        const std::uint64_t step = (file_bytes - kNumericSampleBytes) / (kNumericSamples - 1);
        Bytes sample(kNumericSampleBytes);
        std::size_t numeric = 0;
        for (std::size_t i = 0; i < kNumericSamples; ++i) {
            TRIBUTARY_ASSIGN(const std::size_t got, read_(i * step, sample));
            if (looks_numeric(ByteView(sample).first(got))) ++numeric;
        }
        return numeric > kNumericSamples / 2;
    }

private:
    // What lies behind the tensor `name`, and the table does not speak of. What is one chunk in any
    // case is found again by the tensor, whatever lies before both.
    Status between(std::uint64_t begin, std::uint64_t end, std::uint64_t name) {
        if (begin == end || end - begin > kChunkBytesMin) return by_content(begin, end);
        return emit_bytes(begin, end - begin, place_of(name, kBehind));
    }

    // Past the last tensor that shares a piece with `first`: neighbours of one type, together at
    // most a block.
    static std::size_t group_end(const std::vector<Tensor>& tensors, std::size_t first) {
        std::size_t end = first + 1;
        std::uint64_t total = tensors[first].bytes;
        for (; end < tensors.size(); ++end) {
            const Tensor& last = tensors[end - 1];
            const Tensor& next = tensors[end];
            if (next.type != last.type || last.bytes % element_bytes(last.type) != 0 ||
                next.offset != last.offset + last.bytes ||
                next.bytes > kBlockBytes - std::min(total, kBlockBytes))
                break;
            total += next.bytes;
        }
        return end;
    }

    // What fits into the rows of all of them; 0 when one has none.
    static std::uint32_t row_of(std::span<const Tensor> tensors) {
        std::uint32_t row = tensors[0].row;
        for (const Tensor& tensor : tensors)
            row = row == 0 || tensor.row == 0 ? 0 : std::gcd(row, tensor.row);
        return row;
    }

    Status emit_bytes(std::uint64_t offset, std::uint64_t length, std::uint64_t place = 0) {
        return visit_(
            {offset, static_cast<std::uint32_t>(length), ElementType::bytes, 0, place, 0, {}});
    }

    const ReadAt& read_;
    const Visit& visit_;
    Bytes buffer_;
};

using Table = std::optional<std::vector<Tensor>>;

Result<Table> find_table(std::uint64_t bytes, const ReadAt& read) {
    for (const auto reader :
         {read_safetensors, read_gguf, read_npy, read_torch, read_onnx, read_tflite}) {
        TRIBUTARY_ASSIGN(Table tensors, reader(bytes, read));
        if (tensors) return tensors;
    }
    return Table();
}

}  // namespace

Status cut(std::uint64_t bytes, const ReadAt& read, const Visit& visit) {
    TRIBUTARY_ASSIGN(const Table tensors, find_table(bytes, read));
    Cutter cutter(read, visit);
    if (tensors) return cutter.by_tensors(*tensors, bytes);
    TRIBUTARY_ASSIGN(const bool numeric, cutter.is_numeric(bytes));
    // Content that moves everywhere at once has no cuts to find again; its places stay.
    if (numeric) return cutter.by_blocks(0, bytes, ElementType::bytes);
    return cutter.by_content(0, bytes);
}

Result<bool> names_places(std::uint64_t bytes, const ReadAt& read) {
    TRIBUTARY_ASSIGN(const Table tensors, find_table(bytes, read));
    return tensors && std::ranges::any_of(*tensors, [](const Tensor& t) { return t.name != 0; });
}

}  // namespace tributary::codec
