// The beginning of the record that a push is bringing, on disk: a stop or a power cut costs no more
// than what came since it was kept.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "common/env/files.h"
#include "common/store/store.h"
#include "common/sync/beginning.h"

namespace tributary::agent {

// On the worker.
class KeptBeginning {
public:
    KeptBeginning(Files& files, std::string path) : files_(files), path_(std::move(path)) {}

    // Makes what came of the push durable, then `beginning`, in place of an earlier one; empty:
    // there is none. On failure the earlier one stays.
    Status keep(Store& store, const sync::Beginning& beginning);
    // None, also when it is damaged.
    std::optional<sync::Beginning> read();

private:
    Files& files_;
    std::string path_;
};

}  // namespace tributary::agent
