// A board with a real store, and how its journal reaches a hub's ledger without a network.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "common/hash/hash.h"
#include "common/store/closure.h"
#include "common/trust/key_change.h"
#include "common/trust/trust.h"
#include "hub/store/ledger.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_files.h"

namespace tributary::test {

inline StoreOptions in_memory_index() {
    StoreOptions options;
    options.index_path = ":memory:";
    return options;
}

// A bit of that record flips in the log of the store, and nobody has read it yet.
inline void damage(SimFiles& files, const std::string& directory, Store& store,
                   const RecordKey& key) {
    const Bytes frame = store.read_record(key).value();
    int found = 0;
    const std::string folder = join_path(directory, "segments");
    const std::vector<std::string> segments = files.list(folder).value();
    for (const std::string& name : segments)
        files.rewrite(join_path(folder, name), [&](Bytes& bytes) {
            const auto at = std::ranges::search(bytes, frame).begin();
            if (at == bytes.end()) return;
            at[static_cast<std::ptrdiff_t>(frame.size() / 2)] ^= 4;
            ++found;
        });
    ASSERT_EQ(found, 1);
}

class Board {
public:
    explicit Board(std::string device, std::uint64_t seed, StoreOptions options = in_memory_index())
        : device_(std::move(device)), entropy_(seed), options_(std::move(options)) {
        key_ = trust::generate_key(entropy_).value();
        open_store();
        StartBody start;
        start.public_key = key_->public_key();
        start.software = "board";
        EXPECT_TRUE(store_->start_journal(start));
        EXPECT_TRUE(store_->commit());
    }

    // Commits a version whose files are these (name → content), on top of `parents`.
    VersionId commit(const std::string& repo, const std::map<std::string, std::string>& files,
                     std::vector<VersionId> parents = {}, std::vector<Input> inputs = {}) {
        return try_commit(repo, files, std::move(parents), std::move(inputs)).value();
    }
    // Of a tree whose files are here, or empty.
    VersionId commit_tree(const std::string& repo, const EncodedTree& tree,
                          std::vector<VersionId> parents = {}, std::vector<Input> inputs = {}) {
        return try_commit_tree(repo, tree, std::move(parents), std::move(inputs)).value();
    }
    // On a disk that may fail.
    Result<VersionId> try_commit(const std::string& repo,
                                 const std::map<std::string, std::string>& files,
                                 std::vector<VersionId> parents, std::vector<Input> inputs = {}) {
        std::vector<TreeItem> items;
        for (const auto& [name, content] : files) {
            TRIBUTARY_ASSIGN(const PieceId piece,
                             store_->stage_piece({as_bytes(content)}, {}, codec::Level::standard));
            items.push_back({TreeItem::Type::file, name, piece.digest, content.size()});
        }
        return try_commit_tree(repo, encode_tree(items).value(), std::move(parents),
                               std::move(inputs));
    }
    Result<VersionId> try_commit_tree(const std::string& repo, const EncodedTree& tree,
                                      std::vector<VersionId> parents, std::vector<Input> inputs) {
        for (const EncodedTreeNode& node : tree.nodes)
            TRIBUTARY_TRY(store_->stage_object(RecordKind::tree, node.bytes));
        Version version;
        version.tree = tree.id;
        version.parents = std::move(parents);
        version.inputs = std::move(inputs);
        version.incarnation = store_->head().incarnation;
        version.time = store_->head().time.next(clock_.wall(), clock_.quality());
        TRIBUTARY_ASSIGN(
            const Digest digest,
            store_->stage_object(RecordKind::version, encode_version(version).value()));
        TRIBUTARY_TRY(store_->stage_entry(CommitBody{repo, "main", VersionId{digest}}));
        TRIBUTARY_TRY(store_->commit());
        return VersionId{digest};
    }

    // Everything that the hub does not have yet, objects and entries.
    void bring_to(hub::Ledger& ledger) {
        const Incarnation journal = store_->head().incarnation;
        if (ledger.catalog().device_of(journal).empty()) bind_at(ledger);
        std::uint64_t held = 0;
        const std::vector<JournalHead> heads = ledger.store().heads().value();
        for (const JournalHead& head : heads)
            if (head.incarnation == journal) held = head.sequence;
        std::vector<Bytes> entries;
        ASSERT_TRUE(store_->read_entries(journal, held + 1, [&](ByteView plain) {
            entries.emplace_back(plain.begin(), plain.end());
            return true;
        }));
        for (const Bytes& plain : entries) {
            const EntryView entry = parse_entry(plain).value();
            const EntryBody body = parse_body(entry.header.kind, entry.body).value();
            if (const auto* commit = std::get_if<CommitBody>(&body)) {
                ASSERT_TRUE(closure_of(*store_, commit->version, {}, [&](const RecordKey& key) {
                    return ledger.store().stage_record(store_->read_record(key).value());
                }));
            }
        }
        ASSERT_TRUE(ledger.accept(entries));
    }

    // Writes anything into its journal.
    void say(const EntryBody& body) {
        ASSERT_TRUE(store_->stage_entry(body));
        ASSERT_TRUE(store_->commit());
    }
    std::vector<Bytes> entries(std::uint64_t from = 1) {
        std::vector<Bytes> entries;
        EXPECT_TRUE(store_->read_entries(store_->head().incarnation, from, [&](ByteView plain) {
            entries.emplace_back(plain.begin(), plain.end());
            return true;
        }));
        return entries;
    }
    void bind_at(hub::Ledger& ledger) {
        ASSERT_TRUE(ledger.append(
            {DeviceBoundBody{device_, store_->head().incarnation, key_->public_key()}}));
    }

    // Its journal goes on under another key; whoever holds signer() has the old one.
    void change_key(std::uint64_t seed) {
        SimEntropy entropy(seed);
        auto next = trust::generate_key(entropy).value();
        say(trust::sign_key_change(*key_, *next, store_->head().incarnation).value());
        key_ = std::move(next);
    }

    const std::string& device() const { return device_; }
    trust::Signer& signer() { return *key_; }
    // For whoever outlives it; it says nothing more.
    std::unique_ptr<trust::Signer> take_signer() { return std::move(key_); }
    SimClock& clock() { return clock_; }
    Store& store() { return *store_; }
    SimFiles& files() { return files_; }
    // Its power was lost; it is there again with what was durable. It knows its key all the same.
    void restart() {
        store_.reset();
        files_.set_hook({});
        files_.restart();
        open_store();
    }

private:
    void open_store() { store_ = Store::open(files_, clock_, entropy_, "store", options_).value(); }

    std::string device_;
    SimFiles files_;
    SimClock clock_;
    SimEntropy entropy_;
    StoreOptions options_;
    std::unique_ptr<trust::Signer> key_;
    std::unique_ptr<Store> store_;
};

// A hub's ledger on a simulated disk.
struct HubHome {
    explicit HubHome(std::uint64_t seed) : entropy(seed) { reopen(); }
    void reopen(hub::Epoch epoch = hub::Epoch::same) {
        ledger.reset();
        auto store =
            hub::Ledger::open_store(files, clock, entropy, "hub", in_memory_index(), epoch).value();
        ledger =
            hub::Ledger::open_on(std::move(store), files, entropy, "hub", epoch, nullptr, memo_path)
                .value();
    }
    // Goes on with another key, in a journal of its own; answers the key before.
    std::unique_ptr<trust::Signer> change_key() {
        auto before = trust::load_key(files, "hub/key.pem").value();
        EXPECT_TRUE(files.remove("hub/key.pem"));
        EXPECT_TRUE(trust::create_key(files, entropy, "hub/key.pem"));
        reopen(hub::Epoch::by_key);
        return before;
    }

    SimFiles files;
    SimClock clock;
    SimEntropy entropy;
    std::string memo_path = NameMemo::kInMemory;  // of what boards sent; on `files` with a SimVfs
    std::unique_ptr<hub::Ledger> ledger;
};

}  // namespace tributary::test
