#include "agent/api/serve.h"

#include <atomic>
#include <utility>

namespace tributary::agent {
namespace {

constexpr std::size_t kSendBytes = 32 * 1024;
constexpr std::uint64_t kSignOfLifeMs = 10'000;
constexpr std::uint64_t kProgressEveryMs = 200;

// The client's end, used on the loop's thread only. Shared by what is still to be sent.
class Wire : public std::enable_shared_from_this<Wire> {
public:
    Wire(NetLoop& loop, std::unique_ptr<LocalReply> reply)
        : loop_(loop), reply_(std::move(reply)) {}

    void begin() { sign_of_life(); }

    // From the worker's thread.
    void post(std::uint8_t channel, std::string bytes) {
        loop_.post([self = shared_from_this(), channel, bytes = std::move(bytes)] {
            self->send(channel, bytes);
        });
    }
    bool wanted() const { return !gone_; }

    void finish(ExitCode code) {
        const std::uint8_t byte = static_cast<std::uint8_t>(code);
        if (reply_ && reply_->send(kChannelExit, {&byte, 1})) reply_->end();
        reply_.reset();
        timer_.reset();
    }

private:
    void send(std::uint8_t channel, std::string_view bytes) {
        if (!reply_ || (!reply_->gone() && reply_->send(channel, as_bytes(bytes)))) return;
        gone_ = true;
        reply_.reset();
        timer_.reset();
    }
    void sign_of_life() {
        timer_ = loop_.at(loop_.now() + kSignOfLifeMs, [this] {
            send(kChannelProgress, "");
            if (reply_) sign_of_life();
        });
    }

    NetLoop& loop_;
    std::unique_ptr<LocalReply> reply_;
    std::unique_ptr<Timer> timer_;
    std::atomic<bool> gone_ = false;
};

// Where a verb's words go while it runs on the worker.
class WireConsole final : public Console {
public:
    WireConsole(Clock& clock, std::shared_ptr<Wire> wire, StoreQueue::Breathe breathe)
        : clock_(clock), wire_(std::move(wire)), breathe_(std::move(breathe)) {}
    ~WireConsole() override { flush(); }

    void out(std::string_view text) override {
        out_ += text;
        if (out_.size() >= kSendBytes) flush();
    }
    void err(std::string_view text) override {
        flush();
        wire_->post(kChannelErr, std::string(text));
    }
    void progress(std::string_view line) override {
        if (breathe_ && !breathe_()) stopping_ = true;
        if (clock_.mono() < next_) return;
        next_ = clock_.mono() + kProgressEveryMs;
        wire_->post(kChannelProgress, std::string(line));
    }
    bool wanted() override { return !stopping_ && wire_->wanted(); }

private:
    void flush() {
        for (std::size_t at = 0; at < out_.size(); at += kSendBytes)
            wire_->post(kChannelOut, out_.substr(at, kSendBytes));
        out_.clear();
    }

    Clock& clock_;
    std::shared_ptr<Wire> wire_;
    StoreQueue::Breathe breathe_;
    std::string out_;
    MonoTime next_;
    bool stopping_ = false;
};

// Those that only look wait for nobody.
bool is_short(const StoreVerb& verb) {
    return std::holds_alternative<StatusArgs>(verb) || std::holds_alternative<LogArgs>(verb) ||
           std::holds_alternative<IdentifyArgs>(verb);
}

void serve(const ServeHost& host, Bytes bytes, std::unique_ptr<LocalReply> reply) {
    const auto wire = std::make_shared<Wire>(host.loop, std::move(reply));
    const auto request = parse_request(bytes);
    if (!request) {
        WireConsole console(host.node.world.clock, wire, {});
        const ExitCode code = report(request.error(), {}, console);
        host.loop.post([wire, code] { wire->finish(code); });
        return;
    }
    wire->begin();
    const bool may_commit = std::holds_alternative<CommitArgs>(request->verb);
    const bool looks = !is_short(request->verb);
    const bool identifies = std::holds_alternative<IdentifyArgs>(request->verb);
    const auto code = std::make_shared<ExitCode>(ExitCode::error);
    const auto done = [wire, code, may_commit, looks, identifies, committed = host.committed,
                       looked = host.looked, identified = host.identified] {
        wire->finish(*code);
        if (may_commit) committed();
        if (looks) looked();
        if (identifies) identified();
    };
    const auto run = [wire, code, node = &host.node, live = host.live(),
                      asked = *request](const StoreQueue::Breathe& breathe) {
        if (!wire->wanted()) return;
        WireConsole console(node->world.clock, wire, breathe);
        node->live = live;
        *code = run_verb(*node, asked.verb, asked.style, console);
    };
    const auto run_long = [run](Store&, const StoreQueue::Breathe& breathe) { run(breathe); };
    if (is_short(request->verb))
        host.store.run([run](Store&) { run({}); }, done);
    else if (std::holds_alternative<RestoreArgs>(request->verb))
        host.store.run_reading(run_long, done);
    else
        host.store.run_long(run_long, done);
}

}  // namespace

Result<std::unique_ptr<LocalServer>> serve_verbs(ServeHost host) {
    const std::string path = host.node.config.socket_path();
    NetLoop& loop = host.loop;
    return serve_local(loop, path,
                       [host = std::move(host)](Bytes request, std::unique_ptr<LocalReply> reply) {
                           serve(host, std::move(request), std::move(reply));
                       });
}

}  // namespace tributary::agent
