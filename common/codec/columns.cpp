#include "common/codec/columns.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/limits.h"
#include "common/codec/column_body.h"
#include "common/codec/elements.h"
#include "common/codec/line_index.h"
#include "common/codec/rows.h"

namespace tributary::codec {
namespace {

constexpr std::size_t kBodyLengthBytes = 3;
constexpr std::size_t kCellsMax = 256 * limits::KiB;  // numbers of a piece
constexpr std::size_t kRowsMax = 128 * limits::KiB;
constexpr std::size_t kReshapedMax = 32 * limits::KiB;
constexpr std::size_t kStretchesMax = 16384;
constexpr std::size_t kCopyBytesMin = 64;
constexpr std::size_t kSampleBytes = 16 * limits::KiB;

// A cell is 1 + zigzag(difference); 0 in the payload says that a shape comes first. Differences
// have less than 62 bits, so the top bit is free to say the same in a buffer.
constexpr std::uint64_t kReshaped = std::uint64_t{1} << 63;
constexpr std::uint64_t kShapeFollows = 0;

bool has_mark(ByteView text) {
    return !text.empty() && std::memchr(text.data(), kNumberMark, text.size()) != nullptr;
}

// Rows, then bytes of the base.
struct Stretch {
    std::uint32_t rows = 0;
    std::uint32_t copy_bytes = 0;
    std::uint32_t copy_from = 0;
};

Status damaged() {
    return fail(Errc::corrupt, "the columns of a piece do not decode; fetch it again");
}

}  // namespace

struct ColumnCoder::State {
    struct RowOfPiece {
        std::uint32_t first_cell = 0;
        std::uint16_t of_template = 0;
    };
    struct Reshaped {
        std::uint32_t cell = 0;
        Shape shape;
    };

    Templates templates;
    LineIndex base_lines;
    Row row;
    std::vector<Stretch> stretches;
    std::vector<RowOfPiece> rows;
    Bytes new_templates;                 // their texts
    std::vector<std::uint64_t> cells;    // row by row
    std::vector<Reshaped> reshaped;      // in the order of cells
    std::vector<std::uint32_t> rows_of;  // how many rows each template has
    std::vector<std::uint32_t> row_order;
    std::vector<std::uint32_t> cursors;  // where each column's next cell is in the body
    Bytes body;

    bool take_lines(ByteView plain, ByteView base);
    bool take_row(ByteView line);
    void make_body();
    void put_cells(BodyWriter& out);

    bool read_stretches(BodyReader& in, std::size_t base_bytes);
    bool read_rows(BodyReader& in);
    bool find_columns(BodyReader& in);
    std::uint8_t* print_row(std::uint32_t of_template, std::uint8_t* at, const std::uint8_t* end);
    bool print_stretches(ByteView base, ByteSpan out);
};

ColumnCoder::ColumnCoder() : state_(std::make_unique<State>()) {}
ColumnCoder::~ColumnCoder() = default;

bool ColumnCoder::suits(ByteView plain) {
    State& s = *state_;
    const bool whole = plain.size() <= kSampleBytes;
    ByteView sample = plain.last(std::min(plain.size(), kSampleBytes));
    if (has_mark(sample)) return false;
    if (!whole) sample = sample.subspan(line_bytes(sample));
    std::size_t lines = 0;
    std::size_t alike = 0;
    s.templates.clear();
    for (; !sample.empty(); ++lines) {
        const ByteView line = sample.first(line_bytes(sample));
        sample = sample.subspan(line.size());
        if (!s.row.parse(line)) return false;
        if (s.templates.find(s.row.text()))
            alike += s.row.numbers().empty() ? 0u : 1u;
        else if (!s.templates.add(s.row.text()))
            return false;
    }
    return alike > 0 && 2 * alike >= lines - 1;
}

// ---- writing ----

bool ColumnCoder::State::take_row(ByteView line) {
    if (rows.size() == kRowsMax || !row.parse(line)) return false;
    if (row.numbers().size() > kCellsMax - cells.size()) return false;
    std::optional<std::uint32_t> index = templates.find(row.text());
    if (!index) {
        index = templates.add(row.text());
        if (!index) return false;
        new_templates.insert(new_templates.end(), row.text().begin(), row.text().end());
    }
    templates.use(*index);
    rows.push_back({static_cast<std::uint32_t>(cells.size()), static_cast<std::uint16_t>(*index)});
    Column* column = templates.columns(templates[*index]);
    for (const Number& number : row.numbers()) {
        const Step step = take(*column, number);
        if (step.reshaped) {
            if (reshaped.size() == kReshapedMax) return false;
            reshaped.push_back({static_cast<std::uint32_t>(cells.size()), column->shape});
        }
        cells.push_back((1 + zigzag(step.difference)) | (step.reshaped ? kReshaped : 0));
        ++column;
    }
    return true;
}

bool ColumnCoder::State::take_lines(ByteView plain, ByteView base) {
    stretches.clear();
    rows.clear();
    new_templates.clear();
    cells.clear();
    reshaped.clear();
    Stretch stretch;
    while (!plain.empty()) {
        LineIndex::Match copy;
        if (!base.empty()) copy = base_lines.find(plain);
        if (copy.bytes >= kCopyBytesMin) {
            stretch.copy_bytes = static_cast<std::uint32_t>(copy.bytes);
            stretch.copy_from = static_cast<std::uint32_t>(copy.from);
            stretches.push_back(std::exchange(stretch, {}));
            plain = plain.subspan(copy.bytes);
            continue;
        }
        const std::size_t length = line_bytes(plain);
        if (!take_row(plain.first(length))) return false;
        stretch.rows += 1;
        plain = plain.subspan(length);
    }
    if (stretch.rows != 0) stretches.push_back(stretch);
    return stretches.size() <= kStretchesMax;
}

// Template by template, column by column, the cells of its rows.
void ColumnCoder::State::put_cells(BodyWriter& out) {
    rows_of.assign(templates.size() + 1, 0);
    for (const RowOfPiece& r : rows) ++rows_of[r.of_template + 1u];
    for (std::size_t t = 1; t < rows_of.size(); ++t) rows_of[t] += rows_of[t - 1];
    row_order.resize(rows.size());
    std::vector<std::uint32_t>& next = cursors;
    next.assign(rows_of.begin(), rows_of.end());
    for (const RowOfPiece& r : rows) row_order[next[r.of_template]++] = r.first_cell;
    for (std::size_t t = 0; t < templates.size(); ++t) {
        for (std::uint32_t column = 0; column < templates[t].columns; ++column) {
            for (std::uint32_t i = rows_of[t]; i < rows_of[t + 1]; ++i) {
                const std::uint32_t index = row_order[i] + column;
                const std::uint64_t cell = cells[index];
                if ((cell & kReshaped) != 0) {
                    const auto found = std::lower_bound(
                        reshaped.begin(), reshaped.end(), index,
                        [](const Reshaped& r, std::uint32_t wanted) { return r.cell < wanted; });
                    out.put(kShapeFollows);
                    out.put(found->shape);
                }
                out.put(cell & ~kReshaped);
            }
        }
    }
}

void ColumnCoder::State::make_body() {
    BodyWriter out(body);
    out.put(stretches.size());
    std::uint64_t copied_to = 0;
    for (const Stretch& stretch : stretches) {
        out.put(stretch.rows);
        out.put(stretch.copy_bytes);
        if (stretch.copy_bytes == 0) continue;
        out.put(zigzag(stretch.copy_from - copied_to));
        copied_to = std::uint64_t{stretch.copy_from} + stretch.copy_bytes;
    }
    out.put(new_templates.size());
    out.put(new_templates);
    for (const RowOfPiece& r : rows) out.put(r.of_template);
    put_cells(out);
}

std::size_t ColumnCoder::write(ByteView plain, ByteView base, Effort effort, FrameWriter& frames,
                               ByteSpan out) {
    if (out.size() <= kBodyLengthBytes || has_mark(plain)) return 0;
    State& s = *state_;
    s.templates.clear();
    s.templates.learn_end_of(base);
    s.base_lines.build(base);
    if (!s.take_lines(plain, base)) return 0;
    s.make_body();
    if (s.body.size() > plain.size()) return 0;
    const std::size_t frame = frames.write(effort, s.body, {}, out.subspan(kBodyLengthBytes));
    if (frame == 0) return 0;
    for (std::size_t i = 0; i < kBodyLengthBytes; ++i)
        out[i] = static_cast<std::uint8_t>(s.body.size() >> (8 * i));
    return kBodyLengthBytes + frame;
}

// ---- reading ----

bool ColumnCoder::State::read_stretches(BodyReader& in, std::size_t base_bytes) {
    const std::uint64_t count = in.take();
    if (count > kStretchesMax) return false;
    stretches.clear();
    std::uint64_t row_count = 0;
    std::uint64_t copied_to = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t stretch_rows = in.take();
        const std::uint64_t bytes = in.take();
        std::uint64_t from = 0;
        if (bytes != 0) from = copied_to + unzigzag(in.take());
        row_count += stretch_rows;
        if (!in.ok() || stretch_rows > kRowsMax || row_count > kRowsMax) return false;
        if (from > base_bytes || bytes > base_bytes - from) return false;
        copied_to = from + bytes;
        stretches.push_back({static_cast<std::uint32_t>(stretch_rows),
                             static_cast<std::uint32_t>(bytes), static_cast<std::uint32_t>(from)});
    }
    rows.resize(static_cast<std::size_t>(row_count));
    return true;
}

bool ColumnCoder::State::read_rows(BodyReader& in) {
    ByteView texts = in.take(in.take());
    rows_of.assign(templates.size(), 0);
    for (RowOfPiece& r : rows) {
        const std::uint64_t index = in.take();
        if (!in.ok() || index > templates.size()) return false;
        if (index == templates.size()) {
            const std::size_t length = line_bytes(texts);
            if (length == 0 || !templates.add(texts.first(length))) return false;
            texts = texts.subspan(length);
            rows_of.push_back(0);
        }
        r.of_template = static_cast<std::uint16_t>(index);
        ++rows_of[r.of_template];
    }
    return texts.empty();
}

// Where each column begins, and that all its cells are sound.
bool ColumnCoder::State::find_columns(BodyReader& in) {
    cursors.resize(templates.column_count());
    for (std::size_t t = 0; t < templates.size(); ++t) {
        for (std::uint32_t column = 0; column < templates[t].columns; ++column) {
            cursors[templates[t].column + column] = static_cast<std::uint32_t>(in.position());
            for (std::uint32_t i = 0; i < rows_of[t]; ++i) {
                std::uint64_t cell = in.take();
                if (cell == kShapeFollows) {
                    if (!in.take_shape().valid()) return false;
                    cell = in.take();
                }
                if (cell == kShapeFollows) return false;
            }
        }
    }
    return in.ok() && in.remaining() == 0;
}

// Where the row ends, or null when it does not fit or a value grows too large.
std::uint8_t* ColumnCoder::State::print_row(std::uint32_t of_template, std::uint8_t* at,
                                            const std::uint8_t* end) {
    templates.use(of_template);
    const Templates::Template& t = templates[of_template];
    Column* column = templates.columns(t);
    std::uint32_t* cursor = cursors.data() + t.column;
    for (ByteView text = templates.text(t);;) {
        const void* mark = std::memchr(text.data(), kNumberMark, text.size());
        const std::size_t gap =
            mark == nullptr
                ? text.size()
                : static_cast<std::size_t>(static_cast<const std::uint8_t*>(mark) - text.data());
        if (gap > static_cast<std::size_t>(end - at)) return nullptr;
        at = std::copy_n(text.data(), gap, at);
        if (mark == nullptr) return at;
        text = text.subspan(gap + 1);

        BodyReader in(ByteView(body).subspan(*cursor));
        std::uint64_t cell = in.take();
        if (cell == kShapeFollows) {
            column->reshape(in.take_shape());
            cell = in.take();
        }
        *cursor += static_cast<std::uint32_t>(in.position());
        if (!column->add(unzigzag(cell - 1))) return nullptr;
        std::array<std::uint8_t, kNumberBytesMax> digits;
        const std::size_t size = print(*column, digits.data());
        if (size > static_cast<std::size_t>(end - at)) return nullptr;
        at = std::copy_n(digits.data(), size, at);
        ++column, ++cursor;
        if (text.empty()) return at;
    }
}

bool ColumnCoder::State::print_stretches(ByteView base, ByteSpan out) {
    std::uint8_t* at = out.data();
    const std::uint8_t* const end = out.data() + out.size();
    auto next = rows.begin();
    for (const Stretch& stretch : stretches) {
        for (std::uint32_t i = 0; i < stretch.rows; ++i) {
            at = print_row(next++->of_template, at, end);
            if (at == nullptr) return false;
        }
        if (stretch.copy_bytes > static_cast<std::size_t>(end - at)) return false;
        at = std::copy_n(base.data() + stretch.copy_from, stretch.copy_bytes, at);
    }
    return at == end;
}

Status ColumnCoder::read(ByteView payload, ByteView base, FrameReader& frames, ByteSpan out) {
    ByteReader header(payload);
    std::size_t body_bytes = header.take<std::uint16_t>();
    body_bytes |= std::size_t{header.take<std::uint8_t>()} << 16;
    if (!header.ok() || body_bytes > out.size()) return damaged();
    State& s = *state_;
    s.body.resize(body_bytes);
    if (!frames.read(header.take(header.remaining()), {}, s.body)) return damaged();
    s.templates.clear();
    s.templates.learn_end_of(base);
    BodyReader in(s.body);
    if (!s.read_stretches(in, base.size()) || !s.read_rows(in) || !s.find_columns(in) ||
        !s.print_stretches(base, out))
        return damaged();
    return {};
}

}  // namespace tributary::codec
