// The daemon with a real broker and a real hub: what is recorded gets its receipt, whatever comes
// in between.
#include "tests/integration/daemon/daemon_fixture.h"

#include <csignal>
#include <cstdio>

namespace tributary::agent {
namespace {

// A file that is being written; no program started meanwhile inherits it.
class Writer {
public:
    Writer(const std::string& path) : file_(std::fopen(path.c_str(), "we")) {}
    ~Writer() { close(); }
    void write(const std::string& text) {
        std::fwrite(text.data(), 1, text.size(), file_);
        std::fflush(file_);
    }
    void close() {
        if (file_ != nullptr) std::fclose(file_);
        file_ = nullptr;
    }

private:
    std::FILE* file_;
};

TEST_F(DaemonTest, WhatIsRecordedGetsItsReceipt) {
    start_hub();
    start_daemon();
    wait_for_daemon();
    write_file_at(watched() + "/model.bin", random_text(1, 2'000'000));
    write_file_at(dir / "data.csv", "a,b\n1,2\n");

    commit(dir / "data.csv", "lab/data");

    ASSERT_TRUE(synced(2)) << daemon->err();
    const Json status = this->status();
    EXPECT_GT(status.u64_at("sent_bytes").value(), 2'000'000U);
    EXPECT_EQ(status.find("last_receipt")->u64_at("sequence").value(), 3U);
    EXPECT_EQ(status.find("daemon")->text_at("device").value(), "board");
    EXPECT_EQ(daemon->stop().exit_code, 0);
    EXPECT_TRUE(nothing_pending()) << "also without the daemon";
}

TEST_F(DaemonTest, ABrokerKilledInTheMiddleCostsNothing) {
    start_hub();
    start_daemon();
    wait_for_daemon();
    ASSERT_TRUE(test::eventually([&] { return status().find("last_receipt") != nullptr; }, kSoon));
    const std::string content = random_text(2, 12'000'000);
    write_file_at(watched() + "/model.bin", content);
    ASSERT_TRUE(daemon->wait_for_output("recorded repo=lab/watched", kSoon));

    broker.kill();
    ASSERT_TRUE(daemon->wait_for_output("no broker", kSoon)) << daemon->err();
    broker.start();

    ASSERT_TRUE(synced(1)) << daemon->err();
    EXPECT_TRUE(restored("lab/watched", "model.bin") == content);
}

TEST_F(DaemonTest, AHubThatComesLaterOrComesBackGetsEverything) {
    start_daemon();
    wait_for_daemon();
    ASSERT_TRUE(daemon->wait_for_output("no hub", kSoon));
    write_file_at(watched() + "/1.bin", random_text(3, 300'000));
    ASSERT_TRUE(daemon->wait_for_output("recorded", kSoon));

    start_hub();
    ASSERT_TRUE(synced(1)) << daemon->err();
    hub->send_signal(SIGKILL);
    ASSERT_TRUE(hub->wait(kSoon));
    write_file_at(watched() + "/2.bin", random_text(4, 300'000));
    ASSERT_TRUE(test::eventually([&] { return versions() == 2; }, kSoon));
    EXPECT_FALSE(nothing_pending());

    start_hub();
    ASSERT_TRUE(synced(2)) << daemon->err();
}

TEST_F(DaemonTest, ABrokerThatIsAwayAtTheStartIsSaidOnceAndWaitedFor) {
    broker.kill();
    start_hub();
    start_daemon();
    wait_for_daemon();
    ASSERT_TRUE(daemon->wait_for_output("no broker", kSoon));
    write_file_at(watched() + "/1.bin", random_text(3, 300'000));
    ASSERT_TRUE(daemon->wait_for_output("recorded", kSoon));
    test::pause(test::milliseconds(2'000));
    const std::string log = daemon->err();
    EXPECT_EQ(log.find("no broker"), log.rfind("no broker")) << log;

    broker.start();

    ASSERT_TRUE(synced(1)) << daemon->err();
}

TEST_F(DaemonTest, AfterARestartNothingIsSentAgain) {
    start_hub();
    start_daemon();
    wait_for_daemon();
    write_file_at(watched() + "/1.bin", random_text(5, 3'000'000));
    ASSERT_TRUE(synced(1)) << daemon->err();
    ASSERT_EQ(daemon->stop().exit_code, 0);
    const std::uint64_t sent = status().u64_at("sent_bytes").value();

    start_daemon();
    ASSERT_TRUE(daemon->wait_for_output("session with the hub open", kSoon)) << daemon->err();
    wait_for_daemon();
    test::pause(test::milliseconds(1'000));

    EXPECT_EQ(versions(), 1U);
    EXPECT_LT(status().u64_at("sent_bytes").value() - sent, 10'000U);
}

TEST_F(DaemonTest, AHalfWrittenFileIsNeverCommitted) {
    // Its writer was there before the daemon, and rests in the middle for longer than `settle`.
    Writer early(watched() + "/early.bin");
    early.write(std::string(100'000, 'a'));
    start_daemon();
    wait_for_daemon();
    Writer late(watched() + "/late.bin");
    late.write(std::string(100'000, 'b'));
    test::pause(test::milliseconds(1'500));
    EXPECT_EQ(versions(), 0U) << daemon->err();

    early.write("done");
    early.close();
    ASSERT_TRUE(test::eventually([&] { return versions() == 1; }, kSoon)) << daemon->err();
    EXPECT_EQ(restored("lab/watched", "early.bin"), std::string(100'000, 'a') + "done");
    EXPECT_FALSE(std::filesystem::exists(dir / "out/late.bin"));

    late.write("done");
    late.close();
    ASSERT_TRUE(test::eventually([&] { return versions() == 2; }, kSoon)) << daemon->err();
    EXPECT_EQ(restored("lab/watched", "late.bin"), std::string(100'000, 'b') + "done");
    EXPECT_TRUE(std::filesystem::exists(dir / "out/early.bin"));
}

TEST_F(DaemonTest, AFileBeingRewrittenStaysAsItWas) {
    write_file_at(watched() + "/a.bin", "first");
    start_daemon();
    wait_for_daemon();
    ASSERT_TRUE(test::eventually([&] { return versions() == 1; }, kSoon)) << daemon->err();

    Writer open(watched() + "/a.bin");
    open.write("half");
    write_file_at(watched() + "/b.bin", "other");

    ASSERT_TRUE(test::eventually([&] { return versions() == 2; }, kSoon)) << daemon->err();
    EXPECT_EQ(restored("lab/watched", "a.bin"), "first");
    EXPECT_EQ(file_at(dir / "out/b.bin"), "other");
}

TEST_F(DaemonTest, WhatARestoreWritesIntoAWatchedFolderIsRecordedOnceItHasItsName) {
    std::filesystem::create_directories(watched() + "/sub");
    write_file_at(watched() + "/.tributary-part-1", "half of a");
    write_file_at(watched() + "/sub/.tributary-part-2", "half of b");
    write_file_at(watched() + "/whole", "other");
    start_daemon();
    wait_for_daemon();
    ASSERT_TRUE(test::eventually([&] { return versions() == 1; }, kSoon)) << daemon->err();
    EXPECT_EQ(restored("lab/watched", "whole"), "other");
    EXPECT_FALSE(std::filesystem::exists(dir / "out/.tributary-part-1"));
    EXPECT_FALSE(std::filesystem::exists(dir / "out/sub/.tributary-part-2"));

    std::filesystem::rename(watched() + "/sub/.tributary-part-2", watched() + "/sub/b");
    ASSERT_TRUE(test::eventually([&] { return versions() == 2; }, kSoon)) << daemon->err();
    EXPECT_EQ(restored("lab/watched", "sub/b"), "half of b");
}

TEST_F(DaemonTest, AFileRenamedIntoPlaceIsCommittedAndAnUnchangedOneIsNotAfterARestart) {
    start_daemon();
    wait_for_daemon();
    write_file_at(dir / "model.tmp", random_text(6, 100'000));
    std::filesystem::rename(dir / "model.tmp", watched() + "/model.bin");
    ASSERT_TRUE(test::eventually([&] { return versions() == 1; }, kSoon)) << daemon->err();
    ASSERT_EQ(daemon->stop().exit_code, 0);

    start_daemon();
    wait_for_daemon();
    test::pause(test::milliseconds(1'000));

    EXPECT_EQ(versions(), 1U);
}

TEST_F(DaemonTest, StopsWithinASecondOrTwoWhileItRecords) {
    start_daemon();
    wait_for_daemon();
    write_file_at(watched() + "/big.bin", random_text(7, 60'000'000));
    test::pause(test::milliseconds(400));

    const auto ending = daemon->stop(test::milliseconds(2'500));

    EXPECT_EQ(ending.exit_code, 0) << daemon->err();
    EXPECT_EQ(agent({"fsck"}).ending.exit_code, 0);
}

TEST_F(DaemonTest, TheMemoryStaysSmallWhileACheckpointIsRecordedAndSent) {
    start_hub();
    start_daemon();
    wait_for_daemon();
    write_file_at(watched() + "/big.bin", random_text(8, 60'000'000));
    ASSERT_TRUE(test::eventually([&] { return versions() == 1 && nothing_pending(); },
                                 test::milliseconds(90'000)))
        << daemon->err();

    const std::string status = file_at("/proc/" + std::to_string(daemon->pid()) + "/status");
    const std::size_t at = status.find("VmHWM:");
    ASSERT_NE(at, std::string::npos);
    const std::uint64_t peak_kib = std::stoull(status.substr(at + 6));
    RecordProperty("peak_rss_kib", static_cast<int>(peak_kib));
    if (!test::kMeasurable)
        GTEST_SKIP() << "a sanitizer's or an emulator's memory is not the daemon's";
    EXPECT_LE(peak_kib, 32U * 1024);
}

TEST_F(DaemonTest, NothingIsSentToAnotherHubAtTheSameAddressAndBroker) {
    start_hub();
    start_daemon();
    wait_for_daemon();
    ASSERT_TRUE(daemon->wait_for_output("session with the hub open", kSoon));
    daemon->stop();
    hub->stop();
    std::filesystem::rename(dir / "hub", dir / "the hub");
    write_file_at(dir / "secret.bin", random_text(9, 100'000));
    commit(dir / "secret.bin");

    start_hub();  // another one: with a new key
    start_daemon();
    wait_for_daemon();
    ASSERT_TRUE(daemon->wait_for_output("sync rests until the pinned hub is back", kSoon));
    test::pause(test::milliseconds(3'000));
    EXPECT_EQ(daemon->err().find("session with the hub open"), std::string::npos);
    EXPECT_EQ(hub->err().find("journal received"), std::string::npos);
    EXPECT_FALSE(nothing_pending());
    EXPECT_NE(status().find("daemon")->text_at("trouble").value().find("not the one"),
              std::string::npos);

    hub->stop();
    std::filesystem::remove_all(dir / "hub");
    std::filesystem::rename(dir / "the hub", dir / "hub");
    start_hub();
    ASSERT_TRUE(test::eventually([&] { return nothing_pending(); }, test::milliseconds(60'000)))
        << daemon->err();
    EXPECT_TRUE(status().find("daemon")->find("trouble")->is_null());
}

TEST_F(DaemonTest, DoctorKnowsTheRunningDaemonAndAHubThatIsNotOurs) {
    start_hub();
    start_daemon();
    wait_for_daemon();
    ASSERT_TRUE(daemon->wait_for_output("session with the hub open", kSoon));
    const test::Finished well = agent({"doctor"});
    EXPECT_EQ(well.ending.exit_code, 0) << well.out;
    EXPECT_NE(well.out.find("in use by the running daemon"), std::string::npos) << well.out;

    hub->stop();
    std::filesystem::remove_all(dir / "hub");
    start_hub();
    ASSERT_TRUE(hub->wait_for_output("hub runs", kSoon));
    const test::Finished ill = agent({"doctor"});
    EXPECT_EQ(ill.ending.exit_code, 1) << ill.out;
    EXPECT_NE(ill.out.find("is not the hub this board met first"), std::string::npos) << ill.out;
}

TEST_F(DaemonTest, ASecondDaemonSaysAtOnceThatOneRuns) {
    start_daemon();
    wait_for_daemon();
    const test::Finished second = agent({"run"});
    EXPECT_EQ(second.ending.exit_code, 1);
    EXPECT_NE(second.err.find("an agent runs with this state_dir already"), std::string::npos)
        << second.err;
    EXPECT_EQ(second.err.find("waited"), std::string::npos) << second.err;
}

TEST_F(DaemonTest, StatusSaysThatTheDaemonDoesNotRun) {
    write_file_at(dir / "a", "one");
    commit(dir / "a");
    EXPECT_NE(answer({"status"}).find("the daemon is not running"), std::string::npos);
}

TEST_F(DaemonTest, AHubThatWasStoppedStillTellsWhenABoardWasHeardOfAndReceipted) {
    const auto fact = [&](const char* name) {
        const auto seen = test::run({test::program("tributary"), "--hub", "http://" + hub_address(),
                                     "--json", "device", "show", "board"});
        const auto device = parse_json(seen.out);
        const Json* link = device ? device->find("link") : nullptr;
        const Json* said = link ? link->find(name) : nullptr;
        return said && !said->is_null() ? said->text() : "";
    };
    start_hub();
    start_daemon();
    wait_for_daemon();
    write_file_at(dir / "a", "one");
    commit(dir / "a");
    ASSERT_TRUE(synced(1));
    daemon->stop();
    ASSERT_TRUE(test::eventually([&] { return fact("connected") == "false"; }, kSoon));
    const std::string heard = fact("last_message"), receipted = fact("last_receipt");
    ASSERT_NE(receipted, "");

    hub->stop();
    start_hub();
    ASSERT_TRUE(test::eventually([&] { return !fact("last_message").empty(); }, kSoon))
        << hub->err();
    EXPECT_EQ(fact("last_message"), heard);
    EXPECT_EQ(fact("last_receipt"), receipted);
}

TEST_F(DaemonTest, EachSideSeesAtOnceThatTheOtherIsGone) {
    const auto connected_at_hub = [&] {
        const auto seen = test::run({test::program("tributary"), "--hub", "http://" + hub_address(),
                                     "--json", "device", "show", "board"});
        const auto device = parse_json(seen.out);
        const Json* link = device ? device->find("link") : nullptr;
        const Json* connected = link ? link->find("connected") : nullptr;
        return connected && connected->as_bool().value_or(false);
    };
    const auto hub_connected = [&] {
        return status().find("daemon")->find("hub_connected")->as_bool().value();
    };
    start_hub();
    start_daemon();
    wait_for_daemon();
    ASSERT_TRUE(test::eventually(hub_connected, kSoon)) << daemon->err();
    ASSERT_TRUE(test::eventually(connected_at_hub, kSoon));

    daemon->stop();
    EXPECT_TRUE(test::eventually([&] { return !connected_at_hub(); }, kSoon)) << "SIGTERM";
    start_daemon();
    wait_for_daemon();
    ASSERT_TRUE(test::eventually(connected_at_hub, kSoon));
    daemon->send_signal(SIGKILL);
    EXPECT_TRUE(test::eventually([&] { return !connected_at_hub(); }, kSoon)) << "SIGKILL";
    ASSERT_TRUE(daemon->wait(kSoon)) << "its sockets are closed before its lock is free";
    start_daemon();
    ASSERT_TRUE(test::eventually(connected_at_hub, kSoon));

    hub->stop();
    EXPECT_TRUE(test::eventually([&] { return !hub_connected(); }, kSoon)) << daemon->err();
    start_hub();
    EXPECT_TRUE(test::eventually(hub_connected, kSoon)) << daemon->err();
    EXPECT_TRUE(status().find("daemon")->find("trouble")->is_null());
    broker.kill();
    EXPECT_TRUE(test::eventually([&] { return !connected_at_hub(); }, kSoon)) << "no broker";
}

TEST_F(DaemonTest, AnotherHubAtTheSameAddressIsAnAlarm) {
    start_hub();
    start_daemon();
    wait_for_daemon();
    ASSERT_TRUE(daemon->wait_for_output("first contact", kSoon));
    ASSERT_EQ(daemon->stop().exit_code, 0);
    hub->stop();
    std::filesystem::remove_all(dir / "hub");
    const std::string pins = file_at(dir / "state/pins.json");

    start_hub();
    start_daemon();

    EXPECT_TRUE(daemon->wait_for_output("the hub is not the one this board met first", kSoon));
    EXPECT_EQ(file_at(dir / "state/pins.json"), pins);
}

}  // namespace
}  // namespace tributary::agent
