#include "agent/trust/trust_keeper.h"

#include <algorithm>
#include <utility>

#include "common/hash/hash.h"
#include "common/text/log.h"
#include "common/trust/certificate.h"

namespace tributary::agent {
namespace {

constexpr std::size_t kAuthoritiesBytesMax = 1024 * 1024;

// Our own copy: who signed it was checked before it was stored.
Result<trust::VerifiedRoot> read_root(ByteView document) {
    TRIBUTARY_ASSIGN(const MultiSignedDocument outer, parse_multi_signed_document(document));
    TRIBUTARY_ASSIGN(Root root, parse_root(outer.payload));
    return trust::VerifiedRoot{std::move(root), trust::root_digest(outer.payload)};
}

tl::unexpected<Error> beyond_repair(const std::string& path, const Error& why) {
    return fail(why.code, why.what +
                              "; whom this board believes is not known any more, and it "
                              "speaks with no hub: remove " +
                              path + ".0 and " + path +
                              ".1, then enrol it again with 'tributary-agent enroll'");
}

}  // namespace

Result<std::unique_ptr<TrustKeeper>> TrustKeeper::open(Files& files, Clock& clock,
                                                       trust::Verifier& verifier,
                                                       std::string path) {
    auto file = StateFile::open(files, path);
    if (!file && file.error().code == Errc::corrupt) return beyond_repair(path, file.error());
    if (!file) return tl::make_unexpected(file.error());
    auto keeper = std::unique_ptr<TrustKeeper>(
        new TrustKeeper(files, clock, verifier, std::move(path), *std::move(file)));
    TRIBUTARY_TRY(keeper->read());
    return keeper;
}

Status TrustKeeper::reload() {
    TRIBUTARY_ASSIGN(file_, StateFile::open(files_, path_));
    return read();
}

Status TrustKeeper::read() {
    if (const auto& value = file_.value()) {
        auto state = parse_trust_state(*value);
        if (!state) return beyond_repair(path_, state.error());
        state_ = *std::move(state);
        if (!state_.root.empty()) {
            auto root = read_root(state_.root);
            if (!root) return beyond_repair(path_, root.error());
            root_ = *std::move(root);
        }
    }
    state_.ratchet = std::max(state_.ratchet, kBuilt);
    return {};
}

// Only what is on the disk holds.
Status TrustKeeper::save(TrustState state) {
    TRIBUTARY_TRY(file_.save(encode_trust_state(state)));
    state_ = std::move(state);
    saved_ = clock_.mono();
    return {};
}

void TrustKeeper::save_sometimes() {
    if (!root_ || (saved_ && clock_.mono() < *saved_ + kSaveEveryMs)) return;
    if (const Status saved = save_now(); !saved)
        log_failure(LogLevel::warn, "what the hub said of the time cannot be kept", saved.error());
}

Status TrustKeeper::save_now() { return root_ ? save(state_) : Status(); }

// ---- the root document ----

Status TrustKeeper::begin(ByteView document, const Digest& pinned, WallTime renew_after) {
    TRIBUTARY_ASSIGN(trust::VerifiedRoot root,
                     trust::verify_first_root(verifier_, pinned, document));
    TrustState state;
    state.root.assign(document.begin(), document.end());
    state.era = root.root.version;
    state.ratchet = kBuilt;
    state.renew_after = renew_after;
    state.key_change = state_.key_change;  // of our own journal
    TRIBUTARY_TRY(save(std::move(state)));
    root_ = std::move(root);
    newest_root_ = 0;
    return {};
}

Status TrustKeeper::follow(std::span<const Bytes> documents) {
    if (!root_) return fail(Errc::denied, "this board was never enrolled, so no root can follow");
    if (documents.size() > limits::kRootStepsMax)
        return fail(Errc::exhausted, "the hub sent more root documents than may be taken at once");
    TrustState state = state_;
    trust::VerifiedRoot root = *root_;
    bool forgets = false;
    for (const Bytes& document : documents) {
        TRIBUTARY_ASSIGN(trust::VerifiedRoot next,
                         trust::verify_next_root(verifier_, root.root, document));
        if (trust::drops_hub_key(root.root, next.root)) {
            // Whoever held it may have said any number and any time.
            state.era = next.root.version;
            state.ratchet = kBuilt;
            state.witness = {};
            state.witness_epoch = 0;
            forgets = true;
        }
        state.root = document;
        root = std::move(next);
    }
    if (documents.empty()) return {};
    TRIBUTARY_TRY(save(std::move(state)));
    root_ = std::move(root);
    if (forgets) told_ = {};
    if (forgets) on_session_closed();  // until one of the keys of now proves itself
    return {};
}

// ---- time ----

std::optional<WallTime> TrustKeeper::proven_now() const {
    if (!session_time_) return std::nullopt;
    return WallTime{session_time_->ms + (clock_.mono().ms - session_since_.ms)};
}

WallTime TrustKeeper::now() const {
    if (const auto proven = proven_now()) return std::max(*proven, state_.ratchet);
    if (clock_.quality() != ClockQuality::synced) return state_.ratchet;
    return std::max(clock_.wall(), state_.ratchet);
}

void TrustKeeper::on_session_closed() {
    session_ = false;
    session_time_.reset();
}

Status TrustKeeper::admits_installs() const {
    if (!root_) return {};
    if (!session_)
        return fail(Errc::unavailable, "the hub has not proved itself in the present session yet");
    if (trust::is_expired(root_->root, now()))
        return fail(Errc::denied, "nothing new is installed: root document " +
                                      std::to_string(root_->root.version) + " was good until " +
                                      to_text(root_->root.expires) + ", and it is " +
                                      to_text(now()) +
                                      "; what runs goes on. Its keepers must sign a new one");
    return {};
}

// ---- key and certificate ----

Result<bool> TrustKeeper::hasten_renewal(ByteView certificate) {
    if (!root_) return false;
    const std::span<const Bytes> named = root_->root.authorities;
    const auto issued_by = [&](std::span<const Bytes> authorities) {
        return trust::verify_certificate(certificate, authorities, trust::CertificateUse::client)
            .has_value();
    };
    if (issued_by(named.last(1))) return false;
    const std::uint64_t moment = load_le<std::uint64_t>(sha256(certificate).bytes.data());
    WallTime at = now();
    if (issued_by(named)) at.ms += moment % kHastenedMs;
    if (state_.renew_after.ms != 0 && state_.renew_after <= at) return false;
    log_info("another authority takes over: this board renews its certificate early",
             {{"at", to_text(at)}});
    TRIBUTARY_TRY(note_renewal(at));
    return true;
}

Status TrustKeeper::note_renewal(WallTime renew_after) {
    TrustState state = state_;
    state.renew_after = renew_after;
    return save(std::move(state));
}

Status TrustKeeper::note_key_change(const TrustState::KeyChange& change) {
    if (state_.key_change == change) return {};
    TrustState state = state_;
    state.key_change = change;
    return save(std::move(state));
}

// ---- what the hub says ----

void TrustKeeper::describe(sync::Hello& hello) {
    hello.witness = state_.witness;
    if (!session_) told_ = {state_.witness_epoch, state_.witness};
    if (root_) hello.root_version = root_->root.version;
}

// A hub that was put back from a backup counts one epoch more, whoever does not hides what was
// lost. But of one backup that was restored twice both hubs count the same: the second shows
// another journal, and nothing else is wrong with it.
void TrustKeeper::take_other_journal(std::uint64_t epoch, const Incarnation& journal) {
    const std::string what =
        "the hub shows another journal of epoch " + std::to_string(epoch) +
        " than the one this board saw: one backup was restored twice, or two hubs run with one "
        "key. It proves its key and is believed; see that no other hub with this key runs, and if "
        "nobody restored twice, replace the key with 'tributary-hub root next --new-hub-key'";
    log_error("the hub's history is another one",
              {{"what", what}, {"seen", told_.at.incarnation.text()}, {"shown", journal.text()}});
    if (alarmed_) alarmed_(SecurityEvent::hub_history, what);
    told_ = {epoch, {journal, 0, {}}};  // said once in a session
}

Status TrustKeeper::check_history(std::uint64_t epoch, const sync::JournalPoint& point) {
    const sync::JournalPoint& seen = told_.at;
    if (root_ && !seen.incarnation.is_none()) {
        if (epoch < told_.epoch)
            return fail(Errc::denied,
                        "the hub goes on in epoch " + std::to_string(epoch) +
                            " of its history, but it showed this board epoch " +
                            std::to_string(told_.epoch) +
                            ": an older state of it was put back, or somebody else has its key; "
                            "nothing of it is taken. On the hub: restore a newer backup with "
                            "'tributary-hub restore', or replace its key with 'tributary-hub root "
                            "next --new-hub-key'");
        if (epoch == told_.epoch && point.incarnation != seen.incarnation) {
            take_other_journal(epoch, point.incarnation);
            return {};
        }
    }
    if (epoch != told_.epoch || point.incarnation != seen.incarnation) return {};
    if (point.sequence > seen.sequence) return {};
    if (point.sequence == seen.sequence && point.hash == seen.hash) return {};
    return fail(Errc::denied,
                "the hub's history was rewritten: it showed this board entry " +
                    std::to_string(seen.sequence) + " of its journal, and now " +
                    (point.sequence < seen.sequence
                         ? "says that it ends at entry " + std::to_string(point.sequence)
                         : "shows another one there") +
                    "; nothing of it is taken. Run 'tributary audit verify' on the hub");
}

Status TrustKeeper::on_hello(const sync::Hello& hello) {
    TRIBUTARY_TRY(check_history(hello.epoch, hello.head));
    session_ = true;
    newest_root_ = hello.root_version;
    if (hello.time_ms != 0 && WallTime{hello.time_ms} < kBuilt) {
        log_warn("the hub says a time before this program was made; it is not believed",
                 {{"time", to_text(WallTime{hello.time_ms})}});
    } else if (hello.time_ms != 0) {
        session_time_ = WallTime{hello.time_ms};
        session_since_ = clock_.mono();
        state_.ratchet = std::max(state_.ratchet, *session_time_);
    }
    save_sometimes();
    return {};
}

Status TrustKeeper::on_receipt(const Receipt& receipt) {
    TRIBUTARY_TRY(
        check_history(receipt.epoch, {receipt.hub, receipt.hub_sequence, receipt.hub_head}));
    recall(receipt);
    save_sometimes();
    return {};
}

void TrustKeeper::recall(const Receipt& receipt) {
    const bool same =
        receipt.epoch == state_.witness_epoch && receipt.hub == state_.witness.incarnation;
    if (same && receipt.hub_sequence <= state_.witness.sequence) return;
    if (receipt.epoch < state_.witness_epoch) return;
    state_.witness = {receipt.hub, receipt.hub_sequence, receipt.hub_head};
    state_.witness_epoch = receipt.epoch;
}

std::optional<std::uint64_t> TrustKeeper::key_changed_at(const Incarnation& journal) const {
    if (!root_) return std::nullopt;  // it may have been enrolled once
    return state_.key_change.journal == journal ? state_.key_change.sequence : 0;
}

// ---- pins ----

void follow_root(Pins& pins, const Root& root) {
    pins.hub_keys = root.hub_keys;
    pins.approvers.clear();
    for (const Root::NamedKey& approver : root.approvers) pins.approvers.push_back(approver.key);
    pins.approvals_needed = root.approver_threshold;
}

Status keep_authorities(Files& files, const std::string& path, const Root& root) {
    std::string pem;
    for (const Bytes& der : root.authorities) pem += trust::to_pem(trust::kCertificateLabel, der);
    const auto there = read_file(files, path, kAuthoritiesBytesMax);
    if (there && as_text(*there) == pem) return {};
    return replace_file(files, path, as_bytes(pem), Readers::everybody);
}

Status take_roots(TrustKeeper& trust, Files& files, const std::string& authorities_path,
                  std::span<const Bytes> documents, Pins& pins) {
    TRIBUTARY_TRY(trust.follow(documents));
    const Root& root = trust.root()->root;
    follow_root(pins, root);
    return keep_authorities(files, authorities_path, root);
}

}  // namespace tributary::agent
