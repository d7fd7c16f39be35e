#include "tests/bench/bench.h"

namespace tributary::bench {

Result<std::unique_ptr<Store>> fresh_store(const std::string& directory, Bytes public_key,
                                           const StoreOptions& options) {
    TRIBUTARY_ASSIGN(auto store, Store::open(system_files(), system_clock(), system_entropy(),
                                             directory, options));
    StartBody start;
    start.software = "tributary-bench " TRIBUTARY_VERSION;
    start.public_key = std::move(public_key);
    TRIBUTARY_TRY(store->start_journal(std::move(start)));
    TRIBUTARY_TRY(store->commit());
    return store;
}

}  // namespace tributary::bench
