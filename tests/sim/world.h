// N agents, a hub and a broker, all from one seed. The engines are the real ones; stores are
// models; time is virtual.
//
// Phase 1: work and faults. Messages are lost, repeated, reordered, delayed; links are cut; the
// broker forgets all it took; agents and the hub stop between any two of their effects and keep
// only what was committed; reads, stores and commits fail; clocks leap; a hub comes back from an
// older backup; in some worlds content may pass only now and then; in some, records stand on two
// bases, which the hub takes in every other of its lives; in some it asks one agent at a time for
// content. Phase 2: faults stop, and
// everything must converge. Checked all the time: credit, durability before receipts, nothing
// invented; at the end: nothing lost, and a hub that depends on nothing but what was recorded.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/sync/conversation.h"
#include "tests/sim/model.h"
#include "tests/support/decisions.h"
#include "tests/support/trace.h"

namespace tributary::sim {

// Per thousand, drawn from the seed, so that each world is hostile in its own way.
struct Faults {
    std::uint32_t drop = 0;
    std::uint32_t repeat = 0;
    std::uint32_t reorder = 0;
    std::uint32_t damage = 0;          // a payload's bits flip
    std::uint32_t effect_fails = 0;    // a read, store or commit answers an error
    std::uint32_t crash_after = 0;     // a node stops right after an effect, before its answer
    std::uint64_t chaos_every_ms = 0;  // cuts, crashes, leaps; 0: never
    bool limits = false;  // content may pass in small amounts, or not at all, for a while
};

class World {
public:
    World(std::uint64_t seed, bool verbose);

    // The first thing that was wrong, or none.
    std::optional<std::string> run();
    std::string summary() const;
    // How often each thing happened.
    const std::map<std::string, std::uint64_t>& counts() const { return counts_; }
    // A sum of all that happened: of each event, action and message in turn. Of one seed it is
    // always the same.
    std::uint32_t trace() const { return trace_.sum(); }
    // A sum of what chance alone decided: the settings, and when what befell whom. Of one seed it
    // is the same as long as the world is, whatever the engines do. Complete after a run in which
    // nothing was wrong.
    std::uint32_t weather() const { return weather_.sum(); }

private:
    struct Link {
        std::unique_ptr<sync::Conversation> conversation;  // none: the node is down
        std::uint64_t life = 0;  // grows with each crash; what belongs to an earlier life is void
        std::uint64_t timer = 0;
        std::uint64_t clock_offset_ms = 0;
        std::uint64_t busy_until_ms = 0;  // actions are carried out in order
    };
    struct Agent {
        Link link;
        ModelStore store;
        Incarnation incarnation;
        std::optional<Statement> receipt;  // durable
        std::uint64_t forgotten = 0;       // entries dropped after their receipt
        sync::JournalPoint held;           // as the hub said; lost in a crash
        std::uint64_t hub_epoch = 0;
        std::optional<std::uint64_t> hub_features;  // as its last Hello said
        std::uint64_t plan_to = 0;
        std::vector<sync::Page> plan;
        std::optional<sync::Beginning> beginning;  // kept
        bool cut = false;                          // its link to the broker
        std::optional<std::uint64_t> allowed;  // bytes of content now, each way; none: any number
    };
    struct Peer {  // the hub's end of one device
        Link link;
        sync::JournalPoint head;  // as the agent said
        std::optional<Digest> plan_version;
        std::vector<sync::Page> plan;
        std::uint32_t page_read = 0;  // of it, last
        std::set<RecordKey> held;     // by the agent, when something was planned for it
        bool leaves_out = false;      // of the plan, some of that
        std::optional<Digest> lacks;  // some of this version, in its session
        int times_it_lacked = 0;      // the first time it may have given up what it had got
        std::optional<sync::Beginning> beginning;  // kept
        // durable
        std::optional<Digest> target;
        std::optional<Digest> delivered;
    };
    struct Stream {  // what the wire shows of one Want
        std::uint64_t credit = 0;
        std::uint64_t through = 0;
    };
    enum class Side { agent, hub };

    // time
    void at(std::uint64_t delay_ms, std::function<void()> what);
    void report(const std::string& wrong);
    void say(const std::string& text) const;
    void chance_says(std::string_view what, std::size_t a);
    void trace(Side side, std::size_t a, std::size_t what, ByteView bytes = {});

    // work
    void record_version(std::size_t a, test::Random& draw);
    void stand_on_two(Agent& agent, ModelRecord& piece, const Digest& name);
    void choose_push(std::size_t a, test::Random& draw);
    void keep_working();

    // faults
    void chaos();
    void cut(std::size_t a, std::uint64_t for_ms, test::Random& draw);
    void crash_agent(std::size_t a, test::Random& draw);
    void crash_hub(test::Random& draw);
    void restart_broker(test::Random& draw);
    void restore_hub(test::Random& draw);
    void limit_links();
    void allow(std::size_t a, std::optional<std::uint64_t> bytes);
    bool effect_fails();

    // nodes
    Link& link(Side side, std::size_t a) {
        return side == Side::agent ? agents_[a].link : peers_[a].link;
    }
    static std::uint64_t place(Side side, std::size_t a) {
        return a * 2 + (side == Side::hub ? 1 : 0);
    }
    void start_agent(std::size_t a);
    void start_hub();
    void step(Side side, std::size_t a, sync::Event event);
    void answer(Side side, std::size_t a, sync::Event event);
    void carry_out(Side side, std::size_t a, sync::Action& action);
    void agent_does(std::size_t a, sync::Action& action);
    void hub_does(std::size_t a, sync::Action& action);
    void arm(Side side, std::size_t a);

    // the agent's owner
    bool plan_uplink(Agent& agent);
    Status log_receipt(Agent& agent, const Bytes& receipt);
    void forget_receipted(Agent& agent);
    Result<sync::CommitResult> commit_push(Agent& agent, const sync::Commit& commit);
    // the hub's owner
    bool plan_push(std::size_t a);
    void end_turn(std::size_t a);
    void give_turn();
    Result<sync::CommitResult> commit_uplink(const sync::Commit& commit);
    sync::Event store_answer(ModelStore& store, const sync::Store& action, std::size_t bases_max);
    sync::Event check_answer(const ModelStore& store, const sync::Check& action);
    // What a frame for the hub may stand on, as far as the agent knows.
    static std::size_t bases_for_hub(const Agent& agent);

    // the broker
    void publish(Side from, std::size_t a, Bytes payload);
    void deliver(Side to, std::size_t a, Bytes payload, std::uint64_t broker_life,
                 std::uint64_t delay_ms);

    // checks
    void watch_wire(Side from, std::size_t a, ByteView payload);
    void check_bounds(Side side, std::size_t a);
    void check_receipts();
    bool converged();
    void check_end();

    bool verbose_;
    test::Decisions decisions_;
    test::Trace trace_, weather_;
    Faults faults_;
    bool wire_is_sound_ = true;  // no damage in this world
    bool may_forget_ = false;    // agents drop what is receipted
    bool may_restore_ = false;   // the hub may come back from a backup; never together
    bool two_bases_ = false;     // there are records that stand on two
    std::size_t objects_per_page_ = 4;
    sync::ConversationOptions options_;

    std::uint64_t now_ms_ = 0;
    std::uint64_t steps_ = 0;
    std::uint64_t order_ = 0;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::function<void()>> agenda_;
    std::optional<std::string> wrong_;

    std::vector<Agent> agents_;
    std::vector<Peer> peers_;
    ModelStore hub_;
    std::uint64_t epoch_ = 1;
    bool hub_up_ = false;
    std::uint64_t hub_lives_ = 0;
    // Of content that is asked for in turns: whose turn it is, and who waits.
    std::uint64_t turn_bytes_ = 0;
    struct Waiting {
        std::size_t agent = 0;
        sync::Ticket ticket = 0;
        std::uint64_t bytes = 0;
    };
    std::optional<std::size_t> turn_of_;
    std::uint64_t turn_holds_ = 0;  // at most
    std::deque<Waiting> line_;
    struct Backup {
        ModelStore store;
        std::vector<std::optional<Digest>> delivered;
    };
    std::optional<Backup> backup_;
    std::uint64_t broker_life_ = 0;
    std::map<std::pair<Side, std::size_t>, std::uint64_t> last_delivery_;

    // what was truly recorded: the judge's own books
    std::map<Incarnation, std::vector<Bytes>> ledger_;
    std::map<RecordKey, Bytes> ledger_records_;
    std::map<std::tuple<std::size_t, sync::Channel, std::uint64_t, std::uint64_t, std::uint32_t>,
             Stream>
        streams_;
    std::map<std::string, std::uint64_t> counts_;
};

}  // namespace tributary::sim
