// make_backlog STORE COUNT: adds to a store so many versions of a small file that no hub has seen,
// and ends without closing it, as a kill would. For backlog.py.
#include <cstdio>
#include <cstdlib>

#include "common/env/clock.h"
#include "common/env/files.h"
#include "tests/support/store_builder.h"

namespace tributary {
namespace {

constexpr std::uint64_t kBatchEntries = 32;  // as the daemon's default

Status make_backlog(const std::string& directory, std::uint64_t count) {
    StoreOptions options;
    options.holder = "make_backlog";
    options.create = false;
    TRIBUTARY_ASSIGN(const auto store, Store::open(system_files(), system_clock(), system_entropy(),
                                                   directory, options));
    test::Random random(1);
    std::vector<VersionId> parents;
    for (std::uint64_t number = 1; number <= count; ++number) {
        TRIBUTARY_ASSIGN(const TreeItem file,
                         test::stage_file(*store, "reading.bin", random.bytes(100)));
        TRIBUTARY_ASSIGN(const EncodedTree tree, encode_tree({file}));
        for (const EncodedTreeNode& node : tree.nodes)
            TRIBUTARY_TRY(store->stage_object(RecordKind::tree, node.bytes));
        Version version;
        version.tree = tree.id;
        version.parents = parents;
        version.incarnation = store->head().incarnation;
        version.author = "board";
        version.time = store->head().time;
        TRIBUTARY_ASSIGN(const Bytes bytes, encode_version(version));
        TRIBUTARY_ASSIGN(const Digest id, store->stage_object(RecordKind::version, bytes));
        TRIBUTARY_TRY(store->stage_entry(CommitBody{"lab/readings", "main", VersionId{id}}));
        store->add_recorded_bytes(file.size);
        parents = {VersionId{id}};
        if (number % kBatchEntries == 0 || number == count) TRIBUTARY_TRY(store->commit());
    }
    std::_Exit(0);
}

}  // namespace
}  // namespace tributary

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: make_backlog STORE COUNT\n", stderr);
        return 2;
    }
    const auto made = tributary::make_backlog(argv[1], std::strtoull(argv[2], nullptr, 10));
    if (!made) std::fprintf(stderr, "make_backlog: %s\n", made.error().what.c_str());
    return made ? 0 : 1;
}
