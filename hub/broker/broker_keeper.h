// Keeps the broker's acl_file in step with who is revoked, and cuts live sessions.
//
// First the file, then the broker reads it, then the sessions: so a device that comes back at once
// comes back to nothing.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/env/command.h"
#include "common/env/files.h"
#include "common/env/loop.h"
#include "hub/broker/broker_access.h"

namespace tributary::hub {

// Ends the session that a client has at the broker now.
class SessionCutter {
public:
    // Destroying it breaks off what is under way; `done` is then not called.
    virtual ~SessionCutter() = default;
    // `done` is called on the loop, later. One at a time.
    virtual void cut(const std::string& client, std::function<void(Status)> done) = 0;
};

struct BrokerKeeperOptions {
    std::string acl_path;
    // The list of revoked certificates, who reads one and who signs it; an empty path or no
    // signer: there is none.
    std::string list_path;
    std::function<Result<std::vector<Bytes>>(std::string_view text)> read_list;
    std::function<Result<std::string>(std::span<const Bytes> serials)> sign_list;
    // One of the two: our own broker is told by us, in so many ms, another by a shell command.
    std::function<std::uint64_t()> reload;
    std::string reload_command;
};

class BrokerKeeper final : public BrokerAccess {
public:
    // Takes whom the file denies now for cut off already. Without `cutter` none is.
    BrokerKeeper(Loop& loop, Files& files, CommandRunner& commands,
                 std::unique_ptr<SessionCutter> cutter, BrokerKeeperOptions options);

    Status deny(const ShutOut& whom) override;
    void cut(const std::string& device) override;
    std::set<std::string> unexplained() const override;
    void settle(const std::string& device) override { kept_.erase(device); }
    // Nothing is under way or to be tried again.
    bool idle() const { return !to_reload_ && !telling_ && to_cut_.empty() && !unwritten_; }

private:
    Status write();
    void write_again();
    Status read_acl();
    Status read_list();
    Status write_acl(const std::set<std::string>& devices);
    Status write_list(const std::vector<Bytes>& revoked);
    void step();
    void start_reload();
    void watch_reload();
    void reload_failed(const std::string& why);
    void cut_next();
    void on_cut(const std::string& device, const Status& cut);
    void step_in(std::uint64_t wait_ms);

    Loop& loop_;
    Files& files_;
    CommandRunner& commands_;
    BrokerKeeperOptions options_;
    std::set<std::string> denied_;      // as the file says
    std::optional<ShutOut> unwritten_;  // as the files should say, and could not be written
    std::uint64_t write_wait_ms_;
    std::unique_ptr<Timer> write_timer_;
    std::set<std::string> kept_;    // denied when we started, and nobody has said anything since
    std::set<std::string> asked_;   // by deny(), last
    std::set<Bytes> kept_serials_;  // listed when we started
    std::optional<std::vector<Bytes>> listed_;
    bool acl_read_ = false, list_read_ = false;  // what an earlier life of ours left there
    bool to_reload_ = false;
    bool telling_ = false;  // our own broker will take it up in a moment
    std::uint64_t reload_wait_ms_;
    std::unique_ptr<RunningCommand> reloading_;
    std::set<std::string> to_cut_;
    bool cutting_ = false;
    unsigned cut_failures_ = 0;  // of the one at hand, in a row
    std::unique_ptr<SessionCutter> cutter_;
    std::unique_ptr<Timer> timer_;
};

}  // namespace tributary::hub
