// sim --seed N [--verbose]      one world, told as it goes
// sim --from N --count M        many
// sim --file FILE               the seeds in FILE: on each line one and its weather; '#' begins a
//                               comment
//     --twice                   each world twice, which must be the same
//     --traces                  tells the trace of each
// Exits 1 and names the seed when a world went wrong.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/world.h"

namespace {

using tributary::sim::World;

// In so many worlds all of these happen somewhere, or the simulator has become tame.
constexpr std::uint64_t kManyWorlds = 100;
constexpr const char* kMustHappen[] = {"versions",
                                       "receipts",
                                       "pushes",
                                       "pushes of the whole",
                                       "troubles",
                                       "messages lost",
                                       "messages twice",
                                       "messages late",
                                       "messages damaged",
                                       "cuts",
                                       "agent crashes",
                                       "hub crashes",
                                       "broker restarts",
                                       "restores",
                                       "clock leaps",
                                       "effects that failed",
                                       "of two bases held 0",
                                       "of two bases held 1",
                                       "of two bases held 2",
                                       "records on two bases",
                                       "hubs with other features"};

struct Seed {
    std::uint64_t number = 0;
    std::optional<std::uint64_t> weather;  // that it had when it was kept
};

std::uint64_t number(std::string_view text, int base = 10) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size()) {
        std::fprintf(stderr, "sim: '%.*s' is not a number\n", static_cast<int>(text.size()),
                     text.data());
        std::exit(2);
    }
    return value;
}

std::vector<Seed> read_seeds(const std::string& path) {
    std::ifstream in(path);
    if (!in) {
        std::fprintf(stderr, "sim: cannot read %s\n", path.c_str());
        std::exit(2);
    }
    std::vector<Seed> seeds;
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line.substr(0, line.find('#')));
        std::string seed, weather;
        if (words >> seed) seeds.push_back({number(seed), (words >> weather, number(weather, 16))});
    }
    return seeds;
}

// What was wrong, or none.
std::optional<std::string> judge(World& world, const Seed& seed, bool twice) {
    if (const auto wrong = world.run()) return wrong;
    if (seed.weather && world.weather() != seed.weather) return "it is not the world that was kept";
    if (!twice) return std::nullopt;
    World again(seed.number, false);
    (void)again.run();
    if (again.trace() != world.trace()) return "another run was not the same";
    return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<Seed> seeds;
    std::uint64_t from = 0;
    std::uint64_t count = 0;
    bool verbose = false, twice = false, traces = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        const auto value = [&]() -> std::string_view { return i + 1 < argc ? argv[++i] : ""; };
        if (option == "--seed")
            seeds.push_back({number(value()), {}});
        else if (option == "--from")
            from = number(value());
        else if (option == "--count")
            count = number(value());
        else if (option == "--file")
            seeds = read_seeds(std::string(value()));
        else if (option == "--verbose")
            verbose = true;
        else if (option == "--twice")
            twice = true;
        else if (option == "--traces")
            traces = true;
        else {
            std::fprintf(stderr,
                         "usage: sim --seed N [--verbose] | --from N --count M | --file FILE, "
                         "[--twice] [--traces]\n");
            return 2;
        }
    }
    for (std::uint64_t i = 0; i < count; ++i) seeds.push_back({from + i, {}});

    int failures = 0;
    std::map<std::string, std::uint64_t> counts;
    for (const Seed& seed : seeds) {
        World world(seed.number, verbose);
        const auto wrong = judge(world, seed, twice);
        for (const auto& [name, times] : world.counts()) counts[name] += times;
        const auto n = static_cast<unsigned long long>(seed.number);
        if (traces) std::printf("%llu %08x\n", n, world.trace());
        if (wrong) {
            ++failures;
            std::printf(
                "seed %llu FAILED %s (repeat with: sim --seed %llu --verbose; once it is mended, "
                "keep it in tests/sim/seeds.txt)\n",
                n, wrong->c_str(), n);
        } else if (seeds.size() == 1) {
            std::printf("seed %llu, weather %08x: %s\n", n, world.weather(),
                        world.summary().c_str());
        }
    }
    std::printf("%zu worlds, %d went wrong\n", seeds.size(), failures);
    if (count >= kManyWorlds) {
        for (const auto& [name, times] : counts)
            std::printf("%12llu %s\n", static_cast<unsigned long long>(times), name.c_str());
        for (const char* name : kMustHappen)
            if (counts[name] == 0) {
                std::printf("in none of these worlds: %s\n", name);
                ++failures;
            }
    }
    return failures == 0 ? 0 : 1;
}
