// Ends a session at the broker by connecting in the client's own name: the broker knows a client by
// its certificate alone, and two sessions of one name cannot be.
#pragma once

#include <memory>
#include <string>

#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/env/transport.h"
#include "common/net/loop.h"
#include "common/trust/certificate.h"
#include "hub/broker/broker_keeper.h"

namespace tributary::hub {

struct TakeOverOptions {
    std::string broker_url;
    std::string broker_ca;
    std::string folder;  // for the key and certificate of one connection, removed after it
};

class TakeOver final : public SessionCutter {
public:
    // Issues itself a certificate for each session, valid for minutes.
    TakeOver(NetLoop& loop, Files& files, Clock& clock, Entropy& entropy,
             trust::Authority& authority, TakeOverOptions options);
    ~TakeOver() override;

    void cut(const std::string& client, std::function<void(Status)> done) override;

private:
    Status connect(const std::string& client);
    void finish(const Status& status);

    NetLoop& loop_;
    Files& files_;
    Clock& clock_;
    Entropy& entropy_;
    trust::Authority& authority_;
    const TakeOverOptions options_;
    const std::string path_;
    std::function<void(Status)> done_;  // while one is under way
    std::unique_ptr<Transport> transport_;
    std::unique_ptr<Timer> timer_;
};

}  // namespace tributary::hub
