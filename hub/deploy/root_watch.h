// Finds out that another root document was published (`tributary-hub root publish` puts it into the
// folder of trust), or that something else there waits to be taken, so that a hub that runs takes
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/env/files.h"
#include "common/env/loop.h"
#include "common/trust/root.h"

namespace tributary::hub {

class RootWatch {
public:
    static constexpr std::uint64_t kEveryMs = 2'000;

    // `published` is called once, when the documents of `trust_dir` go on after `version`, all of
    // them hold, and the hub could start under the newest (`serves`). Else that is logged once, and
    // looked at again. It is also called when `waits` has become true.
    RootWatch(Loop& loop, Files& files, std::string trust_dir, std::uint64_t version,
              std::function<Status(const Root&)> serves, std::function<bool()> waits,
              std::function<void()> published);

private:
    void look();
    Result<trust::VerifiedRoot> newest() const;
    void arm();

    Loop& loop_;
    Files& files_;
    const std::string trust_dir_;
    const std::uint64_t version_;
    std::function<Status(const Root&)> serves_;
    std::function<bool()> waits_;
    const bool waited_;  // from the beginning: another start would not take it either
    std::function<void()> published_;
    std::string trouble_;
    std::unique_ptr<Timer> timer_;
};

}  // namespace tributary::hub
