#include "hub/intake/commit_group.h"

#include <utility>

namespace tributary::hub {

void CommitGroup::add(JournalPart part, Done done) {
    journals_.push_back(std::move(part));
    done_.push_back(std::move(done));
    if (done_.size() == 1) wake_();
}

void CommitGroup::flush(MonoTime now) {
    const auto journals = std::exchange(journals_, {});
    const auto done = std::exchange(done_, {});
    const std::vector<Status> durable = ledger_.accept_all(journals);
    telling_ = true;
    for (std::size_t i = 0; i < done.size(); ++i) done[i](now, durable[i]);
    telling_ = false;
    sign_all(now);
}

void CommitGroup::sign(MonoTime now, Bytes payload, Signed then) {
    payloads_.push_back(std::move(payload));
    signed_.push_back(std::move(then));
    if (!telling_) sign_all(now);
}

void CommitGroup::sign_all(MonoTime now) {
    const auto payloads = std::exchange(payloads_, {});
    const auto then = std::exchange(signed_, {});
    auto receipts = trust::sign_alone_or_together(ledger_.signer(), trust::kReceiptPurpose,
                                                  payloads, batch_from_);
    for (std::size_t i = 0; i < then.size(); ++i)
        then[i](now, receipts ? Result<Bytes>(std::move((*receipts)[i]))
                              : tl::make_unexpected(receipts.error()));
}

}  // namespace tributary::hub
