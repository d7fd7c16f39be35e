#include "agent/update/installer.h"

#include <algorithm>

#include "agent/update/engine.h"
#include "common/text/log.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kOpenAgainMs = 60'000;

// The engine lives on the worker, in the items given to the StoreQueue; here is the loop's side of
// it: when to step it next, and what it waits for.
class LoopInstaller final : public Installer {
public:
    LoopInstaller(InstallerHost host, trust::Verifier& verifier, CommandRunner& commands)
        : host_(std::move(host)),
          worker_(std::make_shared<Worker>(Worker{{host_.files, host_.clock, verifier, commands,
                                                   host_.config, host_.trust, host_.refused},
                                                  {}})) {}

    void start(const Pins& pins) override {
        run([pins](Worker& worker, Store&) { worker.open(pins); },
            [this, pins] {
                if (opened_) return pump();
                timer_ =
                    host_.loop.at(host_.loop.now() + kOpenAgainMs, [this, pins] { start(pins); });
            });
    }

    void on_assign(sync::Assign documents) override {
        ++unchecked_;
        run(
            [documents = std::move(documents)](Worker& worker, Store& store) {
                if (worker.engine) worker.engine->on_assign(store, documents);
            },
            [this] {
                --unchecked_;
                pump();
            });
    }

    bool deciding() const override { return unchecked_ > 0 || engine_decides_; }

    bool expects_push() const override { return !expected_.empty(); }

    bool admits(const VersionId& version) const override {
        return std::find(expected_.begin(), expected_.end(), version) != expected_.end();
    }

    void on_push_offered(const PushSize& size) override {
        if (!deciding() && !expects_push()) return;
        run(
            [size](Worker& worker, Store&) {
                if (worker.engine) worker.engine->on_push_offered(size);
            },
            [this] { pump(); });
    }

    void on_version_whole(const VersionId& version) override {
        run(
            [version](Worker& worker, Store&) {
                if (worker.engine) worker.engine->on_version_whole(version);
            },
            [this] { pump(); });
    }

private:
    // Touched by queued work alone.
    struct Worker {
        InstallEngine::World world;
        std::unique_ptr<InstallEngine> engine;

        void open(const Pins& pins) {
            if (engine) {
                if (const Status known = engine->set_pins(pins); !known)
                    log_failure(LogLevel::error, "other keys count, and installs cannot note it",
                                known.error());
                return;
            }
            auto opened = InstallEngine::open(world, pins);
            if (opened)
                engine = *std::move(opened);
            else
                log_failure(LogLevel::error, "no installs until this is mended", opened.error());
        }
    };

    // Runs `work` where the store may be used, then `then` here, unless we are gone by then.
    void run(std::function<void(Worker&, Store&)> work, std::function<void()> then) {
        struct Seen {
            bool open = false;
            bool deciding = false;
            std::vector<VersionId> expected;
        };
        const auto seen = std::make_shared<Seen>();  // written by the one, then read by the other
        host_.store.run(
            [worker = worker_, work = std::move(work), seen](Store& store) {
                work(*worker, store);
                seen->open = worker->engine != nullptr;
                if (!seen->open) return;
                seen->expected = worker->engine->expected();
                seen->deciding = worker->engine->deciding();
            },
            [this, alive = std::weak_ptr(alive_), then = std::move(then), seen] {
                if (alive.expired()) return;
                opened_ = seen->open;
                const bool others = expected_ != seen->expected;
                expected_ = std::move(seen->expected);
                const bool was_deciding = deciding();
                engine_decides_ = seen->deciding;
                then();
                if (((was_deciding && !deciding()) || others) && host_.decided) host_.decided();
            });
    }

    // One step at a time; another is asked for as soon as it may be due.
    void pump() {
        timer_.reset();
        if (stepping_ || !opened_) {
            step_again_ = stepping_;
            return;
        }
        stepping_ = true;
        const auto step = std::make_shared<InstallEngine::Step>();
        run([step](Worker& worker, Store& store) { *step = worker.engine->step(store); },
            [this, step] { after(*step); });
    }

    void after(const InstallEngine::Step& step) {
        stepping_ = false;
        if (step.report) report(*step.report);
        const bool due = step.next && *step.next <= host_.loop.now();
        if (std::exchange(step_again_, false) || due) return pump();
        if (step.next) timer_ = host_.loop.at(*step.next, [this] { pump(); });
    }

    void report(const InstallBody& body) {
        host_.report(body, [this, alive = std::weak_ptr(alive_)](Status status) {
            if (alive.expired()) return;
            run([status](Worker& worker, Store&) { worker.engine->reported(status); },
                [this] { pump(); });
        });
    }

    InstallerHost host_;
    // Shared with the queued work, which may outlive us.
    std::shared_ptr<Worker> worker_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::unique_ptr<Timer> timer_;
    std::size_t unchecked_ = 0;  // assignments on their way to the engine
    bool engine_decides_ = false;
    bool opened_ = false;
    bool stepping_ = false;
    bool step_again_ = false;
    std::vector<VersionId> expected_;
};

}  // namespace

std::unique_ptr<Installer> make_installer(InstallerHost host, trust::Verifier& verifier,
                                          CommandRunner& commands) {
    return std::make_unique<LoopInstaller>(std::move(host), verifier, commands);
}

}  // namespace tributary::agent
