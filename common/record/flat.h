// FlatBuffers at arm's length: verification with our limits, and the few field types that all our
// schemas share. For the .cpp files of this folder only.
//
// A reader collects "something is wrong" in one flag, so that a table is read top to bottom and
// judged once.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/limits.h"
#include "ids_generated.h"

namespace tributary::flat {

inline constexpr std::uint32_t kDepthMax = 4;  // root, vector, table in it, string
inline constexpr std::uint32_t kTablesMax = 16 * 1024;
inline constexpr std::size_t kKeyBytesMax = 512;  // DER of a public key, or a signature

// A verified root table. Owns an aligned copy, because bodies stand at any offset in what was
// received, and not every processor reads an integer there.
template <class Table>
class Root {
public:
    Root(ByteView bytes, std::size_t bytes_max) {
        if (bytes.size() < 8 || bytes.size() > bytes_max) return;
        copy_.resize((bytes.size() + 7) / 8);
        std::memcpy(copy_.data(), bytes.data(), bytes.size());
        const auto* start = reinterpret_cast<const std::uint8_t*>(copy_.data());
        flatbuffers::Verifier verifier(start, bytes.size(), kDepthMax, kTablesMax);
        if (verifier.VerifyBuffer<Table>(nullptr)) table_ = flatbuffers::GetRoot<Table>(start);
    }
    // Null when the bytes do not verify.
    const Table* get() const { return table_; }

private:
    std::vector<std::uint64_t> copy_;
    const Table* table_ = nullptr;
};

// ---- reading ----

class Fields {
public:
    bool ok() const { return ok_; }
    void require(bool condition) { ok_ = ok_ && condition; }

    // Absent reads as empty.
    std::string text(const flatbuffers::String* field,
                     std::size_t bytes_max = limits::kTextBytesMax) {
        if (field == nullptr) return {};
        require(field->size() <= bytes_max);
        return ok_ ? field->str() : std::string();
    }
    std::string required_text(const flatbuffers::String* field) {
        require(field != nullptr && field->size() > 0);
        return text(field);
    }
    Bytes required_bytes(const flatbuffers::Vector<std::uint8_t>* field, std::size_t bytes_max) {
        require(field != nullptr && field->size() > 0 && field->size() <= bytes_max);
        return ok_ ? Bytes(field->begin(), field->end()) : Bytes();
    }
    // Absent reads as none; a present one has a known algorithm and is not none.
    Digest digest(const Hash* field) {
        Digest digest;
        if (field == nullptr) return digest;
        std::copy_n(field->bytes()->begin(), kDigestBytes, digest.bytes.begin());
        require(field->algorithm() == static_cast<std::uint8_t>(HashAlgorithm::sha256));
        require(!digest.is_none());
        return digest;
    }
    Digest required_digest(const Hash* field) {
        require(field != nullptr);
        return digest(field);
    }
    tributary::Incarnation incarnation(const flat::Incarnation* field) {
        tributary::Incarnation incarnation;
        if (field != nullptr)
            std::copy_n(field->bytes()->begin(), incarnation.bytes.size(),
                        incarnation.bytes.begin());
        return incarnation;
    }
    tributary::Incarnation required_incarnation(const flat::Incarnation* field) {
        const tributary::Incarnation read = incarnation(field);
        require(!read.is_none());
        return read;
    }

private:
    bool ok_ = true;
};

// ---- writing ----

inline Hash hash_of(const Digest& digest) {
    return Hash(static_cast<std::uint8_t>(HashAlgorithm::sha256),
                flatbuffers::span<const std::uint8_t, kDigestBytes>(digest.bytes));
}

// A struct in the form that the generated add_ functions take; null for none, which leaves the
// field out. Keep it alive until the field is added.
class HashField {
public:
    explicit HashField(const Digest& digest) : value_(hash_of(digest)), none_(digest.is_none()) {}
    const Hash* get() const { return none_ ? nullptr : &value_; }

private:
    Hash value_;
    bool none_;
};

class IncarnationField {
public:
    explicit IncarnationField(const tributary::Incarnation& incarnation)
        : none_(incarnation.is_none()) {
        value_ = Incarnation(flatbuffers::span<const std::uint8_t, 16>(incarnation.bytes));
    }
    const Incarnation* get() const { return none_ ? nullptr : &value_; }

private:
    Incarnation value_;
    bool none_;
};

inline flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> put_bytes(
    flatbuffers::FlatBufferBuilder& builder, ByteView bytes) {
    return builder.CreateVector(bytes.data(), bytes.size());
}
// Empty text is left out.
inline flatbuffers::Offset<flatbuffers::String> put_text(flatbuffers::FlatBufferBuilder& builder,
                                                         std::string_view text) {
    return text.empty() ? flatbuffers::Offset<flatbuffers::String>()
                        : builder.CreateString(text.data(), text.size());
}

template <class Table>
Bytes finish(flatbuffers::FlatBufferBuilder& builder, flatbuffers::Offset<Table> root) {
    builder.Finish(root);
    return Bytes(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
}

}  // namespace tributary::flat
