// What a version costs the hub when a hundred devices with one base need it: the hub's own rooms
// and links over a real ledger, the devices' own engines, in one process and in virtual time, so
// that every byte which the hub hands to its transport is counted: assignments, Hellos, fragments,
// repairs, and pushes of what was left.
//
// The devices' stores are no stores: what the first of them rebuilds is checked record by record,
// what the others rebuild is compared with that. Their seals are checked once for all, since all
// have the same key.
#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "common/codec/erasure.h"
#include "common/record/document.h"
#include "common/sync/catcher.h"
#include "common/sync/topics.h"
#include "common/trust/fragment.h"
#include "common/trust/hello.h"
#include "common/trust/seal.h"
#include "hub/cast/cast_room.h"
#include "hub/intake/device_link.h"
#include "hub/registry/registry.h"
#include "tests/bench/sync.h"
#include "tests/unit/hub/board.h"

namespace tributary::bench {
namespace {

constexpr std::size_t kDevices = 100;
constexpr std::size_t kLateDevices = 10;
constexpr std::uint32_t kDropPerThousand = 20;
constexpr std::size_t kPieces = 36;  // of 1 MiB
constexpr std::size_t kRoomBytes = 512 * limits::KiB;
constexpr std::uint64_t kLinkBytesPerMs = 10'000;  // to the broker
constexpr std::uint64_t kDelayMs = 5;
constexpr std::uint64_t kEndMs = 3'600'000;
const std::string kModel = "model";
const std::string kRepo = "bench/cast";

struct Device {
    std::string id;
    Incarnation journal;
    JournalHead head;
    std::unique_ptr<trust::Signer> signer;
    std::unique_ptr<sync::Conversation> conversation;
    std::unique_ptr<hub::DeviceLink> link;
    std::optional<sync::CastInvitation> invitation;
    std::unique_ptr<sync::Catcher> catcher;
    std::map<std::uint32_t, codec::ErasureAssembly> parts;
    std::set<std::uint32_t> stored;  // generations
    std::set<RecordKey> pushed;
    bool whole = false;
    std::uint64_t timers[3] = {};  // of conversation, link, catcher; a later one voids the earlier
};

class CastBench {
public:
    CastBench(bool lossy, std::uint64_t seed) : lossy_(lossy), random_(seed), home_(seed) {}

    Result<Egress> run() {
        TRIBUTARY_TRY(prepare());
        for (std::size_t d = 0; d + (lossy_ ? kLateDevices : 0) < kDevices; ++d) connect(d);
        late_ = lossy_ ? kLateDevices : 0;
        assign();
        while (!agenda_.empty() && whole_ < kDevices && now().ms < kEndMs) {
            const auto first = agenda_.begin();
            if (first->first.first > now().ms) home_.clock.advance(first->first.first - now().ms);
            const auto what = std::move(first->second);
            agenda_.erase(first);
            what();
        }
        if (!wrong_) return tl::make_unexpected(wrong_.error());
        if (whole_ < kDevices)
            return fail(Errc::unavailable,
                        std::to_string(kDevices - whole_) + " devices did not get their version");
        const auto share = [&](std::uint64_t bytes) {
            return static_cast<double>(bytes) / static_cast<double>(needed_);
        };
        return Egress{share(first_ + repairs_ + again_ + own_), share(first_), share(repairs_),
                      share(again_), share(own_)};
    }

private:
    MonoTime now() { return home_.clock.mono(); }
    void at(std::uint64_t delay_ms, std::function<void()> what) {
        agenda_.emplace(std::pair(now().ms + delay_ms, ++order_), std::move(what));
    }
    bool lost() { return lossy_ && random_.chance(kDropPerThousand); }

    // ---- before ----

    // One board records both versions; a hundred say that they run the first.
    Status prepare() {
        test::Board board("source", 1'001);
        const VersionId before = board.commit(kRepo, {{"config", "before"}});
        std::map<std::string, std::string> files{{"config", "after"}};
        for (std::size_t i = 0; i < kPieces; ++i) {
            const Bytes bytes = random_.bytes(limits::MiB);
            files["weights-" + std::to_string(i)] = std::string(as_text(bytes));
        }
        wanted_ = board.commit(kRepo, files, {before});
        board.bring_to(*home_.ledger);
        hub::CodedClosure closure(*home_.ledger, before, wanted_);
        TRIBUTARY_TRY(closure.look_through(SIZE_MAX));
        for (const sync::OfferedObject& object : closure.objects()) {
            TRIBUTARY_ASSIGN(const Bytes frame, closure.frame(object.key, true));
            needed_ += frame.size();
        }
        devices_.resize(kDevices);
        for (std::size_t d = 0; d < kDevices; ++d) {
            devices_[d].id = "board-" + std::to_string(d);
            test::Board runs(devices_[d].id, 100 + d);
            InstallBody installed;
            installed.number = 1;
            installed.model = kModel;
            installed.version = installed.running = before;
            installed.state = "committed";
            runs.say(installed);
            runs.bring_to(*home_.ledger);
            devices_[d].head = runs.store().head();
            devices_[d].journal = devices_[d].head.incarnation;
            devices_[d].signer = runs.take_signer();
        }
        make_room();
        return {};
    }

    void assign() {
        test::SimEntropy entropy(7);
        const auto key = trust::generate_key(entropy).value();
        hub::Registry registry(*home_.ledger, home_.clock, {key->public_key()}, 1);
        tributary::Approval approval;
        approval.repo = kRepo;
        approval.version = wanted_;
        approval.content = home_.ledger->catalog().version(wanted_)->version.tree;
        approval.approver = "bench";
        const auto document =
            trust::sign_document(*key, trust::kApprovalPurpose, encode_approval(approval).value());
        TRIBUTARY_CHECK(registry.approve(document.value()));
        std::vector<std::string> all;
        for (const Device& device : devices_) all.push_back(device.id);
        const auto assigned = registry.assign(kModel, wanted_, all, true);
        TRIBUTARY_CHECK(assigned);
        at(2'000, [this] {  // sessions are open by then
            for (Device& device : devices_)
                if (device.link) act(device, [&] { device.link->on_assigned(now()); });
        });
    }

    // ---- the hub ----

    void make_room() {
        hub::CastRoom::Events events;
        events.publish = [this](const std::string&, Bytes payload) {
            count_fragment(payload);
            hand_over(std::move(payload), nullptr);
        };
        events.finished = [this](const std::string& id, std::uint64_t number, bool whole) {
            Device& device = *std::ranges::find(devices_, id, &Device::id);
            act(device, [&] { device.link->on_cast_finished(now(), number, whole); });
        };
        events.prepared = [this](const std::string& id) {
            Device& device = *std::ranges::find(devices_, id, &Device::id);
            act(device, [&] { device.link->on_assigned(now()); });
        };
        events.post = [this](std::function<void()> task) {
            at(0, [this, task = std::move(task)] {
                task();
                arm_room();
            });
        };
        room_ = std::make_unique<hub::CastRoom>(*home_.ledger, home_.clock, home_.entropy,
                                                std::move(events));
        room_->on_connected();
        room_->on_room(kRoomBytes);
    }

    // What is published of a generation when later ones than the two under way were begun before is
    // a further pass.
    void count_fragment(const Bytes& payload) {
        const auto message = sync::parse_message(payload);
        const auto& fragment = std::get<sync::Fragment>(message.value().body);
        newest_ = std::max(newest_, fragment.generation);
        const auto shape = sync::shape_of(fragment.generation_bytes);
        const bool is_data = fragment.index < shape.fragments;
        if (fragment.generation + sync::kOpenGenerationsMax <= newest_)
            again_ += payload.size();
        else
            (is_data ? first_ : repairs_) += payload.size();
    }
    // One line to the broker for everything.
    void hand_over(Bytes payload, Device* to) {
        if (to) own_ += payload.size();
        queued_ += payload.size();
        line_free_ms_ = std::max(line_free_ms_, now().ms * kLinkBytesPerMs) + payload.size();
        const std::uint64_t taken_ms = line_free_ms_ / kLinkBytesPerMs + 1;
        at(taken_ms - now().ms, [this, to, payload = std::move(payload)]() mutable {
            queued_ -= payload.size();
            at(kDelayMs, [this, to, payload = std::move(payload)] {
                to ? deliver(*to, payload) : deliver_to_all(payload);
            });
            room_->on_room(kRoomBytes - std::min(kRoomBytes, queued_));
            arm_room();
            connect_late();
        });
    }

    void connect_late() {
        if (late_ == 0 || room_->counters().sent_bytes * 4 < needed_) return;
        for (; late_ > 0; --late_) connect(kDevices - late_);
    }

    void arm_room() {
        const std::uint64_t timer = ++room_timer_;
        if (const auto deadline = room_->next_deadline())
            at(deadline->ms - std::min(deadline->ms, now().ms), [this, timer] {
                if (timer != room_timer_) return;
                room_->on_tick();
                arm_room();
            });
    }

    // ---- devices ----

    void connect(std::size_t number) {
        Device& device = devices_[number];
        sync::ConversationOptions options;
        device.conversation =
            std::make_unique<sync::Conversation>(sync::Role::agent, options, random_.next());
        hub::DeviceLink::Events events;
        events.pushes = &pushes_;
        events.publish = [this, &device](const std::string&, Bytes payload, Priority) {
            hand_over(std::move(payload), &device);
        };
        events.advanced = [](const std::string&, const std::set<std::string>&) {};
        events.invite = [this, &device](const hub::InstallState& state) {
            return room_->invite(device.id, state);
        };
        events.cast_serves = [this, &device](std::uint64_t assignment) {
            return room_->serves(device.id, assignment);
        };
        events.cast_is_prepared_for = [this, &device](std::uint64_t assignment) {
            return room_->prepares_for(device.id, assignment);
        };
        events.session_opened = [this, &device] { room_->on_session(device.id); };
        events.cast_reported = [this, &device](sync::CastReport report) {
            room_->on_report(device.id, std::move(report));
        };
        device.link = std::make_unique<hub::DeviceLink>(device.id, *home_.ledger, home_.clock,
                                                        random_.next(), std::move(events));
        at(random_.below(std::uint64_t{500}), [this, &device] { tell(device, sync::Connected{}); });
    }

    // Whatever is done with its link may set its timers anew.
    void act(Device& device, const std::function<void()>& what) {
        what();
        arm_room();
        arm(device, 1, device.link->next_deadline(),
            [this, &device] { act(device, [&] { device.link->on_tick(now()); }); });
    }

    void arm(Device& device, std::size_t which, std::optional<MonoTime> deadline,
             std::function<void()> what) {
        const std::uint64_t timer = ++device.timers[which];
        if (!deadline) return;
        at(deadline->ms - std::min(deadline->ms, now().ms),
           [&device, which, timer, what = std::move(what)] {
               if (device.timers[which] == timer) what();
           });
    }

    void send_up(Device& device, Bytes payload) {
        at(kDelayMs, [this, &device, payload = std::move(payload)]() mutable {
            act(device, [&] { device.link->on_payload(now(), std::move(payload)); });
        });
    }

    void deliver(Device& device, const Bytes& payload) {
        if (!lost()) tell(device, sync::PayloadArrived{payload});
    }

    void tell(Device& device, sync::Event event) {
        std::deque<sync::Event> events;
        events.push_back(std::move(event));
        while (!events.empty()) {
            sync::Actions actions = device.conversation->step(now(), std::move(events.front()));
            events.pop_front();
            for (sync::Action& action : actions)
                if (auto answer = carry_out(device, action)) events.push_back(*std::move(answer));
        }
        arm(device, 0, device.conversation->next_deadline(),
            [this, &device] { tell(device, sync::Tick{}); });
    }

    std::optional<sync::Event> carry_out(Device& device, sync::Action& action) {
        if (auto* publish = std::get_if<sync::Publish>(&action)) {
            send_up(device, std::move(publish->payload));
        } else if (const auto* describe = std::get_if<sync::Describe>(&action)) {
            sync::Hello hello = describe->ours;
            hello.head = {device.journal, device.head.sequence, device.head.hash};
            hello.journals = {hello.head};
            hello.features = sync::kFeatureCast;
            if (hello.answers != 0)
                hello.proof =
                    device.signer
                        ->sign(trust::kAgentHelloPurpose,
                               trust::agent_hello_digest(describe->nonce, device.id, hello))
                        .value();
            return sync::Described{describe->ticket, std::move(hello)};
        } else if (const auto* hello = std::get_if<sync::CheckHello>(&action)) {
            return sync::HelloChecked{hello->ticket, {}};
        } else if (const auto* plan = std::get_if<sync::MakePlan>(&action)) {
            return sync::Planned{plan->ticket, false};
        } else if (const auto* assign = std::get_if<sync::AssignArrived>(&action)) {
            if (assign->documents.cast) join(device, *assign->documents.cast);
        } else if (const auto* check = std::get_if<sync::Check>(&action)) {
            return sync::Checked{check->ticket, held_of(device, check->objects)};
        } else if (const auto* object = std::get_if<sync::Store>(&action)) {
            device.pushed.insert(object->key);
            return sync::Stored{object->ticket, {}};
        } else if (const auto* commit = std::get_if<sync::Commit>(&action)) {
            become_whole(device);
            return sync::Committed{commit->ticket, sync::CommitResult{}};
        }
        return std::nullopt;
    }

    std::vector<sync::Held> held_of(const Device& device,
                                    const std::vector<sync::OfferedObject>& objects) {
        std::vector<sync::Held> held;
        for (const sync::OfferedObject& object : objects) {
            bool here = device.pushed.contains(object.key);
            for (const std::uint32_t g : device.stored)
                here = here || records_[g].contains(object.key);
            held.push_back({here, true});
        }
        return held;
    }

    void become_whole(Device& device) {
        if (!std::exchange(device.whole, true)) ++whole_;
    }

    // ---- broadcast ----

    void join(Device& device, const sync::CastInvitation& invitation) {
        if (device.invitation) return;
        device.invitation = invitation;
        device.catcher = std::make_unique<sync::Catcher>(invitation.cast, sync::CatcherOptions{},
                                                         random_.next());
        at(2 * kDelayMs, [this, &device] { step(device, sync::Connected{}); });
    }

    void deliver_to_all(const Bytes& payload) {
        const auto message = sync::parse_message(payload);
        const auto& fragment = std::get<sync::Fragment>(message.value().body);
        std::optional<Result<Bytes>> opened;
        for (Device& device : devices_) {
            if (!device.catcher || lost() || !device.catcher->wants(fragment)) continue;
            if (!opened) opened = trust::open_fragment(device.invitation->key, fragment);
            if (!*opened) return;
            step(
                device,
                sync::FragmentArrived{fragment.generation, fragment.generation_bytes, fragment.last,
                                      fragment.index, fragment.serial, fragment.left},
                **opened);
        }
    }

    void step(Device& device, sync::CatcherEvent event, ByteView opened = {}) {
        for (sync::CatcherAction& action : device.catcher->step(now(), std::move(event))) {
            if (const auto* keep = std::get_if<sync::KeepFragment>(&action)) {
                device.parts
                    .try_emplace(keep->generation, keep->shape.fragments,
                                 keep->shape.fragment_bytes)
                    .first->second.add(keep->index, opened);
            } else if (const auto* forget = std::get_if<sync::ForgetGeneration>(&action)) {
                device.parts.erase(forget->generation);
            } else if (const auto* store = std::get_if<sync::StoreGeneration>(&action)) {
                rebuild(device, *store);
            } else if (std::holds_alternative<sync::CommitVersion>(action)) {
                become_whole(device);
                at(0, [this, &device] { step(device, sync::VersionCommitted{}); });
            } else if (auto* send = std::get_if<sync::SendCastReport>(&action)) {
                tell(device, sync::SendCastReport{std::move(send->report)});
            }
        }
        arm(device, 2, device.catcher->next_deadline(),
            [this, &device] { step(device, sync::Tick{}); });
    }

    void rebuild(Device& device, const sync::StoreGeneration& store) {
        const auto part = device.parts.find(store.generation);
        Bytes bytes = std::move(part->second).take();
        bytes.resize(store.bytes);
        device.parts.erase(part);
        const auto [truth, first] = truth_.try_emplace(store.generation, std::move(bytes));
        if (first) {
            if (Status sound = take_records(store.generation, truth->second); !sound)
                wrong_ = std::move(sound);
        } else if (truth->second != bytes) {
            wrong_ = fail(Errc::corrupt, "two devices rebuilt different bytes");
        }
        device.stored.insert(store.generation);
        at(20, [this, &device, g = store.generation] {
            step(device, sync::GenerationStored{g, {}});
        });
    }

    // Into a store of its own, which checks them; and it must be all that the version needs.
    Status take_records(std::uint32_t generation, ByteView bytes) {
        while (!bytes.empty()) {
            TRIBUTARY_ASSIGN(const RecordHeader header, parse_record_header(bytes));
            if (header.record_bytes() > bytes.size())
                return fail(Errc::corrupt, "a generation is not made of whole records");
            TRIBUTARY_TRY(judge_.store().stage_record(bytes.first(header.record_bytes())));
            records_[generation].insert(header.key());
            bytes = bytes.subspan(header.record_bytes());
        }
        return {};
    }

    bool lossy_;
    test::Random random_;
    test::HubHome home_;
    hub::Pushes pushes_{*home_.ledger};
    test::Board judge_{"judge", 1'002};
    VersionId wanted_;
    std::uint64_t needed_ = 0;  // bytes of the records that one device lacks
    std::vector<Device> devices_;
    std::size_t late_ = 0;
    std::size_t whole_ = 0;
    std::unique_ptr<hub::CastRoom> room_;
    std::uint64_t room_timer_ = 0;
    std::map<std::uint32_t, Bytes> truth_;
    std::map<std::uint32_t, std::set<RecordKey>> records_;
    Status wrong_;

    std::uint64_t first_ = 0, repairs_ = 0, again_ = 0, own_ = 0;  // bytes handed over
    std::uint32_t newest_ = 0;                                     // generation
    std::size_t queued_ = 0;
    std::uint64_t line_free_ms_ = 0;  // times kLinkBytesPerMs
    std::uint64_t order_ = 0;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::function<void()>> agenda_;
};

}  // namespace

Result<Egress> measure_broadcast(bool lossy) { return CastBench(lossy, lossy ? 2 : 1).run(); }

}  // namespace tributary::bench
