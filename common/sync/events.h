// What goes into the engines (events) and what comes out of them (actions).
//
// The owner of a Conversation turns transport callbacks, timers and answers of its store into
// events, and carries out the actions in order. An action that asks for something carries a ticket;
// the answering event carries it back. The owner answers every such action exactly once, at any
// later time, also after the link was lost; answers that nobody waits for any more are ignored. At
// most one of each kind is unanswered at a time, so no queue grows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/priority.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/record/message.h"
#include "common/sync/beginning.h"

namespace tributary::sync {

using Ticket = std::uint64_t;

// One page of a plan, as the Sender's owner enumerates it.
struct Page {
    bool last = false;
    std::vector<OfferedObject> objects;
    std::vector<Bytes>
        entries;  // last page of an uplink; may be none when only a receipt is missing
    Bytes seal;
    VersionId version;  // last page of a push
};

// What stays as it is; shared, for an owner may have many Senders with the same.
template <class T>
class Shared {
public:
    Shared() = default;  // none
    Shared(T value) : value_(std::make_shared<const T>(std::move(value))) {}
    explicit Shared(std::shared_ptr<const T> value) : value_(std::move(value)) {}
    explicit operator bool() const { return value_ != nullptr; }
    const T& operator*() const {
        TRIBUTARY_CHECK(value_);
        return *value_;
    }
    const T* operator->() const { return &**this; }
    std::weak_ptr<const T> weak() const { return value_; }

private:
    std::shared_ptr<const T> value_;
};
using SharedPage = Shared<Page>;
using SharedFrame = Shared<Bytes>;

// What the Receiver's owner holds of one offered object.
struct Held {
    bool object = false;  // durably or staged: a Commit would make it durable
    bool bases = false;   // all of them; of no meaning without bases
};

struct CommitResult {
    Bytes receipt;  // uplink: plain bytes of the receipt record; push: empty
    std::vector<RefusedItem> refused;
};

// ---- Events ----

// From the transport and the clock.

constexpr std::uint32_t kSpreadMsMin = 5'000;

// The subscriptions are in place; a hub passes it on to each Conversation, which invites its
// device.
struct Connected {
    std::uint32_t spread_ms = kSpreadMsMin;  // hub: over which all that it invites say Hello
    // Agent: of Data, as this broker and the link want it; none: as before.
    std::optional<std::uint32_t> frame_bytes = {};
};
struct Disconnected {};
struct PayloadArrived {
    Bytes payload;
};
struct Tick {};  // next_deadline() has come; harmless at any other time

// From the owner, unasked.
struct Wake {};   // there may be something to send
struct Leave {};  // hub: it stops; the device is told, so that it need not find out
// Hub: the device is to begin a new session, with what it was refused.
struct Invite {
    std::uint32_t spread_ms = kSpreadMsMin;
};
struct SendAssign {  // hub
    Assign documents;
};
// How many bytes of Data may pass from now on, in place of what was said before; none: any number,
// and so it is before it is said. What may not pass waits; all other messages go on.
struct MaySend {
    std::optional<std::uint64_t> bytes;
};
struct MayTake {  // as far as credit holds the other side back
    std::optional<std::uint64_t> bytes;
};
// The answer to TakeTurn.
struct TurnGiven {
    Ticket ticket = 0;
    std::optional<Beginning> beginning;  // what was last to be kept, once
};
// TurnGiven comes later, for others come first.
struct TurnWaits {
    Ticket ticket = 0;
};
// What was last to be kept, or Receiver::beginning() of an earlier life; before a Checked. Once,
// and not where content is taken in turns: there it comes with them.
struct ReceivedBefore {
    Beginning beginning;
};
struct SayHello {};      // agent: what its Hello says of itself has changed
struct PlanAnew {};      // what may be sent has changed: the plan under way is given up
struct SendCastReport {  // agent
    CastReport report;
};

// From the owner, as answers.
struct Described {
    Ticket ticket = 0;
    Hello hello;  // what stands in Describe's `ours` is filled in by the engine
    // Failure: nothing is said. A hub that finds a peer's proof wrong refuses it: not_found when it
    // does not know the journal, denied for anything else; other codes tell it nothing.
    Status status = {};
};
struct Planned {
    Ticket ticket = 0;
    bool something = false;  // false: all is receipted; the Sender rests until Wake
};
struct PageRead {
    Ticket ticket = 0;
    Result<SharedPage> page;
};
struct ObjectRead {
    Ticket ticket = 0;
    Result<SharedFrame> frame;  // the whole framed record
};
struct ReceiptLogged {
    Ticket ticket = 0;
    Status status;
};
struct HelloChecked {
    Ticket ticket = 0;
    Status status;  // failure: the Hello is dropped, and this is said as Trouble
};
struct Checked {
    Ticket ticket = 0;
    std::vector<Held> held;  // one for each key asked for; of no meaning after a failure
    // Failure: the content is not asked for, and the plan is refused; exhausted: as busy.
    Status status = {};
};
struct Stored {
    Ticket ticket = 0;
    // corrupt, invalid: the bytes are wrong, asked for again; not_found: a base is missing, asked
    // for again without base; anything else: the plan is refused as busy.
    Status status;
    bool turn_is_wanted = false;  // others wait to take content
};
struct Committed {
    Ticket ticket = 0;
    // not_found: an object is missing after all, the plan begins again at page 0; conflict: entries
    // do not continue what is held; corrupt, invalid, denied, unsupported: refused; anything else:
    // refused as busy.
    Result<CommitResult> result;
};

// Between Conversation and its engines.
struct Opened {
    LinkLimits limits;  // the smaller of both sides
};
struct Closed {};
struct Arrived {
    Body body;
};
struct Rest {  // hub: for so long the device takes no push and sends no content; 0: it does
    std::uint64_t ms = 0;
};

using Event =
    std::variant<Connected, Disconnected, PayloadArrived, Tick, Wake, Leave, Invite, SendAssign,
                 MaySend, MayTake, TurnGiven, TurnWaits, ReceivedBefore, SayHello, PlanAnew,
                 SendCastReport, Described, HelloChecked, Planned, PageRead, ObjectRead,
                 ReceiptLogged, Checked, Stored, Committed, Opened, Closed, Arrived, Rest>;

// ---- Actions ----

// Hand this payload to the transport. May be dropped when the transport is full: the protocol
// repeats what matters.
struct Publish {
    Bytes payload;
    Priority priority = Priority::control;
};
// Say where your journals stand; answer Described. `peer` is what the other side said, when it
// spoke first. Both prove who they are (common/trust/hello.h): a hub in each Hello, for the nonce
// that asked and with its boot; an agent when it answers a hub's.
struct Describe {
    Ticket ticket = 0;
    std::optional<Hello> peer;
    std::uint64_t nonce = 0;
    std::uint64_t boot = 0;
    Hello ours = {};  // what the engine says in it: of an agent's, part of what is signed
    // hub: nothing of `peer` is believed unless its proof holds. Else it is a question, which is
    // answered and changes nothing.
    bool proves = false;
};
// Agent: is this Hello the pinned hub's, for this nonce? Answer HelloChecked. Until then it opens
// nothing, and nothing follows from it.
struct CheckHello {
    Ticket ticket = 0;
    std::uint64_t nonce = 0;
    Hello hello;
};
// The other side's Hello has come (agent: and was checked), the session is open. Comes before any
// action that depends on it. Again at each of its later Hellos.
struct PeerHello {
    Hello hello;         // a device's: its times within what is believed of them
    bool first = false;  // of the open session
};
struct AssignArrived {  // agent
    Assign documents;
};
struct CastReportArrived {  // hub
    CastReport report;
};
// For the log and for status: the other side refused, or a read here failed. Nothing needs to be
// done.
struct Trouble {
    Error error;
    std::optional<RefuseReason> refused;  // set when the other side said so; Conversation says who
    bool session = false;                 // of the whole conversation: over with the next PeerHello
};

// Sender: choose what comes next (uplink: the entries after what the hub holds, at most one page of
// them, or none when only the receipt is missing; push: the version to be sent). Answer Planned.
struct MakePlan {
    Ticket ticket = 0;
};
// Enumerate one page of that plan; the same page again gives the same answer, until it is asked for
// as a whole: then it may list more, or PlanAnew. Answer PageRead.
struct ReadPage {
    Ticket ticket = 0;
    std::uint32_t page = 0;
    bool whole = false;  // what was left out as held is missing over there: leave out nothing
};
// Read one record's frame; without may_use_base it must have no base. Answer ObjectRead.
struct ReadObject {
    Ticket ticket = 0;
    RecordKey key;
    bool may_use_base = false;
};
// The plan is durably held over there. Log the receipt durably (checking its seal), then answer
// ReceiptLogged.
struct LogReceipt {
    Ticket ticket = 0;
    Bytes receipt;
    std::vector<RefusedItem> refused;
};

// Receiver: which of these are held; whether a base counts as held is the owner's policy. Answer
// Checked.
struct Check {
    Ticket ticket = 0;
    std::vector<OfferedObject> objects;
};
// Content is about to be asked for, of which so many bytes would be under way or held in memory.
// Answer TurnGiven, now or, after TurnWaits, when there is room for it; in place of what was asked
// before.
struct TakeTurn {
    Ticket ticket = 0;
    std::uint64_t bytes = 0;
};
struct EndTurn {};  // nothing of that is under way or held any more, or it is not asked for
// What came of the record under way, when it is held no more: for the next TurnGiven; without turns
// for a ReceivedBefore.
struct KeepBeginning {
    Beginning beginning;
};
// Check the payload's CRC, decode the frame, check its name, stage it. Its header and its key are
// checked already. Answer Stored.
struct Store {
    Ticket ticket = 0;
    RecordKey key;
    Bytes frame;
    bool based = false;  // as in Beginning
};
// Verify seal and chain of the entries (uplink) or that the version is whole (push), then make
// everything durable; only after that answer Committed. Entries that are held already are skipped:
// the answer is the receipt for what is held.
struct Commit {
    Ticket ticket = 0;
    std::vector<Bytes> entries;
    Bytes seal;
    VersionId version;
};

// Between the engines and Conversation.
struct Send {
    Body body;
};
struct Reopen {};  // the place is in doubt: a new Hello is needed

using Action = std::variant<Publish, Describe, CheckHello, PeerHello, AssignArrived,
                            CastReportArrived, Trouble, MakePlan, ReadPage, ReadObject, LogReceipt,
                            Check, TakeTurn, EndTurn, KeepBeginning, Store, Commit, Send, Reopen>;
using Actions = std::vector<Action>;

}  // namespace tributary::sync
