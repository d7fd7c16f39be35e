// Whom this board believes since it was enrolled, and since when: the root document, the time
// ratchet, and how far the hub's history reached.
//
// The root document is the anchor: the one met at enrolment, and after it only what chains from it,
// step by step. What a version says of the hub's keys, approvers and authorities holds from the
// moment it is stored. A board that was never enrolled has none; then nothing is kept and nothing
// refused here.
//
// No clock of this board is believed in what the hub must not be able to repeat: the time is what
// the hub proved in the session at hand, and never before the ratchet. On the worker.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "agent/sync/hub_memory.h"
#include "agent/sync/pins.h"
#include "agent/trust/trust_state.h"
#include "common/env/clock.h"
#include "common/store/state_file.h"
#include "common/trust/root.h"

namespace tributary::agent {

class TrustKeeper final : public HubMemory {
public:
    // No hub of a time before this program can be right.
    static constexpr WallTime kBuilt{1'795'219'200'000};  // 2026-11-21
    // The ratchet reaches the flash so often at most.
    static constexpr std::uint64_t kSaveEveryMs = 60'000;

    // `path`: of the state file. All outlive it. corrupt, saying what to do, when both its files
    // are damaged: then nobody knows whether this board was enrolled.
    static Result<std::unique_ptr<TrustKeeper>> open(Files& files, Clock& clock,
                                                     trust::Verifier& verifier, std::string path);

    // Another process enrolled this board: what it stored holds.
    Status reload();

    bool enrolled() const { return root_.has_value(); }
    const std::optional<trust::VerifiedRoot>& root() const { return root_; }
    const TrustState& state() const { return state_; }
    // One of the two state files was damaged when it was opened.
    bool was_damaged() const { return file_.damaged(); }

    // ---- the root document ----

    // At enrolment: from now on this one holds, whatever held before. denied unless it is the one
    // with that digest. Durable when it answers success, like the next.
    Status begin(ByteView document, const Digest& pinned, WallTime renew_after);
    // Those after ours, in their order. On error everything is as before.
    Status follow(std::span<const Bytes> documents);
    // The hub has newer ones.
    bool lags() const { return root_ && newest_root_ > root_->root.version; }

    // ---- time ----

    WallTime ratchet() const { return state_.ratchet; }
    // As far as it may be believed: what the hub said in the present session, else a synchronised
    // clock; never before the ratchet.
    WallTime now() const;
    // The hub's time of the present session alone, going on from when it was said.
    std::optional<WallTime> proven_now() const;
    // Once, before an assignment is admitted.
    Status save_now();
    void on_session_closed();

    // denied, or unavailable until the hub proved itself in the present session: no new install may
    // begin.
    Status admits_installs() const;

    // ---- key and certificate ----

    // A new authority takes over from the one that issued our certificate (DER) when the root
    // document names it behind that one: then we renew within this time, each board at its own
    // moment, and at once when ours is named no more. Asked again, it changes nothing. True: we
    // renew earlier than before.
    static constexpr std::uint64_t kHastenedMs = 24 * 3'600'000;
    Result<bool> hasten_renewal(ByteView certificate);
    Status note_renewal(WallTime renew_after);
    Status note_key_change(const TrustState::KeyChange& change);

    // ---- HubMemory ----
    void when_alarmed(OnRefused alarmed) override { alarmed_ = std::move(alarmed); }
    void describe(sync::Hello& hello) override;
    Status on_hello(const sync::Hello& hello) override;
    Status on_receipt(const Receipt& receipt) override;
    void recall(const Receipt& receipt) override;
    std::optional<std::uint64_t> key_changed_at(const Incarnation& journal) const override;

private:
    TrustKeeper(Files& files, Clock& clock, trust::Verifier& verifier, std::string path,
                StateFile file)
        : files_(files),
          clock_(clock),
          verifier_(verifier),
          path_(std::move(path)),
          file_(std::move(file)) {}

    Status read();
    Status save(TrustState state);
    void save_sometimes();
    Status check_history(std::uint64_t epoch, const sync::JournalPoint& point);
    void take_other_journal(std::uint64_t epoch, const Incarnation& journal);
    struct Point {
        std::uint64_t epoch = 0;
        sync::JournalPoint at;
    };

    Files& files_;
    Clock& clock_;
    trust::Verifier& verifier_;
    std::string path_;
    StateFile file_;
    TrustState state_;  // newer than the file's in ratchet and witness alone
    std::optional<trust::VerifiedRoot> root_;
    std::optional<MonoTime> saved_;
    bool session_ = false;  // the hub proved itself in it
    std::optional<WallTime> session_time_;
    MonoTime session_since_;
    // What the hub is held to in the present session: the witness as our Hello showed it. What was
    // on its way while a receipt came may say less than that receipt.
    Point told_;
    OnRefused alarmed_;
    std::uint64_t newest_root_ = 0;  // as the hub said last
};

// What holds at present: what the root document says of keys and approvers replaces what is pinned.
void follow_root(Pins& pins, const Root& root);
// The authorities as a PEM file, for TLS; written only when it is another.
Status keep_authorities(Files& files, const std::string& path, const Root& root);
// The documents after ours, and what then holds: in `pins` also when the file of authorities, or
// anything, cannot be written. Asked again, it makes up for what was left.
Status take_roots(TrustKeeper& trust, Files& files, const std::string& authorities_path,
                  std::span<const Bytes> documents, Pins& pins);

}  // namespace tributary::agent
