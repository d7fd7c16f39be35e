#include "hub/deploy/root_watch.h"

#include <utility>

#include "common/text/log.h"
#include "hub/deploy/deployment.h"

namespace tributary::hub {

RootWatch::RootWatch(Loop& loop, Files& files, std::string trust_dir, std::uint64_t version,
                     std::function<void()> published)
    : loop_(loop),
      files_(files),
      trust_dir_(std::move(trust_dir)),
      version_(version),
      published_(std::move(published)) {
    arm();
}

void RootWatch::arm() {
    timer_ = loop_.at(loop_.now() + kEveryMs, [this] { look(); });
}

void RootWatch::look() {
    if (!files_.stat(root_path(trust_dir_, version_ + 1))) return arm();
    const auto roots = load_roots(files_, trust_dir_);
    if (roots && roots->newest.root.version > version_) {
        log_info("another root document is published", {{"version", roots->newest.root.version},
                                                        {"digest", roots->newest.digest.text()}});
        return published_();
    }
    if (!roots && roots.error().what != trouble_) {
        trouble_ = roots.error().what;
        log_failure(LogLevel::error, "a root document was put here that does not hold",
                    roots.error());
    }
    arm();
}

}  // namespace tributary::hub
