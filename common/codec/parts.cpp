#include "common/codec/parts.h"

namespace tributary::codec {
namespace {

constexpr std::size_t kLengthBytes = 3;

}  // namespace

void PartWriter::put_number(std::size_t value, std::size_t bytes) {
    fits_ = fits_ && bytes <= out_.size() - at_;
    if (!fits_) return;
    for (std::size_t i = 0; i < bytes; ++i)
        out_[at_++] = static_cast<std::uint8_t>(value >> (8 * i));
}

void PartWriter::put_rest(ByteView bytes) {
    fits_ = fits_ && bytes.size() <= out_.size() - at_;
    if (!fits_) return;
    std::copy(bytes.begin(), bytes.end(), out_.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ += bytes.size();
}

void PartWriter::put_length(std::size_t bytes) { put_number(bytes, kLengthBytes); }

void PartWriter::put(const Encoded& part) {
    put_number(static_cast<std::size_t>(part.encoding), 1);
    put_number(part.payload.size(), kLengthBytes);
    put_rest(part.payload);
    used_base_ = used_base_ || part.uses_base;
}

void PartWriter::put_fields(std::span<const Field> fields, std::uint8_t phase) {
    put_number(phase, 1);
    put_number(fields.size(), 1);
    for (const Field& field : fields) put_number(field.bytes, 2);
}

std::size_t PartReader::length() {
    const std::size_t low = in_.take<std::uint16_t>();
    return low | std::size_t{in_.take<std::uint8_t>()} << 16;
}

PartReader::Part PartReader::part() {
    const auto encoding = in_.take<std::uint8_t>();
    return {encoding, in_.take(length())};
}

PartReader::Shape PartReader::fields() {
    Shape shape;
    shape.phase = in_.take<std::uint8_t>();
    const std::size_t count = in_.take<std::uint8_t>();
    if (count > kFieldsMax) return shape;
    for (std::size_t i = 0; i < count; ++i) {
        shape.widths[i].bytes = in_.take<std::uint16_t>();
        if (shape.widths[i].bytes == 0) return shape;
    }
    shape.count = count;
    return shape;
}

Blocks::Blocks(std::span<const Field> of, std::size_t phase, ByteView plain) : fields(of) {
    for (const Field& field : fields) stride += field.bytes;
    head = plain.first(std::min(phase, plain.size()));
    count = (plain.size() - head.size()) / stride;
    body = plain.subspan(head.size(), count * stride);
    tail = plain.subspan(head.size() + body.size());
}

std::size_t Blocks::offset_of(std::size_t i) const {
    std::size_t offset = 0;
    for (std::size_t k = 0; k < i; ++k) offset += fields[k].bytes;
    return offset;
}

ByteSpan Blocks::room(std::size_t i, Bytes& column) const {
    const std::size_t bytes = count * fields[i].bytes;
    if (column.size() < bytes) column.resize(bytes);
    return ByteSpan(column).first(bytes);
}

ByteView Blocks::gather(std::size_t i, Bytes& column) const {
    const ByteSpan to = room(i, column);
    if (count == 0) return to;  // of nothing there is no address either
    gather_field(body.data() + offset_of(i), stride, fields[i].bytes, count, to.data());
    return to;
}

void Blocks::scatter(std::size_t i, ByteView column, ByteSpan out) const {
    if (count == 0) return;
    scatter_field(column.data(), fields[i].bytes, count, out.data() + head.size() + offset_of(i),
                  stride);
}

}  // namespace tributary::codec
