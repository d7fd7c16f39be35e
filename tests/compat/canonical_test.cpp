// Makes the canonical forms of schemas/golden/vectors.json again, and reads them back.
// schemas/check_vectors.py does the same without any of our code.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "common/hash/hash.h"
#include "common/record/entry.h"
#include "common/record/eviction.h"
#include "common/record/record.h"
#include "common/record/tree.h"
#include "common/record/version.h"
#include "common/trust/hello.h"
#include "common/trust/key_change.h"
#include "common/trust/renewal.h"
#include "common/trust/seal.h"
#include "tests/compat/golden.h"
#include "tests/support/fake_trust.h"

namespace tributary {
namespace {

using golden::bytes_at;
using golden::digest_at;
using golden::text_at;
using golden::u64_at;

HybridTime time_at(const Json& statement) {
    const Json& time = *statement.find("time");
    return {u64_at(time, "wall_ms"), static_cast<std::uint32_t>(u64_at(time, "logical")),
            static_cast<ClockQuality>(u64_at(time, "quality"))};
}
Incarnation incarnation_at(const Json& statement) {
    return *Incarnation::parse(text_at(statement, "incarnation"));
}

void expect_nodes(const EncodedTree& tree, const Json& vector) {
    const auto& nodes = *vector.find("nodes")->as_array();
    ASSERT_EQ(tree.nodes.size(), nodes.size());
    for (std::size_t i = 0; i < nodes.size(); ++i)
        EXPECT_EQ(to_hex(tree.nodes[i].id.digest.bytes), *nodes[i].as_text()) << i;
    EXPECT_EQ(tree.id.digest, digest_at(vector, "id"));
}

TEST(CompatTree, IsMadeAndReadAsEver) {
    const std::map<std::string, TreeItem::Type> types = {{"file", TreeItem::Type::file},
                                                         {"executable", TreeItem::Type::executable},
                                                         {"tree", TreeItem::Type::tree}};
    for (const Json& vector : golden::vectors("tree")) {
        SCOPED_TRACE(text_at(vector, "name"));
        std::vector<TreeItem> items;
        for (const Json& item : *vector.find("statement")->find("items")->as_array())
            items.push_back({types.at(text_at(item, "type")), text_at(item, "name"),
                             digest_at(item, "target"), u64_at(item, "size")});
        const auto tree = encode_tree(items);
        ASSERT_TRUE(tree) << tree.error().what;
        expect_nodes(*tree, vector);
        EXPECT_EQ(to_hex(tree->nodes.back().bytes), text_at(vector, "bytes"));
        const auto node = parse_tree_node(bytes_at(vector, "bytes"));
        ASSERT_TRUE(node) << node.error().what;
        std::ranges::sort(items, {}, &TreeItem::name);
        EXPECT_EQ(node->items, items);
    }
}

TEST(CompatTree, IsSplitAsEver) {
    for (const Json& vector : golden::vectors("tree_rule")) {
        SCOPED_TRACE(text_at(vector, "name"));
        const Json& rule = *vector.find("statement");
        std::vector<TreeItem> items;
        for (std::uint64_t i = 0; i < u64_at(rule, "count"); ++i) {
            const std::string name = text_at(rule, "prefix") +
                                     std::to_string(u64_at(rule, "first") + i) +
                                     text_at(rule, "suffix");
            items.push_back({TreeItem::Type::file, name, sha256(as_bytes(name)), name.size()});
        }
        const auto tree = encode_tree(std::move(items));
        ASSERT_TRUE(tree) << tree.error().what;
        expect_nodes(*tree, vector);
    }
}

TEST(CompatHello, IsProvedAsEver) {
    for (const Json& vector : golden::vectors("hello")) {
        SCOPED_TRACE(text_at(vector, "name"));
        const Json& statement = *vector.find("statement");
        sync::Hello hello;
        hello.boot = u64_at(statement, "boot");
        hello.epoch = u64_at(statement, "epoch");
        const auto point_of = [](const Json& point) {
            return sync::JournalPoint{
                incarnation_at(point), u64_at(point, "sequence"), {digest_at(point, "hash")}};
        };
        if (statement.find("time_ms") != nullptr) {
            hello.time_ms = u64_at(statement, "time_ms");
            hello.root_version = u64_at(statement, "root_version");
            hello.head = point_of(*statement.find("head"));
        }
        for (const Json& point : *statement.find("journals")->as_array())
            hello.journals.push_back(point_of(point));
        const std::uint64_t nonce = u64_at(statement, "nonce");
        const std::string device = text_at(statement, "device");
        EXPECT_EQ(to_hex(sync::hello_statement(nonce, device, hello)), text_at(vector, "bytes"));
        EXPECT_EQ(trust::hello_digest(nonce, device, hello), digest_at(vector, "id"));
    }
}

TEST(CompatAgentHello, IsStatedAsEver) {
    for (const Json& vector : golden::vectors("agent_hello")) {
        SCOPED_TRACE(text_at(vector, "name"));
        const Json& statement = *vector.find("statement");
        const auto point_of = [](const Json& point) {
            return sync::JournalPoint{
                incarnation_at(point), u64_at(point, "sequence"), {digest_at(point, "hash")}};
        };
        const auto u32_of = [&](std::string_view name) {
            return static_cast<std::uint32_t>(u64_at(statement, name));
        };
        sync::Hello hello;
        hello.answers = u64_at(statement, "answers");
        hello.number = u32_of("number");
        hello.boot = u64_at(statement, "boot");
        hello.protocol_min = static_cast<std::uint16_t>(u32_of("protocol_min"));
        hello.protocol_max = static_cast<std::uint16_t>(u32_of("protocol_max"));
        hello.head = point_of(*statement.find("head"));
        for (const Json& point : *statement.find("journals")->as_array())
            hello.journals.push_back(point_of(point));
        hello.epoch = u64_at(statement, "epoch");
        hello.receipt_sequence = u64_at(statement, "receipt_sequence");
        hello.limits = {u32_of("frame_bytes"), u32_of("frames_in_flight")};
        hello.features = u64_at(statement, "features");
        hello.rest_ms = u32_of("rest_ms");
        hello.heartbeat_ms = u32_of("heartbeat_ms");
        hello.root_version = u64_at(statement, "root_version");
        hello.witness = point_of(*statement.find("witness"));
        for (const Json& change : *statement.find("key_changes")->as_array()) {
            const std::string& digits = *change.as_text();
            hello.key_changes.emplace_back(digits.size() / 2);
            EXPECT_TRUE(from_hex(digits, hello.key_changes.back()));
        }
        hello.software = text_at(statement, "software");
        const std::uint64_t nonce = u64_at(statement, "nonce");
        const std::string device = text_at(statement, "device");
        EXPECT_EQ(to_hex(sync::agent_hello_statement(nonce, device, hello)),
                  text_at(vector, "bytes"));
        EXPECT_EQ(trust::agent_hello_digest(nonce, device, hello), digest_at(vector, "id"));
    }
}

TEST(CompatKeyChange, IsStatedAsEver) {
    for (const Json& vector : golden::vectors("key_change")) {
        const Json& statement = *vector.find("statement");
        EXPECT_EQ(trust::key_change_digest(incarnation_at(statement),
                                           trust::key_id(bytes_at(statement, "old_key")),
                                           bytes_at(statement, "new_key")),
                  digest_at(vector, "id"));
    }
}

TEST(CompatRenewal, IsStatedAsEver) {
    for (const Json& vector : golden::vectors("renewal")) {
        const Json& statement = *vector.find("statement");
        EXPECT_EQ(trust::renewal_digest(incarnation_at(statement),
                                        trust::key_id(bytes_at(statement, "old_key")),
                                        bytes_at(statement, "csr")),
                  digest_at(vector, "id"));
    }
}

TEST(CompatBatch, IsSignedAsEver) {
    for (const Json& vector : golden::vectors("batch")) {
        SCOPED_TRACE(text_at(vector, "name"));
        const Json& statement = *vector.find("statement");
        std::vector<Bytes> payloads;
        for (const Json& payload : *statement.find("payloads")->as_array())
            payloads.push_back(golden::bytes_of_hex(*payload.as_text()));
        trust::FakeSigner signer("hub");
        const auto documents =
            trust::sign_documents(signer, text_at(statement, "purpose"), payloads);
        ASSERT_TRUE(documents) << documents.error().what;
        for (const Bytes& document : *documents)
            EXPECT_EQ(signed_digest(*parse_signed_document(document)), digest_at(vector, "id"));
    }
}

TEST(CompatVersion, IsMadeAndReadAsEver) {
    for (const Json& vector : golden::vectors("version")) {
        SCOPED_TRACE(text_at(vector, "name"));
        const Json& statement = *vector.find("statement");
        Version version;
        version.tree = {digest_at(statement, "tree")};
        for (const Json& parent : *statement.find("parents")->as_array())
            version.parents.push_back({golden::digest_of_hex(*parent.as_text())});
        for (const Json& input : *statement.find("inputs")->as_array())
            version.inputs.push_back(
                {digest_at(input, "id"), text_at(input, "role"), text_at(input, "selector")});
        version.incarnation = incarnation_at(statement);
        version.author = text_at(statement, "author");
        version.time = time_at(statement);
        version.notes = {digest_at(statement, "notes")};

        const auto bytes = encode_version(version);
        ASSERT_TRUE(bytes) << bytes.error().what;
        EXPECT_EQ(to_hex(*bytes), text_at(vector, "bytes"));
        EXPECT_EQ(version_id(*bytes).digest, digest_at(vector, "id"));
        const auto read = parse_version(bytes_at(vector, "bytes"));
        ASSERT_TRUE(read) << read.error().what;
        EXPECT_EQ(to_hex(*encode_version(*read)), text_at(vector, "bytes"));
    }
}

TEST(CompatNotes, AreMadeAndReadAsEver) {
    for (const Json& vector : golden::vectors("notes")) {
        SCOPED_TRACE(text_at(vector, "name"));
        const Json& statement = *vector.find("statement");
        Notes notes{text_at(statement, "message"), {}};
        for (const JsonMember& pair : *statement.find("metadata")->as_object())
            notes.metadata[pair.name] = *pair.value.as_text();
        const auto bytes = encode_notes(notes);
        ASSERT_TRUE(bytes) << bytes.error().what;
        EXPECT_EQ(to_hex(*bytes), text_at(vector, "bytes"));
        EXPECT_EQ(notes_id(*bytes).digest, digest_at(vector, "id"));
        const auto read = parse_notes(bytes_at(vector, "bytes"));
        ASSERT_TRUE(read) << read.error().what;
        EXPECT_EQ(*read, notes);
    }
}

TEST(CompatEviction, IsMadeAndReadAsEver) {
    for (const Json& vector : golden::vectors("eviction")) {
        SCOPED_TRACE(text_at(vector, "name"));
        std::vector<VersionId> versions;
        for (const Json& id : *vector.find("statement")->find("versions")->as_array())
            versions.push_back({golden::digest_of_hex(*id.as_text())});
        const Bytes bytes = encode_eviction(versions);
        EXPECT_EQ(to_hex(bytes), text_at(vector, "bytes"));
        EXPECT_EQ(name_of_plain(RecordKind::eviction, bytes), digest_at(vector, "id"));
        std::ranges::sort(versions);
        EXPECT_EQ(*parse_eviction(bytes_at(vector, "bytes")), versions);
    }
}

TEST(CompatEntry, IsMadeAndReadAsEver) {
    for (const Json& vector : golden::vectors("entry")) {
        SCOPED_TRACE(text_at(vector, "name"));
        const Json& statement = *vector.find("statement");
        const Bytes body = bytes_at(statement, "body");
        EntryHeader header;
        header.incarnation = incarnation_at(statement);
        header.sequence = u64_at(statement, "sequence");
        header.previous = {digest_at(statement, "previous")};
        header.time = time_at(statement);
        header.fence = u64_at(statement, "fence");
        header.kind = static_cast<EntryKind>(u64_at(statement, "kind"));
        header.body = body_digest(body);

        Bytes plain = encode_entry_header(header);
        plain.insert(plain.end(), body.begin(), body.end());
        EXPECT_EQ(to_hex(plain), text_at(vector, "bytes"));
        const auto read = parse_entry(plain);
        ASSERT_TRUE(read) << read.error().what;
        EXPECT_EQ(read->header, header);
        EXPECT_EQ(read->hash.digest, digest_at(vector, "id"));
        EXPECT_EQ(name_of_plain(RecordKind::entry, plain), digest_at(vector, "id"));
        EXPECT_TRUE(parse_body(header.kind, body));
    }
}

TEST(CompatRecord, IsMadeAndReadAsEver) {
    std::map<std::string, RecordKind, std::less<>> kinds;
    for (std::uint8_t kind = 1; kind <= 11; ++kind)
        kinds.emplace(name_of(static_cast<RecordKind>(kind)), static_cast<RecordKind>(kind));
    for (const Json& vector : golden::vectors("record")) {
        SCOPED_TRACE(text_at(vector, "name"));
        const Json& statement = *vector.find("statement");
        const Bytes payload = bytes_at(statement, "payload");
        RecordHeader header;
        header.kind = kinds.at(text_at(statement, "kind"));
        header.encoding = static_cast<std::uint8_t>(u64_at(statement, "encoding"));
        header.stored_length = static_cast<std::uint32_t>(payload.size());
        header.plain_length = static_cast<std::uint32_t>(u64_at(statement, "plain_length"));
        header.name = digest_at(statement, "name");
        for (const Json& base : *statement.find("bases")->as_array())
            header.base[header.base_count++] = golden::digest_of_hex(*base.as_text());

        Bytes frame;
        append_record(frame, header, payload);
        EXPECT_EQ(to_hex(frame), text_at(vector, "bytes"));
        const auto read = parse_record(frame);
        ASSERT_TRUE(read) << read.error().what;
        EXPECT_EQ(read->header.key(), header.key());
        EXPECT_TRUE(std::ranges::equal(read->payload, payload));
    }
}

TEST(CompatHashTree, HasTheSameRootAsEver) {
    for (const Json& vector : golden::vectors("hash_tree")) {
        std::vector<Digest> leaves;
        for (const Json& leaf : *vector.find("statement")->find("leaves")->as_array())
            leaves.push_back(golden::digest_of_hex(*leaf.as_text()));
        EXPECT_EQ(hash_tree_root(leaves), digest_at(vector, "id")) << text_at(vector, "name");
    }
}

}  // namespace
}  // namespace tributary
