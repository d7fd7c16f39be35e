#include "hub/broker/broker_keeper.h"

#include <algorithm>
#include <utility>

#include "common/base/limits.h"
#include "common/text/log.h"
#include "hub/broker/acl.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kAclBytesMax = 16 * limits::MiB;
constexpr std::uint64_t kReloadMs = 30'000;  // for the command
constexpr std::uint64_t kLookMs = 50;
constexpr std::uint64_t kReloadWaitMs = 5'000;
constexpr std::uint64_t kReloadWaitMsMax = 300'000;
constexpr std::uint64_t kCutWaitMs = 2'000;
constexpr unsigned kCutTries = 5;

}  // namespace

BrokerKeeper::BrokerKeeper(Loop& loop, Files& files, CommandRunner& commands,
                           std::unique_ptr<SessionCutter> cutter, BrokerKeeperOptions options)
    : loop_(loop),
      files_(files),
      commands_(commands),
      options_(std::move(options)),
      write_wait_ms_(kReloadWaitMs),
      reload_wait_ms_(kReloadWaitMs),
      cutter_(std::move(cutter)) {
    const auto acl = read_file(files_, options_.acl_path, kAclBytesMax);
    if (acl) kept_ = denied_ = denied_in(as_text(*acl));
    const auto list = options_.list_path.empty()
                          ? Result<Bytes>(Bytes())
                          : read_file(files_, options_.list_path, kAclBytesMax);
    if (list && !list->empty() && options_.read_list) {
        const auto serials = options_.read_list(as_text(*list));
        if (serials)
            kept_serials_ = {serials->begin(), serials->end()};
        else
            log_failure(LogLevel::warn, "the list of revoked certificates is made anew",
                        serials.error());
    }
    // A broker of others may not have been told when we ended.
    to_reload_ = !options_.reload_command.empty();
}

void BrokerKeeper::cut(const std::string& device) {
    to_cut_.insert(device);
    step();
}

std::set<std::string> BrokerKeeper::unexplained() const {
    std::set<std::string> names;
    std::ranges::set_difference(kept_, asked_, std::inserter(names, names.end()));
    return names;
}

// Signed anew at each start: two lists of the same certificates are two files.
Status BrokerKeeper::write_list(const std::vector<Bytes>& revoked) {
    std::set<Bytes> all = kept_serials_;  // what was revoked once stays so
    all.insert(revoked.begin(), revoked.end());
    const std::vector<Bytes> certificates(all.begin(), all.end());
    if (options_.list_path.empty() || !options_.sign_list || listed_ == certificates) return {};
    TRIBUTARY_ASSIGN(const std::string text, options_.sign_list(certificates));
    TRIBUTARY_TRY(replace_file(files_, options_.list_path, as_bytes(text), Readers::group));
    listed_ = certificates;
    to_reload_ = true;
    return {};
}

Status BrokerKeeper::deny(const ShutOut& whom) {
    unwritten_ = whom;
    write_timer_.reset();
    write_wait_ms_ = kReloadWaitMs;
    Status written = write();
    if (!written) write_again();
    return written;
}

// Until it succeeds: whoever is revoked would hear on at the broker.
void BrokerKeeper::write_again() {
    write_timer_ = loop_.at(loop_.now() + write_wait_ms_, [this] {
        if (const Status written = write(); !written) {
            log_failure(LogLevel::error, "the broker still does not know who is revoked",
                        written.error());
            write_wait_ms_ = std::min(write_wait_ms_ * 2, kReloadWaitMsMax);
            return write_again();
        }
        log_info("the broker is told at last who is revoked", {{"devices", denied_.size()}});
    });
}

Status BrokerKeeper::write() {
    const ShutOut whom = *unwritten_;
    asked_ = whom.devices;
    std::set<std::string> devices = kept_;
    devices.insert(whom.devices.begin(), whom.devices.end());
    // Even if it fails, the other one counts.
    const Status listed = write_list(whom.certificates);
    const std::string text = acl_text(devices);
    const auto there = read_file(files_, options_.acl_path, kAclBytesMax);
    if (!there || as_text(*there) != text) {
        // For the broker's user, by its group; there is nothing secret in it.
        auto written = replace_file(files_, options_.acl_path, as_bytes(text), Readers::group);
        if (!written) return with_context("deny revoked devices at the broker", written.error());
        to_reload_ = true;
    }
    std::ranges::set_difference(devices, denied_, std::inserter(to_cut_, to_cut_.end()));
    std::erase_if(to_cut_, [&](const std::string& device) {
        return denied_.contains(device) && !devices.contains(device);  // let in again
    });
    denied_ = devices;
    if (listed) unwritten_.reset();
    step();
    if (!listed) return with_context("refuse revoked certificates at the broker", listed.error());
    return {};
}

// One thing after another: what is under way calls it again.
void BrokerKeeper::step() {
    if (reloading_ || cutting_) return;
    timer_.reset();
    if (to_reload_) return start_reload();
    if (!to_cut_.empty()) cut_next();
}

void BrokerKeeper::step_in(std::uint64_t wait_ms) {
    timer_ = loop_.at(loop_.now() + wait_ms, [this] { step(); });
}

void BrokerKeeper::start_reload() {
    if (options_.reload) {
        to_reload_ = false;
        options_.reload();
        return step();
    }
    Command command;
    command.shell = options_.reload_command;
    command.timeout_ms = kReloadMs;
    auto started = commands_.start(command);
    if (!started) return reload_failed(started.error().what);
    to_reload_ = false;  // what changes from here on wants another one
    reloading_ = *std::move(started);
    watch_reload();
}

void BrokerKeeper::watch_reload() {
    const auto ended = reloading_->poll();
    if (!ended) {
        timer_ = loop_.at(loop_.now() + kLookMs, [this] { watch_reload(); });
        return;
    }
    reloading_.reset();
    if (!ended->good())
        return reload_failed(ended->timed_out ? "it takes longer than 30 s" : ended->output);
    reload_wait_ms_ = kReloadWaitMs;
    step();
}

void BrokerKeeper::reload_failed(const std::string& why) {
    to_reload_ = true;
    log_error("the broker could not be told whom to deny; trying again",
              {{"command", options_.reload_command}, {"why", why}, {"in_ms", reload_wait_ms_}});
    step_in(reload_wait_ms_);
    reload_wait_ms_ = std::min(reload_wait_ms_ * 2, kReloadWaitMsMax);
}

void BrokerKeeper::cut_next() {
    if (!cutter_) return to_cut_.clear();
    cutting_ = true;
    const std::string device = *to_cut_.begin();
    cutter_->cut(device, [this, device](const Status& cut) { on_cut(device, cut); });
}

void BrokerKeeper::on_cut(const std::string& device, const Status& cut) {
    cutting_ = false;
    if (!cut && ++cut_failures_ < kCutTries) return step_in(kCutWaitMs);
    cut_failures_ = 0;
    to_cut_.erase(device);
    if (cut)
        log_info("session at the broker ended", {{"device", device}});
    else
        log_failure(LogLevel::warn,
                    "a session of device " + device +
                        " may still be open at the broker under a certificate that was revoked",
                    cut.error());
    step();
}

}  // namespace tributary::hub
