// A Receiver in a session, and how it is told what comes and what its owner answers.
#pragma once

#include <gtest/gtest.h>

#include "common/sync/receiver.h"
#include "tests/unit/sync/builders.h"

namespace tributary::sync {

class ReceiverTest : public testing::Test {
protected:
    ReceiverTest() { receiver.step({0}, Opened{{1000, 4}}); }

    Actions arrive(Body body) { return receiver.step({++now}, Arrived{std::move(body)}); }
    // Answers a Check: nothing is held.
    Actions nothing_held(const Actions& actions) {
        const Check check = the(all_of<Check>(actions));
        return receiver.step({++now},
                             Checked{check.ticket, std::vector<Held>(check.objects.size())});
    }
    Actions stored(const Actions& actions) {
        return receiver.step({++now}, Stored{the(all_of<Store>(actions)).ticket, {}});
    }
    // Offers, and answers that nothing is held: the Want.
    Want want_for(const Offer& offer) { return the(sent<Want>(nothing_held(arrive(offer)))); }
    // Likewise, by an owner who kept that.
    Want want_with(const Beginning& before, const Offer& offer) {
        const Actions asked = arrive(offer);
        receiver.step({++now}, ReceivedBefore{before});
        return the(sent<Want>(nothing_held(asked)));
    }
    static Data data_for(const Want& want, const Bytes& stream, std::size_t from, std::size_t to) {
        return {want.plan, want.number, from,
                Bytes(stream.begin() + static_cast<std::ptrdiff_t>(from),
                      stream.begin() + static_cast<std::ptrdiff_t>(to))};
    }

    Receiver receiver{
        {.credit_bytes = 4000, .idle_ms = 60'000, .busy_retry_ms = 1000, .full_retry_ms = 5000}};
    std::uint64_t now = 0;
    std::uint32_t plan_number = 1;
    TestRecord one = make_record(1, 500);
    TestRecord two = make_record(2, 300);
};

}  // namespace tributary::sync
