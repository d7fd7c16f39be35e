// tributary-bench store: what recording costs the flash, in bytes handed to write(), in syncs and
// in room on the disk; and a plain blob store in SQLite doing the same in the same run.
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>

#include "agent/record/recorder.h"
#include "common/env/files.h"
#include "common/hash/hash.h"
#include "common/store/sqlite.h"
#include "tests/bench/bench.h"
#include "tests/bench/effort.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"

namespace tributary::bench {
namespace {

constexpr std::size_t kBigFiles = 16;
constexpr std::size_t kBigBytes = 4 * limits::MiB;
constexpr std::size_t kSmallCommits = 200;
constexpr std::size_t kSmallBytes = 100;

// A store as the bench sees it: it takes a file in, durably.
class Contender {
public:
    virtual ~Contender() = default;
    virtual Status commit(const std::string& file) = 0;
};

class Tributary final : public Contender {
public:
    static Result<std::unique_ptr<Contender>> open(const std::string& directory) {
        auto made = std::make_unique<Tributary>();
        TRIBUTARY_ASSIGN(made->store_, fresh_store(directory));
        return made;
    }
    Status commit(const std::string& file) override {
        agent::CommitRequest request;
        request.repo = "bench/store";
        request.paths = {file};
        const auto done = agent::Recorder(system_files(), system_clock(), *store_).commit(request);
        return done.map([](const auto&) {});
    }

private:
    std::unique_ptr<Store> store_;
};

// One table: a row for each version, its bytes named by their SHA-256. Each commit a transaction,
// durable when it returns.
class SqliteBlobs final : public Contender {
public:
    static Result<std::unique_ptr<Contender>> open(const std::string& directory) {
        TRIBUTARY_TRY(system_files().make_directories(directory));
        auto made = std::make_unique<SqliteBlobs>(directory + "/blobs.sqlite");
        TRIBUTARY_TRY(made->database_.open());
        TRIBUTARY_TRY(made->database_.run(R"sql(
            PRAGMA locking_mode = EXCLUSIVE;
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            PRAGMA secure_delete = OFF;
            CREATE TABLE version(
                number INTEGER PRIMARY KEY,
                repo TEXT NOT NULL, branch TEXT NOT NULL,
                at_ms INTEGER NOT NULL,
                digest BLOB NOT NULL,
                content BLOB NOT NULL);
        )sql"));
        return made;
    }
    explicit SqliteBlobs(const std::string& path) : database_(path, written_) {}

    Status commit(const std::string& file) override {
        TRIBUTARY_ASSIGN(const Bytes content, read_file(system_files(), file, kBigBytes));
        const Digest digest = sha256(content);
        const std::string repo = "bench/store", branch = "main";
        TRIBUTARY_ASSIGN(Statement* const insert,
                         database_.statement("INSERT INTO version(repo, branch, at_ms, digest, "
                                             "content) VALUES(?,?,?,?,?)"));
        insert->bind(1, repo);
        insert->bind(2, branch);
        insert->bind(3, static_cast<std::int64_t>(system_clock().wall().ms));
        insert->bind(4, ByteView(digest.bytes));
        insert->bind(5, ByteView(content));
        const auto stepped = insert->step();
        insert->reset();
        return stepped.map([](bool) {});
    }

private:
    std::uint64_t written_ = 0;
    Database database_;
};

// Room that the files below a folder take on the disk.
std::uint64_t disk_bytes(const std::string& directory) {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
        struct stat status {};
        if (entry.is_regular_file() && ::lstat(entry.path().c_str(), &status) == 0)
            bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
    return bytes;
}

struct Cost {
    std::uint64_t written_bytes = 0, disk_bytes = 0, syncs = 0;
    double seconds = 0;
};

using Open = Result<std::unique_ptr<Contender>> (*)(const std::string& directory);

// So many commits, into a new store, of a file that is random each time; neither making that file
// nor that store is counted, but closing it is.
Result<Cost> cost_of(Open open, std::size_t commits, std::size_t bytes) {
    const test::TempDir home;
    const std::string file = home / "file", store = home / "store";
    TRIBUTARY_ASSIGN(auto contender, open(store));
    test::Random random(bytes);
    Cost cost;
    const std::uint64_t on_disk = disk_bytes(store);
    const auto count = [&](const auto& work) -> Status {
        const Effort before = effort();
        const Stopwatch watch;
        TRIBUTARY_TRY(work());
        cost.seconds += watch.seconds();
        const Effort after = effort();
        cost.written_bytes += after.written_bytes - before.written_bytes;
        cost.syncs += after.syncs - before.syncs;
        return {};
    };
    for (std::size_t i = 0; i < commits; ++i) {
        TRIBUTARY_TRY(replace_file(system_files(), file, random.bytes(bytes)));
        TRIBUTARY_TRY(count([&] { return contender->commit(file); }));
    }
    TRIBUTARY_TRY(count([&]() -> Status {
        contender.reset();
        return {};
    }));
    cost.disk_bytes = disk_bytes(store) - on_disk;
    return cost;
}

struct Costs {
    Cost big, small;
};

Result<Costs> measure(Open open) {
    Costs costs;
    TRIBUTARY_ASSIGN(costs.big, cost_of(open, kBigFiles, kBigBytes));
    TRIBUTARY_ASSIGN(costs.small, cost_of(open, kSmallCommits, kSmallBytes));
    return costs;
}

Json to_json(const Costs& costs) {
    const auto per_byte = [](std::uint64_t bytes) {
        return rounded(static_cast<double>(bytes) / static_cast<double>(kBigFiles * kBigBytes),
                       10'000);
    };
    const auto per_commit = [](std::uint64_t count) {
        return rounded(static_cast<double>(count) / static_cast<double>(kSmallCommits), 100);
    };
    return Json::object({{"write_amplification", per_byte(costs.big.written_bytes)},
                         {"disk_bytes_per_byte", per_byte(costs.big.disk_bytes)},
                         {"bytes_per_small_commit", costs.small.written_bytes / kSmallCommits},
                         {"disk_bytes_per_small_commit", costs.small.disk_bytes / kSmallCommits},
                         {"syncs_per_small_commit", per_commit(costs.small.syncs)}});
}

}  // namespace

Result<Json> run_store() {
    TRIBUTARY_ASSIGN(const Costs ours, measure(Tributary::open));
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    TRIBUTARY_ASSIGN(const Costs theirs, measure(SqliteBlobs::open));

    Json sqlite = to_json(theirs);
    sqlite.set("seconds_big_ratio", rounded(theirs.big.seconds / ours.big.seconds, 100));
    sqlite.set("seconds_small_ratio", rounded(theirs.small.seconds / ours.small.seconds, 100));
    Json answer = to_json(ours);
    answer.set("peak_rss_bytes", static_cast<std::uint64_t>(usage.ru_maxrss) * 1024);
    answer.set("sqlite_wal_full", std::move(sqlite));
    return answer;
}

}  // namespace tributary::bench
