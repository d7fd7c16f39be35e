#include <sys/file.h>

#include <atomic>
#include <thread>

#include "common/env/clock.h"
#include "common/env/files.h"
#include "tests/integration/agent/agent_fixture.h"
#include "tests/support/places.h"

namespace tributary::agent {
namespace {

namespace fs = std::filesystem;

std::string sample(const std::string& name) { return test::in_source("tests/data/" + name); }

// Every file of `directory` in name order, committed one after another under one name.
struct Committed {
    std::vector<std::string> ids, contents;
    std::uint64_t plain_bytes = 0;
};

class RealFiles : public AgentTest {
protected:
    Committed commit_all(const std::string& directory, const std::string& name) {
        std::vector<std::string> paths;
        for (const auto& entry : fs::directory_iterator(directory)) paths.push_back(entry.path());
        std::sort(paths.begin(), paths.end());
        Committed all;
        for (const std::string& path : paths) {
            all.contents.push_back(file_at(path));
            all.plain_bytes += all.contents.back().size();
            write_file_at(dir / name, all.contents.back());
            all.ids.push_back(commit(dir / name));
        }
        return all;
    }
    void expect_restored(const Committed& all, const std::string& name) {
        for (std::size_t i = 0; i < all.ids.size(); ++i) {
            const std::string to = dir / ("out" + std::to_string(i));
            answer({"restore", all.ids[i], "--to", to});
            EXPECT_TRUE(file_at(to + "/" + name) == all.contents[i]) << all.ids[i];
        }
    }
};

TEST_F(RealFiles, OfCheckpointsComeBackAndTakeLessThanTheirSize) {
    const Committed all = commit_all(sample("cnn-sgd"), "model.safetensors");
    expect_restored(all, "model.safetensors");

    const Json status = json_answer({"status"});
    EXPECT_EQ(status.u64_at("recorded_bytes").value(), all.plain_bytes);
    EXPECT_LT(status.u64_at("stored_bytes").value(), all.plain_bytes * 7 / 10);
    EXPECT_EQ(status.u64_at("pending_versions").value(), all.ids.size());
    EXPECT_EQ(agent({"fsck", "--data"}).ending.exit_code, 0);
}

TEST_F(RealFiles, OfTelemetryThatGrowsAddLittle) {
    const Committed all = commit_all(sample("telemetry-csv"), "telemetry.csv");
    expect_restored(all, "telemetry.csv");
    EXPECT_LT(json_answer({"status"}).u64_at("stored_bytes").value(), all.plain_bytes / 10);
}

// What the program itself takes of the address space, with room for the versions that libraries
// come in; the stacks of its threads are made small. The rest is the workers', of each of which the
// page on the config tells how much.
class LittleMemory : public RealFiles {
protected:
    static constexpr std::uint64_t kProgramMiB = 24;

    static std::uint64_t worker_mib(const std::string& level) { return level == "max" ? 30 : 24; }

    void use_workers(std::uint64_t count) {
        workers_ = count;
        write_file_at(config(), "state_dir = \"" + dir / "state" +
                                    "\"\n[store]\nworkers = " + std::to_string(count) + "\n");
    }
    void commit_within_budget(const std::string& path, const std::string& level) {
        const std::uint64_t kib = (kProgramMiB + workers_ * worker_mib(level)) * 1024;
        std::vector<std::string> limited = {
            "/bin/sh", "-c",
            "ulimit -s 256 && ulimit -v " + std::to_string(kib) + " && exec \"$@\"", "sh"};
        for (const std::string& word :
             words({"commit", "--repo", "models/big", path, "--level", level}))
            limited.push_back(word);
        const test::Finished finished = test::run(limited);
        EXPECT_EQ(finished.ending, test::Ending{.exit_code = 0})
            << "level " << level << ": " << finished.err;
    }

private:
    std::uint64_t workers_ = 1;
};

// Far more than the memory that it is given; the rest of the file is a hole. Then at the level that
// takes most, against what is there.
TEST_F(LittleMemory, SufficesForTwoGigabytes) {
    if (!test::kMeasurable) GTEST_SKIP() << "a sanitizer or an emulator takes memory of its own";
    const std::uint64_t hole = std::uint64_t{2} << 30;
    const std::string first = file_at(sample("cnn-sgd") + "/v01.safetensors");
    const std::string second = file_at(sample("cnn-sgd") + "/v02.safetensors");
    write_file_at(dir / "big", first);
    fs::resize_file(dir / "big", hole + first.size());
    commit_within_budget(dir / "big", "default");
    std::fstream(dir / "big", std::ios::in | std::ios::out | std::ios::binary) << second;
    commit_within_budget(dir / "big", "max");

    const Json status = json_answer({"status"});
    EXPECT_EQ(status.u64_at("recorded_bytes").value(), 2 * (hole + first.size()));
    EXPECT_LT(status.u64_at("stored_bytes").value(), 2 * first.size() + (1u << 20));
}

// Numbers that no header speaks of, rows and other text, so that pieces are up to 1 MiB and parts
// of them are coded in every way; three versions of it, so that there are two bases, too.
TEST_F(LittleMemory, SufficesForSeveralWorkers) {
    if (!test::kMeasurable) GTEST_SKIP() << "a sanitizer or an emulator takes memory of its own";
    std::string text;
    std::string rows;
    test::Random random(7);
    while (text.size() < 3'000'000)
        text += std::string(1 + random.below(9u), static_cast<char>('a' + random.below(8u))) + " ";
    for (int i = 0; i < 30'000; ++i)
        rows += std::to_string(100'000 + 7 * i) + "," + std::to_string(random.below(50u)) + "\n";
    use_workers(4);
    for (const std::string level : {"default", "max"}) {
        for (int version = 1; version <= 3; ++version) {
            const std::string weights =
                file_at(sample("cnn-sgd") + "/v0" + std::to_string(version) + ".safetensors");
            write_file_at(dir / "mixed", text + weights.substr(3000) + rows);
            write_file_at(dir / "model", weights);
            commit_within_budget(dir / "mixed", level);
            commit_within_budget(dir / "model", level);
            rows += "200000,1\n";
        }
        fs::remove_all(dir / "state");
    }
}

TEST_F(AgentTest, PrintsTheSameIdWhenNothingChanged) {
    write_file_at(dir / "data/a", "one");
    write_file_at(dir / "data/b/c", "two");
    const std::string first = commit(dir / "data");

    EXPECT_EQ(commit(dir / "data"), first);
    EXPECT_NE(answer({"commit", "--repo", "models/cnn", dir / "data", "-m", "again"}), first);
    EXPECT_EQ(json_answer({"log"}).array_at("versions").value()->size(), 2u);
}

TEST_F(AgentTest, PrintsOneLineTheVersionId) {
    write_file_at(dir / "a", "one");
    const test::Finished finished = agent({"commit", "--repo", "a/b", dir / "a"});

    EXPECT_EQ(finished.out.size(), std::string("sha256:\n").size() + 64);
    EXPECT_TRUE(finished.out.starts_with("sha256:"));
    EXPECT_EQ(finished.err, "");
}

TEST_F(AgentTest, ShowsWhatAVersionWasMadeFrom) {
    write_file_at(dir / "data", "photos");
    write_file_at(dir / "model", "weights");
    const std::string data = commit(dir / "data", "data/photos");
    const std::string elsewhere = "sha256:" + std::string(64, 'b');

    answer({"commit", "--repo", "models/cnn", dir / "model", "--input", "data/photos", "--input",
            "base_model=" + elsewhere, "--meta", "epoch=3", "-m", "third epoch"});

    const Json log = json_answer({"log", "models/cnn", "-n", "1"});
    const Json& version = log.array_at("versions").value()->front();
    const Json::Array& inputs = *version.array_at("inputs").value();
    ASSERT_EQ(inputs.size(), 2u);
    EXPECT_EQ(inputs[0].text_at("role").value(), "base_model");
    EXPECT_EQ(inputs[0].text_at("id").value(), elsewhere);
    EXPECT_EQ(inputs[1].text_at("role").value(), "train_data");
    EXPECT_EQ(inputs[1].text_at("id").value(), data);
    EXPECT_EQ(version.find("metadata")->text_at("epoch").value(), "3");
    EXPECT_EQ(version.text_at("message").value(), "third epoch");
}

// ---- one store, many users ----

TEST_F(AgentTest, LetsManyCommitsAtOnceSucceed) {
    std::vector<std::unique_ptr<test::Process>> commits;
    for (int i = 0; i < 6; ++i) {
        const std::string path = dir / ("file" + std::to_string(i));
        write_file_at(path, random_text(static_cast<std::uint64_t>(i), 500'000));
        commits.push_back(std::make_unique<test::Process>(
            words({"commit", "--repo", "a/b", path, "--branch", "b" + std::to_string(i % 2)})));
    }
    for (const auto& process : commits) {
        const auto ending = process->wait(test::milliseconds(30'000));
        ASSERT_TRUE(ending);
        EXPECT_EQ(ending->exit_code, 0) << process->err();
    }
    EXPECT_EQ(json_answer({"log"}).array_at("versions").value()->size(), 6u);
    EXPECT_EQ(agent({"fsck", "--data"}).ending.exit_code, 0);
}

TEST_F(AgentTest, WaitsForAStoreInUse) {
    write_file_at(dir / "a", "one");
    commit(dir / "a");
    write_file_at(dir / "a", "two");
    auto lock = system_files().lock(store() + "/lock", "a test");
    ASSERT_TRUE(lock) << lock.error().what;

    test::Process waiting(words({"commit", "--repo", "models/cnn", dir / "a"}));
    EXPECT_FALSE(waiting.wait(test::milliseconds(300)));
    lock->reset();

    const auto ending = waiting.wait(test::milliseconds(10'000));
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->exit_code, 0) << waiting.err();
}

// ---- trouble ----

TEST_F(AgentTest, NeverCommitsAFileThatIsBeingWritten) {
    const std::string path = dir / "growing";
    write_file_at(path, random_text(1, 30'000'000));
    std::atomic<bool> stop = false;
    std::thread writer([&] {
        std::ofstream file(path, std::ios::binary | std::ios::app);
        while (!stop) {
            file << "more" << std::flush;
            test::pause(test::milliseconds(1));
        }
    });
    const test::Finished finished = agent({"commit", "--repo", "a/b", path});
    stop = true;
    writer.join();

    EXPECT_EQ(finished.ending.exit_code, 3);
    EXPECT_EQ(finished.out, "");
    EXPECT_NE(finished.err.find("changed while it was read"), std::string::npos) << finished.err;
    EXPECT_EQ(json_answer({"log"}).array_at("versions").value()->size(), 0u);
    commit(path);  // now it rests
}

TEST_F(AgentTest, NamesAnUnknownConfigKey) {
    write_file_at(config(), "state_dir = \"x\"\n[hub]\nuri = \"http://hub\"\n");
    const test::Finished finished = agent({"status"});

    EXPECT_EQ(finished.ending.exit_code, 2);
    EXPECT_NE(finished.err.find("line 3"), std::string::npos) << finished.err;
    EXPECT_NE(finished.err.find("uri"), std::string::npos) << finished.err;
}

TEST_F(AgentTest, LosesNothingWhenThereIsNoSpace) {
    write_file_at(dir / "a", random_text(1, 300'000));
    const std::string first = commit(dir / "a");
    write_file_at(dir / "a", random_text(2, 4'000'000));

    // No file may grow past 1 MB: the kernel refuses like a full disk.
    std::string line = "ulimit -f 1000; exec \"$0\" \"$@\"";
    std::vector<std::string> limited = {"/bin/bash", "-c", line};
    for (const std::string& word : words({"commit", "--repo", "models/cnn", dir / "a"})) {
        limited.push_back(word);
    }
    const test::Finished full = test::run(limited);
    EXPECT_EQ(full.ending.exit_code, 1) << full.ending.signal;
    EXPECT_EQ(full.out, "");
    EXPECT_NE(full.err, "");

    EXPECT_EQ(agent({"fsck", "--data"}).ending.exit_code, 0);
    answer({"restore", first, "--to", dir / "out"});
    EXPECT_TRUE(file_at(dir / "out/a") == random_text(1, 300'000));
    EXPECT_NE(commit(dir / "a"), first);
}

TEST_F(AgentTest, KeepsAFolderThatHoldsSomethingUnlessForced) {
    write_file_at(dir / "a", "new");
    const std::string id = commit(dir / "a");
    write_file_at(dir / "out/a", "old");

    const test::Finished refused = agent({"restore", id, "--to", dir / "out"});
    EXPECT_EQ(refused.ending.exit_code, 3);
    EXPECT_NE(refused.err.find("--force"), std::string::npos);
    EXPECT_EQ(file_at(dir / "out/a"), "old");

    answer({"restore", id, "--to", dir / "out", "--force"});
    EXPECT_EQ(file_at(dir / "out/a"), "new");
}

TEST_F(AgentTest, NamesDamageAndKeepsTheRestReadable) {
    write_file_at(dir / "a", random_text(1, 200'000));
    const std::string damaged = commit(dir / "a", "x/damaged");
    write_file_at(dir / "b", random_text(2, 200'000));
    const std::string sound = commit(dir / "b", "x/sound");
    EXPECT_EQ(agent({"fsck", "--data"}).ending.exit_code, 0);
    {  // one bit in the first payload, far from any frame
        std::fstream segment(store() + "/segments/000001.seg",
                             std::ios::binary | std::ios::in | std::ios::out);
        segment.seekg(100'000);
        const char byte = static_cast<char>(segment.get() ^ 1);
        segment.seekp(100'000);
        segment.put(byte);
    }

    const test::Finished fsck = agent({"fsck", "--data"});
    EXPECT_EQ(fsck.ending.exit_code, 1);
    EXPECT_NE(fsck.out.find("damaged: "), std::string::npos) << fsck.out;

    EXPECT_EQ(agent({"restore", damaged, "--to", dir / "out1"}).ending.exit_code, 1);
    answer({"restore", sound, "--to", dir / "out2"});
    EXPECT_TRUE(file_at(dir / "out2/b") == random_text(2, 200'000));

    // Recording the same file again mends it.
    commit(dir / "a", "x/damaged");
    answer({"restore", damaged, "--to", dir / "out3"});
    EXPECT_TRUE(file_at(dir / "out3/a") == random_text(1, 200'000));
}

// ---- the other verbs ----

TEST_F(AgentTest, InitMakesEverythingAheadOfTimeAndKeepsWhatIsThere) {
    fs::remove(config());
    answer({"init", "--state-dir", dir / "elsewhere"});
    const std::string written = file_at(config());
    EXPECT_NE(written.find(dir / "elsewhere"), std::string::npos);
    EXPECT_TRUE(fs::exists(dir / "elsewhere/key.pem"));

    answer({"init"});
    EXPECT_EQ(file_at(config()), written);
    EXPECT_EQ(json_answer({"status"}).u64_at("sequence").value(), 1u);
    EXPECT_EQ(agent({"init", "--state-dir", dir / "third"}).ending.exit_code, 2);
}

TEST_F(AgentTest, InitThatFailsLeavesNoConfigurationInTheWay) {
    fs::remove(config());
    EXPECT_NE(agent({"init", "--state-dir", "/proc/nowhere"}).ending.exit_code, 0);
    EXPECT_FALSE(fs::exists(config()));
    answer({"init", "--state-dir", dir / "elsewhere"});
}

TEST_F(AgentTest, DoctorFindsAHealthyBoardAndAMissingKey) {
    write_file_at(dir / "a", "one");
    commit(dir / "a");
    EXPECT_EQ(agent({"doctor"}).ending.exit_code, 0);

    fs::remove(dir / "state/key.pem");
    const test::Finished ill = agent({"doctor"});
    EXPECT_EQ(ill.ending.exit_code, 1);
    EXPECT_NE(ill.out.find("fail  key"), std::string::npos) << ill.out;
}

TEST_F(AgentTest, DoctorSaysWhatIsOutOfReach) {
    const std::string port = std::to_string(test::free_port());
    write_file_at(config(), "state_dir = \"" + dir / "state" +
                                "\"\n[hub]\nurl = \"http://127.0.0.1:" + port +
                                "\"\n[broker]\nurl = \"mqtt://127.0.0.1:" + port + "\"\n");
    const test::Finished doctor = agent({"doctor"});

    EXPECT_EQ(doctor.ending.exit_code, 5) << doctor.err;
    EXPECT_NE(doctor.out.find("fail  hub"), std::string::npos) << doctor.out;
    EXPECT_NE(doctor.out.find("fail  broker"), std::string::npos) << doctor.out;
}

TEST_F(AgentTest, DoctorAndStatusSayWhenTheHoursOfTheLinkAreNotKept) {
    const bool synced = system_clock().quality() == ClockQuality::synced;
    EXPECT_EQ(agent({"doctor"}).out.find("  link "), std::string::npos);
    EXPECT_TRUE(json_answer({"status"}).find("link_hours")->is_null());
    write_file_at(config(),
                  "state_dir = \"" + dir / "state" + "\"\n[link]\nhours = [\"22:00-06:00\"]\n");
    const test::Finished doctor = agent({"doctor"});
    EXPECT_EQ(doctor.out.find("warn  link      [link] hours are not kept") == std::string::npos,
              synced)
        << doctor.out;
    EXPECT_EQ(json_answer({"status"}).text_at("link_hours").value(), synced ? "kept" : "ignored");
}

TEST_F(AgentTest, StatusThatIsWatchedThroughAPipeHasTheTimeBetweenItsBlocks) {
    const test::Process watch(words({"status", "--watch"}));
    EXPECT_TRUE(test::eventually(
        [&] {
            const std::string out = watch.out();
            const auto first = out.find("--- 20");
            return first == 0 && out.find("Z\nstate  ") < 40 &&
                   out.find("\n--- 20") != std::string::npos;
        },
        test::milliseconds(20'000)))
        << watch.out();
}

TEST_F(AgentTest, DoctorLooksAtWatchedFolders) {
    write_file_at(dir / "file", "one");
    write_file_at(config(), "state_dir = \"" + dir / "state" + "\"\n[[watch]]\npath = \"" +
                                dir / "later" + "\"\nrepo = \"a/b\"\n[[watch]]\npath = \"" +
                                dir / "file" + "\"\nrepo = \"a/b\"\n[[watch]]\npath = \"" +
                                dir.path() + "\"\nrepo = \"a/b\"\n");
    const test::Finished doctor = agent({"doctor"});
    EXPECT_EQ(doctor.ending.exit_code, 1);
    EXPECT_NE(doctor.out.find("later is not there; it is waited for"), std::string::npos)
        << doctor.out;
    EXPECT_NE(doctor.out.find("file is not a folder"), std::string::npos) << doctor.out;
    EXPECT_NE(doctor.out.find("which holds the board's private key"), std::string::npos)
        << doctor.out;
}

TEST_F(AgentTest, DoctorSeesWhereNothingCanBeMade) {
    write_file_at(config(), "state_dir = \"/proc/foo\"\n[[model]]\nname = \"m\"\n");
    const test::Finished doctor = agent({"doctor"});
    EXPECT_EQ(doctor.ending.exit_code, 1);
    EXPECT_NE(doctor.out.find("fail  state_dir"), std::string::npos) << doctor.out;
    EXPECT_NE(doctor.out.find("fail  model"), std::string::npos) << doctor.out;
}

TEST_F(AgentTest, TrustLogShowsNothingThatATerminalObeys) {
    write_file_at(dir / "a", "one");
    answer({"commit", "--repo", "a/b", dir / "a", "-m", "red \x1b[31m", "--meta", "k=\x1b[2J"});
    const std::string log = answer({"log"});
    EXPECT_EQ(log.find('\x1b'), std::string::npos);
    EXPECT_NE(log.find("red ?[31m"), std::string::npos) << log;
}

TEST_F(AgentTest, DoctorCallsAWrongAddressAUsageError) {
    write_file_at(config(), "state_dir = \"" + dir / "state" + "\"\n[hub]\nurl = \"h:1\"\n");
    EXPECT_EQ(agent({"doctor"}).ending.exit_code, 2);
}

TEST_F(AgentTest, ReadingVerbsMakeNothing) {
    EXPECT_EQ(json_answer({"status"}).u64_at("recorded_bytes").value(), 0u);
    EXPECT_EQ(agent({"log"}).ending.exit_code, 1);
    EXPECT_EQ(agent({"fsck"}).ending.exit_code, 1);
    EXPECT_EQ(agent({"doctor"}).ending.exit_code, 0);
    EXPECT_FALSE(fs::exists(dir / "state"));
}

}  // namespace
}  // namespace tributary::agent
