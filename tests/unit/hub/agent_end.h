// A board's end of the conversation with a hub's DeviceLink, without a network: the agent's own
// engine and Uplink, and hooks that let it lie.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/sync/uplink.h"
#include "agent/sync/whole_version.h"
#include "common/store/closure.h"
#include "common/trust/hello.h"
#include "hub/intake/device_link.h"
#include "tests/unit/hub/board.h"

namespace tributary::test {

class AgentEnd {
public:
    AgentEnd(Board& board, const std::string& device, hub::Ledger& ledger, Clock& clock,
             std::uint64_t seed, std::uint32_t offences_max = 0, hub::CommitGroup* group = nullptr,
             hub::Walks* walks = nullptr, hub::CreditPool* credit = nullptr,
             hub::Pushes* pushes = nullptr)
        : board_(board),
          pins_{device, ledger.store().head().incarnation,
                "hub",  {ledger.signer().public_key()},
                {},     1},
          own_pushes_(
              ledger, walks,
              [this](std::function<void(MonoTime)> then) { turns.push_back(std::move(then)); }),
          link_(device, ledger, clock, seed + 1,
                link_events(group, walks, credit, pushes ? pushes : &own_pushes_), offences_max) {
        begin_agent(seed);
    }

    // Says Hello, then lets both talk until neither has anything to say.
    void connect(std::optional<std::uint32_t> frame_bytes = {}) {
        tell(sync::Connected{.frame_bytes = frame_bytes});
        deliver();
    }
    void pass(std::uint64_t ms) {
        now_ = now_ + ms;
        tell(sync::Tick{});
        link_.on_tick(now_);
        deliver();
    }
    // Like pass(), in steps short enough for every timer.
    void wait(std::uint64_t ms) {
        for (std::uint64_t passed = 0; passed < ms; passed += 1000) pass(1000);
    }

    // The link to the broker breaks, and both sides notice.
    void disconnect() {
        up_.clear();
        down_.clear();
        tell(sync::Disconnected{});
    }

    // Does what the hub wanted done beside its loop so far, and tells it.
    void work_beside() {
        for (auto jobs = std::exchange(beside, {}); auto& [work, then] : jobs) {
            work();
            then(now_);
        }
    }
    // The first of it.
    void work_once_beside() {
        if (beside.empty()) return;
        const auto [work, then] = std::move(beside.front());
        beside.erase(beside.begin());
        work();
        then(now_);
        deliver();
    }
    // The next turn of the hub's loop.
    void turn() {
        const auto then = std::move(turns.front());
        turns.erase(turns.begin());
        then(now_);
    }
    // The hub has room for what it did not admit.
    void call() {
        link_.on_room(now_);
        deliver();
    }
    // As many as it takes, with what follows from them, when it holds turns.
    int turns_until(const std::function<bool()>& done) {
        int count = 0;
        for (int passes = 0; !done() && passes < 1000; ++passes) {
            for (; !turns.empty() && !done(); ++count) turn();
            pass(0);
        }
        EXPECT_TRUE(done());
        return count;
    }
    int turns_until_receipted() {
        return turns_until([this] { return !receipts.empty(); });
    }
    // Something was committed.
    void wake() {
        tell(sync::Wake{});
        deliver();
    }

    // What no agent says, and what follows from it.
    void say(Bytes payload) {
        up_.push_back(std::move(payload));
        deliver();
    }

    hub::DeviceLink& link() { return link_; }
    agent::Uplink& uplink() { return *uplink_; }
    // Of the board's next life; the hub's end goes on, and what is on its way is.
    void begin_agent(std::uint64_t seed) {
        uplink_.emplace(board_.store(), board_.signer(), trust::system_verifier(), pins_);
        agent_.emplace(sync::Role::agent, sync::ConversationOptions(), seed);
    }
    MonoTime now() const { return now_; }

    std::function<void(sync::Hello&)> twist_hello;  // before it is signed
    // After it was signed for that nonce.
    std::function<void(sync::Hello&, std::uint64_t nonce)> twist_signed_hello;
    std::function<void(const Bytes& payload)> listen;         // to what it sends, as a broker can
    std::function<void(const Bytes& payload)> listen_to_hub;  // likewise to what is sent to it
    std::function<void(sync::Page&)> twist_page;
    std::function<void(Bytes& frame)> twist_record;
    std::function<void(const sync::Body& from_hub)> overhear;
    // Messages on their way, before one is delivered.
    std::function<void(std::deque<Bytes>& way)> disturb;

    std::vector<Receipt> receipts;                // as they came, logged or not
    std::vector<SignedDocument> signed_receipts;  // likewise
    std::vector<Error> troubles;
    std::vector<SecurityEvent> refused;  // by the hub
    std::vector<sync::Assign> assigns;
    std::set<std::string> advanced;
    std::function<Status(std::uint64_t bytes)> admits;  // of the hub's Room; none: it has room
    // By the hub's CastRoom; none: no broadcast is.
    std::function<bool(std::uint64_t number)> cast_is_prepared_for;
    std::function<void()> needs_no_room;  // likewise
    std::optional<VersionId> declines;    // of a push
    std::function<void()> before_commit;  // of a push, which may lack something then
    bool with_content = true;             // of plans: else none that need objects
    std::uint64_t plan_bytes = agent::kPlanOfAnyBytes;
    // Of the hub's loop, until turn(); else they come with the next message.
    bool holds_turns = false;
    std::vector<std::function<void(MonoTime)>> turns;
    bool holds_beside = false;  // until work_beside(); else it is done at once
    std::vector<std::pair<std::function<void()>, std::function<void(MonoTime)>>> beside;

private:
    hub::DeviceLink::Events link_events(hub::CommitGroup* group, hub::Walks* walks,
                                        hub::CreditPool* credit, hub::Pushes* pushes) {
        hub::DeviceLink::Events events;
        events.credit = credit;
        events.pushes = pushes;
        events.walks = walks;
        events.publish = [this](const std::string&, Bytes payload, Priority) {
            if (listen_to_hub) listen_to_hub(payload);
            down_.push_back(std::move(payload));
        };
        events.advanced = [this](const std::string&, const std::set<std::string>& repos) {
            advanced.insert(repos.begin(), repos.end());
        };
        events.accept = accept_by(group);
        if (group)
            events.sign = [group](MonoTime now, Bytes payload, hub::CommitGroup::Signed then) {
                group->sign(now, std::move(payload), std::move(then));
            };
        events.admits = [this](std::uint64_t bytes) { return admits ? admits(bytes) : Status(); };
        events.cast_serves = events.cast_is_prepared_for = [this](std::uint64_t number) {
            return cast_is_prepared_for && cast_is_prepared_for(number);
        };
        events.needs_no_room = [this] {
            if (needs_no_room) needs_no_room();
        };
        events.refused = [this](SecurityEvent event, const std::string&) {
            refused.push_back(event);
        };
        events.later = [this](std::function<void(MonoTime)> then) {
            turns.push_back(std::move(then));
        };
        events.beside = [this](std::function<void()> work, std::function<void(MonoTime)> then) {
            beside.emplace_back(std::move(work), std::move(then));
            if (!holds_beside) work_beside();
        };
        return events;
    }
    static decltype(hub::DeviceLink::Events::accept) accept_by(hub::CommitGroup* group) {
        if (!group) return nullptr;
        return [group](hub::JournalPart part, hub::CommitGroup::Done done) {
            group->add(std::move(part), std::move(done));
        };
    }

    void deliver() {
        for (int messages = 0; messages < 10'000; ++messages) {
            while (!holds_turns && !turns.empty()) turn();
            if (disturb) {
                disturb(up_);
                disturb(down_);
            }
            if (up_.empty() && down_.empty()) return;
            if (!up_.empty()) {
                Bytes payload = std::move(up_.front());
                up_.pop_front();
                link_.on_payload(now_, std::move(payload));
            } else {
                Bytes payload = std::move(down_.front());
                down_.pop_front();
                if (overhear) overhear(sync::parse_message(payload).value().body);
                tell(sync::PayloadArrived{std::move(payload)});
            }
        }
    }

    void tell(sync::Event event) {
        std::deque<sync::Event> events;
        events.push_back(std::move(event));
        while (!events.empty()) {
            sync::Actions actions = agent_->step(now_, std::move(events.front()));
            events.pop_front();
            for (sync::Action& action : actions)
                if (auto answer = carry_out(action)) events.push_back(*std::move(answer));
        }
    }

    std::optional<sync::Event> carry_out(sync::Action& action) {
        if (auto* publish = std::get_if<sync::Publish>(&action)) {
            if (listen) listen(publish->payload);
            up_.push_back(std::move(publish->payload));
        } else if (auto* describe = std::get_if<sync::Describe>(&action)) {
            auto described = uplink_->describe(describe->nonce, describe->ours);
            if (!described)
                return sync::Described{
                    describe->ticket, {}, tl::make_unexpected(described.error())};
            sync::Hello hello = *std::move(described);
            if (twist_hello) {
                twist_hello(hello);
                hello.proof =
                    board_.signer()
                        .sign(trust::kAgentHelloPurpose,
                              trust::agent_hello_digest(describe->nonce, pins_.device, hello))
                        .value();
            }
            if (twist_signed_hello && hello.answers != 0)
                twist_signed_hello(hello, describe->nonce);
            return sync::Described{describe->ticket, std::move(hello), {}};
        } else if (auto* check = std::get_if<sync::CheckHello>(&action)) {
            return sync::HelloChecked{check->ticket,
                                      uplink_->check_hello(check->nonce, check->hello)};
        } else if (auto* hello = std::get_if<sync::PeerHello>(&action)) {
            if (const Status fits = uplink_->on_hub_hello(hello->hello, hello->first); !fits)
                troubles.push_back(fits.error());
        } else if (auto* plan = std::get_if<sync::MakePlan>(&action)) {
            return sync::Planned{plan->ticket,
                                 uplink_->make_plan(with_content, plan_bytes).value_or(false)};
        } else if (auto* read = std::get_if<sync::ReadPage>(&action)) {
            auto page = uplink_->read_page(read->page, read->whole);
            if (page && twist_page) twist_page(*page);
            return sync::PageRead{read->ticket, std::move(page)};
        } else if (auto* object = std::get_if<sync::ReadObject>(&action)) {
            auto frame = uplink_->read_object(object->key, object->may_use_base);
            if (frame && twist_record) twist_record(*frame);
            return sync::ObjectRead{object->ticket, std::move(frame)};
        } else if (auto* done = std::get_if<sync::LogReceipt>(&action)) {
            const SignedDocument document = parse_signed_document(done->receipt).value();
            receipts.push_back(parse_receipt(document.payload).value());
            signed_receipts.push_back(document);
            return sync::ReceiptLogged{done->ticket, uplink_->log_receipt(done->receipt)};
        } else if (auto* trouble = std::get_if<sync::Trouble>(&action)) {
            troubles.push_back(trouble->error);
        } else if (auto* assign = std::get_if<sync::AssignArrived>(&action)) {
            assigns.push_back(std::move(assign->documents));
        } else {
            return take_push(action);
        }
        return std::nullopt;
    }

    std::optional<sync::Event> take_push(sync::Action& action) {
        Store& store = board_.store();
        if (auto* check = std::get_if<sync::Check>(&action)) {
            std::vector<sync::Held> held;
            for (const sync::OfferedObject& object : check->objects) {
                bool bases = true;
                for (const Digest& base : object.bases)
                    bases = bases && store.has({object.key.kind, base});
                held.push_back({store.has(object.key), bases});
            }
            return sync::Checked{check->ticket, std::move(held)};
        }
        if (auto* object = std::get_if<sync::Store>(&action))
            return sync::Stored{object->ticket, store.stage_record(object->frame)};
        if (auto* commit = std::get_if<sync::Commit>(&action)) {
            if (commit->version == declines)
                return sync::Committed{commit->ticket, fail(Errc::denied, "not that one")};
            if (before_commit) before_commit();
            if (const Status done = agent::commit_whole(store, commit->version); !done) {
                const bool is_lacking = done.error().code == Errc::not_found;
                EXPECT_TRUE(!is_lacking || before_commit) << done.error().what;
                return sync::Committed{commit->ticket, tl::make_unexpected(done.error())};
            }
            return sync::Committed{commit->ticket, sync::CommitResult{}};
        }
        return std::nullopt;
    }

    Board& board_;
    agent::Pins pins_;
    std::optional<agent::Uplink> uplink_;
    std::optional<sync::Conversation> agent_;
    hub::Pushes own_pushes_;  // unless it shares them
    hub::DeviceLink link_;
    MonoTime now_{1000};
    std::deque<Bytes> up_, down_;
};

}  // namespace tributary::test
