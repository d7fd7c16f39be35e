// The agent under a preloaded library that logs its file calls. The log is replayed on a simulated
// disk whose power is cut, at each printed id and elsewhere, so that what was not synced is lost;
// what is left is laid out as a store again, which must hold every id that had been printed.
#include <cstring>
#include <set>

#include "tests/integration/agent/agent_fixture.h"
#include "tests/integration/agent/preload/file_log.h"
#include "tests/support/places.h"
#include "tests/support/sim_files.h"

namespace tributary::agent {
namespace {

using test::FileCall;

struct Call {
    FileCall call{};
    std::string path, other;
    std::uint64_t number = 0;
};

template <class Number>
Number take(std::string_view& log) {
    Number number{};
    std::memcpy(&number, log.data(), sizeof number);
    log.remove_prefix(sizeof number);
    return number;
}

std::vector<Call> parse(std::string_view log) {
    std::vector<Call> calls;
    while (!log.empty()) {
        Call& call = calls.emplace_back();
        call.call = static_cast<FileCall>(take<std::uint8_t>(log));
        for (std::string* const text : {&call.path, &call.other}) {
            const auto length = take<std::uint32_t>(log);
            *text = log.substr(0, length);
            log.remove_prefix(length);
        }
        call.number = take<std::uint64_t>(log);
    }
    return calls;
}

class FileReplay : public AgentTest {
protected:
    static constexpr std::uint64_t kSeed = 20261121;
    static constexpr int kVersions = 8;
    const std::string shim = test::in_build("tests/integration/file_shim.so");

    void SetUp() override {
        if (!std::filesystem::exists(shim))
            GTEST_SKIP() << "nothing is preloaded under a sanitizer or an emulator";
    }

    // Records versions, each by a process of its own; the store is so small that it seals segments
    // on the way.
    void record() {
        write_file_at(config(),
                      "state_dir = \"" + dir / "state" + "\"\n[store]\nquota = \"16MiB\"\n");
        std::string content;
        for (int i = 0; i < kVersions; ++i) {
            content = random_text(kSeed + static_cast<std::uint64_t>(i), 300'000);
            write_file_at(dir / "file", content);
            const test::Finished done =
                test::run(words({"commit", "--repo", "models/cnn", dir / "file"}),
                          {{"LD_PRELOAD", shim},
                           {"TRIBUTARY_FILE_LOG", dir / "calls"},
                           {"TRIBUTARY_FILE_LOG_UNDER", dir.path()}});
            ASSERT_EQ(done.ending.exit_code, 0) << done.err;
            contents.push_back(content);
        }
        calls = parse(file_at(dir / "calls"));
        for (std::size_t i = 0; i < calls.size(); ++i)
            if (calls[i].call == FileCall::print) prints.push_back(i);
        ASSERT_EQ(prints.size(), contents.size());
    }

    // The first `count` calls, then a power cut.
    void replay(test::SimFiles& files, std::size_t count, std::uint64_t seed, bool with_syncs) {
        std::set<std::string> new_directories;  // whose names are not durable
        ASSERT_TRUE(files.make_directories(dir.path()));
        for (std::size_t i = 0; i < count; ++i) {
            const Call& call = calls[i];
            if (call.call == FileCall::make_directory)
                new_directories.insert(std::string(parent_path(call.path)));
            if (call.call == FileCall::sync_directory) new_directories.erase(call.path);
            // Where a new directory stands, the simulated disk makes durable itself.
            if (call.call == FileCall::print && with_syncs) {
                EXPECT_TRUE(new_directories.empty()) << *new_directories.begin();
            }
            const Status done = apply(files, call, with_syncs);
            ASSERT_TRUE(done) << "call " << i << ": " << done.error().what;
        }
        files.crash(seed);
        files.restart();
    }
    Status apply(test::SimFiles& files, const Call& call, bool with_syncs) {
        switch (call.call) {
            case FileCall::create: return files.create(call.path).map([](const auto&) {});
            case FileCall::write: {
                TRIBUTARY_ASSIGN(const auto file, files.open_overwritable(call.path));
                return file->write_at(call.number, as_bytes(call.other));
            }
            case FileCall::truncate: {
                TRIBUTARY_ASSIGN(const auto file, files.open_overwritable(call.path));
                return file->truncate(call.number);
            }
            case FileCall::sync: {
                if (!with_syncs) return {};
                TRIBUTARY_ASSIGN(const auto file, files.open_overwritable(call.path));
                return file->sync();
            }
            case FileCall::sync_directory:
                return with_syncs ? files.sync_directory(call.path) : Status();
            case FileCall::rename: return files.rename(call.path, call.other);
            case FileCall::remove: return files.remove(call.path);
            case FileCall::make_directory: return files.make_directories(call.path);
            case FileCall::print: return {};
        }
        return {};
    }

    // Lays what is on the simulated disk out in place of the store.
    void lay_out(test::SimFiles& files, const std::string& path) {
        const auto names = files.list(path);
        ASSERT_TRUE(names) << names.error().what;
        std::filesystem::create_directories(path);
        for (const std::string& name : *names) {
            const std::string below = join_path(path, name);
            if (files.stat(below)->kind == FileStatus::Kind::directory) {
                lay_out(files, below);
                continue;
            }
            const Bytes bytes = read_file(files, below, 1u << 30).value();
            write_file_at(below, {bytes.begin(), bytes.end()});
        }
    }

    // What a person finds after the first `count` calls and a power cut. How many of the ids that
    // had been printed are not there, and the same.
    std::size_t lost_after(std::size_t count, std::uint64_t seed, bool with_syncs = true) {
        test::SimFiles files;
        replay(files, count, seed, with_syncs);
        std::filesystem::remove_all(dir / "state");
        if (files.stat(dir / "state")) lay_out(files, dir / "state");
        std::size_t lost = 0;
        for (std::size_t i = 0; i < prints.size() && prints[i] < count; ++i) {
            std::string id = calls[prints[i]].other;
            id.pop_back();
            std::filesystem::remove_all(dir / "out");
            const bool restored = agent({"restore", id, "--to", dir / "out"}).ending.exit_code == 0;
            if (!restored || file_at(dir / "out/file") != contents[i]) ++lost;
        }
        if (with_syncs && std::filesystem::exists(dir / "state/store/format")) {
            const test::Finished fsck = agent({"fsck", "--data"});
            EXPECT_EQ(fsck.ending.exit_code, 0) << fsck.out << fsck.err;
        }
        return lost;
    }

    std::vector<std::string> contents;
    std::vector<Call> calls;
    std::vector<std::size_t> prints;  // places in `calls`
};

TEST_F(FileReplay, NoIdIsPrintedThatAPowerCutCouldTake) {
    record();
    if (HasFatalFailure()) return;
    test::Random random(kSeed);
    for (const std::size_t print : prints) {
        SCOPED_TRACE("cut at the print that is call " + std::to_string(print));
        EXPECT_EQ(lost_after(print + 1, random.next()), 0u);
    }
    for (int i = 0; i < 16 && !HasFailure(); ++i) {
        const std::size_t count = random.below(calls.size());
        SCOPED_TRACE("cut before call " + std::to_string(count));
        EXPECT_EQ(lost_after(count, random.next()), 0u);
    }
    // Would it be seen? Without its syncs the same agent loses what it printed.
    std::size_t lost = 0;
    for (int i = 0; i < 4; ++i) lost += lost_after(prints.back() + 1, random.next(), false);
    EXPECT_GT(lost, 0u);
}

}  // namespace
}  // namespace tributary::agent
