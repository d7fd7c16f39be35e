#include "hub/intake/greeting.h"

#include <utility>
#include <vector>

#include "common/text/log.h"
#include "common/trust/hello.h"
#include "hub/intake/history_check.h"

namespace tributary::hub {
namespace {

// What a Hello says of the time is rounded down to this, so that a heartbeat costs no signature.
constexpr std::uint64_t kTimeStepMs = 15 * 60'000;

// So many answers, over so long, that no session follows: that is no accident of the link.
constexpr std::uint32_t kVainAnswers = 5;
constexpr std::uint64_t kVainMs = 2 * 60'000;

}  // namespace

Greeting::Greeting(std::string device, Ledger& ledger, Clock& clock, LinkStatus& status,
                   Refused refused)
    : device_(std::move(device)),
      ledger_(ledger),
      clock_(clock),
      status_(status),
      refused_(std::move(refused)) {}

Result<sync::Hello> Greeting::answer(const sync::Describe& question, std::uint64_t root_version) {
    if (question.peer) {
        const Incarnation& journal = question.peer->head.incarnation;
        if (const Bytes* key = ledger_.catalog().key_of(journal))
            TRIBUTARY_TRY(ledger_.catalog().members().check_believed(trust::key_id(*key), journal));
        if (question.proves) TRIBUTARY_TRY(check_proof(question));
    }
    sync::Hello hello;
    const JournalHead own = ledger_.store().head();
    hello.time_ms = clock_.wall().ms / kTimeStepMs * kTimeStepMs;
    hello.root_version = root_version;
    hello.head = {own.incarnation, own.sequence, own.hash};
    hello.epoch = ledger_.epoch();
    hello.features = sync::kFeatureTwoBases | sync::kFeatureRescaled | sync::kFeatureSparse;
    hello.software = "tributary-hub " TRIBUTARY_VERSION;
    if (question.peer) {
        for (const sync::JournalPoint& journal : question.peer->journals) {
            if (ledger_.catalog().device_of(journal.incarnation) != device_) continue;
            const JournalHead held = ledger_.held(journal.incarnation);
            hello.journals.push_back({journal.incarnation, held.sequence, held.hash});
        }
    }
    hello.boot = question.boot;
    TRIBUTARY_TRY(prove(hello, question.nonce));
    count_answer();
    return hello;
}

// A board that refuses this hub does not say so to it: it is not believed.
void Greeting::count_answer() {
    if (answers_++ == 0) first_answer_ = clock_.mono();
    if (answers_ < kVainAnswers || clock_.mono() < first_answer_ + kVainMs) return;
    if (!status_.no_session.empty()) return;
    status_.no_session =
        "it says Hello again and again, is answered, and begins no session: the answers do not "
        "reach it, or it refuses this hub, as when this is an older hub than one that it has "
        "seen, by a backup that was put back; 'tributary-agent status' on the board says why";
    log_error("a device takes no session", {{"device", device_}, {"what", status_.no_session}});
}

Status Greeting::check_own(const Incarnation& journal, Errc otherwise) const {
    const std::string owner = ledger_.catalog().device_of(journal);
    if (owner == device_) return {};
    if (!owner.empty())
        refused_(SecurityEvent::foreign_journal,
                 "journal " + journal.text() + " is of device '" + owner + "'");
    return fail(otherwise, "journal " + journal.text() + " is not known as one of device '" +
                               device_ + "'; let the agent make its first contact again");
}

// By the key that is in force in its journal, as far as we hold it and as it says of the rest.
Status Greeting::check_proof(const sync::Describe& question) {
    const sync::Hello& hello = *question.peer;
    const Incarnation& journal = hello.head.incarnation;
    TRIBUTARY_TRY(check_own(journal, Errc::not_found));
    std::vector<KeyChangedBody> changes;
    for (const Bytes& plain : hello.key_changes) {
        const auto body = parse_body(EntryKind::key_changed, plain);
        if (const auto* change = body ? std::get_if<KeyChangedBody>(&*body) : nullptr)
            changes.push_back(*change);
    }
    std::vector<std::string> known;  // or not by both keys: the signature tells
    const auto key = ledger_.catalog().keys().after(journal, changes, known);
    const auto said = [&] { return trust::agent_hello_digest(question.nonce, device_, hello); };
    if (key)
        TRIBUTARY_TRY(ledger_.catalog().members().check_believed(trust::key_id(*key), journal));
    if (key && trust::bulk_verifier().verify(*key, trust::kAgentHelloPurpose, said(), hello.proof))
        return {};
    const std::string why =
        "a Hello in this device's name is not signed by the key that is in force in its "
        "journal, for the present session: somebody at the broker speaks for it, or the board has "
        "another key than it enrolled with; nothing of it is believed";
    ++status_.unproven;
    refused_(SecurityEvent::board_unproven, why);
    return fail(Errc::denied, why);
}

Status Greeting::prove(sync::Hello& hello, std::uint64_t nonce) {
    const Digest digest = trust::hello_digest(nonce, device_, hello);
    if (digest != proved_) {
        TRIBUTARY_ASSIGN(proof_, ledger_.signer().sign(trust::kHelloPurpose, digest));
        proved_ = digest;
    }
    hello.proof = proof_;
    return {};
}

void Greeting::look_at(const sync::Hello& believed) {
    answers_ = 0;
    status_.no_session.clear();
    compare_history(believed.witness);
    look_for_copied_card(believed.head.incarnation);
}

// Read anew only for another point than the last.
void Greeting::compare_history(const sync::JournalPoint& shown) {
    if (shown == compared_) return;
    compared_ = shown;
    if (std::string lost = lost_history(ledger_, shown); !lost.empty()) {
        log_error("decisions of this hub were lost with a restore",
                  {{"device", device_}, {"what", lost}});
        status_.lost_history = std::move(lost);
    }
    const auto what = contradiction(ledger_, shown);
    if (!what) return log_failure(LogLevel::error, "our own journal cannot be read", what.error());
    if (what->empty() || *what == status_.other_history) return;
    log_error("this hub's history was rewritten or put back",
              {{"device", device_}, {"what", *what}});
    refused_(SecurityEvent::history_contradicted, *what);
    status_.other_history = *what;
}

// A board leaves a journal for good. Who speaks again in one that was left has an older copy of its
// store, or is another board that has one.
void Greeting::look_for_copied_card(const Incarnation& journal) {
    const Device* device = ledger_.catalog().device(device_);
    if (!device || device->incarnations.empty() || device->incarnations.back() == journal) return;
    if (ledger_.catalog().device_of(journal) != device_) return;
    const std::string what =
        "journal " + journal.text() + " goes on although it was left for journal " +
        device->incarnations.back().text() +
        ": an older image was put back, or two boards have copies of one card. If two: on the one "
        "with the copy, stop the agent, remove key.pem from its state_dir and start it again";
    if (status_.copied_card != what) {
        log_error("a copied card", {{"device", device_}, {"what", what}});
        refused_(SecurityEvent::journal_fork, what);
    }
    status_.copied_card = what;
}

}  // namespace tributary::hub
