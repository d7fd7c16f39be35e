// What befalls a world: cuts, crashes, leaps, limits.
#include "tests/sim/world.h"

namespace tributary::sim {

void World::chaos() {
    if (faults_.chaos_every_ms == 0) return;
    test::Random draw = decisions_.next("chaos");
    at(draw.below(faults_.chaos_every_ms), [this] { chaos(); });
    const std::size_t a = draw.below(agents_.size());
    const std::uint32_t what = draw.below(10u);
    chance_says("chaos " + std::to_string(what), a);
    switch (what) {
        case 0:
        case 1:
        case 2: cut(a, draw.below(60'000u), draw); break;
        case 3: crash_agent(a, draw); break;
        case 4: crash_hub(draw); break;
        case 5: restart_broker(draw); break;
        case 6:
            ++counts_["clock leaps"];
            link(draw.one_in(2) ? Side::hub : Side::agent, a).clock_offset_ms +=
                draw.below(3'600'000u);
            break;
        case 7:
            agents_[a].store.crash();
            break;  // what was staged is given up, the process goes on
        case 8: hub_.crash(); break;
        default: restore_hub(draw); break;
    }
}

void World::cut(std::size_t a, std::uint64_t for_ms, test::Random& draw) {
    if (agents_[a].cut) return;
    say("link of agent " + std::to_string(a) + " is cut");
    ++counts_["cuts"];
    agents_[a].cut = true;
    const bool noticed = draw.one_in(2);
    const bool noticed_late = draw.one_in(2);
    if (noticed && agents_[a].link.conversation) step(Side::agent, a, sync::Disconnected{});
    at(for_ms, [this, a, noticed_late] {
        agents_[a].cut = false;
        if (agents_[a].link.conversation && noticed_late)
            step(Side::agent, a, sync::Disconnected{});
        if (agents_[a].link.conversation) step(Side::agent, a, sync::Connected{});
    });
}

void World::crash_agent(std::size_t a, test::Random& draw) {
    Agent& agent = agents_[a];
    if (!agent.link.conversation) return;
    say("agent " + std::to_string(a) + " stops");
    ++counts_["agent crashes"];
    agent.link.conversation.reset();
    ++agent.link.life;
    agent.store.crash();
    at(draw.below(60'000u), [this, a] { start_agent(a); });
}

void World::crash_hub(test::Random& draw) {
    if (!hub_up_) return;
    say("hub stops");
    ++counts_["hub crashes"];
    hub_up_ = false;
    hub_.crash();
    turn_of_.reset();
    line_.clear();
    for (Peer& peer : peers_) {
        peer.link.conversation.reset();
        ++peer.link.life;
    }
    check_receipts();
    at(draw.below(60'000u), [this] { start_hub(); });
}

void World::restart_broker(test::Random& draw) {
    say("broker forgets");
    ++counts_["broker restarts"];
    ++broker_life_;
    for (std::size_t a = 0; a < agents_.size(); ++a) cut(a, draw.below(10'000u), draw);
}

// Takes a backup, or goes back to the one there is.
void World::restore_hub(test::Random& draw) {
    if (!may_restore_) return;
    if (!backup_ || draw.one_in(2)) {
        backup_ = Backup{hub_, {}};
        backup_->store.crash();
        for (const Peer& peer : peers_) backup_->delivered.push_back(peer.delivered);
        return;
    }
    crash_hub(draw);
    say("hub goes back to its backup");
    ++counts_["restores"];
    hub_ = backup_->store;
    for (std::size_t a = 0; a < peers_.size(); ++a) peers_[a].delivered = backup_->delivered[a];
    // a version chosen after the backup may be gone
    for (Peer& peer : peers_)
        if (peer.target && !hub_.holds_whole(*peer.target)) peer.target = peer.delivered;
    ++epoch_;
}

// As an agent's owner does that keeps to a budget.
void World::limit_links() {
    if (!faults_.limits) return;
    test::Random draw = decisions_.next("limit");
    at(draw.below(20'000u), [this] { limit_links(); });
    const std::size_t a = draw.below(agents_.size());
    chance_says("limit", a);
    if (draw.one_in(3))
        allow(a, std::nullopt);
    else
        allow(a, draw.one_in(2) ? 0 : draw.below(6'000u));
}

void World::allow(std::size_t a, std::optional<std::uint64_t> bytes) {
    Agent& agent = agents_[a];
    const bool rested = agent.allowed == std::uint64_t{0};
    agent.allowed = bytes;
    if (!agent.link.conversation) return;
    step(Side::agent, a, sync::MaySend{bytes});
    step(Side::agent, a, sync::MayTake{bytes});
    if (rested != (bytes == std::uint64_t{0})) step(Side::agent, a, sync::SayHello{});
}

}  // namespace tributary::sim
