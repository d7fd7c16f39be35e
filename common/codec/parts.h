// The payloads of the encodings that are made of others: runs and fields.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "common/base/bytes.h"
#include "common/codec/blocks.h"
#include "common/codec/codec.h"

namespace tributary::codec {

// Writes into `out` as long as there is room.
class PartWriter {
public:
    explicit PartWriter(ByteSpan out) : out_(out) {}

    // Before the part of a run: its plain length.
    void put_length(std::size_t bytes);
    void put(const Encoded& part);
    // Before the parts of fields.
    void put_fields(std::span<const Field> fields, std::uint8_t phase);
    void put_rest(ByteView bytes);

    // 0 when the room did not suffice.
    std::size_t size() const { return fits_ ? at_ : 0; }
    bool used_base() const { return used_base_; }

private:
    void put_number(std::size_t value, std::size_t bytes);

    ByteSpan out_;
    std::size_t at_ = 0;
    bool fits_ = true;
    bool used_base_ = false;
};

// Past the end there are zeros; ok() tells.
class PartReader {
public:
    struct Part {
        std::uint8_t encoding = 0;
        ByteView payload;
    };
    // Widths alone: what a field is only the encoder has to know.
    struct Shape {
        std::array<Field, kFieldsMax> widths{};
        std::size_t count = 0;
        std::uint8_t phase = 0;
        std::span<const Field> fields() const { return std::span(widths).first(count); }
    };

    explicit PartReader(ByteView in) : in_(in) {}
    std::size_t length();
    Part part();
    // Without fields when the payload is damaged.
    Shape fields();
    ByteView rest(std::size_t bytes) { return in_.take(bytes); }
    ByteView all() { return in_.take(in_.remaining()); }
    bool ok() const { return in_.ok(); }
    bool done() const { return in_.done(); }

private:
    ByteReader in_;
};

// How bytes divide into blocks of fields: those before the first, the blocks, the rest.
struct Blocks {
    // `plain` may be shorter than the phase. `fields` outlives this and is not empty.
    Blocks(std::span<const Field> fields, std::size_t phase, ByteView plain);

    // The column of field i in `column`, which grows when needed.
    ByteView gather(std::size_t i, Bytes& column) const;
    ByteSpan room(std::size_t i, Bytes& column) const;
    // `out` divides as the bytes do that this was made of.
    void scatter(std::size_t i, ByteView column, ByteSpan out) const;

    std::span<const Field> fields;
    std::size_t stride = 0;
    std::size_t count = 0;
    ByteView head;
    ByteView body;
    ByteView tail;

private:
    std::size_t offset_of(std::size_t i) const;
};

}  // namespace tributary::codec
