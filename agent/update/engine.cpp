#include "agent/update/engine.h"

#include <algorithm>

#include "agent/update/check.h"
#include "agent/update/install_room.h"
#include "common/store/closure.h"
#include "common/text/log.h"

namespace tributary::agent {

using rollout::Install;
using rollout::InstallAction;
using rollout::InstallEvent;
using rollout::InstallState;

namespace {

constexpr std::uint64_t kRetryMs = 5'000;        // after what should have worked
constexpr std::uint64_t kLookAgainMs = 60'000;   // after the store could not be read
constexpr std::uint64_t kDeferMs = 10 * 60'000;  // "not now"
constexpr std::uint64_t kPollMs = 50;            // between two looks at a running command
constexpr unsigned kFillsMax = 3;                // then what is missing is damage
constexpr std::size_t kOldNumbersMax = 64;       // that are remembered as judged
constexpr std::uint64_t kJournalTail = 256;      // entries that may follow a report unfinished

InstallAction action_of(InstallState state) {
    const auto table = rollout::state_table();
    const auto row = std::find_if(table.begin(), table.end(),
                                  [&](const rollout::StateRow& r) { return r.state == state; });
    TRIBUTARY_CHECK(row != table.end());
    return row->action;
}

}  // namespace

struct InstallEngine::Task {
    Install install;
    bool resumed = false;  // by a restart: the journal may have its report already
    bool asleep = false;   // until something comes from outside
    MonoTime not_before;
    unsigned fills = 0;

    // Of the present state; begins anew with each.
    struct Work {
        std::unique_ptr<SlotWriter> writer;
        std::unique_ptr<SlotReader> reader;
        TreeId slot_tree;
        std::unique_ptr<RunningCommand> health;
        bool begun = false;
        MonoTime probation_end, health_started, next_health;
    } work;

    void enter(const Install& entered) {
        install = entered;
        work = {};
        asleep = false;
        not_before = {};
    }
};

// ---- opening, and what comes from outside

InstallEngine::InstallEngine(const World& world, Pins pins, StateFile file)
    : world_(world), pins_(std::move(pins)), file_(std::move(file)) {}

InstallEngine::~InstallEngine() = default;

Result<std::unique_ptr<InstallEngine>> InstallEngine::open(const World& world, Pins pins) {
    TRIBUTARY_ASSIGN(StateFile file, StateFile::open(world.files, world.config.install_path()));
    if (file.damaged())
        log_error("installer state damaged, the one before it is used",
                  {{"path", world.config.install_path()}});
    auto engine =
        std::unique_ptr<InstallEngine>(new InstallEngine(world, std::move(pins), std::move(file)));
    if (!engine->file_.value()) {
        TRIBUTARY_TRY(engine->forget_old_keys());
        return engine;
    }
    TRIBUTARY_ASSIGN(engine->state_, parse_installer_state(*engine->file_.value()));
    bool changed = false;
    for (const Install& install : engine->state_.installs) {
        const auto step = rollout::install_step(install, InstallEvent::restart);
        TRIBUTARY_CHECK(step.has_value());
        changed = changed || step->changed;
        auto task = std::make_unique<Task>();
        task->enter(step->install);
        task->resumed = true;
        engine->tasks_.push_back(std::move(task));
    }
    if (changed) TRIBUTARY_TRY(engine->persist());
    TRIBUTARY_TRY(engine->forget_old_keys());
    return engine;
}

Status InstallEngine::set_pins(Pins pins) {
    pins_ = std::move(pins);
    return forget_old_keys();
}

Status InstallEngine::forget_old_keys() {
    const std::uint64_t era = world_.trust ? world_.trust->state().era : 0;
    if (era == state_.era) return {};
    const InstallerState before = state_;
    state_.era = era;
    state_.last_number = 0;
    state_.ratchet = {};
    Status saved = persist();
    if (!saved) state_ = before;
    return saved;
}

void InstallEngine::on_assign(Store& store, const sync::Assign& documents) {
    const auto assignment = verify_assignment(world_.verifier, pins_, documents.assignment);
    if (!assignment) {
        refuse(SecurityEvent::assignment_forged, assignment.error().what);
        return log_failure(LogLevel::warn, "assignment ignored", assignment.error());
    }
    if (assignment->number <= state_.last_number) {
        if (!was_taken(store, assignment->number))
            refuse(SecurityEvent::assignment_replayed,
                   "assignment " + std::to_string(assignment->number) +
                       " is no new one: the last was " + std::to_string(state_.last_number));
        return log_debug("assignment known or old",
                         {{"number", assignment->number}, {"last", state_.last_number}});
    }
    if (const Status may = world_.trust ? world_.trust->admits_installs() : Status(); !may)
        return log_failure(LogLevel::warn, "assignment not taken yet", may.error());
    if (tasks_.size() >= kInstallsMax) {
        return log_warn("assignment not taken yet: too many are unfinished",
                        {{"number", assignment->number}});
    }
    if (Status taken = take(store, *assignment, documents); !taken)
        return log_failure(LogLevel::error, "assignment not taken", taken.error());
    log_info("assignment taken", {{"number", assignment->number},
                                  {"model", assignment->model},
                                  {"version", assignment->version.text()}});
    for (const auto& task : tasks_) {
        if (task->install.model != assignment->model || task == tasks_.back()) continue;
        if (Status done = advance(*task, InstallEvent::cancel, "superseded"); !done)
            log_failure(LogLevel::error, "older install not cancelled", done.error());
    }
}

void InstallEngine::refuse(SecurityEvent event, std::string why) const {
    if (world_.refused) world_.refused(event, std::move(why));
}

// The hub repeats an assignment until it has read the answer, which may stand far back in the
// journal. In doubt, after a new journal was begun, it was.
bool InstallEngine::was_taken(Store& store, std::uint64_t number) {
    const auto is_it = [number](const auto& task) { return task->install.number == number; };
    if (std::ranges::any_of(tasks_, is_it) || old_numbers_.contains(number)) return true;
    // The journal is not read through for whoever holds the hub's key and has numbers without end.
    if (old_numbers_.size() >= kOldNumbersMax) return true;
    old_numbers_.insert(number);
    const JournalHead head = store.head();
    bool found = false;
    const Status read = store.read_entries(head.incarnation, 1, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        const auto body = entry ? parse_body(entry->header.kind, entry->body)
                                : Result<EntryBody>(tl::make_unexpected(entry.error()));
        if (!body) return true;
        const auto* start = std::get_if<StartBody>(&*body);
        const auto* install = std::get_if<InstallBody>(&*body);
        found = (start && !start->continues.is_none()) || (install && install->number == number);
        return !found;
    });
    return !read || found;
}

// From here on the assignment is known durably and will be answered.
Status InstallEngine::take(Store& store, const Assignment& assignment,
                           const sync::Assign& documents) {
    Install install;
    install.number = assignment.number;
    install.model = assignment.model;
    install.repo = assignment.repo;
    install.version = assignment.version;
    install.content = assignment.content;
    install.path = assignment.path;
    install.approval = assignment.approval;
    TRIBUTARY_ASSIGN(install.assignment,
                     store.stage_object(RecordKind::document, documents.assignment));
    // Only the approval that the hub sealed: nothing else may fill the store.
    if (name_of_plain(RecordKind::document, documents.approval) == assignment.approval)
        TRIBUTARY_TRY(store.stage_object(RecordKind::document, documents.approval));
    TRIBUTARY_TRY(store.commit());

    offered_.reset();  // it was for another
    const std::uint64_t last_number = std::exchange(state_.last_number, assignment.number);
    tasks_.push_back(std::make_unique<Task>());
    tasks_.back()->enter(install);
    if (Status saved = persist(); !saved) {
        tasks_.pop_back();
        state_.last_number = last_number;
        return saved;
    }
    return {};
}

// It may come while its assignment is being checked: fetch() looks at it.
void InstallEngine::on_push_offered(const PushSize& size) {
    offered_ = size;
    for (const auto& task : tasks_)
        if (task->install.state == InstallState::downloading) task->asleep = false;
}

void InstallEngine::on_version_whole(const VersionId& version) {
    for (const auto& task : tasks_) {
        if (task->install.version != version) continue;
        if (task->install.state != InstallState::downloading) continue;
        task->asleep = false;
    }
}

std::vector<VersionId> InstallEngine::expected() const {
    std::vector<VersionId> versions;
    for (const auto& task : tasks_)
        if (task->install.state == InstallState::downloading)
            versions.push_back(task->install.version);
    return versions;
}

bool InstallEngine::deciding() const {
    return std::any_of(tasks_.begin(), tasks_.end(), [](const auto& task) {
        const InstallState state = task->install.state;
        return state == InstallState::checking || state == InstallState::admitted;
    });
}

void InstallEngine::reported(const Status& status) {
    const auto at = std::find_if(tasks_.begin(), tasks_.end(),
                                 [&](const auto& task) { return task.get() == reporting_; });
    TRIBUTARY_CHECK(reporting_ != nullptr && at != tasks_.end());
    Task& task = **at;
    reporting_ = nullptr;
    for (const auto& other : tasks_)
        if (action_of(other->install.state) == InstallAction::report) other->asleep = false;
    Status dropped = status;
    if (status) {
        task.resumed = true;  // from now on the journal has it
        dropped = drop(task);
        if (dropped) return;
    }
    log_failure(LogLevel::error, "install not reported", dropped.error());
    task.not_before = world_.clock.mono() + kRetryMs;
}

// ---- the machine

InstallEngine::Step InstallEngine::step(Store& store) {
    Step out;
    const MonoTime now = world_.clock.mono();
    const auto is_due = [&](const Task& task) {
        return !task.asleep && task.not_before <= now && first_of(task.install.model) == &task;
    };
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
        Task& task = *tasks_[next_task_++ % tasks_.size()];
        if (!is_due(task)) continue;
        const std::uint64_t number = task.install.number;
        if (Status acted = act(store, task, out); !acted) {
            log_failure(LogLevel::error, "install stands still", acted.error());
            for (const auto& same : tasks_)
                if (same->install.number == number) same->not_before = now + kRetryMs;
        }
        break;
    }
    for (const auto& task : tasks_) {
        if (task->asleep || first_of(task->install.model) != task.get()) continue;
        const MonoTime when = std::max(task->not_before, now);
        out.next = std::min(out.next.value_or(when), when);
    }
    return out;
}

Status InstallEngine::act(Store& store, Task& task, Step& step) {
    const InstallAction action = action_of(task.install.state);
    const bool needs_model =
        action != InstallAction::check_assignment && action != InstallAction::report;
    if (needs_model && model_of(task) == nullptr) {
        log_warn("install waits: its model is not configured any more",
                 {{"model", task.install.model}, {"number", task.install.number}});
        task.asleep = true;
        return {};
    }
    switch (action) {
        case InstallAction::check_assignment: return check(store, task);
        case InstallAction::prepare_slot: return prepare_slot(task);
        case InstallAction::fetch_missing: return fetch(store, task);
        case InstallAction::fill_slot: return fill(store, task);
        case InstallAction::mark_slot: return mark_slot(store, task);
        case InstallAction::switch_current: return switch_current(task);
        case InstallAction::check_health: return check_health(task);
        case InstallAction::switch_back: return switch_back(task);
        case InstallAction::report: return report(store, task, step);
        case InstallAction::await_activation:  // no window can be configured: at once
            return advance(task, InstallEvent::done);
        case InstallAction::wait_to_retry: break;
    }
    if (std::exchange(task.work.begun, true)) return advance(task, InstallEvent::done);
    task.not_before = world_.clock.mono() + kDeferMs;
    return {};
}

// Persist, then act: the new state is on the disk before anything is done in it.
Status InstallEngine::advance(Task& task, InstallEvent event, std::string_view detail) {
    const auto next = rollout::install_step(task.install, event, detail);
    if (!next || !next->changed) return {};
    const Install before = std::exchange(task.install, next->install);
    if (Status saved = persist(); !saved) {
        task.enter(before);  // and what it does begins anew
        return saved;
    }
    task.enter(next->install);
    log_info("install", {{"number", task.install.number},
                         {"model", task.install.model},
                         {"state", rollout::name_of(task.install.state)},
                         {"detail", task.install.detail}});
    return {};
}

Status InstallEngine::persist() {
    state_.installs.clear();
    for (const auto& task : tasks_) state_.installs.push_back(task->install);
    return file_.save(encode_installer_state(state_));
}

Status InstallEngine::drop(const Task& task) {
    const auto at =
        std::find_if(tasks_.begin(), tasks_.end(), [&](const auto& t) { return t.get() == &task; });
    std::unique_ptr<Task> done = std::move(*at);
    const auto after = tasks_.erase(at);
    Status saved = persist();
    if (!saved) tasks_.insert(after, std::move(done));
    return saved;
}

// What an action's error means to the install.
Status InstallEngine::trouble(Task& task, const Error& error) {
    log_failure(LogLevel::warn, "install in trouble", error);
    const bool reads_store = task.install.state == InstallState::reconstructing ||
                             task.install.state == InstallState::verified;
    const bool store_lacks = error.code == Errc::not_found || error.code == Errc::corrupt;
    if (reads_store && store_lacks && ++task.fills < kFillsMax)
        return advance(task, InstallEvent::incomplete, "damaged");
    switch (error.code) {
        case Errc::exhausted: return advance(task, InstallEvent::failed, "space");
        case Errc::invalid: return advance(task, InstallEvent::failed, "content");
        case Errc::conflict: return advance(task, InstallEvent::failed, "link");
        case Errc::not_found:
        case Errc::corrupt: return advance(task, InstallEvent::failed, "damaged");
        default: return advance(task, InstallEvent::failed, "io");
    }
}

InstallEngine::Task* InstallEngine::first_of(const std::string& model) {
    const auto at = std::find_if(tasks_.begin(), tasks_.end(),
                                 [&](const auto& task) { return task->install.model == model; });
    return at == tasks_.end() ? nullptr : at->get();
}

const ModelConfig* InstallEngine::model_of(const Task& task) const {
    const auto& models = world_.config.models;
    const auto at = std::find_if(models.begin(), models.end(), [&](const ModelConfig& model) {
        return model.name == task.install.model;
    });
    return at == models.end() ? nullptr : &*at;
}

std::string InstallEngine::model_dir(const Task& task) const {
    return world_.config.model_dir(*model_of(task));
}

std::string InstallEngine::slot_dir(const Task& task) const {
    return join_path(model_dir(task), task.install.slot);
}

// ---- before anything that runs is touched

Status InstallEngine::check(Store& store, Task& task) {
    // After a restart: not before the hub has proved, for a nonce of now, what time it is.
    if (world_.trust && !world_.trust->admits_installs()) {
        task.not_before = world_.clock.mono() + kRetryMs;
        return {};
    }
    if (world_.trust) TRIBUTARY_TRY(world_.trust->save_now());
    Error why{Errc::denied, ""};
    const std::string_view reason = reason_to_refuse(store, task, why);
    if (!reason.empty()) {
        log_failure(LogLevel::warn, "assignment refused", why);
        return advance(task, InstallEvent::refused, reason);
    }
    const Install before = task.install;
    if (Status chosen = choose_slot(task); !chosen) return trouble(task, chosen.error());
    Status done = advance(task, InstallEvent::done);
    if (!done) task.install = before;
    return done;
}

std::string_view InstallEngine::reason_to_refuse(Store& store, const Task& task, Error& why) {
    const auto refuse = [&](std::string_view word, Error error) {
        why = std::move(error);
        return word;
    };
    const auto document = store.read_plain({RecordKind::document, task.install.assignment});
    if (!document) return refuse("record", document.error());
    const auto assignment = verify_assignment(world_.verifier, pins_, *document);
    if (!assignment) return refuse("seal", assignment.error());

    // No trusted clock is assumed. What believed clocks have said moves the ratchet; our own, if it
    // is not believed, moves nothing: it can only make an install wait for a new assignment, and
    // where the hub says the time not even that.
    std::vector<Bytes> approvals;
    if (auto approval = store.read_plain({RecordKind::document, task.install.approval}))
        approvals.push_back(*std::move(approval));
    const Status approved =
        verify_approvals(world_.verifier, pins_, *assignment, approvals, state_.ratchet);
    const WallTime now = believed_now();
    if (now > assignment->expires) {
        return refuse("expired",
                      {Errc::denied, "the assignment was good until " +
                                         to_text(assignment->expires) + ", it is " + to_text(now)});
    }
    if (!approved) return refuse("approval", approved.error());
    if (model_of(task) == nullptr) {
        return refuse("model", {Errc::denied,
                                "no [[model]] of the config is named '" + assignment->model + "'"});
    }
    if (Status space = has_any_room(world_.files, model_dir(task)); !space)
        return refuse("space", space.error());
    return "";
}

WallTime InstallEngine::believed_now() {
    if (world_.trust && world_.trust->enrolled())
        return std::max(world_.trust->now(), state_.ratchet);
    const WallTime wall = world_.clock.wall();
    if (world_.clock.quality() == ClockQuality::synced)
        state_.ratchet = std::max(state_.ratchet, wall);
    return std::max(wall, state_.ratchet);
}

Status InstallEngine::choose_slot(Task& task) {
    TRIBUTARY_ASSIGN(const std::string running, running_slot(world_.files, model_dir(task)));
    Install& install = task.install;
    install.old_slot = running;
    install.slot = running == kSlots[0] ? kSlots[1] : kSlots[0];
    const SlotMark* old = state_.mark(install.model, running);
    install.old_version = old != nullptr ? old->version : VersionId{};
    state_.clear_mark(install.model, install.slot);
    return {};
}

Status InstallEngine::prepare_slot(Task& task) {
    if (Status gone = remove_tree(world_.files, slot_dir(task)); !gone)
        return trouble(task, gone.error());
    return advance(task, InstallEvent::done);
}

Status InstallEngine::fetch(Store& store, Task& task) {
    task.asleep = true;  // on_version_whole() ends it
    const auto missing = first_missing(store, task.install.version, {});
    if (!missing) {
        log_failure(LogLevel::warn, "version cannot be looked through", missing.error());
        task.asleep = false;
        task.not_before = world_.clock.mono() + kLookAgainMs;
        return {};
    }
    if (*missing) return look_at_offer(task);
    task.asleep = false;
    const auto version = read_version(store, task.install.version);
    if (!version) return trouble(task, version.error());
    if (version->tree != task.install.content)
        return advance(task, InstallEvent::failed, "content");
    return advance(task, InstallEvent::done);
}

Status InstallEngine::look_at_offer(Task& task) {
    const auto offered = std::exchange(offered_, std::nullopt);
    const auto waits = [](const auto& other) {
        const InstallState state = other->install.state;
        return state == InstallState::checking || state == InstallState::admitted ||
               state == InstallState::downloading;
    };
    // For which of several it is, is not said.
    if (!offered || std::ranges::count_if(tasks_, waits) > 1) return {};
    PushSize needed = *offered;
    if (!task.install.path.empty()) needed.plain_bytes = 0;  // of which one file is wanted
    const Status room =
        has_room_for(world_.files, needed, model_dir(task), world_.config.state_dir);
    if (room || room.error().code != Errc::exhausted) return {};
    return trouble(task, room.error());
}

Status InstallEngine::fill(Store& store, Task& task) {
    auto& work = task.work;
    if (!work.writer && !work.reader) {
        if (Status begun = begin_filling(store, task); !begun) return trouble(task, begun.error());
        return {};
    }
    if (work.writer) {
        const auto whole = work.writer->step(store);
        if (!whole) return trouble(task, whole.error());
        if (!*whole) return {};
        work.writer.reset();
        work.reader = std::make_unique<SlotReader>(world_.files, slot_dir(task));
        return {};
    }
    const auto tree = work.reader->step();
    if (!tree) return trouble(task, tree.error());
    if (!*tree) return {};
    if (**tree != work.slot_tree) return advance(task, InstallEvent::failed, "digest");
    return advance(task, InstallEvent::done);
}

Status InstallEngine::begin_filling(Store& store, Task& task) {
    const std::string dir = slot_dir(task);
    TRIBUTARY_TRY(remove_tree(world_.files, dir));
    TRIBUTARY_ASSIGN(SlotContent content,
                     slot_content(store, task.install.content, task.install.path));
    TRIBUTARY_TRY(world_.files.make_directories(dir, Readers::group));
    TRIBUTARY_TRY(has_room_for(world_.files, {.stored_bytes = 0, .plain_bytes = content.bytes},
                               model_dir(task), world_.config.state_dir));
    task.work.slot_tree = content.tree;
    task.work.writer = std::make_unique<SlotWriter>(world_.files, dir, std::move(content));
    return {};
}

Status InstallEngine::mark_slot(Store& store, Task& task) {
    const Install& install = task.install;
    const auto content = slot_content(store, install.content, install.path);
    if (!content) return trouble(task, content.error());
    state_.clear_mark(install.model, install.slot);
    state_.marks.push_back({install.model, install.slot, install.version, content->tree});
    return advance(task, InstallEvent::done);
}

// ---- from here on what runs may change

Status InstallEngine::switch_current(Task& task) {
    if (Status done = switch_to(world_.files, model_dir(task), task.install.slot); !done) {
        log_failure(LogLevel::error, "cannot switch to the new model", done.error());
        return advance(task, InstallEvent::failed, "io");
    }
    return advance(task, InstallEvent::done);
}

Status InstallEngine::check_health(Task& task) {
    if (model_of(task)->health.empty()) return advance(task, InstallEvent::unproven);
    auto& work = task.work;
    if (!std::exchange(work.begun, true)) {
        const auto running = running_slot(world_.files, model_dir(task));
        if (!running || *running != task.install.slot)
            return advance(task, InstallEvent::failed, "link");
        work.next_health = world_.clock.mono();
        work.probation_end = work.next_health + model_of(task)->probation_ms;
    }
    if (!work.health) {
        task.not_before = work.next_health;
        return world_.clock.mono() < work.next_health ? Status() : start_health(task);
    }
    const auto result = work.health->poll();
    if (result) return judge_health(task, *result);
    task.not_before = world_.clock.mono() + kPollMs;
    return {};
}

Status InstallEngine::start_health(Task& task) {
    const ModelConfig& model = *model_of(task);
    Command command;
    command.shell = model.health;
    command.timeout_ms = model.health_timeout_ms;
    command.environment = {{"TRIBUTARY_MODEL", model.name},
                           {"TRIBUTARY_MODEL_DIR", current_link(model_dir(task))},
                           {"TRIBUTARY_REPO", task.install.repo},
                           {"TRIBUTARY_VERSION", task.install.version.text()},
                           {"TRIBUTARY_CONTENT", task.install.content.text()}};
    auto& work = task.work;
    work.health_started = world_.clock.mono();
    auto running = world_.commands.start(command);
    if (!running) {
        log_failure(LogLevel::error, "health command not started", running.error());
        return advance(task, InstallEvent::failed, "health");
    }
    work.health = *std::move(running);
    task.not_before = work.health_started + kPollMs;
    return {};
}

// Healthy is who was so until the end, and once more then.
Status InstallEngine::judge_health(Task& task, const CommandResult& result) {
    auto& work = task.work;
    work.health.reset();
    if (!result.good()) {
        log_warn("health command says no", {{"model", task.install.model},
                                            {"timed_out", result.timed_out},
                                            {"exit_code", result.exit_code},
                                            {"signal", result.signal},
                                            {"output", result.output}});
        return advance(task, InstallEvent::failed, result.timed_out ? "timeout" : "health");
    }
    if (work.health_started >= work.probation_end) return advance(task, InstallEvent::done);
    work.next_health =
        std::min(work.health_started + model_of(task)->health_interval_ms, work.probation_end);
    task.not_before = work.next_health;
    return {};
}

Status InstallEngine::switch_back(Task& task) {
    const std::string dir = model_dir(task);
    // A link to nothing would be worse than none.
    std::string slot = task.install.old_slot;
    if (!slot.empty() && !world_.files.stat(join_path(dir, slot))) slot.clear();
    if (Status done = switch_to(world_.files, dir, slot); !done) {
        log_failure(LogLevel::error, "cannot switch back, trying again", done.error());
        task.not_before = world_.clock.mono() + kRetryMs;
        return {};
    }
    return advance(task, InstallEvent::done);
}

// ---- afterwards

Status InstallEngine::report(Store& store, Task& task, Step& step) {
    if (reporting_ != nullptr) {  // one at a time
        task.asleep = true;
        return {};
    }
    give_back(task);
    if (task.resumed && journal_has(store, task.install.number)) return drop(task);
    task.asleep = true;
    reporting_ = &task;
    step.report = result_of(task);
    return {};
}

// The slot of what did not come to run. The old slot of what did stays until the next install, for
// consumers that still read from it.
void InstallEngine::give_back(Task& task) {
    if (task.install.state == InstallState::committed || task.install.slot.empty()) return;
    if (model_of(task) == nullptr) return;
    const auto running = running_slot(world_.files, model_dir(task));
    if (!running || *running == task.install.slot) return;
    state_.clear_mark(task.install.model, task.install.slot);
    if (Status gone = remove_tree(world_.files, slot_dir(task)); !gone)
        log_failure(LogLevel::warn, "slot not emptied", gone.error());
}

bool InstallEngine::journal_has(Store& store, std::uint64_t number) {
    const JournalHead head = store.head();
    if (head.sequence == 0) return false;
    const std::uint64_t from = head.sequence > kJournalTail ? head.sequence - kJournalTail : 1;
    bool found = false;
    const Status read = store.read_entries(head.incarnation, from, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        if (!entry || entry->header.kind != EntryKind::install) return true;
        const auto body = parse_body(entry->header.kind, entry->body);
        const auto* install = body ? std::get_if<InstallBody>(&*body) : nullptr;
        found = install != nullptr && install->number == number;
        return !found;
    });
    return read && found;
}

InstallBody InstallEngine::result_of(const Task& task) {
    InstallBody body;
    body.number = task.install.number;
    body.model = task.install.model;
    body.version = task.install.version;
    body.state = rollout::name_of(task.install.state);
    body.detail = task.install.detail;
    if (model_of(task) == nullptr) return body;
    const auto running = running_slot(world_.files, model_dir(task));
    const SlotMark* mark = running ? state_.mark(task.install.model, *running) : nullptr;
    if (mark == nullptr) return body;
    body.running = mark->version;
    body.running_content = mark->content.digest;
    return body;
}

}  // namespace tributary::agent
