#include "hub/deploy/root_watch.h"

#include <utility>

#include "common/text/log.h"
#include "hub/deploy/deployment.h"

namespace tributary::hub {

RootWatch::RootWatch(Loop& loop, Files& files, std::string trust_dir, std::uint64_t version,
                     std::function<Status(const Root&)> serves, std::function<bool()> waits,
                     std::function<void()> published)
    : loop_(loop),
      files_(files),
      trust_dir_(std::move(trust_dir)),
      version_(version),
      serves_(std::move(serves)),
      waits_(std::move(waits)),
      waited_(waits_()),
      published_(std::move(published)) {
    arm();
}

void RootWatch::arm() {
    timer_ = loop_.at(loop_.now() + kEveryMs, [this] { look(); });
}

Result<trust::VerifiedRoot> RootWatch::newest() const {
    TRIBUTARY_ASSIGN(RootHistory roots, load_roots(files_, trust_dir_));
    TRIBUTARY_TRY(serves_(roots.newest.root));
    return std::move(roots.newest);
}

void RootWatch::look() {
    if (!waited_ && waits_()) {
        log_info("other keys of the servers are here");
        return published_();
    }
    if (!files_.stat(root_path(trust_dir_, version_ + 1))) return arm();
    const auto next = newest();
    if (next && next->root.version > version_) {
        log_info("another root document is published",
                 {{"version", next->root.version}, {"digest", next->digest.text()}});
        return published_();
    }
    if (!next && next.error().what != trouble_) {
        trouble_ = next.error().what;
        log_failure(LogLevel::error,
                    "a root document was put here that this hub cannot follow; it goes on without "
                    "it, and cannot be started again until that is mended",
                    next.error());
    }
    arm();
}

}  // namespace tributary::hub
