// Any bytes are refused, or are exactly the one form of what was read.
//
// Input: which parser, then its bytes. For FlatBuffers (kinds of entries, recipes, documents)
// "exactly" is weaker: what was read can be written and reads back equal.
#include <algorithm>

#include "common/record/document.h"
#include "common/record/entry.h"
#include "common/record/recipe.h"
#include "common/record/record.h"
#include "common/record/tree.h"
#include "common/record/version.h"
#include "tests/fuzz/fuzz.h"

using namespace tributary;

namespace {

void must_equal(ByteView a, ByteView b) { TRIBUTARY_CHECK(std::ranges::equal(a, b)); }

void try_record(ByteView in) {
    const auto record = parse_record(in);
    if (!record) return;
    Bytes again;
    append_record(again, record->header, record->payload);
    must_equal(again, in.first(again.size()));
}

void try_tree(ByteView in) {
    const auto node = parse_tree_node(in);
    if (!node || node->level > 0) return;
    // The sizes of a hostile node may not add up to a directory; else it is the one node of one.
    if (const auto tree = encode_tree(node->items)) must_equal(tree->nodes.back().bytes, in);
}

void try_version(ByteView in) {
    if (const auto version = parse_version(in)) must_equal(*encode_version(*version), in);
}

void try_notes(ByteView in) {
    if (const auto notes = parse_notes(in)) must_equal(*encode_notes(*notes), in);
}

void try_entry(ByteView in) {
    const auto entry = parse_entry(in);
    if (!entry) return;
    must_equal(encode_entry_header(entry->header), in.first(EntryHeader::kBytes));
    (void)parse_body(entry->header.kind, entry->body);
}

void try_body(EntryKind kind, ByteView in) {
    const auto body = parse_body(kind, in);
    if (!body || std::holds_alternative<UnknownBody>(*body)) return;
    TRIBUTARY_CHECK(*parse_body(kind, encode_body(*body)) == *body);
}

template <class Value>
void try_document(ByteView in, Result<Value> (*parse)(ByteView),
                  Result<Bytes> (*encode)(const Value&)) {
    const auto value = parse(in);
    if (!value) {
        TRIBUTARY_CHECK(value.error().code == Errc::corrupt ||
                        value.error().code == Errc::unsupported);
        return;
    }
    // A builder may need a few bytes more than the sender's, so a value at the very limit is let
    // go.
    if (const auto bytes = encode(*value)) TRIBUTARY_CHECK(*parse(*bytes) == *value);
}

Result<Bytes> encode_multi(const MultiSignedDocument& document) {
    return encode_multi_signed_document(document);
}
void try_multi_signed_document(ByteView in) {
    try_document(in, parse_multi_signed_document, encode_multi);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes copy(data + 1, data + size);  // so that the sanitizer sees a byte too far
    switch (data[0]) {
        case 0: try_record(copy); break;
        case 1: try_tree(copy); break;
        case 2: try_version(copy); break;
        case 3: try_notes(copy); break;
        case 4: try_entry(copy); break;
        case 5: try_document(copy, parse_recipe, encode_recipe); break;
        case 6: try_document(copy, parse_seal, encode_seal); break;
        case 7: try_document(copy, parse_signed_document, encode_signed_document); break;
        case 8: try_document(copy, parse_receipt, encode_receipt); break;
        case 9: try_document(copy, parse_approval, encode_approval); break;
        case 10: try_document(copy, parse_assignment, encode_assignment); break;
        case 252: try_document(copy, parse_root, encode_root); break;
        case 253: try_multi_signed_document(copy); break;
        default: try_body(static_cast<EntryKind>(data[0] - 10), copy); break;
    }
    return 0;
}
