// A store on a simulated disk, and versions to put into it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/hash/hash.h"
#include "common/record/document.h"
#include "common/store/store.h"
#include "tests/support/random.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_files.h"

namespace tributary::test {

// The machine a store runs on. Survives its power cuts.
struct StoreMachine {
    explicit StoreMachine(std::uint64_t seed = 1) : entropy(seed) {
        options.index_path = ":memory:";
        options.holder = "test";
        (void)files.make_directories("/data");
        (void)files.sync_directory("/");
    }

    Result<std::unique_ptr<Store>> open() {
        return Store::open(files, clock, entropy, "/data/store", options);
    }

    SimFiles files;
    SimClock clock;
    SimEntropy entropy;
    StoreOptions options;
};

// How a test's journal begins: any key will do, the store does not judge it.
inline StartBody start_body() {
    StartBody body;
    body.public_key = Bytes(91, 0x30);
    body.software = "test";
    return body;
}

// A hub's word about a journal, signed by nobody: the store does not judge that.
inline Bytes unsigned_receipt(const Incarnation& journal, std::uint64_t sequence = 1) {
    Receipt receipt;
    receipt.device = "board";
    receipt.incarnation = receipt.hub = journal;
    receipt.sequence = receipt.hub_sequence = sequence;
    receipt.head = receipt.hub_head = {sha256(as_bytes("head"))};
    receipt.epoch = 1;
    SignedDocument document;
    document.purpose = "tributary/1/receipt";
    document.payload = encode_receipt(receipt).value();
    document.key = sha256(as_bytes("key"));
    document.signature = Bytes(64, 7);
    return encode_signed_document(document).value();
}

// Stages a file of one or more pieces, each coded against the piece at the same place in `before`.
inline Result<TreeItem> stage_file(Store& store, const std::string& name, ByteView plain,
                                   ByteView before = {}, std::size_t piece_bytes = 16 * 1024) {
    Recipe recipe{plain.size(), {}};
    for (std::size_t at = 0; at < plain.size(); at += piece_bytes) {
        const ByteView piece = plain.subspan(at, std::min(piece_bytes, plain.size() - at));
        std::optional<Store::PieceBase> base;
        if (at < before.size()) {
            const ByteView old = before.subspan(at, std::min(piece_bytes, before.size() - at));
            base = Store::PieceBase{PieceId{sha256(old)}, {}};
        }
        TRIBUTARY_ASSIGN(const PieceId id,
                         store.stage_piece({.plain = piece}, base, codec::Level::fast));
        recipe.pieces.push_back({id, static_cast<std::uint32_t>(piece.size())});
    }
    const BlobId blob{sha256(plain)};
    if (recipe.pieces.size() > 1) {
        TRIBUTARY_ASSIGN(const Bytes bytes, encode_recipe(recipe));
        TRIBUTARY_TRY(store.stage_recipe(blob, bytes));
    }
    return TreeItem{TreeItem::Type::file, name, blob.digest, plain.size()};
}

// Commits a version of these files on repo/branch, as a device does.
inline Result<VersionId> commit_version(Store& store, const std::string& repo,
                                        const std::string& branch, std::vector<TreeItem> items,
                                        std::vector<VersionId> parents = {},
                                        const std::string& message = "") {
    if (store.head().incarnation.is_none()) TRIBUTARY_TRY(store.start_journal(start_body()));
    TRIBUTARY_ASSIGN(const EncodedTree tree, encode_tree(std::move(items)));
    for (const EncodedTreeNode& node : tree.nodes)
        TRIBUTARY_TRY(store.stage_object(RecordKind::tree, node.bytes));
    Version version;
    version.tree = tree.id;
    version.parents = std::move(parents);
    version.incarnation = store.head().incarnation;
    version.author = "board";
    version.time = store.head().time;
    if (!message.empty()) {
        TRIBUTARY_ASSIGN(const Bytes notes, encode_notes({message, {}}));
        TRIBUTARY_ASSIGN(version.notes.digest, store.stage_object(RecordKind::notes, notes));
    }
    TRIBUTARY_ASSIGN(const Bytes bytes, encode_version(version));
    TRIBUTARY_ASSIGN(const Digest id, store.stage_object(RecordKind::version, bytes));
    TRIBUTARY_TRY(store.stage_entry(CommitBody{repo, branch, VersionId{id}}));
    store.add_recorded_bytes(tree.size);
    TRIBUTARY_TRY(store.commit());
    return VersionId{id};
}

// Every file of a version, in one string of bytes.
inline Result<Bytes> read_files(Store& store, const VersionId& id) {
    TRIBUTARY_ASSIGN(const Version version, read_version(store, id));
    Bytes all;
    TRIBUTARY_TRY(
        walk_tree(version.tree, tree_loader(store), [&](const std::string&, const TreeItem& file) {
            return read_blob(store, BlobId{file.target}, file.size, [&](ByteView bytes) {
                all.insert(all.end(), bytes.begin(), bytes.end());
                return Status();
            });
        }));
    return all;
}

}  // namespace tributary::test
