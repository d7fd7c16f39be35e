// The messages of the sync protocol as plain values, and their one encoding (schemas/sync.fbs,
// schemas/PROTOCOL.md).
//
// A payload is the FlatBuffer and its CRC-32C: a message that was damaged on its way counts as
// lost. parse_message() verifies the buffer and every limit below before it answers, so what it
// returns may be used without further checks of form. Nothing in a message is trusted beyond that:
// digests, chains and seals are checked by those who store. Generated code never leaves this
// folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/limits.h"
#include "common/base/result.h"
#include "common/record/record.h"

namespace tributary::sync {

inline constexpr std::uint16_t kProtocol = 1;
// The oldest that is spoken here. Hello and a Refuse of the whole conversation are of the ground,
// the same in all protocols; everything else is in the one that a session has agreed upon.
inline constexpr std::uint16_t kProtocolMin = 1;
inline constexpr std::uint16_t kProtocolOfGround = 1;

// Bits of Hello.features.
inline constexpr std::uint64_t kFeatureCast = 1;      // agent: takes part in broadcasts
inline constexpr std::uint64_t kFeatureTwoBases = 2;  // hub: takes records that stand on two bases
inline constexpr std::uint64_t kFeatureRescaled = 4;  // hub: takes records of encoding 15
inline constexpr std::uint64_t kFeatureSparse = 8;    // hub: takes records of encoding 16
// Which of them a hub must have that takes records of this encoding; 0: every hub does.
constexpr std::uint64_t feature_for(std::uint8_t encoding) {
    if (encoding == 15) return kFeatureRescaled;
    return encoding == 16 ? kFeatureSparse : 0;
}

// A broadcast's stream is cut into generations, a generation into fragments.
inline constexpr std::size_t kGenerationBytesMax = 2 * limits::MiB;
inline constexpr std::size_t kGenerationsMax = 8192;
inline constexpr std::size_t kFragmentBytesMax = 16 * limits::KiB;
inline constexpr std::size_t kFragmentTagBytes = 16;  // by which its seal is longer
inline constexpr std::size_t kFragmentsMax = 255;     // different ones of one generation
inline constexpr std::size_t kCastKeyBytes = 32;
inline constexpr std::size_t kOpenGenerationsMax = 2;
static_assert(kGenerationBytesMax >= limits::kRecordPayloadBytesMax + limits::KiB);

// Which of the two conversations that share a pair of topics.
enum class Channel : std::uint8_t {
    uplink = 0,  // the agent sends its journal
    push = 1,    // the hub sends a version
};
enum class Role : std::uint8_t { agent = 0, hub = 1 };

// A place in a journal. Sequence 0 and no hash: nothing of it is held.
struct JournalPoint {
    Incarnation incarnation;
    std::uint64_t sequence = 0;
    EntryHash hash;
    bool operator==(const JournalPoint&) const = default;
};

inline constexpr std::size_t kHelloKeyChangesMax = 16;
inline constexpr std::size_t kHelloKeyChangeBytesMax = 512;

struct LinkLimits {
    std::uint32_t frame_bytes = limits::kDataFrameBytes;  // payload of one Data at most
    std::uint32_t frames_in_flight = limits::kFramesInFlightMax;
    bool operator==(const LinkLimits&) const = default;
};

// Opens a session, and is repeated within it as a sign of life.
struct Hello {
    Role role = Role::agent;
    std::uint16_t protocol_min = kProtocolMin;
    std::uint16_t protocol_max = kProtocol;
    std::uint64_t boot = 0;  // random; another value: the speaker has forgotten all sessions
    JournalPoint head;       // of the speaker's own journal
    std::vector<JournalPoint>
        journals;  // agent: heads of the journals it may send; hub: how far it durably holds those
    std::uint64_t epoch = 0;             // agent: of its last receipt; hub: now
    std::uint64_t receipt_sequence = 0;  // agent: what its last receipt covers of its own journal
    LinkLimits limits;
    std::uint64_t features = 0;  // bits; unknown ones mean nothing
    std::string software;        // "tributary-agent 0.1.0", for people
    std::uint32_t rest_ms = 0;   // agent: no push is taken for so long; 0: it is
    std::uint32_t heartbeat_ms =
        60'000;  // agent: how long it may be until its next Hello; the hub misses it after thrice
    // A signature, see common/trust/hello.h. hub: over hello_statement(); agent: over
    // agent_hello_statement(), when `answers` is said.
    Bytes proof;
    std::uint64_t time_ms = 0;       // hub: wall time now; 0: it does not say
    std::uint64_t root_version = 0;  // hub: of the newest root document it has; 0: it has none
    // agent: the hub's journal as its last receipt showed it. A hub whose history does not hold
    // that point was rewritten.
    JournalPoint witness;
    // agent: the hub's boot, as its Hello of the session said it; 0: it has not answered yet. Only
    // what is signed with it is believed: whoever repeats an old Hello cannot answer a new boot.
    std::uint64_t answers = 0;
    std::uint32_t number = 0;  // agent: greater in each of its Hellos
    // agent: bodies of the entries by which its journal changed its key after what the hub holds.
    std::vector<Bytes> key_changes;
    bool operator==(const Hello&) const = default;
};

struct OfferedObject {
    RecordKey key;
    std::uint32_t plain_length = 0;
    std::uint32_t stored_length =
        0;                      // of the payload as the Sender holds it; a re-coded frame differs
    std::vector<Digest> bases;  // of the same kind; the Sender's frame needs them all
    bool operator==(const OfferedObject&) const = default;
};

// One page of a plan: what the Receiver must hold before it can commit. Whatever an object needs
// stands before it, on this or an earlier page. The last page says what is committed: entries
// (uplink) or a version (push).
struct Offer {
    std::uint64_t plan = 0;
    std::uint32_t page = 0;
    std::uint32_t attempt =
        0;  // grows with each Offer of a plan, so that a copy can be told from a question
    bool last = false;
    std::vector<OfferedObject> objects;
    std::vector<Bytes> entries;  // plain form, in order; none: only a receipt is asked for
    Bytes seal;                  // over the last entry
    VersionId version;           // push
    bool operator==(const Offer&) const = default;
};

// "Now offer me this page." Shares its numbers with Want: the Sender obeys only a greater one.
struct Next {
    std::uint64_t plan = 0;
    std::uint32_t page = 0;
    std::uint32_t number = 0;
    bool whole = false;  // of page 0: anew, with all that its versions need
    bool operator==(const Next&) const = default;
};

// "Send these." The frames of the missing objects, in the page's order, form one stream of bytes
// that begins `resume_offset` bytes into the first of them.
struct Want {
    std::uint64_t plan = 0;
    std::uint32_t page = 0;
    std::uint32_t number = 0;
    std::vector<bool> missing;    // one for each object of the page
    std::vector<bool> base_held;  // likewise: all its bases are here, or come before it
    std::uint32_t resume_offset = 0;
    std::uint32_t credit_bytes = 0;  // how much of the stream may be sent and not yet credited
    bool operator==(const Want&) const = default;
};

struct Data {
    std::uint64_t plan = 0;
    std::uint32_t number = 0;  // of the Want it answers
    std::uint64_t offset = 0;  // in that Want's stream
    Bytes bytes;
    bool operator==(const Data&) const = default;
};

struct Credit {
    std::uint64_t plan = 0;
    std::uint32_t number = 0;
    std::uint64_t through = 0;  // bytes of the stream taken; the window begins here
    bool operator==(const Credit&) const = default;
};

struct RefusedItem {
    Digest name;  // of a version or an entry
    std::string reason;
    bool operator==(const RefusedItem&) const = default;
};

// The plan is durably committed. Uplink: the receipt, a record's plain bytes. Push: empty.
struct Done {
    std::uint64_t plan = 0;
    Bytes receipt;
    std::vector<RefusedItem> refused;  // for people; the receipt says it with a seal
    bool operator==(const Done&) const = default;
};

enum class RefuseReason : std::uint8_t {
    unknown_session = 1,  // say Hello again
    unknown_device = 2,
    protocol = 3,   // no version in common
    malformed = 4,  // what was sent cannot be right: do not repeat it
    denied = 5,     // a seal or a permission is missing
    conflict = 6,   // does not continue what is held: say Hello again and look
    busy = 7,       // full or overloaded: later
    gone = 8,       // the speaker ends the conversation: it stops, or its link broke
};

// A refusal of one plan, or (plan 0) of the whole conversation.
struct Refuse {
    RefuseReason reason{};
    std::uint64_t plan = 0;
    std::string text;  // a sentence for a person
    std::uint32_t retry_after_ms =
        0;  // spread: the other side waits a random part of it, or its own delay if longer
    bool operator==(const Refuse&) const = default;
};

// To a broadcast of what a device that runs `base` lacks of `version`.
struct CastInvitation {
    std::uint64_t cast = 0;
    Bytes key;  // of its fragments: kCastKeyBytes
    VersionId version;
    VersionId base;  // none: nothing is coded on what the device runs
    bool operator==(const CastInvitation&) const = default;
};

// Hub to agent; repeated at each Hello until the device's journal shows a result for it.
struct Assign {
    Bytes assignment;  // sealed documents
    Bytes approval;
    std::optional<CastInvitation> cast = {};  // while one brings what it needs
    bool operator==(const Assign&) const = default;
};

// Hub to all that take part, on the broadcast's own topic and of no session: one of the fragments
// of a generation. Sealed under the broadcast's key (common/trust/fragment.h).
struct Fragment {
    std::uint64_t cast = 0;
    std::uint32_t generation = 0;
    std::uint32_t generation_bytes = 0;
    bool last = false;  // no generation follows this one
    std::uint32_t index = 0;
    std::uint32_t serial = 0;  // greater in each that is published, by one
    std::uint32_t left = 0;    // so many of the same generation follow at once
    Bytes sealed;
    bool operator==(const Fragment&) const = default;
};

// How a generation of so many bytes is cut: the fragments are of equal length, the last one filled
// with zeros.
struct GenerationShape {
    std::uint32_t fragments = 0;
    std::uint32_t fragment_bytes = 0;
    bool operator==(const GenerationShape&) const = default;
};
// CHECKs that neither number is 0.
GenerationShape shape_of(std::uint32_t generation_bytes,
                         std::uint32_t fragment_bytes_max = kFragmentBytesMax);

enum class CastState : std::uint8_t {
    taking_part = 0,
    whole = 1,   // all is durable and the version whole: it leaves
    leaving = 2  // it will have what it lacks by an ordinary push
};

// Agent to hub: where it stands. All of it each time, so that any of them may be lost.
struct CastReport {
    struct Lack {
        std::uint32_t generation = 0;
        std::uint32_t fragments = 0;  // 0: enough are here, they are being stored
        bool operator==(const Lack&) const = default;
    };

    std::uint64_t cast = 0;
    std::uint32_t number = 0;  // greater in each of a session
    CastState state = CastState::taking_part;
    std::uint32_t seen = 0;   // the greatest serial that arrived
    std::vector<bool> held;   // one for each generation it knows of: is it stored
    std::vector<Lack> lacks;  // of those that it has a part of
    bool operator==(const CastReport&) const = default;
};

using Body = std::variant<Hello, Offer, Next, Want, Data, Credit, Done, Refuse, Assign, Fragment,
                          CastReport>;

struct Envelope {
    std::uint64_t session = 0;          // in Hello the agent's nonce; else nonce XOR the hub's boot
    Channel channel = Channel::uplink;  // of no meaning in Hello, Assign and a Refuse without plan
    Body body;
    std::uint16_t protocol = kProtocolOfGround;
    bool operator==(const Envelope&) const = default;
};

std::string_view name_of(const Body& body);  // "hello", "offer", …
std::string_view name_of(RefuseReason reason);

// What a hub's Hello is signed over: the session it opens, the device it is for, and all in it that
// the agent acts upon. Time, root version and the hub's own head are part of it when one of the
// first two is said.
Bytes hello_statement(std::uint64_t nonce, std::string_view device, const Hello& hello);
// Likewise an agent's: all that is in it.
Bytes agent_hello_statement(std::uint64_t nonce, std::string_view device, const Hello& hello);

// invalid when a list or text passes its limit or the message would not fit one frame.
Result<Bytes> encode_message(const Envelope& envelope);
// corrupt when the bytes do not verify or pass a limit; unsupported when the message is of a kind
// that this program does not know. Whether its protocol is the session's is for the caller to see.
Result<Envelope> parse_message(ByteView payload);

// The longest Data where no payload may be longer than that: four make a page of an Offer that fits
// with its seal, as pages are cut for the other side.
std::uint32_t data_bytes_for(std::size_t payload_bytes);

// Counts what goes into a page, so that the page fits one message: a page is full when add()
// answers false, and then nothing was added. Fits any single object and any single entry.
class PageBudget {
public:
    // `bytes_max` below what fits a message: for links on which a page takes long.
    explicit PageBudget(std::size_t bytes_max = limits::kOfferBytesMax) : bytes_max_(bytes_max) {}
    bool add(const OfferedObject& object);
    bool add_entry(std::size_t plain_bytes);

private:
    bool take(std::size_t bytes);
    std::size_t bytes_max_;
    std::size_t objects_ = 0;
    std::size_t entries_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace tributary::sync
