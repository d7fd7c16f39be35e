#include "common/record/version.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/hash/hash.h"

namespace tributary {
namespace {

constexpr std::uint8_t kForm = 1;

// Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing past U+10FFFF.
bool is_utf8(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    for (std::size_t i = 0; i < text.size();) {
        const std::uint8_t first = byte(i);
        const std::size_t more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
        if ((first >= 0x80 && first < 0xC2) || first > 0xF4 || text.size() - i <= more)
            return false;
        for (std::size_t k = 1; k <= more; ++k)
            if ((byte(i + k) & 0xC0) != 0x80) return false;
        if (more > 1) {
            const unsigned lead = first * 256u + byte(i + 1);
            if ((first == 0xE0 && lead < 0xE0A0) || (first == 0xED && lead > 0xED9F) ||
                (first == 0xF0 && lead < 0xF090) || (first == 0xF4 && lead > 0xF48F))
                return false;
        }
        i += 1 + more;
    }
    return true;
}

Status check_utf8(std::string_view what, std::string_view text) {
    if (!is_utf8(text)) return fail(Errc::invalid, std::string(what) + " is not UTF-8 text");
    return {};
}

Status check_text(std::string_view what, std::string_view text) {
    if (text.size() > limits::kTextBytesMax)
        return fail(Errc::invalid, std::string(what) + " has " + std::to_string(text.size()) +
                                       " bytes; at most " + std::to_string(limits::kTextBytesMax) +
                                       " fit");
    return {};
}

Status check_version(const Version& version) {
    if (version.tree.is_none()) return fail(Errc::invalid, "a version needs a tree");
    if (version.parents.size() > limits::kParentsMax)
        return fail(Errc::invalid,
                    "a version has at most " + std::to_string(limits::kParentsMax) + " parents");
    if (version.inputs.size() > limits::kInputsMax)
        return fail(Errc::invalid,
                    "a version has at most " + std::to_string(limits::kInputsMax) + " inputs");
    for (const VersionId& parent : version.parents)
        if (parent.is_none()) return fail(Errc::invalid, "a parent must be an id");
    std::vector<VersionId> parents = version.parents;
    std::ranges::sort(parents);
    if (std::ranges::adjacent_find(parents) != parents.end())
        return fail(Errc::invalid, "a parent stands twice");
    TRIBUTARY_TRY(check_text("the author", version.author));
    TRIBUTARY_TRY(check_utf8("the author", version.author));
    for (const Input& input : version.inputs) {
        if (input.id.is_none()) return fail(Errc::invalid, "an input must be an id");
        TRIBUTARY_TRY(check_text("an input's role", input.role));
        TRIBUTARY_TRY(check_utf8("an input's role", input.role));
        TRIBUTARY_TRY(check_text("an input's selector", input.selector));
    }
    return {};
}

auto input_order(const Input& input) { return std::tie(input.role, input.id, input.selector); }

Bytes write_version(const Version& version) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.put(kForm);
    version.tree.digest.put(writer);
    writer.put(static_cast<std::uint16_t>(version.parents.size()));
    for (const VersionId& parent : version.parents) parent.digest.put(writer);
    writer.put(static_cast<std::uint16_t>(version.inputs.size()));
    for (const Input& input : version.inputs) {
        input.id.put(writer);
        writer.put_short_text(input.role);
        writer.put_short_text(input.selector);
    }
    writer.put(ByteView(version.incarnation.bytes));
    writer.put_short_text(version.author);
    version.time.put(writer);
    version.notes.digest.put(writer);
    return bytes;
}

}  // namespace

Result<Bytes> encode_version(Version version) {
    std::ranges::sort(version.inputs, [](const Input& a, const Input& b) {
        return input_order(a) < input_order(b);
    });
    version.inputs.erase(std::unique(version.inputs.begin(), version.inputs.end()),
                         version.inputs.end());
    TRIBUTARY_TRY(check_version(version));
    Bytes bytes = write_version(version);
    if (bytes.size() > limits::kVersionBytesMax)
        return fail(Errc::invalid,
                    "parents and inputs take " + std::to_string(bytes.size()) + " bytes; at most " +
                        std::to_string(limits::kVersionBytesMax) + " fit; shorten the selectors");
    return bytes;
}

Result<Version> parse_version(ByteView bytes) {
    const auto corrupt = [] { return fail(Errc::corrupt, "a version is not in canonical form"); };
    if (bytes.size() > limits::kVersionBytesMax) return corrupt();
    ByteReader reader(bytes);
    if (reader.take<std::uint8_t>() != kForm) return corrupt();
    bool digests_known = true;
    const auto take_digest = [&] {
        const std::optional<Digest> digest = Digest::take(reader);
        digests_known = digests_known && digest.has_value();
        return digest.value_or(Digest{});
    };
    Version version;
    version.tree.digest = take_digest();
    const auto parents = reader.take<std::uint16_t>();
    for (std::size_t i = 0; i < parents && reader.ok(); ++i)
        version.parents.push_back({take_digest()});
    const auto inputs = reader.take<std::uint16_t>();
    for (std::size_t i = 0; i < inputs && reader.ok(); ++i) {
        Input input;
        input.id = take_digest();
        input.role = reader.take_short_text();
        input.selector = reader.take_short_text();
        version.inputs.push_back(std::move(input));
    }
    const ByteView incarnation = reader.take(version.incarnation.bytes.size());
    if (reader.ok()) std::ranges::copy(incarnation, version.incarnation.bytes.begin());
    version.author = reader.take_short_text();
    const std::optional<HybridTime> time = HybridTime::take(reader);
    version.notes.digest = take_digest();
    if (!reader.done() || !digests_known || !time || !check_version(version)) return corrupt();
    version.time = *time;
    const bool ordered =
        std::ranges::adjacent_find(version.inputs, [](const Input& a, const Input& b) {
            return !(input_order(a) < input_order(b));
        }) == version.inputs.end();
    if (!ordered) return corrupt();
    return version;
}

VersionId version_id(ByteView canonical) { return {sha256_of("tributary/1/version", canonical)}; }

namespace {

Status check_notes(const Notes& notes) {
    if (notes.empty()) return fail(Errc::invalid, "notes that say nothing are not stored");
    TRIBUTARY_TRY(check_utf8("the message", notes.message));
    if (notes.metadata.size() > 0xFFFF)
        return fail(Errc::invalid, "notes hold at most 65535 pairs of metadata");
    for (const auto& [key, value] : notes.metadata) {
        if (key.empty()) return fail(Errc::invalid, "a metadata key is empty; write KEY=VALUE");
        const std::string which = "the metadata key '" + key.substr(0, 32) + "'";
        TRIBUTARY_TRY(check_text(which, key));
        TRIBUTARY_TRY(check_utf8(which, key));
        TRIBUTARY_TRY(check_utf8("the value of " + which, value));
    }
    return {};
}

void put_long_text(ByteWriter& writer, std::string_view text) {
    writer.put(static_cast<std::uint32_t>(text.size()));
    writer.put(as_bytes(text));
}
std::string_view take_long_text(ByteReader& reader) {
    return as_text(reader.take(reader.take<std::uint32_t>()));
}

}  // namespace

Result<Bytes> encode_notes(const Notes& notes) {
    TRIBUTARY_TRY(check_notes(notes));
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.put(kForm);
    put_long_text(writer, notes.message);
    writer.put(static_cast<std::uint16_t>(notes.metadata.size()));
    for (const auto& [key, value] : notes.metadata) {
        writer.put_short_text(key);
        put_long_text(writer, value);
    }
    if (bytes.size() > limits::kNotesBytesMax)
        return fail(Errc::invalid, "message and metadata have " + std::to_string(bytes.size()) +
                                       " bytes; at most " + std::to_string(limits::kNotesBytesMax) +
                                       " fit; commit a file instead");
    return bytes;
}

Result<Notes> parse_notes(ByteView bytes) {
    const auto corrupt = [] { return fail(Errc::corrupt, "notes are not in canonical form"); };
    if (bytes.size() > limits::kNotesBytesMax) return corrupt();
    ByteReader reader(bytes);
    if (reader.take<std::uint8_t>() != kForm) return corrupt();
    Notes notes;
    notes.message = take_long_text(reader);
    const auto pairs = reader.take<std::uint16_t>();
    for (std::size_t i = 0; i < pairs && reader.ok(); ++i) {
        std::string key(reader.take_short_text());
        if (i > 0 && key <= notes.metadata.rbegin()->first) return corrupt();
        notes.metadata.emplace(std::move(key), take_long_text(reader));
    }
    if (!reader.done() || !check_notes(notes)) return corrupt();
    return notes;
}

NotesId notes_id(ByteView canonical) { return {sha256_of("tributary/1/notes", canonical)}; }

}  // namespace tributary
