// What a board and its hub say of content on its way, over a link with a limit.
#include <algorithm>
#include <regex>

#include "tests/integration/daemon/daemon_fixture.h"

namespace tributary::agent {
namespace {

class Progress : public DaemonTest {
protected:
    static constexpr std::size_t kBytes = 3'000'000;

    Progress() {
        configure("[link]\nbytes_per_second = \"256KiB\"\n");
        start_hub();
        start_daemon();
    }
    void record() {
        write_file_at(dir / "w.bin", random_text(7, kBytes));
        answer({"commit", "--repo", "lab/model", dir / "w.bin"});
    }
};

// What stands before each " MB left" or " kB left" behind `word`, in bytes.
std::vector<double> amounts(const std::string& text, const std::string& word) {
    const std::regex form(word + " ([0-9.]+) ([kM])B left");
    std::vector<double> found;
    for (std::sregex_iterator at(text.begin(), text.end(), form), end; at != end; ++at)
        found.push_back(std::stod((*at)[1]) * ((*at)[2] == "M" ? 1e6 : 1e3));
    return found;
}

TEST_F(Progress, OfABoardBeginsAtAllThatIsPendingAndGoesDown) {
    wait_for_daemon();
    const test::Process watch(words({"status", "--watch"}));
    record();
    ASSERT_TRUE(test::eventually([&] { return nothing_pending(); }, 2 * kSoon)) << daemon->err();

    const std::string out = watch.out();
    const std::vector<double> left = amounts(out, "sending   about");
    ASSERT_GE(left.size(), 3u) << out;
    EXPECT_GE(left.front(), 0.5 * kBytes) << out;
    EXPECT_LE(left.front(), 1.02 * kBytes) << out;
    EXPECT_LT(left.back(), 0.5 * kBytes) << out;
    EXPECT_TRUE(std::is_sorted(left.rbegin(), left.rend())) << out;
    EXPECT_NE(out.find(" a second, about "), std::string::npos) << out;
    EXPECT_EQ(status().find("daemon")->u64_at("bytes_left"), 0U);
}

TEST_F(Progress, OfItsUplinkAtTheHubIsDrawnAnew) {
    wait_for_daemon();
    record();
    std::string device;
    ASSERT_TRUE(test::eventually(
        [&] {
            device = status().find("daemon")->text_at("device").value_or("");
            return !device.empty();
        },
        kSoon))
        << daemon->err();
    const test::Process watch({test::program("tributary"), "--hub", "http://" + hub_address(),
                               "device", "show", device, "--watch"});
    ASSERT_TRUE(test::eventually([&] { return nothing_pending(); }, 2 * kSoon)) << daemon->err();
    EXPECT_TRUE(test::eventually(
        [&] {
            const std::string out = watch.out();
            return out.starts_with("--- 20") && out.find("\n--- 20") != std::string::npos &&
                   !amounts(out, "received .*, at least").empty();
        },
        kSoon))
        << watch.out();
}

}  // namespace
}  // namespace tributary::agent
