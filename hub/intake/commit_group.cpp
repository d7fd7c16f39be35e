#include "hub/intake/commit_group.h"

#include <utility>

namespace tributary::hub {

void CommitGroup::add(std::vector<Bytes> entries, Done done) {
    journals_.push_back(std::move(entries));
    done_.push_back(std::move(done));
    if (done_.size() == 1) wake_();
}

void CommitGroup::flush(MonoTime now) {
    const auto journals = std::exchange(journals_, {});
    const auto done = std::exchange(done_, {});
    const std::vector<Status> durable = ledger_.accept_all(journals);
    for (std::size_t i = 0; i < done.size(); ++i) done[i](now, durable[i]);
}

}  // namespace tributary::hub
