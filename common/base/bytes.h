// Byte buffers and the little-endian reader and writer that every fixed format of ours is built on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace tributary {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using ByteSpan = std::span<std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Lower-case hexadecimal.
std::string to_hex(ByteView bytes);
// False unless `hex` is exactly 2 * out.size() lower-case hexadecimal digits.
[[nodiscard]] bool from_hex(std::string_view hex, ByteSpan out);

// Unsigned integers at any alignment, least significant byte first, on every machine.
template <class T>
requires std::is_unsigned_v<T> T load_le(const std::uint8_t* from) {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(T{from[i]} << (8 * i));
    return value;
}
template <class T>
requires std::is_unsigned_v<T>
void store_le(std::uint8_t* to, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

// Appends fixed-width fields to a buffer the caller owns.
class ByteWriter {
public:
    explicit ByteWriter(Bytes& out) : out_(out) {}

    template <class T>
    requires std::is_unsigned_v<T>
    void put(T value) {
        const std::size_t at = out_.size();
        out_.resize(at + sizeof(T));
        store_le(out_.data() + at, value);
    }
    void put(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
    // u16 length, then the bytes; the caller has checked that the text fits.
    void put_short_text(std::string_view text) {
        put(static_cast<std::uint16_t>(text.size()));
        put(as_bytes(text));
    }

private:
    Bytes& out_;
};

// Reads fixed-width fields. A read past the end yields zeros and makes ok() false for good, so a
// parser checks once.
class ByteReader {
public:
    explicit ByteReader(ByteView in) : in_(in) {}

    template <class T>
    requires std::is_unsigned_v<T> T take() {
        const ByteView bytes = take(sizeof(T));
        return ok_ ? load_le<T>(bytes.data()) : T{0};
    }
    ByteView take(std::size_t count) {
        if (!ok_ || count > in_.size() - at_) {
            ok_ = false;
            return {};
        }
        const ByteView bytes = in_.subspan(at_, count);
        at_ += count;
        return bytes;
    }
    std::string_view take_short_text() { return as_text(take(take<std::uint16_t>())); }

    bool ok() const { return ok_; }
    // True when every byte was read and nothing was missing: the one accepted form of a canonical
    // statement.
    bool done() const { return ok_ && at_ == in_.size(); }
    std::size_t position() const { return at_; }
    std::size_t remaining() const { return in_.size() - at_; }

private:
    ByteView in_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

}  // namespace tributary
