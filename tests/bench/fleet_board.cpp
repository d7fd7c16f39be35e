#include "tests/bench/fleet_board.h"

#include <algorithm>

#include "common/hash/hash.h"
#include "common/record/document.h"
#include "common/record/tree.h"
#include "common/record/version.h"
#include "common/trust/bulk.h"
#include "common/trust/hello.h"
#include "common/trust/seal.h"
#include "tests/support/random.h"
#include "tests/support/sim_files.h"

namespace tributary::bench {
namespace {

constexpr std::size_t kPlanEntriesMax = 64;  // an agent's

template <class T>
T random_value() {
    std::uint8_t bytes[sizeof(T)];
    system_entropy().fill(bytes);
    return load_le<T>(bytes);
}

// A board has a processor of its own to seal with; here one has to do for all.
std::unique_ptr<trust::Signer> make_signer() {
    test::SimFiles files;
    return trust::load_or_create_bulk_key(files, system_entropy(), "key.pem").value();
}

}  // namespace

FleetBoard::FleetBoard(std::string device, std::uint64_t seed, std::size_t piece_bytes,
                       std::function<double()> now_s, Events events)
    : piece_bytes_(piece_bytes),
      now_s_(std::move(now_s)),
      events_(std::move(events)),
      signer_(make_signer()),
      conversation_(sync::Role::agent, {}, seed) {
    pins_.device = std::move(device);
    system_entropy().fill(incarnation_.bytes);
    StartBody start;
    start.public_key = signer_->public_key();
    start.software = "tributary-bench fleet";
    say(start, {}, {});
}

void FleetBoard::pin(const agent::Pins& pins) {
    const std::string device = std::move(pins_.device);
    pins_ = pins;
    pins_.device = device;
}

// ---- the journal ----

Bytes FleetBoard::piece_of(std::uint64_t seed) const {
    return test::Random(seed).bytes(piece_bytes_);
}

void FleetBoard::commit() {
    const auto object = [](RecordKind kind, Bytes plain) {
        return Object{{kind, name_of_plain(kind, plain)},
                      static_cast<std::uint32_t>(plain.size()),
                      std::move(plain)};
    };
    std::vector<Object> objects;
    const auto seed = random_value<std::uint64_t>();
    objects.push_back(object(RecordKind::piece, piece_of(seed)));
    objects.back().plain = {};
    objects.back().seed = seed;
    const EncodedTree tree = encode_tree({{TreeItem::Type::file, pins_.device + ".log",
                                           objects.front().key.name, piece_bytes_}})
                                 .value();
    for (const EncodedTreeNode& node : tree.nodes)
        objects.push_back(object(RecordKind::tree, node.bytes));
    Version version;
    version.tree = tree.id;
    if (!last_version_.is_none()) version.parents = {last_version_};
    version.incarnation = incarnation_;
    version.time = time_;
    objects.push_back(object(RecordKind::version, encode_version(version).value()));
    last_version_ = VersionId{objects.back().key.name};
    ++committed_;
    say(CommitBody{std::string(kFleetRepo), "main", last_version_}, last_version_,
        std::move(objects));
    step(sync::Wake{});
}

void FleetBoard::say(const EntryBody& body, VersionId version, std::vector<Object> objects) {
    const Bytes body_bytes = encode_body(body);
    EntryHeader header;
    header.incarnation = incarnation_;
    header.sequence = ++sequence_;
    header.previous = head_;
    header.time = time_ = time_.next(system_clock().wall(), system_clock().quality());
    header.kind = kind_of(body);
    header.body = body_digest(body_bytes);
    Step step;
    step.entry = encode_entry_header(header);
    step.sequence = sequence_;
    step.hash = head_ = entry_hash(step.entry);
    step.entry.insert(step.entry.end(), body_bytes.begin(), body_bytes.end());
    step.version = version;
    step.objects = std::move(objects);
    step.made_s = now_s_();
    steps_.push_back(std::move(step));
}

// ---- the conversation ----

void FleetBoard::tick() {
    const MonoTime now = system_clock().mono();
    if (const auto deadline = conversation_.next_deadline(); deadline && *deadline <= now)
        step(sync::Tick{});
}

void FleetBoard::step(sync::Event event) {
    const MonoTime now = system_clock().mono();
    std::deque<sync::Event> events;
    events.push_back(std::move(event));
    while (!events.empty()) {
        sync::Actions actions = conversation_.step(now, std::move(events.front()));
        events.pop_front();
        for (sync::Action& action : actions)
            if (auto answer = carry_out(action)) events.push_back(*std::move(answer));
    }
}

std::optional<sync::Event> FleetBoard::carry_out(sync::Action& action) {
    if (auto* publish = std::get_if<sync::Publish>(&action)) {
        events_.publish(publish->payload);
    } else if (auto* describe = std::get_if<sync::Describe>(&action)) {
        sync::Hello hello = std::move(describe->ours);
        hello.head = {incarnation_, sequence_, head_};
        hello.journals = {hello.head};
        hello.software = "tributary-bench fleet";
        if (hello.answers != 0) {
            auto proof =
                signer_->sign(trust::kAgentHelloPurpose,
                              trust::agent_hello_digest(describe->nonce, pins_.device, hello));
            if (!proof)
                return sync::Described{describe->ticket, {}, tl::make_unexpected(proof.error())};
            hello.proof = *std::move(proof);
        }
        return sync::Described{describe->ticket, std::move(hello)};
    } else if (auto* check = std::get_if<sync::CheckHello>(&action)) {
        return sync::HelloChecked{check->ticket, check_hello(check->nonce, check->hello)};
    } else if (auto* hello = std::get_if<sync::PeerHello>(&action)) {
        if (hello->first) events_.opened();
    } else if (auto* plan = std::get_if<sync::MakePlan>(&action)) {
        return sync::Planned{plan->ticket, make_plan()};
    } else if (auto* page = std::get_if<sync::ReadPage>(&action)) {
        return sync::PageRead{page->ticket, read_page()};
    } else if (auto* object = std::get_if<sync::ReadObject>(&action)) {
        return sync::ObjectRead{object->ticket, read_object(object->key)};
    } else if (auto* receipt = std::get_if<sync::LogReceipt>(&action)) {
        Status taken = take_receipt(*receipt);
        if (!taken) events_.trouble(taken.error());
        return sync::ReceiptLogged{receipt->ticket, std::move(taken)};
    } else if (auto* trouble = std::get_if<sync::Trouble>(&action)) {
        events_.trouble(trouble->error);
    }
    return std::nullopt;  // nothing is pushed here
}

Status FleetBoard::check_hello(std::uint64_t nonce, const sync::Hello& hello) {
    return trust::bulk_verifier().verify(pins_.hub_keys.front(), trust::kHelloPurpose,
                                         trust::hello_digest(nonce, pins_.device, hello),
                                         hello.proof);
}

// Whatever no receipt covers is offered, held over there or not: the hub skips what it holds.
bool FleetBoard::make_plan() {
    planned_ = 0;
    sync::PageBudget budget;
    for (const Step& step : steps_) {
        if (planned_ == kPlanEntriesMax || !budget.add_entry(step.entry.size())) break;
        ++planned_;
    }
    return planned_ > 0;
}

// All of a plan fits on one page.
Result<sync::Page> FleetBoard::read_page() {
    sync::Page page;
    page.last = true;
    for (std::size_t i = 0; i < planned_; ++i) {
        page.entries.push_back(steps_[i].entry);
        for (const Object& object : steps_[i].objects)
            page.objects.push_back({object.key, object.plain_length, object.plain_length, {}});
    }
    if (planned_ == 0) return page;
    const Step& last = steps_[planned_ - 1];
    TRIBUTARY_ASSIGN(page.seal, trust::seal_head(*signer_, incarnation_, last.sequence, last.hash));
    return page;
}

Result<Bytes> FleetBoard::read_object(const RecordKey& key) const {
    for (std::size_t i = 0; i < planned_; ++i)
        for (const Object& object : steps_[i].objects)
            if (object.key == key) return frame_of(object);
    return fail(Errc::not_found, pins_.device + " was asked for what it did not offer");
}

Bytes FleetBoard::frame_of(const Object& object) const {
    const Bytes plain = object.plain.empty() ? piece_of(object.seed) : object.plain;
    RecordHeader header;
    header.kind = object.key.kind;
    header.name = object.key.name;
    header.plain_length = header.stored_length = object.plain_length;
    Bytes frame;
    append_record(frame, header, plain);
    return frame;
}

Status FleetBoard::take_receipt(const sync::LogReceipt& done) {
    TRIBUTARY_ASSIGN(const SignedDocument document, parse_signed_document(done.receipt));
    TRIBUTARY_ASSIGN(const Receipt receipt, parse_receipt(document.payload));
    if (!receipt.refused.empty() || receipt.device != pins_.device ||
        receipt.incarnation != incarnation_)
        return fail(Errc::corrupt, "a receipt names what this board did not say");
    receipts_.push_back(done.receipt);
    while (!steps_.empty() && steps_.front().sequence <= receipt.sequence) {
        const Step& step = steps_.front();
        if (step.sequence == receipt.sequence && step.hash != receipt.head)
            return fail(Errc::corrupt, "a receipt names another history of this journal");
        if (!step.version.is_none())
            receipted_.push_back({step.version, step.objects.front().key.name});
        const double made_s = step.made_s;
        const bool is_version = !step.version.is_none();
        steps_.pop_front();
        if (is_version) events_.receipted(made_s);
    }
    planned_ = 0;
    return {};
}

std::vector<double> FleetBoard::waiting_since_s() const {
    std::vector<double> made_s;
    for (const Step& step : steps_)
        if (!step.version.is_none()) made_s.push_back(step.made_s);
    return made_s;
}

Status FleetBoard::check_receipts() const {
    for (const Bytes& receipt : receipts_)
        TRIBUTARY_TRY(trust::verify_document(trust::bulk_verifier(), pins_.hub_keys,
                                             trust::kReceiptPurpose, receipt));
    return {};
}

}  // namespace tributary::bench
