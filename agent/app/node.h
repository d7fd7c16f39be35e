// One board's agent at rest: its configuration, the world it lives in, its store.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "agent/app/console.h"
#include "agent/config/config.h"
#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/store/store.h"

namespace tributary::agent {

struct World {
    Files& files;
    Clock& clock;
    Entropy& entropy;
    std::function<void(std::uint64_t ms)> sleep_ms;
};

struct Node {
    World world;
    Config config;
    // Null only for a verb that reads and finds no store yet.
    std::unique_ptr<Store> store;
};

enum class StoreUse : std::uint8_t {
    record,  // the store, its key and its journal are made when missing
    read,    // a store that is missing stays missing: null
};

inline constexpr std::uint64_t kStoreWaitMs = 30'000;

// Opens the store, waiting up to `wait_ms` while another process has it; then conflict, naming the
// holder. `holder` is what others will read about us.
Result<Node> open_node(const World& world, Config config, StoreUse use, const std::string& holder,
                       Console& console, std::uint64_t wait_ms = kStoreWaitMs);

// Whether an error says that another process has the store.
bool is_store_in_use(const Error& error);

}  // namespace tributary::agent
