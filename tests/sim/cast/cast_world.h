// A hub that broadcasts, devices that listen, and what is between them, from one seed. The engines,
// the erasure code and the seals are the real ones; stores are maps; time is virtual; fragments are
// small, so that a world is cheap.
//
// Faults: each device loses, repeats and reorders what is published on its own; reports are lost;
// devices join late and crash; the hub crashes; the broker goes for minutes; one device never says
// anything, one says nonsense and publishes fragments sealed under the key that it was given.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/codec/erasure.h"
#include "common/sync/caster.h"
#include "common/sync/catcher.h"
#include "tests/support/random.h"
#include "tests/support/trace.h"

namespace tributary::sim {

struct CastFaults {
    std::uint32_t drop = 0;  // per thousand, as the next two
    std::uint32_t repeat = 0;
    std::uint32_t reorder = 0;
    std::size_t late = 0;  // devices that join when a quarter is out
    std::size_t device_crashes = 0;
    bool hub_crash = false;
    bool broker_outage = false;
    bool silent_device = false;
    bool evil_device = false;

    bool only_lossy() const {
        return device_crashes == 0 && !hub_crash && !broker_outage && !silent_device &&
               !evil_device;
    }
};

class CastWorld {
public:
    CastWorld(std::uint64_t seed, std::size_t devices, std::size_t generations, CastFaults faults);

    // The first thing that was wrong, or none.
    std::optional<std::string> run();
    // A sum of all that the hub and the devices were told and sent. Of one seed it is always the
    // same.
    std::uint32_t trace() const { return trace_.sum(); }
    // A sum of what was drawn before any of them said a word: the content, and when faults befall.
    std::uint32_t weather() const { return weather_.sum(); }

    std::uint64_t fragments_published() const { return published_; }
    std::uint64_t fragments_needed() const;
    std::size_t pushed() const { return pushed_; }  // devices that ended by an ordinary push

private:
    struct Device {
        std::string name;
        std::uint64_t cast = 0;
        std::unique_ptr<sync::Catcher> catcher;
        std::map<std::uint32_t, codec::ErasureAssembly> parts;
        std::map<std::uint32_t, Bytes> staged;
        bool subscribed = false;
        bool whole = false;
        bool silent = false;
        bool evil = false;
        std::uint64_t life = 0;
        std::uint64_t timer = 0;
    };

    void at(std::uint64_t delay_ms, std::function<void()> what);
    void wrong(const std::string& what);

    // the hub
    void start_hub();
    void crash_hub();
    void step_hub(sync::CasterEvent event);
    void carry_out(sync::CasterAction& action);
    void let_late_ones_in();
    void arm_hub();
    void drain();
    void transmit(const sync::Fragment& fragment);
    void push(const std::string& device);

    // devices
    void join(Device& device);
    void crash(Device& device);
    void deliver(Device& device, const sync::Fragment& fragment);
    void step(Device& device, sync::CatcherEvent event);
    void carry_out(Device& device, sync::CatcherAction& action, ByteView opened);
    void arm(Device& device);
    void report(Device& device, sync::CastReport report);
    void speak_nonsense(Device& device);
    Device& device_of(const std::string& name);
    bool all_whole() const;

    // Kept seeds stay the worlds that failed as long as nothing else is drawn from this: a new kind
    // of decision has a stream of its own (tests/support/decisions.h).
    test::Random random_;
    test::Trace trace_, weather_;
    CastFaults faults_;
    std::vector<Bytes> content_;  // of the generations
    std::vector<Device> devices_;

    std::uint64_t now_ms_ = 1'000;
    std::uint64_t order_ = 0;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::function<void()>> agenda_;
    std::optional<std::string> wrong_;

    std::uint64_t cast_ = 0;
    Bytes key_;
    std::unique_ptr<sync::Caster> caster_;
    std::uint64_t hub_timer_ = 0;
    std::size_t prepared_ = 0;  // generations that the hub holds bytes of
    std::vector<sync::Fragment> queue_;
    bool draining_ = false;
    bool broker_up_ = true;
    std::uint64_t published_ = 0;
    std::uint32_t newest_serial_ = 0;
    std::size_t pushed_ = 0;
};

}  // namespace tributary::sim
