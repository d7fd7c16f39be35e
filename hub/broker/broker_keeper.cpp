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
    for (const Status& read : {read_acl(), read_list()})
        if (!read)
            log_failure(LogLevel::error,
                        "whom the broker turned away so far is not known, and is left as it is",
                        read.error());
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

// Until it succeeds once, nothing is written: it may be less than what is there.
Status BrokerKeeper::read_acl() {
    if (acl_read_) return {};
    const auto acl = read_file(files_, options_.acl_path, kAclBytesMax);
    if (!acl && acl.error().code != Errc::not_found) return tl::make_unexpected(acl.error());
    if (acl) kept_ = denied_ = denied_in(as_text(*acl));
    acl_read_ = true;
    return {};
}

Status BrokerKeeper::read_list() {
    if (list_read_ || options_.list_path.empty() || !options_.read_list) return {};
    const auto list = read_file(files_, options_.list_path, kAclBytesMax);
    if (!list && list.error().code != Errc::not_found) return tl::make_unexpected(list.error());
    if (list && !list->empty()) {
        const auto serials = options_.read_list(as_text(*list));
        if (!serials)
            return with_context(options_.list_path +
                                    "; if it cannot be mended, remove it, and it is made anew of "
                                    "what this hub's store knows",
                                serials.error());
        kept_serials_ = {serials->begin(), serials->end()};
    }
    list_read_ = true;
    return {};
}

// Signed anew at each start: two lists of the same certificates are two files.
Status BrokerKeeper::write_list(const std::vector<Bytes>& revoked) {
    TRIBUTARY_TRY(read_list());
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

// What of it fails is tried again; what succeeds counts from now on.
Status BrokerKeeper::write() {
    const ShutOut whom = *unwritten_;
    asked_ = whom.devices;
    const Status listed = write_list(whom.certificates);
    const Status written = write_acl(whom.devices);
    if (listed && written) unwritten_.reset();
    step();
    if (!written) return with_context("deny revoked devices at the broker", written.error());
    if (!listed) return with_context("refuse revoked certificates at the broker", listed.error());
    return {};
}

Status BrokerKeeper::write_acl(const std::set<std::string>& asked) {
    TRIBUTARY_TRY(read_acl());
    std::set<std::string> devices = kept_;
    devices.insert(asked.begin(), asked.end());
    const std::string text = acl_text(devices);
    const auto there = read_file(files_, options_.acl_path, kAclBytesMax);
    if (!there || as_text(*there) != text) {
        // For the broker's user, by its group; there is nothing secret in it.
        TRIBUTARY_TRY(replace_file(files_, options_.acl_path, as_bytes(text), Readers::group));
        to_reload_ = true;
    }
    std::ranges::set_difference(devices, denied_, std::inserter(to_cut_, to_cut_.end()));
    std::erase_if(to_cut_, [&](const std::string& device) {
        return denied_.contains(device) && !devices.contains(device);  // let in again
    });
    denied_ = devices;
    return {};
}

// One thing after another: what is under way calls it again.
void BrokerKeeper::step() {
    if (reloading_ || telling_ || cutting_) return;
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
        const std::uint64_t wait_ms = options_.reload();
        if (wait_ms == 0) return step();
        // Whoever is cut before could come back.
        telling_ = true;
        timer_ = loop_.at(loop_.now() + wait_ms, [this] {
            telling_ = false;
            step();
        });
        return;
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
