#include "hub/cast/cast_room.h"

#include <algorithm>
#include <utility>

#include "common/codec/erasure.h"
#include "common/sync/topics.h"
#include "common/text/log.h"
#include "common/trust/fragment.h"

namespace tributary::hub {
namespace {

// Pairs that were found not worth it; looked at again when there are so many.
constexpr std::size_t kNotWorthItMax = 64;
const char* const kWalker = "a broadcast";                                    // among the walks
constexpr std::size_t kFragmentPayloadBytes = sync::kFragmentBytesMax + 256;  // at most, about

}  // namespace

struct CastRoom::Cast {
    Cast(std::uint64_t number, Bytes secret, std::unique_ptr<Preparation> prepared,
         const sync::CasterOptions& options)
        : id(number),
          key(std::move(secret)),
          preparation(std::move(prepared)),
          source(preparation->source),
          caster(options) {}

    // Bytes under way, filled up to whole fragments.
    struct Open {
        Bytes data;
        std::uint32_t bytes = 0;
        bool last = false;
        sync::GenerationShape shape;
        bool is_new = true;  // its data fragments are no repair
    };

    std::uint64_t id;
    Bytes key;
    std::unique_ptr<Preparation> preparation;
    CastSource& source;
    sync::Caster caster;
    VersionId version;
    VersionId base;
    std::map<std::uint32_t, Open> open;
    std::uint32_t at_work = 0;
    std::uint32_t generations = 0;  // made at least once
    bool over = false;
};

CastRoom::CastRoom(Ledger& ledger, Clock& clock, Entropy& entropy, Events events,
                   CastRoomOptions options)
    : ledger_(ledger),
      clock_(clock),
      entropy_(entropy),
      events_(std::move(events)),
      options_(options) {}

CastRoom::~CastRoom() = default;

// ---- devices ----

std::optional<sync::CastInvitation> CastRoom::invite(const std::string& device,
                                                     const InstallState& state) {
    const auto seat = seats_.find(device);
    if (seat != seats_.end() && seat->second.number >= state.number &&
        !has_seat(device, state.number))
        return std::nullopt;  // it took part once: what it lacks comes by its push
    Cast* cast = nullptr;
    if (has_seat(device, state.number)) {
        cast = casts_.at(seat->second.cast).get();
    } else {
        review(device);
        if (seat != seats_.end() && has_seat(device, seat->second.number)) return std::nullopt;
        cast = cast_for(state.wanted, ledger_.catalog().base_of(device, state));
        if (!cast) {
            prepare(device, state);
            return std::nullopt;
        }
        seats_[device] = {cast->id, state.number};
        step(cast->id, sync::Invited{device});
        step(cast->id, room());
    }
    return sync::CastInvitation{cast->id, cast->key, cast->version, cast->base};
}

CastRoom::Cast* CastRoom::cast_for(const VersionId& wanted, const VersionId& base) {
    for (const auto& [id, cast] : casts_)
        if (!cast->over && cast->version == wanted && cast->base == base &&
            cast->caster.accepts() && cast->caster.devices() < options_.devices_max)
            return cast.get();
    return nullptr;
}

// ---- preparing one ----

void CastRoom::prepare(const std::string& device, const InstallState& state) {
    const Pair pair(state.wanted, ledger_.catalog().base_of(device, state));
    auto preparing = preparing_.find(pair);
    if (preparing == preparing_.end()) {
        if (!connected_ || running() >= options_.casts_max || not_worth_it_.contains(pair) ||
            !others_wait(device, state))
            return;
        preparing = preparing_
                        .emplace(pair, std::unique_ptr<Preparation>(new Preparation{
                                           CastSource(ledger_, pair.second, pair.first)}))
                        .first;
        post([this, pair] { look_through(pair); });
    }
    preparing->second->devices.insert_or_assign(device, state.number);
}

// A turn's part of it, beside a few other walks.
void CastRoom::look_through(const Pair& pair) {
    Preparation& preparation = *preparing_.at(pair);
    const auto go_on = [this, pair] { look_through(pair); };
    if (events_.walks && !preparation.place) {
        preparation.place = events_.walks->enter();
        if (!preparation.place)
            return events_.walks->wait(
                kWalker, [this, pair, go_on, alive = std::weak_ptr(alive_)](Walks::Place given) {
                    if (alive.expired()) return;
                    preparing_.at(pair)->place = std::move(given);
                    post(go_on);
                });
    }
    const Result<bool> all = preparation.source.look_through(kRecordsATurn);
    if (all && !*all) return post(go_on);
    end_preparation(pair, all.map([](bool) {}));
}

void CastRoom::end_preparation(const Pair& pair, const Status& looked_through) {
    std::unique_ptr<Preparation> preparation = std::move(preparing_.extract(pair).mapped());
    preparation->place = {};
    const auto devices = std::exchange(preparation->devices, {});
    if (!looked_through)
        log_failure(LogLevel::warn, "a broadcast cannot be prepared", looked_through.error());
    std::uint64_t id = 0;
    if (looked_through && preparation->source.stored_bytes() >= options_.stored_bytes_min) {
        id = begin_cast(pair, std::move(preparation));
    } else {
        if (not_worth_it_.size() == kNotWorthItMax) not_worth_it_.clear();
        not_worth_it_.insert(pair);
    }
    for (const auto& [device, number] : devices) events_.prepared(device);
    // Perhaps nobody needs it any more.
    if (const auto cast = casts_.find(id);
        cast != casts_.end() && cast->second->caster.devices() == 0)
        casts_.erase(cast);
}

std::uint64_t CastRoom::begin_cast(const Pair& pair, std::unique_ptr<Preparation> preparation) {
    const std::uint64_t number = entropy_.number() | 1;
    Bytes key(sync::kCastKeyBytes);
    entropy_.fill(key);
    auto cast =
        std::make_unique<Cast>(number, std::move(key), std::move(preparation), options_.caster);
    cast->version = pair.first;
    cast->base = pair.second;
    ++counters_.begun;
    log_info("a broadcast begins",
             {{"version", cast->version.text()},
              {"base", cast->base.is_none() ? std::string("none") : cast->base.text()},
              {"stored_bytes", cast->source.stored_bytes()}});
    casts_[number] = std::move(cast);
    return number;
}

// Devices that may not be connected now count: they come back one by one after a restart.
bool CastRoom::others_wait(const std::string& device, const InstallState& state) const {
    const Catalog& catalog = ledger_.catalog();
    const VersionId base = catalog.base_of(device, state);
    for (const auto& [id, known] : catalog.devices()) {
        if (id == device) continue;
        const auto seat = seats_.find(id);
        for (const auto& [model, other] : known.models)
            if (other.state == kAssigned && other.wanted == state.wanted &&
                catalog.base_of(id, other) == base &&
                (seat == seats_.end() || seat->second.number < other.number))
                return true;
    }
    return false;
}

bool CastRoom::prepares_for(const std::string& device, std::uint64_t number) const {
    return std::ranges::any_of(preparing_, [&](const auto& preparing) {
        const auto waits = preparing.second->devices.find(device);
        return waits != preparing.second->devices.end() && waits->second == number;
    });
}

bool CastRoom::serves(const std::string& device, std::uint64_t number) const {
    return has_seat(device, number) || prepares_for(device, number);
}

bool CastRoom::has_seat(const std::string& device, std::uint64_t number) const {
    const auto seat = seats_.find(device);
    if (seat == seats_.end() || seat->second.number != number) return false;
    const auto cast = casts_.find(seat->second.cast);
    return cast != casts_.end() && cast->second->caster.serves(device);
}

void CastRoom::on_session(const std::string& device) {
    if (const auto seat = seats_.find(device); seat != seats_.end())
        step(seat->second.cast, sync::SessionRenewed{device});
}

void CastRoom::on_report(const std::string& device, sync::CastReport report) {
    const auto seat = seats_.find(device);
    if (seat == seats_.end() || seat->second.cast != report.cast) return;
    step(report.cast, sync::Reported{device, std::move(report)});
}

void CastRoom::review(const std::string& device) {
    const auto seat = seats_.find(device);
    if (seat == seats_.end() || !has_seat(device, seat->second.number)) return;
    if (const Device* known = ledger_.catalog().device(device))
        for (const auto& [model, state] : known->models)
            if (state.number == seat->second.number && state.state == kAssigned) return;
    step(seat->second.cast, sync::Withdrawn{device});
}

std::optional<CastRoom::Progress> CastRoom::progress(const std::string& device) const {
    const auto seat = seats_.find(device);
    if (seat == seats_.end()) return std::nullopt;
    const auto cast = casts_.find(seat->second.cast);
    if (cast == casts_.end()) return std::nullopt;
    const auto progress = cast->second->caster.progress(device);
    if (!progress) return std::nullopt;
    return Progress{cast->second->version, progress->held, progress->generations};
}

std::size_t CastRoom::held_bytes() const {
    std::size_t bytes = 0;
    for (const auto& [id, cast] : casts_)
        for (const auto& [generation, open] : cast->open) bytes += open.data.size();
    return bytes;
}

// ---- link and time ----

void CastRoom::on_connected() {
    connected_ = true;
    for (const auto& [id, cast] : casts_) step(id, sync::Connected{});
}

void CastRoom::on_disconnected() {
    connected_ = false;
    room_bytes_ = 0;
    for (const auto& [id, cast] : casts_) step(id, sync::Disconnected{});
}

void CastRoom::give_up() {
    for (const auto& [id, cast] : casts_) step(id, sync::NotPrepared{});
}

// One after the other: who comes first fills the room.
void CastRoom::on_room(std::size_t bytes) {
    room_bytes_ = bytes;
    for (const auto& [id, cast] : casts_) step(id, room());
}

sync::Room CastRoom::room() const {
    return {static_cast<std::uint32_t>(room_bytes_ / kFragmentPayloadBytes)};
}

void CastRoom::on_tick() {
    const MonoTime now = clock_.mono();
    for (const auto& [id, cast] : casts_)
        if (const auto deadline = cast->caster.next_deadline(); deadline && *deadline <= now)
            step(id, sync::Tick{});
}

std::optional<MonoTime> CastRoom::next_deadline() const {
    std::optional<MonoTime> next;
    for (const auto& [id, cast] : casts_)
        if (const auto deadline = cast->caster.next_deadline();
            deadline && (!next || *deadline < *next))
            next = deadline;
    return next;
}

// ---- one broadcast ----

void CastRoom::step(std::uint64_t id, sync::CasterEvent event) {
    const auto found = casts_.find(id);
    if (found == casts_.end()) return;
    Cast& cast = *found->second;
    for (const sync::CasterAction& action : cast.caster.step(clock_.mono(), std::move(event)))
        carry_out(cast, action);
}

// Whoever called may be in the middle of something: what acts on devices is done later.
void CastRoom::carry_out(Cast& cast, const sync::CasterAction& action) {
    if (const auto* prepare = std::get_if<sync::Prepare>(&action)) {
        cast.at_work = prepare->generation;
        cast.source.begin(prepare->generation);
        post([this, id = cast.id] { work(id); });
    } else if (const auto* release = std::get_if<sync::Release>(&action)) {
        cast.open.erase(release->generation);
    } else if (const auto* fragment = std::get_if<sync::PublishFragment>(&action)) {
        publish(cast, *fragment);
    } else if (const auto* finished = std::get_if<sync::Finished>(&action)) {
        const auto seat = seats_.find(finished->device);
        if (seat == seats_.end() || seat->second.cast != cast.id) return;
        post([this, device = finished->device, number = seat->second.number,
              whole = finished->whole] { events_.finished(device, number, whole); });
    } else if (std::holds_alternative<sync::Over>(action)) {
        cast.over = true;
        const sync::CasterCounters& counters = cast.caster.counters();
        log_info("a broadcast has ended", {{"version", cast.version.text()},
                                           {"devices", cast.caster.devices()},
                                           {"fragments", counters.fragments},
                                           {"repairs", counters.repairs},
                                           {"put_aside", counters.put_aside}});
        post([this, id = cast.id] { casts_.erase(id); });
    }
}

// One record at a time, so that the loop does other things in between.
void CastRoom::work(std::uint64_t id) {
    const auto found = casts_.find(id);
    if (found == casts_.end() || found->second->over) return;
    Cast& cast = *found->second;
    const Result<bool> whole = cast.source.work();
    if (!whole) {
        log_failure(LogLevel::error, "a broadcast cannot go on; its devices get pushes",
                    whole.error());
        return step(id, sync::NotPrepared{});
    }
    if (!*whole) return post([this, id] { work(id); });
    CastSource::Generation generation = cast.source.take();
    Cast::Open open;
    open.bytes = static_cast<std::uint32_t>(generation.bytes.size());
    open.last = generation.last;
    open.shape = sync::shape_of(open.bytes);
    open.data = std::move(generation.bytes);
    open.data.resize(std::size_t{open.shape.fragments} * open.shape.fragment_bytes);
    open.is_new = cast.at_work == cast.generations;
    cast.generations = std::max(cast.generations, cast.at_work + 1);
    const sync::Prepared prepared{cast.at_work, open.shape.fragments, open.last};
    cast.open.insert_or_assign(cast.at_work, std::move(open));
    step(id, prepared);
}

void CastRoom::publish(Cast& cast, const sync::PublishFragment& what) {
    const Cast::Open& open = cast.open.at(what.generation);
    sync::Fragment fragment;
    fragment.cast = cast.id;
    fragment.generation = what.generation;
    fragment.generation_bytes = open.bytes;
    fragment.last = open.last;
    fragment.index = what.index;
    fragment.serial = what.serial;
    fragment.left = what.left;
    fragment.sealed = trust::seal_fragment(
        cast.key, fragment, codec::erasure_fragment(open.data, open.shape.fragments, what.index));
    const bool first = open.is_new && what.index < open.shape.fragments;
    auto payload = sync::encode_message({0, sync::Channel::push, std::move(fragment)});
    TRIBUTARY_CHECK(payload);
    counters_.sent_bytes += payload->size();
    if (!first) counters_.repair_bytes += payload->size();
    room_bytes_ -= std::min(room_bytes_, payload->size());
    events_.publish(sync::cast_topic(cast.id), *std::move(payload));
}

void CastRoom::post(std::function<void()> task) {
    events_.post([alive = std::weak_ptr(alive_), task = std::move(task)] {
        if (!alive.expired()) task();
    });
}

}  // namespace tributary::hub
