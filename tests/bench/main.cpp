// tributary-bench: each subcommand measures one part and prints one JSON object.
#include <CLI/CLI.hpp>
#include <iostream>

#include "tests/bench/bench.h"
#include "tests/bench/sync.h"
#include "tests/support/places.h"

namespace {

int report(const tributary::Result<tributary::Json>& answer) {
    if (answer) {
        std::cout << answer->pretty() << "\n";
        return 0;
    }
    std::cerr << "tributary-bench: " << answer.error().what << "\n";
    const bool usage = answer.error().code == tributary::Errc::invalid ||
                       answer.error().code == tributary::Errc::unsupported;
    return usage ? 2 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Measures Tributary's parts; sizes in bytes, rates in 10^6 bytes per second.",
                 "tributary-bench");
    app.set_version_flag("--version", "tributary-bench " TRIBUTARY_VERSION);
    app.require_subcommand(1);
    bool json = true;
    app.add_flag("--json", json, "Print JSON (it always does)");
    app.fallthrough();

    std::string directory = tributary::test::in_source("tests/data/cnn-sgd");
    std::string level = "default";
    CLI::App* codec = app.add_subcommand(
        "codec", "Stored bytes and coding speed of successive versions of one file");
    codec->add_option("DIR", directory, "Its files in name order are the versions")
        ->capture_default_str();
    codec->add_option("--level", level, "fast, default or max")->capture_default_str();
    std::uint32_t workers = 1;
    codec->add_option("--workers", workers, "Processor cores that record at once")
        ->capture_default_str();
    CLI::App* store = app.add_subcommand("store", "Bytes written per byte recorded");
    CLI::App* sync = app.add_subcommand(
        "sync", "Speed of syncing over a real broker beside raw messages, and what a cut costs");
    tributary::bench::SyncEnd end;  // for the processes that it starts itself
    sync->add_option("--end", end.name)->group("");
    sync->add_option("--broker", end.broker_url)->group("");
    sync->add_option("--keys-dir", end.keys_dir)->group("");
    sync->add_option("--state-dir", end.state_dir)->group("");
    sync->add_option("--bytes", end.bytes)->group("");

    std::size_t devices = 1'000;
    std::uint32_t seconds = 10;
    CLI::App* fleet = app.add_subcommand(
        "fleet", "Many boards on a real broker and a real hub: connecting, commits, receipts");
    fleet->add_option("--devices", devices)->capture_default_str()->check(CLI::Range(1, 100'000));
    fleet->add_option("--seconds", seconds, "Of each of the two loads")
        ->capture_default_str()
        ->check(CLI::Range(1, 600));
    std::size_t piece_bytes = tributary::bench::kFleetPieceBytes;
    fleet
        ->add_option("--piece-bytes", piece_bytes,
                     "Of a version; more than the default: every board sends one at once, as after "
                     "an outage, and there are no other loads")
        ->capture_default_str()
        ->check(CLI::Range(tributary::bench::kFleetPieceBytes, std::size_t{1} << 20));

    CLI11_PARSE(app, argc, argv);
    if (codec->parsed()) return report(tributary::bench::run_codec(directory, level, workers));
    if (store->parsed()) return report(tributary::bench::run_store());
    if (sync->parsed())
        return report(end.name.empty() ? tributary::bench::run_sync()
                                       : tributary::bench::run_sync_end(end));
    if (fleet->parsed()) return report(tributary::bench::run_fleet(devices, seconds, piece_bytes));
    return 2;
}
