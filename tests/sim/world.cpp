#include "tests/sim/world.h"

#include <algorithm>
#include <cstdio>

#include "common/hash/hash.h"

namespace tributary::sim {
namespace {

constexpr std::uint64_t kWorkMs = 30 * 60'000;          // phase 1
constexpr std::uint64_t kConvergeMs = 6 * 60 * 60'000;  // phase 2, at most
constexpr std::uint64_t kStepsMax = 2'000'000;

}  // namespace

World::World(std::uint64_t seed, bool verbose) : verbose_(verbose), decisions_(seed) {
    const auto number = [this](std::string_view setting, std::uint32_t below) {
        const std::uint32_t drawn = decisions_.next(setting).below(below);
        weather_.add(as_bytes(setting)).add(drawn);
        return drawn;
    };
    // What is off leaves no mark: a world that a new kind of fault spares is still the same.
    const auto one_in = [this](std::uint32_t count, std::string_view setting) {
        const bool on = decisions_.next(setting).one_in(count);
        if (on) weather_.add(as_bytes(setting));
        return on;
    };
    if (one_in(2, "drops")) faults_.drop = number("drop", 201);
    if (one_in(2, "repeats")) faults_.repeat = number("repeat", 301);
    if (one_in(3, "reorders")) faults_.reorder = number("reorder", 301);
    if (one_in(4, "damages")) faults_.damage = number("damage", 31);
    wire_is_sound_ = faults_.damage == 0;
    if (one_in(3, "effects fail")) faults_.effect_fails = number("effect fails", 51);
    if (one_in(2, "crashes")) faults_.crash_after = number("crash after", 21);
    if (!one_in(5, "is calm")) faults_.chaos_every_ms = 5'000 + number("chaos every", 120'001);
    faults_.limits = one_in(5, "limits");
    may_restore_ = one_in(4, "restores");
    may_forget_ = !may_restore_ && one_in(2, "forgets");
    two_bases_ = one_in(4, "two bases");
    objects_per_page_ = 1 + number("objects per page", 8);

    options_.limits.frame_bytes = 1024 + number("frame bytes", 4) * 700;
    options_.limits.frames_in_flight = 1 + number("frames in flight", 8);
    options_.receiver.credit_bytes = 300 + number("credit", 8'001);
    options_.receiver.idle_ms = 20'000 + number("idle", 300'001);
    if (one_in(2, "turns")) turn_bytes_ = 400 + number("turn bytes", 3'000);

    agents_.resize(1 + number("agents", 4));
    peers_.resize(agents_.size());
    for (std::size_t a = 0; a < agents_.size(); ++a) {
        Agent& agent = agents_[a];
        decisions_.next("incarnation", a).fill(agent.incarnation.bytes);
        agent.store.journals[agent.incarnation];
        ledger_[agent.incarnation];
    }
}

std::optional<std::string> World::run() {
    start_hub();
    for (std::size_t a = 0; a < agents_.size(); ++a) start_agent(a);
    at(0, [this] { keep_working(); });
    if (faults_.chaos_every_ms > 0)
        at(decisions_.next("first chaos").below(faults_.chaos_every_ms), [this] { chaos(); });
    if (faults_.limits) limit_links();

    bool settling = false;
    while (!wrong_ && !agenda_.empty()) {
        if (++steps_ > kStepsMax) report("no convergence within the bound of steps");
        const auto next = agenda_.begin();
        const auto what = std::move(next->second);
        now_ms_ = next->first.first;
        agenda_.erase(next);
        if (!settling && now_ms_ >= kWorkMs) {
            settling = true;
            faults_ = {};
            say("faults stop");
            for (std::size_t a = 0; a < agents_.size(); ++a) allow(a, std::nullopt);
        }
        what();
        if (settling && now_ms_ > kWorkMs + kConvergeMs)
            report("no convergence within the bound of time");
        if (settling && converged()) break;
    }
    if (!wrong_ && !converged()) report("nothing left to do, and not converged");
    if (!wrong_) check_end();
    return wrong_;
}

// ---- time ----

void World::at(std::uint64_t delay_ms, std::function<void()> what) {
    agenda_.emplace(std::pair(now_ms_ + delay_ms, ++order_), std::move(what));
}

void World::report(const std::string& wrong) {
    if (!wrong_) wrong_ = "at " + std::to_string(now_ms_) + " ms: " + wrong;
}

void World::say(const std::string& text) const {
    if (verbose_) std::printf("%9llu %s\n", static_cast<unsigned long long>(now_ms_), text.c_str());
}

void World::chance_says(std::string_view what, std::size_t a) {
    weather_.add(as_bytes(what)).add(now_ms_).add(a);
}

void World::trace(Side side, std::size_t a, std::size_t what, ByteView bytes) {
    trace_.add(now_ms_).add(place(side, a)).add(what).add(bytes);
}

// ---- work ----

void World::keep_working() {
    if (now_ms_ >= kWorkMs) return;
    test::Random draw = decisions_.next("work");
    at(draw.below(30'000u), [this] { keep_working(); });
    const bool records = !draw.one_in(4);
    const std::size_t a = draw.below(agents_.size());
    chance_says(records ? "version" : "push", a);
    if (records)
        record_version(a, draw);
    else
        choose_push(a, draw);
}

void World::record_version(std::size_t a, test::Random& draw) {
    Agent& agent = agents_[a];
    ModelVersion version{draw.next(), {}};
    const auto& records = agent.store.records();
    for (std::size_t count = draw.below(6u); count > 0; --count) {
        ModelRecord piece{draw.bytes(1 + draw.below(draw.one_in(10) ? 20'000u : 1'500u)), {}};
        if (!records.empty() && draw.one_in(2)) {  // coded on, or the same as, a piece that is here
            auto other = records.begin();
            std::advance(other, static_cast<std::ptrdiff_t>(draw.below(records.size())));
            if (other->first.kind == RecordKind::piece) {
                if (draw.one_in(4)) {
                    version.pieces.push_back(other->first.name);
                    continue;
                }
                piece.bases = {other->first.name};
            }
        }
        const RecordKey key{RecordKind::piece, sha256(piece.plain)};
        if (two_bases_) stand_on_two(agent, piece, key.name);
        version.pieces.push_back(key.name);
        ledger_records_.emplace(key, piece.plain);
        agent.store.stage(key, std::move(piece));
    }
    const Bytes plain = version.encode();
    const Digest id = name_of_plain(RecordKind::version, plain);
    ledger_records_.emplace(version_key(id), plain);
    agent.store.stage(version_key(id), {plain, {}});

    auto& journal = agent.store.journals[agent.incarnation];
    const sync::JournalPoint head = agent.store.head_of(agent.incarnation);
    journal.push_back(
        ModelEntry{agent.incarnation, head.sequence + 1, head.hash.digest, id}.encode());
    ledger_[agent.incarnation].push_back(journal.back());
    agent.store.commit();
    ++counts_["versions"];
    if (agent.link.conversation) step(Side::agent, a, sync::Wake{});
}

// Half of the pieces that are coded on one that is coded on another stand on both; beside some of
// them stands one that no version names, so that it does not travel, and that later ones may be
// coded on: then the hub lacks one of two bases, or both.
void World::stand_on_two(Agent& agent, ModelRecord& piece, const Digest& name) {
    if (piece.bases.empty()) return;
    const ModelRecord* base = agent.store.find({RecordKind::piece, piece.bases[0]});
    if (name.bytes[0] % 2 == 0 && !base->bases.empty()) piece.bases.push_back(base->bases[0]);
    if (name.bytes[1] % 4 != 0) return;
    ModelRecord beside{piece.plain, {piece.bases[0]}};
    beside.plain.push_back(0);
    const RecordKey key{RecordKind::piece, sha256(beside.plain)};
    ledger_records_.emplace(key, beside.plain);  // a later version may name it after all
    agent.store.stage(key, std::move(beside));
}

void World::choose_push(std::size_t a, test::Random& draw) {
    std::vector<Digest> versions;
    for (const auto& [incarnation, journal] : hub_.journals)
        for (const Bytes& entry : journal) versions.push_back(ModelEntry::parse(entry)->version);
    if (versions.empty()) return;
    peers_[a].target = versions[draw.below(versions.size())];
    if (hub_up_) step(Side::hub, a, sync::Wake{});
}

// ---- nodes ----

void World::start_agent(std::size_t a) {
    Agent& agent = agents_[a];
    if (agent.link.conversation) return;
    test::Random draw = decisions_.next("life of agent", a);
    agent.link.conversation =
        std::make_unique<sync::Conversation>(sync::Role::agent, options_, draw.next());
    agent.link.clock_offset_ms = draw.below(1'000'000u);
    agent.held = {};
    agent.hub_epoch = 0;
    if (agent.allowed) allow(a, agent.allowed);
    step(Side::agent, a, sync::Connected{});
}

void World::start_hub() {
    if (hub_up_) return;
    hub_up_ = true;
    ++hub_lives_;
    const bool invites = decisions_.next("hub invites").one_in(2);
    sync::ConversationOptions options = options_;
    options.receiver.turn_bytes = turn_bytes_;
    options.receiver.turn_idle_ms = 30'000;
    options.receiver.waiting_page_bytes =
        static_cast<std::size_t>(turn_bytes_ % 1'000);  // no draw: kept worlds stay
    for (std::size_t a = 0; a < peers_.size(); ++a) {
        test::Random draw = decisions_.next("life of hub", a);
        peers_[a].link.conversation =
            std::make_unique<sync::Conversation>(sync::Role::hub, options, draw.next());
        peers_[a].link.clock_offset_ms = draw.below(1'000'000u);
        if (invites) step(Side::hub, a, sync::Connected{});
    }
}

void World::step(Side side, std::size_t a, sync::Event event) {
    Link& l = link(side, a);
    if (!l.conversation || wrong_) return;
    trace(side, a, event.index());
    sync::Actions actions =
        l.conversation->step(MonoTime{now_ms_ + l.clock_offset_ms}, std::move(event));
    check_bounds(side, a);
    for (sync::Action& action : actions) {
        if (auto* out = std::get_if<sync::Publish>(&action)) {
            publish(side, a, std::move(out->payload));
            continue;
        }
        l.busy_until_ms = std::max(l.busy_until_ms, now_ms_) +
                          decisions_.next("action", place(side, a)).below(21u);
        at(l.busy_until_ms - now_ms_, [this, side, a, life = l.life,
                                       shared = std::make_shared<sync::Action>(std::move(action))] {
            if (link(side, a).life == life) carry_out(side, a, *shared);
        });
    }
    arm(side, a);
}

void World::arm(Side side, std::size_t a) {
    Link& l = link(side, a);
    const std::uint64_t mine = ++l.timer;
    const auto deadline = l.conversation->next_deadline();
    if (!deadline) return;
    const std::uint64_t now = now_ms_ + l.clock_offset_ms;
    at(deadline->ms > now ? deadline->ms - now : 0, [this, side, a, life = l.life, mine] {
        if (link(side, a).life == life && link(side, a).timer == mine) step(side, a, sync::Tick{});
    });
}

// Answers come later, and not at all when the node stops in between.
void World::answer(Side side, std::size_t a, sync::Event event) {
    test::Random draw = decisions_.next("answer", place(side, a));
    if (draw.chance(faults_.crash_after))
        return side == Side::agent ? crash_agent(a, draw) : crash_hub(draw);
    at(draw.below(20u), [this, side, a, life = link(side, a).life,
                         shared = std::make_shared<sync::Event>(std::move(event))] {
        if (link(side, a).life == life) step(side, a, std::move(*shared));
    });
}

void World::carry_out(Side side, std::size_t a, sync::Action& action) {
    trace(side, a, action.index());
    if (auto* trouble = std::get_if<sync::Trouble>(&action)) {
        ++counts_["troubles"];
        say((side == Side::agent ? "agent: " : "hub: ") + trouble->error.what);
    } else if (side == Side::agent) {
        agent_does(a, action);
    } else {
        hub_does(a, action);
    }
}

bool World::effect_fails() {
    if (!decisions_.next("effect").chance(faults_.effect_fails)) return false;
    ++counts_["effects that failed"];
    return true;
}

sync::Event World::check_answer(const ModelStore& store, const sync::Check& action) {
    sync::Checked checked{action.ticket, {}};
    if (effect_fails()) {
        checked.status = fail(Errc::exhausted, "the disk is full");
        return checked;
    }
    for (const sync::OfferedObject& object : action.objects) {
        const auto held =
            static_cast<std::size_t>(std::ranges::count_if(object.bases, [&](const Digest& base) {
                return store.holds({object.key.kind, base});
            }));
        checked.held.push_back({store.holds(object.key), held == object.bases.size()});
        if (object.bases.size() == 2) ++counts_["of two bases held " + std::to_string(held)];
    }
    return checked;
}

sync::Event World::store_answer(ModelStore& store, const sync::Store& action,
                                std::size_t bases_max) {
    if (effect_fails())
        return sync::Stored{action.ticket, fail(Errc::exhausted, "the disk is full")};
    const auto header = parse_record_header(action.frame);
    if (header && header->base_count == 2) ++counts_["records on two bases"];
    if (header && header->base_count > bases_max)
        report("a record on more bases than the receiver takes");
    return sync::Stored{action.ticket, store.stage_frame(action.frame), !line_.empty()};
}

// ---- the agent's owner ----

void World::agent_does(std::size_t a, sync::Action& action) {
    Agent& agent = agents_[a];
    if (auto* describe = std::get_if<sync::Describe>(&action)) {
        sync::Hello hello = describe->ours;
        hello.head = agent.store.head_of(agent.incarnation);
        hello.journals = {hello.head};
        if (agent.receipt) hello.receipt_sequence = agent.receipt->at.sequence;
        if (agent.allowed == std::uint64_t{0}) hello.rest_ms = 3'600'000;
        answer(Side::agent, a, sync::Described{describe->ticket, hello});
    } else if (auto* hello = std::get_if<sync::CheckHello>(&action)) {
        answer(Side::agent, a, sync::HelloChecked{hello->ticket, {}});  // one hub, one key
    } else if (auto* peer = std::get_if<sync::PeerHello>(&action)) {
        const auto before = std::exchange(agent.hub_features, peer->hello.features);
        if (before && before != agent.hub_features) ++counts_["hubs with other features"];
        if (!peer->first && peer->hello.epoch == agent.hub_epoch) return;
        agent.hub_epoch = peer->hello.epoch;
        for (const sync::JournalPoint& held : peer->hello.journals)
            if (held.incarnation == agent.incarnation) agent.held = held;
        if (agent.receipt && agent.receipt->epoch < agent.hub_epoch) agent.receipt.reset();  // void
    } else if (auto* make = std::get_if<sync::MakePlan>(&action)) {
        answer(Side::agent, a, sync::Planned{make->ticket, plan_uplink(agent)});
    } else if (auto* read = std::get_if<sync::ReadPage>(&action)) {
        if (read->page >= agent.plan.size())
            return report("a page was asked for that the plan does not have");
        answer(Side::agent, a, sync::PageRead{read->ticket, agent.plan[read->page]});
    } else if (auto* object = std::get_if<sync::ReadObject>(&action)) {
        if (effect_fails() || !agent.store.holds(object->key))
            return answer(
                Side::agent, a,
                sync::ObjectRead{object->ticket, fail(Errc::unavailable, "cannot be read now")});
        answer(Side::agent, a,
               sync::ObjectRead{object->ticket,
                                agent.store.read_frame(
                                    object->key, object->may_use_base ? bases_for_hub(agent) : 0)});
    } else if (auto* log = std::get_if<sync::LogReceipt>(&action)) {
        answer(Side::agent, a, sync::ReceiptLogged{log->ticket, log_receipt(agent, log->receipt)});
    } else if (auto* check = std::get_if<sync::Check>(&action)) {
        if (auto kept = std::exchange(agent.beginning, std::nullopt))
            answer(Side::agent, a, sync::ReceivedBefore{*std::move(kept)});
        answer(Side::agent, a, check_answer(agent.store, *check));
    } else if (auto* keep = std::get_if<sync::KeepBeginning>(&action)) {
        ++counts_["beginnings kept by agents"];
        agent.beginning = std::move(keep->beginning);
    } else if (auto* put = std::get_if<sync::Store>(&action)) {
        answer(Side::agent, a, store_answer(agent.store, *put, 1));
    } else if (auto* commit = std::get_if<sync::Commit>(&action)) {
        answer(Side::agent, a, sync::Committed{commit->ticket, commit_push(agent, *commit)});
    }
}

std::size_t World::bases_for_hub(const Agent& agent) {
    return (agent.hub_features.value_or(0) & sync::kFeatureTwoBases) != 0 ? 2 : 1;
}

// The entries after what the hub holds; none when only the receipt is missing.
bool World::plan_uplink(Agent& agent) {
    const auto& journal = agent.store.journals[agent.incarnation];
    const std::uint64_t head = journal.size();
    if (agent.receipt ? agent.receipt->at.sequence == head : head == 0) return false;
    const std::uint64_t from = agent.held.sequence;
    if (from < agent.forgotten) report("the hub lost entries that a receipt let the agent forget");
    if (from > head || wrong_) return false;
    const std::uint64_t to = std::min(head, from + 1 + decisions_.next("plan").below(4u));
    std::vector<Digest> versions;
    const auto end = journal.begin() + static_cast<std::ptrdiff_t>(to);
    std::vector<Bytes> entries(journal.begin() + static_cast<std::ptrdiff_t>(from), end);
    for (const Bytes& entry : entries) versions.push_back(ModelEntry::parse(entry)->version);
    agent.plan =
        pages_of(closure_of(agent.store, versions, bases_for_hub(agent)), objects_per_page_);
    agent.plan.back().entries = std::move(entries);
    agent.plan.back().seal =
        Statement{{agent.incarnation, to, hash_of_entry(*(end - 1))}, 0}.encode();
    return true;
}

Status World::log_receipt(Agent& agent, const Bytes& receipt) {
    if (effect_fails()) return fail(Errc::exhausted, "the disk is full");
    const auto statement = Statement::parse(receipt);
    if (!statement || statement->at.incarnation != agent.incarnation) {
        if (wire_is_sound_) report("a receipt that is not the hub's, or not for this journal");
        return fail(Errc::denied, "not the hub's receipt");
    }
    if (statement->epoch < agent.hub_epoch)
        return fail(Errc::denied, "a receipt of an epoch that is past");
    agent.receipt = statement;
    agent.held = statement->at;
    check_receipts();
    if (may_forget_) forget_receipted(agent);
    ++counts_["receipts"];
    return {};
}

void World::forget_receipted(Agent& agent) {
    const auto& journal = agent.store.journals[agent.incarnation];
    agent.forgotten = agent.receipt->at.sequence;
    std::set<RecordKey> needed;
    const auto first_kept = journal.begin() + static_cast<std::ptrdiff_t>(agent.forgotten);
    for (auto entry = first_kept; entry != journal.end(); ++entry) {
        const Digest version = ModelEntry::parse(*entry)->version;
        needed.insert(version_key(version));
        for (const Digest& piece :
             ModelVersion::parse(agent.store.find(version_key(version))->plain).pieces)
            needed.insert({RecordKind::piece, piece});
    }
    for (auto entry = journal.begin(); entry != first_kept; ++entry) {
        const RecordKey key = version_key(ModelEntry::parse(*entry)->version);
        const ModelRecord* record = agent.store.find(key);
        if (record == nullptr || needed.contains(key)) continue;
        for (const Digest& piece : ModelVersion::parse(record->plain).pieces)
            if (!needed.contains({RecordKind::piece, piece}))
                agent.store.forget({RecordKind::piece, piece});
        agent.store.forget(key);
    }
}

Result<sync::CommitResult> World::commit_push(Agent& agent, const sync::Commit& commit) {
    if (effect_fails()) return fail(Errc::exhausted, "the disk is full");
    if (!agent.store.holds_whole(commit.version.digest))
        return fail(Errc::not_found, "the version is not whole");
    agent.store.commit();
    return sync::CommitResult{};
}

// ---- the hub's owner ----

void World::end_turn(std::size_t a) {
    std::erase_if(line_, [a](const Waiting& waits) { return waits.agent == a; });
    if (turn_of_ == a) turn_of_.reset();
    give_turn();
}

void World::give_turn() {
    if (turn_of_ || line_.empty()) return;
    const auto [a, ticket, bytes] = line_.front();
    line_.pop_front();
    turn_of_ = a;
    turn_holds_ = bytes;
    ++counts_["turns"];
    answer(Side::hub, a, sync::TurnGiven{ticket, std::exchange(peers_[a].beginning, std::nullopt)});
}

void World::hub_does(std::size_t a, sync::Action& action) {
    Peer& peer = peers_[a];
    if (auto* turn = std::get_if<sync::TakeTurn>(&action)) {
        line_.push_back({a, turn->ticket, turn->bytes});
        give_turn();
        if (turn_of_ != a) answer(Side::hub, a, sync::TurnWaits{turn->ticket});
        return;
    }
    if (std::holds_alternative<sync::EndTurn>(action)) return end_turn(a);
    if (auto* keep = std::get_if<sync::KeepBeginning>(&action)) {
        peer.beginning = std::move(keep->beginning);
        return;
    }
    if (auto* describe = std::get_if<sync::Describe>(&action)) {
        sync::Hello hello;
        hello.epoch = epoch_;
        hello.features = hub_lives_ % 2 == 1 ? sync::kFeatureTwoBases : 0;
        for (const sync::JournalPoint& journal : describe->peer->journals)
            hello.journals.push_back(hub_.head_of(journal.incarnation));
        answer(Side::hub, a, sync::Described{describe->ticket, hello});
    } else if (auto* greeted = std::get_if<sync::PeerHello>(&action)) {
        if (greeted->first) peer.lacks.reset();
    } else if (auto* make = std::get_if<sync::MakePlan>(&action)) {
        answer(Side::hub, a, sync::Planned{make->ticket, plan_push(a)});
    } else if (auto* read = std::get_if<sync::ReadPage>(&action)) {
        if (read->page >= peer.plan.size())
            return report("a page was asked for that the plan does not have");
        const std::size_t listed = std::size_t{1} + std::exchange(peer.page_read, read->page);
        if (read->whole && read->page == 0 && listed == peer.plan.size()) {
            if (peer.lacks != peer.plan_version) peer.times_it_lacked = 0;
            peer.lacks = peer.plan_version;
            const bool again = ++peer.times_it_lacked > 1;
            if (again && std::exchange(peer.leaves_out, false)) {
                ++counts_["pushes of the whole"];
                step(Side::hub, a, sync::PlanAnew{});
            }
        }
        answer(Side::hub, a, sync::PageRead{read->ticket, peer.plan[read->page]});
    } else if (auto* object = std::get_if<sync::ReadObject>(&action)) {
        if (effect_fails() || !hub_.holds(object->key))
            return answer(
                Side::hub, a,
                sync::ObjectRead{object->ticket, fail(Errc::unavailable, "cannot be read now")});
        answer(Side::hub, a,
               sync::ObjectRead{object->ticket,
                                hub_.read_frame(object->key, object->may_use_base ? 1 : 0)});
    } else if (auto* log = std::get_if<sync::LogReceipt>(&action)) {
        peer.delivered = peer.plan_version;
        ++counts_["pushes"];
        if (!may_forget_ && !agents_[a].store.holds_whole(*peer.delivered))
            report("a push was done that is not whole");
        answer(Side::hub, a, sync::ReceiptLogged{log->ticket, {}});
    } else if (auto* check = std::get_if<sync::Check>(&action)) {
        answer(Side::hub, a, check_answer(hub_, *check));
    } else if (auto* put = std::get_if<sync::Store>(&action)) {
        answer(Side::hub, a, store_answer(hub_, *put, hub_lives_ % 2 == 1 ? 2 : 1));
    } else if (auto* commit = std::get_if<sync::Commit>(&action)) {
        answer(Side::hub, a, sync::Committed{commit->ticket, commit_uplink(*commit)});
    }
}

// Leaves out what the agent held, which it may have forgotten.
bool World::plan_push(std::size_t a) {
    Peer& peer = peers_[a];
    if (!peer.target || peer.target == peer.delivered) return false;
    peer.plan_version = peer.target;
    for (const auto& [key, record] : agents_[a].store.records()) peer.held.insert(key);
    std::vector<sync::OfferedObject> objects = closure_of(hub_, {*peer.target}, 1);
    const auto was_held = [&](const auto& object) { return peer.held.contains(object.key); };
    const bool whole = peer.lacks == peer.target && peer.times_it_lacked > 1;
    peer.leaves_out = !whole && std::erase_if(objects, was_held) != 0;
    peer.plan = pages_of(objects, objects_per_page_);
    peer.plan.back().version = {*peer.target};
    peer.page_read = 0;
    return true;
}

Result<sync::CommitResult> World::commit_uplink(const sync::Commit& commit) {
    if (effect_fails()) return fail(Errc::exhausted, "the disk is full");
    const auto seal = Statement::parse(commit.seal);
    if (!seal) return fail(Errc::denied, "the seal is false");
    std::vector<Bytes> fresh;
    sync::JournalPoint head = hub_.head_of(seal->at.incarnation);
    for (const Bytes& plain : commit.entries) {
        const auto entry = ModelEntry::parse(plain);
        if (!entry || entry->incarnation != seal->at.incarnation)
            return fail(Errc::corrupt, "not an entry of this journal");
        if (entry->sequence <= head.sequence) continue;
        if (entry->sequence != head.sequence + 1 || entry->previous != head.hash.digest)
            return fail(Errc::conflict, "the entries do not continue what is held");
        if (!hub_.holds_whole(entry->version))
            return fail(Errc::not_found, "a version is not whole");
        head = {entry->incarnation, entry->sequence, hash_of_entry(plain)};
        fresh.push_back(plain);
    }
    if (head.sequence == seal->at.sequence && head.hash != seal->at.hash)
        return fail(Errc::denied, "the seal is over another entry");
    if (head.sequence < seal->at.sequence)
        return fail(Errc::conflict, "the seal is ahead of what is held");
    hub_.commit();
    auto& journal = hub_.journals[head.incarnation];
    journal.insert(journal.end(), fresh.begin(), fresh.end());
    const auto& truth = ledger_[head.incarnation];
    if (journal.size() > truth.size() || !std::equal(journal.begin(), journal.end(), truth.begin()))
        report("the hub holds an entry that nobody recorded");
    return sync::CommitResult{Statement{head, epoch_}.encode(), {}};
}

// ---- the broker ----

void World::publish(Side from, std::size_t a, Bytes payload) {
    watch_wire(from, a, payload);
    trace(from, a, payload.size(), payload);
    const Side to = from == Side::agent ? Side::hub : Side::agent;
    ++counts_["messages"];
    test::Random draw = decisions_.next("message", place(from, a));
    if (draw.chance(faults_.drop) || agents_[a].cut) {
        ++counts_["messages lost"];
        return;
    }
    if (draw.chance(faults_.damage)) {
        ++counts_["messages damaged"];
        const std::size_t at_byte = draw.below(payload.size());
        payload[at_byte] = static_cast<std::uint8_t>(payload[at_byte] ^ (1u << draw.below(8u)));
    }
    std::uint64_t& last = last_delivery_[{to, a}];
    last = std::max(last, now_ms_ + 5 + draw.below(30u));
    const bool late = draw.chance(faults_.reorder);
    if (late) ++counts_["messages late"];
    const std::uint64_t delay = last - now_ms_ + (late ? draw.below(5'000u) : 0);
    const bool twice = draw.chance(faults_.repeat);
    if (twice) ++counts_["messages twice"];
    if (twice) deliver(to, a, payload, broker_life_, delay + draw.below(60'000u));
    deliver(to, a, std::move(payload), broker_life_, delay);
}

void World::deliver(Side to, std::size_t a, Bytes payload, std::uint64_t broker_life,
                    std::uint64_t delay_ms) {
    at(delay_ms, [this, to, a, broker_life, shared = std::make_shared<Bytes>(std::move(payload))] {
        if (broker_life != broker_life_ || agents_[a].cut) return;
        step(to, a, sync::PayloadArrived{std::move(*shared)});
    });
}

std::string World::summary() const {
    std::string text = "steps " + std::to_string(steps_);
    for (const auto& [name, count] : counts_) text += ", " + name + " " + std::to_string(count);
    return text;
}

}  // namespace tributary::sim
