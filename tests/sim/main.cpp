// sim --seed N [--verbose]      one world, told as it goes
// sim --from N --count M        many
// sim --file FILE               the seeds in FILE, one a line, '#' begins a comment
// Exits 1 and names the seed when a world went wrong.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
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

std::uint64_t number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
        std::fprintf(stderr, "sim: '%.*s' is not a number\n", static_cast<int>(text.size()),
                     text.data());
        std::exit(2);
    }
    return value;
}

std::vector<std::uint64_t> read_seeds(const std::string& path) {
    std::ifstream in(path);
    if (!in) {
        std::fprintf(stderr, "sim: cannot read %s\n", path.c_str());
        std::exit(2);
    }
    std::vector<std::uint64_t> seeds;
    for (std::string line; std::getline(in, line);) {
        line = line.substr(0, line.find('#'));
        while (!line.empty() && line.back() == ' ') line.pop_back();
        if (!line.empty()) seeds.push_back(number(line));
    }
    return seeds;
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::uint64_t> seeds;
    std::uint64_t from = 0;
    std::uint64_t count = 0;
    bool verbose = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        const auto value = [&]() -> std::string_view { return i + 1 < argc ? argv[++i] : ""; };
        if (option == "--seed")
            seeds.push_back(number(value()));
        else if (option == "--from")
            from = number(value());
        else if (option == "--count")
            count = number(value());
        else if (option == "--file")
            seeds = read_seeds(std::string(value()));
        else if (option == "--verbose")
            verbose = true;
        else {
            std::fprintf(stderr,
                         "usage: sim --seed N [--verbose] | --from N --count M | --file FILE\n");
            return 2;
        }
    }
    for (std::uint64_t i = 0; i < count; ++i) seeds.push_back(from + i);

    int failures = 0;
    std::map<std::string, std::uint64_t> counts;
    for (const std::uint64_t seed : seeds) {
        World world(seed, verbose);
        const auto wrong = world.run();
        for (const auto& [name, times] : world.counts()) counts[name] += times;
        if (wrong) {
            ++failures;
            std::printf(
                "seed %llu FAILED %s (repeat with: sim --seed %llu --verbose; then keep it in "
                "tests/sim/seeds.txt)\n",
                static_cast<unsigned long long>(seed), wrong->c_str(),
                static_cast<unsigned long long>(seed));
        } else if (seeds.size() == 1) {
            std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed),
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
