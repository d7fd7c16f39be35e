// What is pushed, each prepared once for all boards that need the same: after an update is rolled
// out a thousand of them do, and each list of what a version names takes megabytes.
//
// It is prepared in turns of the loop and with a place among the walks, and lives as long as a
// board holds it. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/env/clock.h"
#include "hub/intake/push_content.h"
#include "hub/intake/walks.h"

namespace tributary::hub {

// Outlives what it gives.
class Pushes {
public:
    // Calls back soon, after what else waits.
    using Later = std::function<void(std::function<void(MonoTime now)> then)>;

    // Without `walks` nothing bounds how many are prepared at a time, without `later` each is at
    // once.
    explicit Pushes(Ledger& ledger, Walks* walks = nullptr, Later later = {});
    ~Pushes();
    Pushes(const Pushes&) = delete;
    Pushes& operator=(const Pushes&) = delete;

    // Ready, or one that will be as long as anybody holds it: then `then` is called, once, when it
    // is or cannot be. nullptr: it cannot be. Of one device the last `then`; what takes long is for
    // later.
    using Then = std::function<void()>;
    std::shared_ptr<const PushContent> of(const std::string& device, const PushNeed& need,
                                          Then then);
    std::size_t held() const;  // by whomever, at present

private:
    static constexpr std::size_t kRecordsATurn = 64;
    struct Push;

    void look_through(const std::weak_ptr<Push>& looked_at);

    Ledger& ledger_;
    Walks* walks_;
    Later later_;
    std::uint64_t last_ = 0;
    // Shared by the boards that need them, and gone with the last of these.
    std::map<PushNeed, std::weak_ptr<Push>> pushes_;
};

}  // namespace tributary::hub
