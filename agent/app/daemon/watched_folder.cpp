#include "agent/app/daemon/watched_folder.h"

#include <algorithm>
#include <utility>

#include "agent/record/restorer.h"
#include "common/text/json.h"
#include "common/text/log.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kWatchRetryMs = 5'000;
constexpr std::uint64_t kTroubleRetryMs = 30'000;
constexpr std::uint64_t kLookAgainMs = 500;
// A version that did not fit is tried again when so much more is free, or so long after.
constexpr std::uint64_t kMoreFreeBytes = 4'000'000;
constexpr std::uint64_t kTooLargeRetryMs = 6 * 3'600'000;
constexpr std::size_t kNamesInMessage = 8;

std::string message_of(const std::vector<std::string>& names) {
    std::string text = "watch:";
    for (std::size_t i = 0; i < names.size() && i < kNamesInMessage; ++i) {
        // A name may hold any bytes, a message may not.
        const std::string quoted = json_quoted(names[i]);
        const bool plain = quoted.size() == names[i].size() + 2;
        text += (i == 0 ? " " : ", ") + (plain ? names[i] : quoted);
    }
    if (names.size() > kNamesInMessage)
        text += " and " + std::to_string(names.size() - kNamesInMessage) + " more";
    return text;
}

std::string without_slash(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path;
}

}  // namespace

// One version in the making. Built on the loop's thread, filled in on the worker's.
struct WatchedFolder::Job {
    std::string directory;
    CommitRequest request;
    std::vector<std::string> news;
    FinishedFiles finished;
    VersionId last_version;
    bool admitted = false;  // it was begun
    Result<CommitOutcome> outcome;

    void run(Files& files, Clock& clock, Store& store, const StoreQueue::Breathe& breathe) {
        outcome = commit(files, clock, store, breathe);
    }

    Result<CommitOutcome> commit(Files& files, Clock& clock, Store& store,
                                 const StoreQueue::Breathe& breathe) {
        TRIBUTARY_ASSIGN(const std::vector<std::string> names, files.list(directory));
        for (const std::string& name : names) request.paths.push_back(join_path(directory, name));
        // Only what we recorded ourselves, on top of which nobody else recorded, may be kept
        // without reading it again.
        TRIBUTARY_ASSIGN(const std::optional<VersionRow> head,
                         store.branch_head(request.repo, request.branch, store.head().incarnation));
        const bool ours = head && head->id == last_version;

        request.select = [this, ours](const std::string& path, const FileStatus& status) {
            using enum CommitRequest::Take;
            if (status.kind == FileStatus::Kind::directory)
                return parent_path(path) == directory ? record : keep;
            if (file_name(path).starts_with(kRestorePartName)) return keep;
            const auto found = finished.find(path);
            // The status is what the recorder itself holds the file to while it reads it.
            if (found == finished.end() || found->second.status != status) return keep;
            return ours && found->second.recorded ? keep : record;
        };
        Recorder recorder(files, clock, store,
                          [&breathe](const std::string&, std::uint64_t) -> Status {
                              if (breathe()) return {};
                              return fail(Errc::cancelled, "the agent is stopping");
                          });
        return recorder.commit(request);
    }
};

WatchedFolder::WatchedFolder(Host host, WatchConfig config, Settings settings)
    : host_(std::move(host)),
      config_(std::move(config)),
      settings_(std::move(settings)),
      self_(std::make_shared<WatchedFolder*>(this)) {
    config_.path = without_slash(config_.path);
}

WatchedFolder::~WatchedFolder() = default;

void WatchedFolder::start() {
    auto watch = watch_directory(
        host_.loop, config_.path,
        [this](const std::string& path, WatchEvent event) { on_event(path, event); });
    if (watch) {
        watch_ = *std::move(watch);
        set_trouble("", nullptr);
        log_info("watching", {{"path", config_.path}, {"repo", config_.repo}});
        return;
    }
    set_trouble("a folder cannot be watched, trying on", &watch.error());
    watch_timer_ = host_.loop.at(host_.loop.now() + kWatchRetryMs, [this] { start(); });
}

void WatchedFolder::on_event(const std::string& path, WatchEvent event) {
    switch (event) {
        case WatchEvent::written:
        case WatchEvent::moved_in:
        case WatchEvent::found: consider(path); break;
        case WatchEvent::removed:
            candidates_.erase(path);
            finished_.erase(path);
            break;
        case WatchEvent::overflow: break;  // everything is reported as found
        case WatchEvent::gone:
            candidates_.clear();
            finished_.clear();
            watch_.reset();
            start();
            break;
    }
    arm();
}

void WatchedFolder::consider(const std::string& path) {
    const auto status = host_.files.stat(path);
    if (!status || status->kind != FileStatus::Kind::regular) return;
    const auto known = finished_.find(path);
    if (known != finished_.end() && known->second.status == *status) return;
    candidates_[path] = {*status, host_.loop.now()};
}

// Which candidates have rested long enough.
void WatchedFolder::look() {
    const MonoTime now = host_.loop.now();
    for (auto it = candidates_.begin(); it != candidates_.end();) {
        auto& [path, candidate] = *it;
        if (candidate.since + config_.settle_ms > now) {
            ++it;
            continue;
        }
        const auto status = host_.files.stat(path);
        if (!status || status->kind != FileStatus::Kind::regular) {
            it = candidates_.erase(it);
        } else if (*status != candidate.status || has_writer(path).value_or(false)) {
            // Looked at again after a while, however short the rest may be.
            candidate = {*status, now + (kLookAgainMs - std::min(kLookAgainMs, config_.settle_ms))};
            ++it;
        } else {
            finished_[path] = {*status, false};
            news_.push_back(path.substr(config_.path.size() + 1));
            it = candidates_.erase(it);
        }
    }
    if (!news_.empty()) record();
    arm();
}

void WatchedFolder::arm() {
    std::optional<MonoTime> next;
    for (const auto& [path, candidate] : candidates_)
        if (const MonoTime due = candidate.since + config_.settle_ms; !next || due < *next)
            next = due;
    if (again_ && !recording_ && (!next || not_before_ < *next)) next = not_before_;
    timer_.reset();
    if (!next) return;
    timer_ = host_.loop.at(std::max(*next, host_.loop.now() + 1), [this] {
        if (std::exchange(again_, false)) record();
        look();
    });
}

void WatchedFolder::record() {
    if (is_still_too_large()) not_before_ = host_.loop.now() + kTroubleRetryMs;
    if (recording_ || host_.loop.now() < not_before_) {
        again_ = true;
        return;
    }
    recording_ = true;
    again_ = false;
    auto job = std::make_shared<Job>();
    job->directory = config_.path;
    job->finished = finished_;
    job->last_version = last_version_;
    job->request.repo = config_.repo;
    job->request.branch = config_.branch;
    job->request.author = settings_.author;
    job->request.state_dir = settings_.state_dir;
    job->request.level = settings_.level();
    job->request.workers = settings_.workers;
    job->request.skip_same = true;
    job->request.notes = Notes{message_of(news_), {}};
    job->news = std::exchange(news_, {});
    host_.store.run_long(
        [job, &files = host_.files, &clock = host_.clock, admit = host_.admit](
            Store& store, const StoreQueue::Breathe& breathe) {
            job->request.admit = [&] {
                Status admitted = admit ? admit(breathe) : Status{};
                job->admitted = admitted.has_value();
                return admitted;
            };
            job->run(files, clock, store, breathe);
        },
        [job, self = std::weak_ptr(self_)] {
            if (const auto folder = self.lock()) (*folder)->on_recorded(*job);
        });
}

bool WatchedFolder::is_still_too_large() const {
    if (!too_large_ || host_.loop.now() >= too_large_->since + kTooLargeRetryMs) return false;
    const auto free = host_.files.free_bytes(settings_.state_dir);
    return free && *free < too_large_->free_bytes + kMoreFreeBytes;
}

void WatchedFolder::on_recorded(const Job& job) {
    recording_ = false;
    too_large_.reset();
    if (!job.outcome) {
        const Error& error = job.outcome.error();
        if (error.code == Errc::cancelled) return;
        // A file changed under the recorder's eyes: soon all of them will have rested again.
        const bool moved = error.code == Errc::conflict || error.code == Errc::not_found;
        if (error.code == Errc::exhausted && job.admitted)
            if (const auto free = host_.files.free_bytes(settings_.state_dir))
                too_large_ = {*free, host_.loop.now()};
        if (!moved) set_trouble("a folder cannot be recorded, trying on", &error);
        not_before_ = host_.loop.now() + (moved ? config_.settle_ms : kTroubleRetryMs);
        again_ = true;
        news_.insert(news_.begin(), job.news.begin(), job.news.end());
        return arm();
    }
    set_trouble("", nullptr);
    const CommitOutcome& outcome = *job.outcome;
    last_version_ = outcome.version;
    for (const auto& [path, was] : job.finished)
        if (const auto now = finished_.find(path);
            now != finished_.end() && now->second.status == was.status)
            now->second.recorded = true;
    if (outcome.made) {
        log_info("recorded", {{"repo", job.request.repo},
                              {"version", outcome.version.text()},
                              {"bytes", outcome.plain_bytes},
                              {"why", job.request.notes->message}});
        host_.committed();
    }
    if (std::exchange(again_, false)) record();
    arm();
}

// Said once, until it is another trouble or none.
void WatchedFolder::set_trouble(const std::string& what, const Error* error) {
    const std::string now = error ? error->what : "";
    if (error && now != trouble_) log_failure(LogLevel::warn, what, *error);
    trouble_ = now;
}

}  // namespace tributary::agent
