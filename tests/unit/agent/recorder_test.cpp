#include "agent/record/recorder.h"

#include "agent/record/restorer.h"
#include "tests/support/doubled_tree.h"
#include "tests/support/places.h"
#include "tests/support/store_builder.h"
#include "tests/unit/agent/node_fixture.h"

namespace tributary::agent {
namespace {

using RecorderTest = NodeTest;

TEST_F(RecorderTest, RestoresExactlyWhatWasCommitted) {
    write("/in/model.bin", random_bytes(1, 3'000'000));
    write("/in/sub/run.sh", "#!/bin/sh\n", true);
    write("/in/sub/empty", "");
    ASSERT_TRUE(files.make_directories("/in/no files"));

    const CommitOutcome outcome = committed({"/in/"});
    const auto restored = restore_version(files, *store, outcome.version, "/out", false);

    ASSERT_TRUE(restored) << restored.error().what;
    EXPECT_EQ(restored->files, 3u);
    EXPECT_EQ(content("/out/in/model.bin"), random_bytes(1, 3'000'000));
    EXPECT_EQ(content("/out/in/sub/run.sh"), as_vector("#!/bin/sh\n"));
    EXPECT_TRUE(files.stat("/out/in/sub/run.sh")->executable);
    EXPECT_FALSE(files.stat("/out/in/model.bin")->executable);
    EXPECT_EQ(content("/out/in/sub/empty"), Bytes{});
    EXPECT_EQ(files.list("/out/in").value(),
              (std::vector<std::string>{"model.bin", "no files", "sub"}));
}

TEST_F(RecorderTest, AnswersTheHeadWhenNothingChanged) {
    write("/in/a", "one");
    const CommitOutcome first = committed({"/in/a"});

    const CommitOutcome second = committed({"/in/a"});

    EXPECT_EQ(second.version, first.version);
    EXPECT_FALSE(second.made);
    EXPECT_EQ(store->versions("models/cnn", 10)->size(), 1u);
}

TEST_F(RecorderTest, MakesAVersionOfTheSameTreeWhenANoteIsGiven) {
    write("/in/a", "one");
    const CommitOutcome first = committed({"/in/a"});
    CommitRequest again = request({"/in/a"});
    again.notes = Notes{"again", {{"epoch", "2"}}};

    const auto second = commit(again);

    ASSERT_TRUE(second);
    EXPECT_NE(second->version, first.version);
    EXPECT_EQ(second->tree, first.tree);
    const Version version = read_version(*store, second->version).value();
    EXPECT_EQ(version.parents, std::vector<VersionId>{first.version});
    EXPECT_EQ(read_notes(*store, version.notes)->metadata.at("epoch"), "2");
}

TEST_F(RecorderTest, KeepsTheBranchesOfARepositoryApart) {
    write("/in/a", "one");
    const CommitOutcome on_main = committed({"/in/a"});
    CommitRequest other = request({"/in/a"});
    other.branch = "try";

    const auto on_try = commit(other);

    ASSERT_TRUE(on_try);
    EXPECT_TRUE(on_try->made);
    EXPECT_NE(on_try->version, on_main.version);
    EXPECT_TRUE(read_version(*store, on_try->version)->parents.empty());
}

TEST_F(RecorderTest, SurvivesAPowerCutRightAfterItsAnswer) {
    write("/in/a", random_bytes(2, 700'000));
    const CommitOutcome outcome = committed({"/in/a"});

    files.crash(7);
    files.restart();
    open();
    const auto restored = restore_version(files, *store, outcome.version, "/out", false);

    ASSERT_TRUE(restored) << restored.error().what;
    EXPECT_EQ(content("/out/a"), random_bytes(2, 700'000));
}

TEST_F(RecorderTest, StoresLittleForAFileThatGrewInItsMiddle) {
    Bytes before = random_bytes(3, 4'000'000);
    write("/in/a", before);
    committed({"/in/a"});
    const std::uint64_t stored = store->counters().stored_bytes;
    before.insert(before.begin() + 1'500'000, 1000, 'x');
    write("/in/a", before);

    committed({"/in/a"});

    EXPECT_LT(store->counters().stored_bytes - stored, 100'000u);
}

// A model of a hundred layers of 40,000 bytes, six of which share a piece.
Bytes model_of_layers(ByteView weights) {
    std::string table;
    for (std::size_t i = 0; i < 100; ++i)
        table += (i == 0 ? "{" : ",") + std::string("\"layer") + std::to_string(i) +
                 R"(":{"dtype":"F32","shape":[10000],"data_offsets":[)" +
                 std::to_string(40'000 * i) + "," + std::to_string(40'000 * (i + 1)) + "]}";
    table += "}";
    Bytes file(8);
    store_le(file.data(), static_cast<std::uint64_t>(table.size()));
    file.insert(file.end(), table.begin(), table.end());
    file.insert(file.end(), weights.begin(), weights.end());
    return file;
}

// And not one percent plus the headers of what did not change.
TEST_F(RecorderTest, StoresOnePercentWhereOnePercentChanged) {
    Bytes weights = random_bytes(5, 4'000'000);
    write("/in/model.safetensors", model_of_layers(weights));
    committed({"/in/model.safetensors"});
    const std::uint64_t stored = store->counters().stored_bytes;
    const Bytes layer = random_bytes(6, 40'000);
    std::ranges::copy(layer, weights.begin() + 55 * 40'000);
    write("/in/model.safetensors", model_of_layers(weights));

    committed({"/in/model.safetensors"});

    const std::uint64_t added = store->counters().stored_bytes - stored;
    EXPECT_GE(added, layer.size());
    EXPECT_LE(added, layer.size() + layer.size() / 20);
}

std::uint64_t bytes_under(Files& files, const std::string& directory) {
    std::uint64_t bytes = 0;
    const std::vector<std::string> names = files.list(directory).value();
    for (const std::string& name : names) bytes += files.stat(join_path(directory, name))->size;
    return bytes;
}

// Pieces and recipe at most 0.1 % and 1 KiB more than the file, a version's own records 2 KiB.
TEST_F(RecorderTest, StoresHardlyMoreThanTheFileWhenItIsNoise) {
    const auto expect_bounded = [&](std::size_t size, const std::string& what) {
        const std::uint64_t before = bytes_under(files, "/state/store/segments");
        committed({"/in/a"});
        EXPECT_LE(bytes_under(files, "/state/store/segments") - before, size + size / 1000 + 3072)
            << what << " of " << size;
    };
    for (const std::size_t size : {0u, 1u, 1000u, 65'537u, 300'000u, 1'048'577u, 10'000'000u}) {
        write("/in/a", random_bytes(size, size));
        expect_bounded(size, "noise");
        write("/in/a", random_bytes(size + 1, size));
        expect_bounded(size, "noise after noise");

        Bytes tensor = as_vector(R"({"w":{"dtype":"F32","shape":[)" + std::to_string(size / 4) +
                                 R"(],"data_offsets":[0,)" + std::to_string(size / 4 * 4) + "]}}");
        Bytes file(8);
        store_le(file.data(), static_cast<std::uint64_t>(tensor.size()));
        file.insert(file.end(), tensor.begin(), tensor.end());
        const Bytes weights = random_bytes(size + 2, size / 4 * 4);
        file.insert(file.end(), weights.begin(), weights.end());
        write("/in/a", file);
        expect_bounded(file.size(), "weights that are noise");
    }
}

// The segment after two versions of a file, some pieces of which stand in it twice, and which drops
// its head.
Bytes stored_by(std::uint32_t workers) {
    test::StoreMachine machine;
    auto store = machine.open().value();
    EXPECT_TRUE(store->start_journal(test::start_body()));
    EXPECT_TRUE(machine.files.make_directories("/in"));
    for (const std::uint64_t seed : {1u, 2u}) {
        Bytes file = random_bytes(7, 3'000'000);
        std::ranges::copy(random_bytes(seed, 200'000), file.begin() + 1'000'000);
        file.insert(file.end(), file.begin(), file.begin() + 1'500'000);
        file.erase(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(seed * 100'000));
        EXPECT_TRUE(replace_file(machine.files, "/in/a", file));
        CommitRequest request;
        request.repo = "models/cnn";
        request.paths = {"/in/a"};
        request.workers = workers;
        EXPECT_TRUE(Recorder(machine.files, machine.clock, *store).commit(request));
    }
    return read_file(machine.files, "/data/store/segments/000001.seg", 16 << 20).value();
}

TEST(RecordersWorkers, MakeNoDifferenceToWhatIsStored) {
    const Bytes by_one = stored_by(1);
    EXPECT_GT(by_one.size(), 3'000'000u);
    for (const std::uint32_t workers : {2u, 3u, 8u})
        EXPECT_TRUE(stored_by(workers) == by_one) << workers;
}

// A store that is given one version of a real model after the other.
struct ModelStore {
    ModelStore(std::uint32_t with_workers, codec::Level at_level)
        : workers(with_workers), level(at_level) {
        machine.options.segment_bytes = limits::MiB;
        store = machine.open().value();
        EXPECT_TRUE(store->start_journal(test::start_body()));
        EXPECT_TRUE(machine.files.make_directories("/in"));
    }
    VersionId record(const std::string& name) {
        const std::string path = test::in_source("tests/data/cnn-sgd/" + name);
        const Bytes model = read_file(system_files(), path, 2 * limits::MiB).value();
        EXPECT_TRUE(replace_file(machine.files, "/in/model.safetensors", model));
        CommitRequest request;
        request.repo = "models/cnn";
        request.paths = {"/in/model.safetensors"};
        request.workers = workers;
        request.level = level;
        return Recorder(machine.files, machine.clock, *store).commit(request).value().version;
    }
    void give_up(std::vector<VersionId> versions) {
        CompactionPlan plan;
        plan.evict = std::move(versions);
        plan.dead_percent_min = 1;
        const auto compaction = store->compact(plan).value();
        while (!compaction->step().value()) {
        }
        EXPECT_GT(compaction->report().removed_bytes, 0u);
    }
    std::map<std::string, Bytes> segments() {
        const std::string directory = "/data/store/segments";
        const std::vector<std::string> names = machine.files.list(directory).value();
        std::map<std::string, Bytes> all;
        for (const std::string& name : names)
            all[name] =
                read_file(machine.files, join_path(directory, name), 2 * limits::MiB).value();
        return all;
    }

    test::StoreMachine machine;
    std::unique_ptr<Store> store;
    std::uint32_t workers;
    codec::Level level;
};

TEST(RecordersWorkers, MakeNoDifferenceToWhatIsStoredOfAModelInACompactedStore) {
    std::vector<std::map<std::string, Bytes>> stored;
    for (const std::uint32_t workers : {1u, 2u, 3u}) {
        ModelStore model(workers, codec::Level::standard);
        const VersionId first = model.record("v01.safetensors");
        const VersionId second = model.record("v02.safetensors");
        model.record("v03.safetensors");
        model.give_up({first, second});
        model.record("v04.safetensors");
        model.record("v01.safetensors");
        stored.push_back(model.segments());
    }

    EXPECT_GT(stored[0].size(), 2u);
    EXPECT_TRUE(stored[1] == stored[0]);
    EXPECT_TRUE(stored[2] == stored[0]);
}

TEST(RecordersWorkers, MakeNoDifferenceToWhatIsStoredOfAModelAtLevelMax) {
    std::vector<std::map<std::string, Bytes>> stored;
    for (const std::uint32_t workers : {1u, 3u}) {
        ModelStore model(workers, codec::Level::max);
        for (const char* name : {"v01.safetensors", "v02.safetensors", "v03.safetensors"})
            model.record(name);
        stored.push_back(model.segments());
    }

    EXPECT_TRUE(stored[1] == stored[0]);
}

// ---- files that change while they are read ----

// Runs once, when at least `after` bytes are recorded.
CommitProgress once_after(std::uint64_t after, std::function<void()> what) {
    return [after, what, done = false](const std::string&, std::uint64_t bytes) mutable -> Status {
        if (done || bytes < after) return {};
        done = true;
        what();
        return {};
    };
}

class ChangingFile : public NodeTest {
protected:
    void expect_conflict(const Result<CommitOutcome>& outcome) {
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().code, Errc::conflict) << outcome.error().what;
        EXPECT_NE(outcome.error().what.find("changed while it was read"), std::string::npos);
        EXPECT_TRUE(store->versions(std::nullopt, 10)->empty());
    }
};

TEST_F(ChangingFile, IsNotCommittedWhenItGrows) {
    write("/in/a", random_bytes(1, 3'000'000));
    expect_conflict(commit(request({"/in/a"}), once_after(1'000'000, [&] {
                               ASSERT_TRUE((*files.open_append("/in/a"))->append(as_bytes("x")));
                           })));
}

TEST_F(ChangingFile, IsNotCommittedWhenItIsCutShort) {
    write("/in/a", random_bytes(1, 3'000'000));
    expect_conflict(commit(request({"/in/a"}), once_after(1'000'000, [&] {
                               ASSERT_TRUE((*files.open_append("/in/a"))->truncate(2'000'000));
                           })));
}

TEST_F(ChangingFile, IsNotCommittedWhenAnotherTakesItsName) {
    write("/in/a", random_bytes(1, 3'000'000));
    expect_conflict(commit(request({"/in/a"}), once_after(1'000'000, [&] {
                               write("/in/b", random_bytes(2, 3'000'000));
                               ASSERT_TRUE(files.rename("/in/b", "/in/a"));
                           })));
}

TEST_F(ChangingFile, IsNotCommittedWhenItGoesAwayInAFolder) {
    write("/in/a", random_bytes(1, 3'000'000));
    write("/in/b", "b");
    expect_conflict(commit(request({"/in"}),
                           once_after(1'000'000, [&] { ASSERT_TRUE(files.remove("/in/b")); })));
}

// A disk whose timestamps tick so coarsely that all of a test falls into one tick.
class CoarseTimes final : public Files {
public:
    CoarseTimes(Files& inner, std::uint64_t tick_ns) : inner_(inner), tick_ns_(tick_ns) {}

    Result<FileStatus> stat(const std::string& path) override { return coarse(inner_.stat(path)); }
    Result<FileStatus> stat_target(const std::string& path) override {
        return coarse(inner_.stat_target(path));
    }
    Result<std::unique_ptr<File>> open_read(const std::string& path) override {
        return inner_.open_read(path);
    }
    Result<std::unique_ptr<File>> open_append(const std::string& path) override {
        return inner_.open_append(path);
    }
    Result<std::unique_ptr<File>> create(const std::string& path, bool executable,
                                         Readers readers) override {
        return inner_.create(path, executable, readers);
    }
    Result<std::vector<std::string>> list(const std::string& path) override {
        return inner_.list(path);
    }
    Status make_directories(const std::string& path, Readers readers) override {
        return inner_.make_directories(path, readers);
    }
    Status rename(const std::string& from, const std::string& to) override {
        return inner_.rename(from, to);
    }
    Status remove(const std::string& path) override { return inner_.remove(path); }
    Status sync_directory(const std::string& path) override { return inner_.sync_directory(path); }
    Result<std::string> read_link(const std::string& path) override {
        return inner_.read_link(path);
    }
    Status replace_link(const std::string& path, const std::string& target) override {
        return inner_.replace_link(path, target);
    }
    Result<std::uint64_t> free_bytes(const std::string& path) override {
        return inner_.free_bytes(path);
    }
    Result<std::unique_ptr<FileLock>> lock(const std::string& path,
                                           const std::string& holder) override {
        return inner_.lock(path, holder);
    }

private:
    Result<FileStatus> coarse(Result<FileStatus> status) const {
        if (status) status->mtime_ns = status->ctime_ns = tick_ns_;
        return status;
    }

    Files& inner_;
    std::uint64_t tick_ns_;
};

TEST_F(ChangingFile, IsNotCommittedThoughItsTimesDoNotTell) {
    const Bytes before = random_bytes(1, 3'000'000);
    write("/in/a", before);
    CoarseTimes coarse(files, clock.wall().ms * 1'000'000);
    const auto overwrite = once_after(1'000'000, [&] {  // in place, of the same length
        const auto file = files.open_append("/in/a").value();
        ASSERT_TRUE(file->truncate(0));
        ASSERT_TRUE(file->append(random_bytes(2, before.size())));
    });

    expect_conflict(Recorder(coarse, clock, *store, overwrite).commit(request({"/in/a"})));
}

TEST_F(ChangingFile, CanBeCommittedOnceItRests) {
    write("/in/a", random_bytes(1, 3'000'000));
    ASSERT_FALSE(commit(request({"/in/a"}), once_after(1'000'000, [&] {
                            ASSERT_TRUE((*files.open_append("/in/a"))->append(as_bytes("x")));
                        })));

    const auto outcome = commit(request({"/in/a"}));

    ASSERT_TRUE(outcome) << outcome.error().what;
    EXPECT_EQ(outcome->plain_bytes, 3'000'001u);
}

// ---- what is refused ----

TEST_F(RecorderTest, RefusesALinkAndNamesIt) {
    write("/in/a", "one");
    ASSERT_TRUE(files.replace_link("/in/link", "a"));

    const auto outcome = commit(request({"/in"}));

    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::invalid);
    EXPECT_NE(outcome.error().what.find("/in/link is a symbolic link"), std::string::npos);
}

TEST_F(RecorderTest, WritesNothingThatIsNotAdmitted) {
    write("/in/a", random_bytes(2, 100'000));
    CommitRequest over = request({"/in/a"});
    over.admit = [] { return fail(Errc::exhausted, "the quota is reached"); };
    const std::uint64_t written = store->counters().written_bytes;

    const auto outcome = commit(over);

    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::exhausted);
    EXPECT_EQ(outcome.error().what, "the quota is reached");
    EXPECT_EQ(store->counters().written_bytes, written);
}

TEST_F(RecorderTest, LosesNothingWhenTheDiskIsFull) {
    write("/in/a", random_bytes(1, 1'000'000));
    const CommitOutcome first = committed({"/in/a"});
    write("/in/a", random_bytes(2, 4'000'000));
    files.set_capacity(5'500'000);

    const auto full = commit(request({"/in/a"}));
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Errc::exhausted) << full.error().what;

    files.set_capacity(1u << 30);
    store.reset();
    open();
    EXPECT_TRUE(restore_version(files, *store, first.version, "/out", false));
    EXPECT_TRUE(commit(request({"/in/a"})));
}

// ---- restoring ----

TEST_F(RecorderTest, DoesNotRestoreIntoAFolderThatHoldsSomethingUnlessForced) {
    write("/in/a", "new");
    const CommitOutcome outcome = committed({"/in/a"});
    write("/out/a", "old");
    write("/out/mine", "mine");

    const auto refused = restore_version(files, *store, outcome.version, "/out", false);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::conflict);
    EXPECT_EQ(content("/out/a"), as_vector("old"));

    ASSERT_TRUE(restore_version(files, *store, outcome.version, "/out", true));
    EXPECT_EQ(content("/out/a"), as_vector("new"));
    EXPECT_EQ(content("/out/mine"), as_vector("mine"));
}

TEST_F(RecorderTest, NeverRestoresThroughALinkToElsewhere) {
    write("/in/sub/a", "new");
    const CommitOutcome outcome = committed({"/in/sub"});
    write("/elsewhere/a", "precious");
    ASSERT_TRUE(files.make_directories("/out"));
    ASSERT_TRUE(files.replace_link("/out/sub", "/elsewhere"));

    const auto restored = restore_version(files, *store, outcome.version, "/out", true);

    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, Errc::conflict);
    EXPECT_EQ(content("/elsewhere/a"), as_vector("precious"));
}

TEST_F(RecorderTest, RestoredFilesGetTheirNamesWhenTheDiskHasThem) {
    for (int i = 0; i < 600; ++i)
        write("/in/" + std::to_string(i) + "/" + std::to_string(i), std::to_string(i));
    const CommitOutcome outcome = committed({"/in"});
    write("/out/in/7/.tributary-part-3", "of a restore that was killed");
    std::uint64_t syncs = 0, named_at_first = 0;
    const auto sync_disk = [&](const std::string& directory) -> Status {
        for (int i = 0; i < 600 && syncs == 0; ++i)
            if (files.stat("/out/in/" + std::to_string(i) + "/" + std::to_string(i)))
                ++named_at_first;
        EXPECT_TRUE(directory.starts_with("/out"));
        ++syncs;
        return {};
    };

    ASSERT_TRUE(restore_version(files, *store, outcome.version, "/out", true, {}, sync_disk));

    EXPECT_EQ(syncs, 4u) << "whether it can, two lots, and the names of the second";
    EXPECT_EQ(named_at_first, 0u);
    EXPECT_EQ(content("/out/in/599/599"), as_vector("599"));
    EXPECT_EQ(files.list("/out/in/7").value(), std::vector<std::string>{"7"});
}

// As on old kernels, which answer success whatever became of the files.
TEST_F(RecorderTest, EachRestoredFileIsSyncedWhereTheDiskCannotTellHowThatWent) {
    write("/in/a", "one");
    write("/in/b", "two");
    const CommitOutcome outcome = committed({"/in"});
    const auto restored = [&] {
        return restore_version(
            files, *store, outcome.version, "/out", true, {},
            [](const std::string&) -> Status { return fail(Errc::unsupported, "old"); });
    };

    files.fail_call(test::SimFiles::Effect::sync, 2, EIO);
    EXPECT_FALSE(restored());
    EXPECT_EQ(files.list("/out/in").value(), std::vector<std::string>{});
    files.fail_call(test::SimFiles::Effect::sync_directory, 1, EIO);
    EXPECT_FALSE(restored());
    EXPECT_TRUE(restored());
}

TEST_F(RecorderTest, ARestoreThatIsToldToEndLeavesOnlyWholeFiles) {
    write("/in/a", "one");
    write("/in/b", "two");
    const CommitOutcome outcome = committed({"/in"});

    const auto restored = restore_version(files, *store, outcome.version, "/out", false,
                                          [](const std::string& path, std::uint64_t) -> Status {
                                              if (path != "/out/in/b") return {};
                                              return fail(Errc::cancelled, "stop");
                                          });

    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, Errc::cancelled);
    EXPECT_EQ(files.list("/out/in").value(), std::vector<std::string>{});
}

TEST_F(RecorderTest, RestoresNothingOfAVersionThatStandsForMoreFilesThanADiskTakes) {
    const VersionId version = committed_tree(test::doubled_tree(60));
    files.fail_call(test::SimFiles::Effect::make_directory, 1000, ENOSPC);  // or it takes all RAM

    const auto restored = restore_version(files, *store, version, "/out", false);

    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, Errc::invalid);
    EXPECT_NE(restored.error().what.find(version.text()), std::string::npos);
    EXPECT_FALSE(files.stat("/out"));
}

}  // namespace
}  // namespace tributary::agent
