// How a file is cut into pieces. Deterministic in the bytes alone, bounded in memory, and never an
// error: a strange file falls back to content-defined chunking.
//
// safetensors, GGUF, .npy, PyTorch, ONNX and TFLite: the header is cut by content, tensors in file
// order; consecutive small tensors of one type share a piece up to 256 KiB, larger ones are cut in
// blocks of 256 KiB counted from the tensor's start, so that the same block of two checkpoints
// lines up; a rest below 64 KiB stays with the block before it. What little lies between tensors
// lines up with the tensor before it. Other files whose samples look like numbers are cut in such
// blocks from their start. All else: gear content-defined chunking, 64 KiB to 1 MiB, about 300 KiB
// on average.
#pragma once

#include <cstdint>
#include <functional>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/codec.h"

namespace tributary::codec {

// Random access to the file that is cut: fills `out` from `offset`, fewer bytes only at the end.
using ReadAt = std::function<Result<std::size_t>(std::uint64_t offset, ByteSpan out)>;

struct Span {
    std::uint64_t offset = 0;
    std::uint32_t length = 0;  // 1 .. 1 MiB
    ElementType type = ElementType::bytes;
    std::uint8_t phase = 0;
    // What the span is, for lining it up with the parent version's: a hash of tensor name and block
    // number, or 0 when only its place tells.
    std::uint64_t place = 0;
    std::uint32_t block = 0;  // the number that is part of it
    Rows rows = {};           // of a tensor that has any

    bool operator==(const Span&) const = default;
};

// Cuts a file of `bytes` bytes and hands out its spans in order, without gaps. The file is read
// through `read`, 64 KiB at a time; the tensor table takes at most 5 MiB while it grows. An error
// of `read` or `visit` ends it; conflict when it meets the file's end before `bytes`.
Status cut(std::uint64_t bytes, const ReadAt& read,
           const std::function<Status(const Span&)>& visit);
// Whether a table in it names what lies where: its spans have places.
Result<bool> names_places(std::uint64_t bytes, const ReadAt& read);

}  // namespace tributary::codec
