// A store on a simulated disk, and files to record.
#pragma once

#include <gtest/gtest.h>

#include "agent/record/recorder.h"
#include "common/store/store.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_files.h"

namespace tributary::agent {

class NodeTest : public testing::Test {
protected:
    void SetUp() override { open(); }

    void open() {
        StoreOptions options;
        options.index_path = ":memory:";
        auto opened = Store::open(files, clock, entropy, "/state/store", options);
        ASSERT_TRUE(opened) << opened.error().what;
        store = *std::move(opened);
        if (store->head().sequence == 0) {
            StartBody start;
            start.public_key = Bytes(91, 1);
            start.software = "test";
            ASSERT_TRUE(store->start_journal(start));
            ASSERT_TRUE(store->commit());
        }
    }

    void write(const std::string& path, ByteView content, bool executable = false) {
        ASSERT_TRUE(files.make_directories(std::string(parent_path(path))));
        if (files.stat(path)) {
            ASSERT_TRUE(files.remove(path));
        }
        auto file = files.create(path, executable);
        ASSERT_TRUE(file) << file.error().what;
        ASSERT_TRUE((*file)->append(content));
    }
    void write(const std::string& path, std::string_view content, bool executable = false) {
        write(path, as_bytes(content), executable);
    }
    Bytes content(const std::string& path) {
        return read_file(files, path, 1u << 30).value_or(as_vector("not there: " + path));
    }
    static Bytes as_vector(std::string_view text) { return {text.begin(), text.end()}; }

    CommitRequest request(std::vector<std::string> paths) {
        CommitRequest request;
        request.repo = "models/cnn";
        request.paths = std::move(paths);
        return request;
    }
    Result<CommitOutcome> commit(const CommitRequest& request, CommitProgress progress = {}) {
        return Recorder(files, clock, *store, std::move(progress)).commit(request);
    }
    // Of a tree that was made elsewhere: nothing but its form is checked.
    VersionId committed_tree(const EncodedTree& tree) {
        for (const EncodedTreeNode& node : tree.nodes)
            EXPECT_TRUE(store->stage_object(RecordKind::tree, node.bytes));
        Version version;
        version.tree = tree.id;
        version.incarnation = store->head().incarnation;
        const Bytes bytes = encode_version(version).value();
        const VersionId id{store->stage_object(RecordKind::version, bytes).value()};
        EXPECT_TRUE(store->stage_entry(CommitBody{"models/cnn", "main", id}));
        EXPECT_TRUE(store->commit());
        return id;
    }
    // Of paths, which must succeed.
    CommitOutcome committed(std::vector<std::string> paths) {
        const auto outcome = commit(request(std::move(paths)));
        EXPECT_TRUE(outcome) << outcome.error().what;
        return outcome.value_or(CommitOutcome{});
    }

    test::SimFiles files;
    test::SimClock clock;
    test::SimEntropy entropy{1};
    std::unique_ptr<Store> store;
};

inline Bytes random_bytes(std::uint64_t seed, std::size_t count) {
    return test::Random(seed).bytes(count);
}

}  // namespace tributary::agent
