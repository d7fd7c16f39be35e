#include "tests/sim/cast/cast_world.h"

#include <algorithm>

#include "common/trust/fragment.h"

namespace tributary::sim {
namespace {

using namespace sync;

constexpr std::uint32_t kFragmentBytes = 64;
constexpr std::size_t kRoom = 16;
constexpr std::uint64_t kBrokerMs = 20;  // for one fragment
constexpr std::uint64_t kEndMs = 6 * 3'600'000;

}  // namespace

CastWorld::CastWorld(std::uint64_t seed, std::size_t devices, std::size_t generations,
                     CastFaults faults)
    : random_(seed), faults_(faults) {
    for (std::size_t g = 0; g < generations; ++g) {
        content_.push_back(random_.bytes(1 + random_.below(std::size_t{32} * kFragmentBytes)));
        weather_.add(content_.back());
    }
    for (std::size_t d = 0; d < devices; ++d) {
        devices_.emplace_back();
        devices_.back().name = "d" + std::to_string(d);
    }
    weather_.add(devices).add(faults.drop).add(faults.repeat).add(faults.reorder).add(faults.late);
    weather_.add(faults.silent_device).add(faults.evil_device);
    devices_[0].silent = faults_.silent_device;
    devices_[1].evil = faults_.evil_device;
}

std::uint64_t CastWorld::fragments_needed() const {
    std::uint64_t needed = 0;
    for (const Bytes& bytes : content_)
        needed += shape_of(static_cast<std::uint32_t>(bytes.size()), kFragmentBytes).fragments;
    return needed;
}

std::optional<std::string> CastWorld::run() {
    at(0, [this] { start_hub(); });
    const auto when = [this](std::string_view fault) {  // in the middle of the work
        const std::uint64_t ms = 5'000 + random_.below(10'000 + 100 * content_.size());
        weather_.add(as_bytes(fault)).add(ms);
        return ms;
    };
    for (std::size_t i = 0; i < faults_.device_crashes; ++i)
        at(when("device crash"), [this] { crash(devices_[random_.below(devices_.size())]); });
    if (faults_.hub_crash) at(when("hub crash"), [this] { crash_hub(); });
    if (faults_.broker_outage)
        at(when("broker outage"), [this] {
            broker_up_ = false;
            queue_.clear();
            step_hub(Disconnected{});
            at(random_.below(std::uint64_t{200'000}), [this] {
                broker_up_ = true;
                step_hub(Connected{});
                step_hub(Room{kRoom});
            });
        });
    while (!wrong_ && !agenda_.empty() && !(all_whole() && !caster_)) {
        const auto first = agenda_.begin();
        now_ms_ = first->first.first;
        const auto what = std::move(first->second);
        agenda_.erase(first);
        if (now_ms_ > kEndMs) wrong("it never ends");
        what();
    }
    if (!wrong_ && !all_whole()) wrong("nothing happens any more, and a device is not whole");
    return wrong_;
}

void CastWorld::at(std::uint64_t delay_ms, std::function<void()> what) {
    agenda_.emplace(std::pair(now_ms_ + delay_ms, ++order_), std::move(what));
}

void CastWorld::wrong(const std::string& what) {
    if (!wrong_) wrong_ = what + " (at " + std::to_string(now_ms_) + " ms)";
}

bool CastWorld::all_whole() const {
    return std::ranges::all_of(devices_,
                               [](const Device& d) { return d.whole || d.silent || d.evil; });
}

CastWorld::Device& CastWorld::device_of(const std::string& name) {
    return *std::ranges::find(devices_, name, &Device::name);
}

// ---- the hub ----

void CastWorld::start_hub() {
    CasterOptions options;
    caster_ = std::make_unique<Caster>(options);
    cast_ = random_.next() | 1;
    key_ = random_.bytes(kCastKeyBytes);
    prepared_ = 0;
    newest_serial_ = 0;
    queue_.clear();
    const std::size_t at_once = devices_.size() - faults_.late;
    for (std::size_t d = 0; d < at_once; ++d)
        if (!devices_[d].whole) {
            step_hub(Invited{devices_[d].name});
            join(devices_[d]);
        }
    if (!caster_) return;
    if (caster_->devices() == 0) return caster_.reset();
    step_hub(Room{kRoom});
}

void CastWorld::crash_hub() {
    caster_.reset();
    ++hub_timer_;
    queue_.clear();
    at(2'000, [this] {
        faults_.late = 0;
        start_hub();
    });
}

void CastWorld::step_hub(CasterEvent event) {
    if (!caster_) return;
    trace_.add(now_ms_).add(event.index());
    CasterActions actions = caster_->step({now_ms_}, std::move(event));
    for (CasterAction& action : actions) carry_out(action);
    if (!caster_) return;
    arm_hub();
    if (published_ * 4 >= fragments_needed()) let_late_ones_in();
}

// Into the broadcast, or by a push if it is over or takes nobody any more.
void CastWorld::let_late_ones_in() {
    const std::size_t late = std::exchange(faults_.late, 0);
    for (std::size_t d = devices_.size() - late; d < devices_.size(); ++d) {
        if (!caster_ || !caster_->accepts()) {
            push(devices_[d].name);
            continue;
        }
        step_hub(Invited{devices_[d].name});
        join(devices_[d]);
    }
}

void CastWorld::carry_out(CasterAction& action) {
    if (const auto* prepare = std::get_if<Prepare>(&action)) {
        if (++prepared_ > kOpenGenerationsMax) wrong("the hub holds more than two generations");
        at(random_.below(std::uint64_t{20}), [this, g = prepare->generation, cast = cast_] {
            if (!caster_ || cast != cast_) return;
            const auto bytes = static_cast<std::uint32_t>(content_[g].size());
            step_hub(
                Prepared{g, shape_of(bytes, kFragmentBytes).fragments, g + 1 == content_.size()});
        });
    } else if (std::holds_alternative<Release>(action)) {
        --prepared_;
    } else if (const auto* publish = std::get_if<PublishFragment>(&action)) {
        Bytes data = content_[publish->generation];
        const auto bytes = static_cast<std::uint32_t>(data.size());
        const GenerationShape shape = shape_of(bytes, kFragmentBytes);
        data.resize(shape.fragments * shape.fragment_bytes);
        Fragment fragment{cast_,          publish->generation,
                          bytes,          publish->generation + 1 == content_.size(),
                          publish->index, publish->serial,
                          publish->left,  {}};
        fragment.sealed = trust::seal_fragment(
            key_, fragment, codec::erasure_fragment(data, shape.fragments, publish->index));
        if (publish->serial != ++newest_serial_) wrong("a serial is not the next one");
        queue_.push_back(std::move(fragment));
        if (queue_.size() > kRoom) wrong("more was published than there is room for");
        if (!std::exchange(draining_, true)) at(kBrokerMs, [this] { drain(); });
    } else if (const auto* finished = std::get_if<Finished>(&action)) {
        if (!finished->whole) push(finished->device);
    } else if (std::holds_alternative<Over>(action)) {
        if (prepared_ != 0) wrong("a generation was not released");
        caster_.reset();
        ++hub_timer_;
        queue_.clear();
        let_late_ones_in();
    }
}

void CastWorld::arm_hub() {
    const auto deadline = caster_->next_deadline();
    const std::uint64_t timer = ++hub_timer_;
    if (deadline)
        at(deadline->ms - std::min(deadline->ms, now_ms_), [this, timer] {
            if (timer == hub_timer_) step_hub(Tick{});
        });
}

void CastWorld::drain() {
    draining_ = false;
    if (queue_.empty()) return;
    const Fragment fragment = queue_.front();
    trace_.add(now_ms_).add(fragment.generation).add(fragment.index).add(fragment.sealed);
    queue_.erase(queue_.begin());
    ++published_;
    transmit(fragment);
    if (!queue_.empty()) {
        draining_ = true;
        at(kBrokerMs, [this] { drain(); });
    }
    step_hub(Room{static_cast<std::uint32_t>(kRoom - queue_.size())});
}

void CastWorld::transmit(const Fragment& fragment) {
    for (std::size_t d = 0; d < devices_.size(); ++d) {
        const int copies = random_.chance(faults_.repeat) ? 2 : 1;
        for (int copy = 0; copy < copies; ++copy) {
            if (random_.chance(faults_.drop)) continue;
            const std::uint64_t delay =
                random_.chance(faults_.reorder) ? 5 + random_.below(std::uint64_t{3'000}) : 5;
            at(delay, [this, d, fragment] { deliver(devices_[d], fragment); });
        }
    }
}

// By now the device may be whole all the same.
void CastWorld::push(const std::string& name) {
    at(2'000, [this, name] {
        Device& device = device_of(name);
        if (device.whole) return;
        device.whole = true;
        ++pushed_;
    });
}

// ---- devices ----

void CastWorld::join(Device& device) {
    if (device.silent || device.cast == cast_) return;
    ++device.life;
    device.cast = cast_;
    device.parts.clear();
    device.subscribed = false;
    device.catcher = nullptr;
    CatcherOptions options;
    options.fragment_bytes_max = kFragmentBytes;
    device.catcher = std::make_unique<Catcher>(cast_, options, random_.next());
    if (device.evil) return speak_nonsense(device);
    at(20 + random_.below(std::uint64_t{300}), [this, d = &device, life = device.life] {
        if (d->life != life) return;
        d->subscribed = true;
        step(*d, Connected{});
    });
}

// What was staged and not committed is gone.
void CastWorld::crash(Device& device) {
    if (!device.catcher || device.whole || device.evil) return;
    ++device.life;
    device.catcher.reset();
    device.parts.clear();
    device.staged.clear();
    device.subscribed = false;
    device.cast = 0;
    at(1'000 + random_.below(std::uint64_t{5'000}), [this, d = &device] {
        if (d->catcher || d->whole) return;
        if (!caster_ || !caster_->serves(d->name)) return push(d->name);
        step_hub(SessionRenewed{d->name});
        join(*d);
    });
}

void CastWorld::deliver(Device& device, const Fragment& fragment) {
    if (!device.subscribed || !device.catcher || !broker_up_ || !device.catcher->wants(fragment))
        return;
    const auto opened = trust::open_fragment(key_, fragment);
    if (!opened) return;
    trace_.add(now_ms_).add(as_bytes(device.name)).add(fragment.serial);
    CatcherActions actions = device.catcher->step(
        {now_ms_}, FragmentArrived{fragment.generation, fragment.generation_bytes, fragment.last,
                                   fragment.index, fragment.serial, fragment.left});
    for (CatcherAction& action : actions) carry_out(device, action, *opened);
    arm(device);
}

void CastWorld::step(Device& device, CatcherEvent event) {
    trace_.add(now_ms_).add(as_bytes(device.name)).add(event.index());
    CatcherActions actions = device.catcher->step({now_ms_}, std::move(event));
    for (CatcherAction& action : actions) carry_out(device, action, {});
    arm(device);
}

void CastWorld::carry_out(Device& device, CatcherAction& action, ByteView opened) {
    if (const auto* keep = std::get_if<KeepFragment>(&action)) {
        const auto [at, made] = device.parts.try_emplace(keep->generation, keep->shape.fragments,
                                                         keep->shape.fragment_bytes);
        if (!at->second.add(keep->index, opened)) wrong("a fragment is kept in vain");
        if (device.parts.size() > kOpenGenerationsMax) wrong("a device holds too much");
    } else if (const auto* forget = std::get_if<ForgetGeneration>(&action)) {
        device.parts.erase(forget->generation);
    } else if (const auto* store = std::get_if<StoreGeneration>(&action)) {
        const auto part = device.parts.find(store->generation);
        Bytes bytes = std::move(part->second).take();
        bytes.resize(store->bytes);
        device.parts.erase(part);
        at(random_.below(std::uint64_t{50}),
           [this, d = &device, life = device.life, g = store->generation, bytes] {
               if (d->life != life) return;
               const bool sound = bytes == content_[g];  // as the digests of its records would show
               if (sound) d->staged[g] = bytes;
               step(*d, GenerationStored{g, sound ? Status{} : fail(Errc::corrupt, "forged")});
           });
    } else if (std::holds_alternative<CommitVersion>(action)) {
        const bool whole = device.staged.size() == content_.size();
        if (!whole) wrong("a device takes its version for whole");
        device.whole = true;
        at(1, [this, d = &device, life = device.life] {
            if (d->life == life) step(*d, VersionCommitted{});
        });
    } else if (auto* send = std::get_if<SendCastReport>(&action)) {
        report(device, std::move(send->report));
    } else if (std::holds_alternative<LeaveCast>(action)) {
        device.subscribed = false;
    }
}

void CastWorld::arm(Device& device) {
    const std::uint64_t timer = ++device.timer;
    if (const auto deadline = device.catcher->next_deadline())
        at(deadline->ms - std::min(deadline->ms, now_ms_),
           [this, d = &device, life = device.life, timer] {
               if (d->life == life && d->timer == timer) step(*d, Tick{});
           });
}

void CastWorld::report(Device& device, CastReport report) {
    if (!broker_up_ || random_.chance(faults_.drop)) return;
    at(5, [this, name = device.name, report = std::move(report)] {
        if (caster_ && report.cast == cast_) step_hub(Reported{name, report});
    });
}

// Under its own name, and with the key that it has.
void CastWorld::speak_nonsense(Device& device) {
    at(500 + random_.below(std::uint64_t{1'500}), [this, d = &device, life = device.life] {
        if (d->life != life || !caster_ || d->cast != cast_) return;
        CastReport nonsense;
        nonsense.cast = cast_;
        nonsense.number = static_cast<std::uint32_t>(now_ms_);
        nonsense.seen = static_cast<std::uint32_t>(random_.next());
        for (std::size_t i = random_.below(content_.size() + 3); i > 0; --i)
            nonsense.held.push_back(random_.chance(300));
        nonsense.lacks = {
            {static_cast<std::uint32_t>(random_.below(content_.size() + 1)), random_.below(255u)}};
        report(*d, std::move(nonsense));
        const auto g = static_cast<std::uint32_t>(random_.below(content_.size()));
        const auto bytes = static_cast<std::uint32_t>(content_[g].size());
        Fragment forged{cast_, g, bytes, false, random_.below(255u), newest_serial_ + 1, 0, {}};
        forged.last = g + 1 == content_.size();
        forged.sealed = trust::seal_fragment(
            key_, forged, random_.bytes(shape_of(bytes, kFragmentBytes).fragment_bytes));
        if (random_.chance(100)) transmit(forged);
        speak_nonsense(*d);
    });
}

}  // namespace tributary::sim
