#include "agent/app/daemon/repair.h"

#include "common/text/log.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kLookEveryMs = 60'000;

std::string target_of(const RecordKey& key, const VersionId& version) {
    return "/api/v1/object?kind=" + std::string(name_of(key.kind)) + "&name=" + key.name.text() +
           "&version=" + version.text();
}

void bring(LostObjects& lost, const RecordKey& key, ByteView plain) {
    const Status brought = lost.bring(key, plain);
    if (brought) return;
    log_failure(LogLevel::warn, "what the hub sent for a damaged object is not used",
                brought.error());
    lost.pass_over();
}

void tell(const LostObjects& lost) {
    if (lost.objects_brought() != 0)
        log_info("damaged objects were had from the hub again",
                 {{"objects", lost.objects_brought()}});
    for (const VersionId& version : lost.passed_over())
        log_warn("a version stays damaged: the hub does not have what it lacks",
                 {{"version", version.text()}});
}

}  // namespace

void Repair::begin() {
    if (attempt_) return;
    timer_.reset();
    attempt_ = std::make_shared<Attempt>();
    step({});
}

// On the worker: `first`, then what is lacking next.
void Repair::step(std::function<void(LostObjects&)> first) {
    queue_.run_long(
        [attempt = attempt_, dealt_with = dealt_with_, prove = prove_, first = std::move(first)](
            Store& store, const StoreQueue::Breathe& breathe) {
            attempt->wanted.reset();
            if (!attempt->lost) {
                // Of some damage nobody knows which records it was.
                attempt->damaged = store.damaged_records() + store.recovery().damage.size();
                attempt->ended = attempt->damaged == dealt_with;
                attempt->lost.emplace(store);
            }
            if (attempt->ended || !breathe()) return;
            if (first) first(*attempt->lost);
            const auto wanted = attempt->lost->next();
            if (wanted)
                attempt->wanted = *wanted;
            else
                log_failure(LogLevel::warn, "damage cannot be looked through", wanted.error());
            attempt->ended = !wanted || (!attempt->wanted && attempt->lost->done());
            if (!attempt->wanted) return;
            attempt->target = target_of(*attempt->wanted, attempt->lost->version());
            if (prove) attempt->headers = prove(attempt->target);
        },
        [self = std::weak_ptr(self_)] {
            if (const auto here = self.lock()) (*here)->on_step();
        });
}

void Repair::on_step() {
    if (attempt_->ended) {
        tell(*attempt_->lost);
        dealt_with_ = attempt_->damaged;
        return end();
    }
    if (!attempt_->wanted) return step({});
    const RecordKey key = *attempt_->wanted;
    HttpClientRequest request;
    request.url = hub_url_ + attempt_->target;
    request.headers = attempt_->headers;
    request.trust = trust_;
    request.body_bytes_max = limits::kRecordPayloadBytesMax;
    call_ = http_call(loop_, std::move(request),
                      [this, key](const auto& response) { on_answer(key, response); });
}

void Repair::on_answer(const RecordKey& key, const Result<HttpClientResponse>& response) {
    if (!response) {
        if (trouble_ != response.error().what)
            log_failure(LogLevel::warn, "damaged objects cannot be had from the hub, trying on",
                        response.error());
        trouble_ = response.error().what;
        return end();
    }
    // A hub that does not know our new key yet may do so the next time, and one with much to do may
    // have less.
    const unsigned status = response->status;
    if (status == 401 || status == 403 || status == 429 || status == 503) {
        if (trouble_.empty())
            log_warn("damaged objects cannot be had from the hub now, trying on",
                     {{"status", status}});
        trouble_ = "the hub does not let us have them now";
        return end();
    }
    trouble_.clear();
    if (response->status != 200) return step([](LostObjects& lost) { lost.pass_over(); });
    step([key, body = response->body](LostObjects& lost) { bring(lost, key, as_bytes(body)); });
}

void Repair::end() {
    attempt_.reset();
    timer_ = loop_.at(loop_.now() + kLookEveryMs, [this] { begin(); });
}

}  // namespace tributary::agent
