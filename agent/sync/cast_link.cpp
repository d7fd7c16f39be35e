#include "agent/sync/cast_link.h"

#include <utility>
#include <vector>

#include "agent/sync/whole_version.h"
#include "common/record/document.h"
#include "common/sync/topics.h"
#include "common/text/log.h"
#include "common/trust/fragment.h"

namespace tributary::agent {
namespace {

// The version that an assignment is for, whoever sealed it; none when it cannot be read.
VersionId version_of(const sync::Assign& documents) {
    const auto sealed = parse_signed_document(documents.assignment);
    if (!sealed) return {};
    const auto assignment = parse_assignment(sealed->payload);
    return assignment ? assignment->version : VersionId{};
}

}  // namespace

struct CastLink::Records {
    std::uint32_t generation = 0;
    Bytes bytes;
    std::size_t at = 0;
    Status status;

    bool done() const { return !status || at == bytes.size(); }

    void stage_next(Store& store) {
        const ByteView rest = ByteView(bytes).subspan(at);
        const auto header = parse_record_header(rest);
        if (!header || header->record_bytes() > rest.size()) {
            status = fail(Errc::corrupt, "a part of a broadcast is not made of records");
            return;
        }
        status = store.stage_record(rest.first(header->record_bytes()));
        at += header->record_bytes();
    }
};

CastLink::CastLink(Loop& loop, StoreQueue& store, std::uint64_t seed, Events events)
    : loop_(loop),
      store_(store),
      events_(std::move(events)),
      random_(seed),
      self_(std::make_shared<CastLink*>(this)) {}

CastLink::~CastLink() = default;

// ---- joining and leaving ----

void CastLink::on_assign(const sync::Assign& documents) {
    if (!documents.cast) {
        // It is over, as far as this version goes; the hub has forgotten it, or us.
        const VersionId version = version_of(documents);
        if (invited_ && invited_->version == version) invited_.reset();
        if (cast_ && cast_->invitation.version == version) drop();
        return;
    }
    if (cast_ && cast_->invitation == *documents.cast) {
        if (cast_->left) step(sync::Connected{});  // it did not hear how this ended
        return;
    }
    invited_ = documents.cast;
    consider();
}

void CastLink::on_decided() {
    if (cast_ && cast_->joined && !events_.deciding() && !events_.admits(cast_->invitation.version))
        step(sync::Unwanted{});
    consider();
}

void CastLink::consider() {
    if (!invited_ || events_.deciding()) return;
    const sync::CastInvitation invitation = *std::exchange(invited_, std::nullopt);
    drop();
    cast_ = std::make_unique<Cast>(
        Cast{invitation, sync::Catcher(invitation.cast, {}, random_.next()), {}, 0});
    const auto here = std::make_shared<bool>(events_.admits(invitation.version));
    run(
        [here, base = invitation.base](Store& store) {
            *here = *here && (base.is_none() || store.has({RecordKind::version, base.digest}));
        },
        [here](CastLink& link) {
            if (*here)
                link.join();
            else
                link.decline();
        });
}

void CastLink::decline() {
    sync::CastReport leaving;
    leaving.cast = cast_->invitation.cast;
    leaving.number = 1;
    leaving.state = sync::CastState::leaving;
    cast_.reset();
    events_.report(std::move(leaving));
}

void CastLink::join() {
    cast_->joined = true;
    log_info("taking part in a broadcast", {{"version", cast_->invitation.version.text()}});
    if (connected_) events_.subscribe(sync::cast_topic(cast_->invitation.cast));
}

void CastLink::drop() {
    timer_.reset();
    if (!cast_) return;
    if (cast_->joined && connected_) events_.unsubscribe(sync::cast_topic(cast_->invitation.cast));
    cast_.reset();
}

// Subscriptions end with the connection.
void CastLink::on_connected() {
    connected_ = true;
    if (cast_ && cast_->joined) events_.subscribe(sync::cast_topic(cast_->invitation.cast));
}

void CastLink::on_disconnected() {
    connected_ = false;
    if (cast_) step(sync::Disconnected{});
}

void CastLink::on_subscribed(const std::string& topic) {
    if (cast_ && cast_->joined && topic == sync::cast_topic(cast_->invitation.cast))
        step(sync::Connected{});
}

// The hub sends what it needs on its own topic then.
void CastLink::on_refused(const std::string& topic) {
    if (cast_ && cast_->joined && topic == sync::cast_topic(cast_->invitation.cast)) decline();
}

std::optional<CastLink::Progress> CastLink::progress() const {
    if (!cast_ || !cast_->joined) return std::nullopt;
    return Progress{cast_->invitation.version, cast_->received_bytes,
                    cast_->catcher.generations_held(), cast_->catcher.generations()};
}

// ---- the stream ----

void CastLink::on_payload(ByteView payload) {
    if (!cast_ || !cast_->joined) return;
    const auto message = sync::parse_message(payload);
    const auto* fragment = message ? std::get_if<sync::Fragment>(&message->body) : nullptr;
    if (!fragment || !cast_->catcher.wants(*fragment)) return;
    const auto opened = trust::open_fragment(cast_->invitation.key, *fragment);
    if (!opened) return;  // counts as lost
    const sync::GenerationShape shape = sync::shape_of(fragment->generation_bytes);
    if (shape.fragment_bytes != opened->size()) return;
    cast_->received_bytes += payload.size();
    sync::CatcherActions actions = cast_->catcher.step(
        loop_.now(),
        sync::FragmentArrived{fragment->generation, fragment->generation_bytes, fragment->last,
                              fragment->index, fragment->serial, fragment->left});
    for (sync::CatcherAction& action : actions)
        if (cast_) carry_out(action, *opened);
    arm();
}

void CastLink::step(sync::CatcherEvent event) {
    sync::CatcherActions actions = cast_->catcher.step(loop_.now(), std::move(event));
    for (sync::CatcherAction& action : actions)
        if (cast_) carry_out(action, {});
    arm();
}

void CastLink::arm() {
    timer_.reset();
    if (!cast_) return;
    if (const auto deadline = cast_->catcher.next_deadline())
        timer_ = loop_.at(*deadline, [this] {
            if (cast_) step(sync::Tick{});
        });
}

void CastLink::carry_out(sync::CatcherAction& action, ByteView opened) {
    if (const auto* keep = std::get_if<sync::KeepFragment>(&action)) {
        cast_->parts
            .try_emplace(keep->generation, keep->shape.fragments, keep->shape.fragment_bytes)
            .first->second.add(keep->index, opened);
    } else if (const auto* forget = std::get_if<sync::ForgetGeneration>(&action)) {
        cast_->parts.erase(forget->generation);
    } else if (const auto* whole = std::get_if<sync::StoreGeneration>(&action)) {
        store(*whole);
    } else if (std::holds_alternative<sync::CommitVersion>(action)) {
        commit();
    } else if (auto* send = std::get_if<sync::SendCastReport>(&action)) {
        events_.report(std::move(send->report));
    } else if (const auto* leave = std::get_if<sync::LeaveCast>(&action)) {
        log_info(leave->whole ? "a broadcast brought a version" : "leaving a broadcast",
                 {{"version", cast_->invitation.version.text()},
                  {"received_bytes", cast_->received_bytes}});
        cast_->parts.clear();
        cast_->joined = false;
        cast_->left = true;
        if (connected_) events_.unsubscribe(sync::cast_topic(cast_->invitation.cast));
    }
}

// ---- the store ----

void CastLink::run(std::function<void(Store&)> work, std::function<void(CastLink&)> then) {
    store_.run(std::move(work), [self = std::weak_ptr(self_), cast = cast_->invitation.cast,
                                 then = std::move(then)] {
        const auto locked = self.lock();
        if (!locked) return;
        CastLink& link = **locked;
        if (link.cast_ && link.cast_->invitation.cast == cast) then(link);
    });
}

// Rebuilt by the worker, for it may take its time; then one record after another.
void CastLink::store(const sync::StoreGeneration& action) {
    const auto part = cast_->parts.find(action.generation);
    const auto assembly = std::make_shared<codec::ErasureAssembly>(std::move(part->second));
    cast_->parts.erase(part);
    const auto records = std::make_shared<Records>();
    records->generation = action.generation;
    run(
        [assembly, records, bytes = action.bytes](Store&) {
            records->bytes = std::move(*assembly).take();
            records->bytes.resize(bytes);
        },
        [records](CastLink& link) { link.store_next(records); });
}

void CastLink::store_next(std::shared_ptr<Records> records) {
    if (!events_.admits(cast_->invitation.version))
        records->status = fail(Errc::denied, "no admitted assignment asks for this any more");
    if (records->done()) {
        if (!records->status)
            log_failure(LogLevel::warn, "a part of a broadcast is not used",
                        records->status.error());
        return step(sync::GenerationStored{records->generation, records->status});
    }
    run([records](Store& store) { records->stage_next(store); },
        [records](CastLink& link) { link.store_next(records); });
}

void CastLink::commit() {
    const VersionId version = cast_->invitation.version;
    if (!events_.admits(version))
        return step(sync::VersionCommitted{fail(Errc::denied, "not asked for any more")});
    const auto status = std::make_shared<Status>();
    run([status, version](Store& store) { *status = commit_whole(store, version); },
        [status, version](CastLink& link) {
            if (!*status)
                log_failure(LogLevel::warn, "a broadcast did not bring all", status->error());
            link.step(sync::VersionCommitted{*status});
            if (*status) link.events_.version_whole(version);
        });
}

}  // namespace tributary::agent
