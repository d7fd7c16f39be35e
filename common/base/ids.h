// Names of things: digests, the ids made from them, and the checked text names of devices and
// repositories.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace tributary {

// Carried in every stored id so that a second algorithm can come beside the first. 0 means "no
// digest".
enum class HashAlgorithm : std::uint8_t { none = 0, sha256 = 1 };

inline constexpr std::size_t kDigestBytes = 32;

// A SHA-256. The all-zero value means "none" (the parent of a first entry); no input is known to
// hash to it.
struct Digest {
    std::array<std::uint8_t, kDigestBytes> bytes{};

    bool is_none() const { return *this == Digest{}; }
    auto operator<=>(const Digest&) const = default;

    // `sha256:` and 64 lower-case digits.
    std::string text() const;
    static Result<Digest> parse(std::string_view text);

    // Stored form: algorithm tag, then 32 bytes; `none` is 33 zero bytes and nothing else is.
    static constexpr std::size_t kStoredBytes = 1 + kDigestBytes;
    void put(ByteWriter& out) const;
    // nullopt for an unknown tag or a none that is not all zero; short input shows in the reader.
    static std::optional<Digest> take(ByteReader& in);
};

// A digest that says what it names, so that a tree cannot be passed where a version is meant.
template <class Tag>
struct Id {
    Digest digest;

    bool is_none() const { return digest.is_none(); }
    std::string text() const { return digest.text(); }
    auto operator<=>(const Id&) const = default;
};

using BlobId = Id<struct BlobTag>;        // a file's bytes: what `sha256sum` prints
using PieceId = Id<struct PieceTag>;      // up to 1 MiB of a blob: SHA-256 of the plain piece
using TreeId = Id<struct TreeTag>;        // content id
using VersionId = Id<struct VersionTag>;  // the whole statement
using NotesId = Id<struct NotesTag>;
using EntryHash = Id<struct EntryTag>;  // of an entry's header

// A random 128-bit name of one store's journal.
struct Incarnation {
    std::array<std::uint8_t, 16> bytes{};

    bool is_none() const { return *this == Incarnation{}; }
    auto operator<=>(const Incarnation&) const = default;
    std::string text() const { return to_hex(bytes); }  // 32 lower-case digits
    static Result<Incarnation> parse(std::string_view text);
};

// `[a-z0-9-]{1,64}`, given by the hub.
Status check_device_id(std::string_view id);
// `group/name`: exactly two segments of `[a-z0-9][a-z0-9._-]{0,63}`.
Status check_repo_name(std::string_view name);
// lakeFS's grammar: `[A-Za-z0-9][A-Za-z0-9._/-]*`, at most 200 bytes, no `//`, no `..`, no trailing
// `/`, `.lock` or `@{`.
Status check_branch_name(std::string_view name);

}  // namespace tributary

template <>
struct std::hash<tributary::Digest> {
    std::size_t operator()(const tributary::Digest& d) const noexcept {
        return static_cast<std::size_t>(tributary::load_le<std::uint64_t>(d.bytes.data()));
    }
};
template <class Tag>
struct std::hash<tributary::Id<Tag>> {
    std::size_t operator()(const tributary::Id<Tag>& id) const noexcept {
        return std::hash<tributary::Digest>{}(id.digest);
    }
};
template <>
struct std::hash<tributary::Incarnation> {
    std::size_t operator()(const tributary::Incarnation& i) const noexcept {
        return static_cast<std::size_t>(tributary::load_le<std::uint64_t>(i.bytes.data()));
    }
};
