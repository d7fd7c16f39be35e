// What must hold for every file that is cut: no gaps, pieces of allowed lengths, and the same cuts
// again. Defines the fuzz target of the file that includes it.
//
// Input: u16, eight times which to add behind the given bytes (so that a header can speak of more
// data than a fuzzer would write), then the file.
#pragma once

#include <algorithm>
#include <vector>

#include "common/codec/layout.h"
#include "tests/fuzz/fuzz.h"

using namespace tributary;
using namespace tributary::codec;

namespace {

std::vector<Span> cut_all(const Bytes& file) {
    const ReadAt read = [&](std::uint64_t offset, ByteSpan out) -> Result<std::size_t> {
        TRIBUTARY_CHECK(offset <= file.size());
        const std::size_t from = static_cast<std::size_t>(offset);
        const std::size_t count = std::min(out.size(), file.size() - from);
        std::copy_n(file.data() + from, count, out.begin());
        return count;
    };
    std::vector<Span> spans;
    const Status status = cut(file.size(), read, [&](const Span& span) {
        spans.push_back(span);
        return Status{};
    });
    TRIBUTARY_CHECK(status);
    return spans;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader in({data, size});
    const std::size_t added = in.take<std::uint16_t>();
    const ByteView given = in.take(in.remaining());
    Bytes file(given.begin(), given.end());
    file.resize(file.size() + 8 * added, 7);

    const std::vector<Span> spans = cut_all(file);
    std::uint64_t at = 0;
    for (const Span& span : spans) {
        TRIBUTARY_CHECK(span.offset == at);
        TRIBUTARY_CHECK(span.length > 0 && span.length <= limits::kPieceBytesMax);
        TRIBUTARY_CHECK(span.phase < element_bytes(span.type));
        at += span.length;
    }
    TRIBUTARY_CHECK(at == file.size());
    // Once more only where that is quick: most inputs should be tried, not repeated.
    if (file.size() < 65536) TRIBUTARY_CHECK(spans == cut_all(file));
    return 0;
}
