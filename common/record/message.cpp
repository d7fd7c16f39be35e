#include "common/record/message.h"

#include <algorithm>

#include "common/record/message_wire.h"
#include "sync_generated.h"

namespace tributary::sync {
namespace {

constexpr std::size_t kProofBytesMax = 255;

bool within(const Hello& m) {
    return m.role <= Role::hub && m.journals.size() <= limits::kHelloJournalsMax &&
           m.software.size() <= limits::kTextBytesMax && m.proof.size() <= kProofBytesMax &&
           m.key_changes.size() <= kHelloKeyChangesMax &&
           std::ranges::all_of(m.key_changes, [](const Bytes& change) {
               return change.size() <= kHelloKeyChangeBytesMax;
           });
}

bool within(const Offer& m) {
    PageBudget budget;
    const bool objects = std::ranges::all_of(m.objects, [&](const OfferedObject& object) {
        return object.plain_length <= limits::kRecordPayloadBytesMax &&
               object.stored_length <= limits::kRecordPayloadBytesMax &&
               object.bases.size() <= limits::kBasesMax && !object.key.name.is_none() &&
               budget.add(object);
    });
    const bool entries = std::ranges::all_of(
        m.entries, [&](const Bytes& entry) { return budget.add_entry(entry.size()); });
    return m.plan != 0 && objects && entries && m.seal.size() <= limits::kSealBytesMax &&
           (m.last || (m.entries.empty() && m.seal.empty() && m.version.is_none()));
}

bool within(const Next& m) { return m.plan != 0; }

bool within(const Want& m) {
    return m.plan != 0 && !m.missing.empty() && m.missing.size() <= limits::kOfferObjectsMax &&
           m.base_held.size() == m.missing.size() && m.credit_bytes <= limits::kCreditBytesMax;
}

bool within(const Data& m) {
    return m.plan != 0 && !m.bytes.empty() && m.bytes.size() <= limits::kDataBytesMax;
}

bool within(const Credit& m) { return m.plan != 0; }

bool within(const Done& m) {
    return m.plan != 0 && m.receipt.size() <= limits::kReceiptBytesMax &&
           m.refused.size() <= limits::kRefusedItemsMax &&
           std::ranges::all_of(m.refused, [](const RefusedItem& item) {
               return item.reason.size() <= limits::kReasonBytesMax;
           });
}

bool within(const Refuse& m) { return m.text.size() <= limits::kReasonBytesMax; }

bool within(const Assign& m) {
    return m.assignment.size() <= limits::kSignedDocumentBytesMax &&
           m.approval.size() <= limits::kSignedDocumentBytesMax &&
           (!m.cast || (m.cast->cast != 0 && m.cast->key.size() == kCastKeyBytes &&
                        !m.cast->version.is_none()));
}

bool within(const Fragment& m) {
    return m.cast != 0 && m.generation < kGenerationsMax && m.generation_bytes > 0 &&
           m.generation_bytes <= kGenerationBytesMax && m.index < kFragmentsMax && m.serial != 0 &&
           m.left < kFragmentsMax && m.sealed.size() > kFragmentTagBytes &&
           m.sealed.size() <= kFragmentBytesMax + kFragmentTagBytes;
}

bool within(const CastReport& m) {
    return m.cast != 0 && m.state <= CastState::leaving && m.held.size() <= kGenerationsMax &&
           m.lacks.size() <= kOpenGenerationsMax &&
           std::ranges::all_of(m.lacks, [](const CastReport::Lack& lack) {
               return lack.generation < kGenerationsMax && lack.fragments < kFragmentsMax;
           });
}

}  // namespace

bool within_limits(const Body& body) {
    return std::visit([](const auto& value) { return within(value); }, body);
}

std::string_view name_of(const Body& body) {
    static constexpr std::string_view kNames[] = {"hello",  "offer",    "next",       "want",
                                                  "data",   "credit",   "done",       "refuse",
                                                  "assign", "fragment", "cast_report"};
    static_assert(std::size(kNames) == std::variant_size_v<Body>);
    return kNames[body.index()];
}

std::string_view name_of(RefuseReason reason) {
    switch (reason) {
        case RefuseReason::unknown_session: return "unknown_session";
        case RefuseReason::unknown_device: return "unknown_device";
        case RefuseReason::protocol: return "protocol";
        case RefuseReason::malformed: return "malformed";
        case RefuseReason::denied: return "denied";
        case RefuseReason::conflict: return "conflict";
        case RefuseReason::busy: return "busy";
        case RefuseReason::gone: return "gone";
    }
    return "unknown";
}

GenerationShape shape_of(std::uint32_t generation_bytes, std::uint32_t fragment_bytes_max) {
    TRIBUTARY_CHECK(generation_bytes > 0 && fragment_bytes_max > 0);
    const std::uint32_t fragments = (generation_bytes - 1) / fragment_bytes_max + 1;
    return {fragments, (generation_bytes - 1) / fragments + 1};
}

namespace {

void put_point(ByteWriter& out, const JournalPoint& point) {
    out.put(point.incarnation.bytes);
    out.put(point.sequence);
    out.put(point.hash.digest.bytes);
}

}  // namespace

Bytes hello_statement(std::uint64_t nonce, std::string_view device, const Hello& hello) {
    Bytes statement;
    ByteWriter out(statement);
    out.put(nonce);
    out.put(hello.boot);
    out.put(hello.epoch);
    out.put(static_cast<std::uint32_t>(hello.journals.size()));
    for (const JournalPoint& point : hello.journals) put_point(out, point);
    out.put(as_bytes(device));
    if (hello.time_ms != 0 || hello.root_version != 0) {
        out.put(std::uint8_t{0});  // which no device id has
        out.put(hello.time_ms);
        out.put(hello.root_version);
        put_point(out, hello.head);
    }
    return statement;
}

Bytes agent_hello_statement(std::uint64_t nonce, std::string_view device, const Hello& hello) {
    Bytes statement;
    ByteWriter out(statement);
    out.put(nonce);
    out.put(hello.answers);
    out.put(hello.number);
    out.put(hello.boot);
    out.put(hello.protocol_min);
    out.put(hello.protocol_max);
    put_point(out, hello.head);
    out.put(static_cast<std::uint32_t>(hello.journals.size()));
    for (const JournalPoint& point : hello.journals) put_point(out, point);
    out.put(hello.epoch);
    out.put(hello.receipt_sequence);
    out.put(hello.limits.frame_bytes);
    out.put(hello.limits.frames_in_flight);
    out.put(hello.features);
    out.put(hello.rest_ms);
    out.put(hello.heartbeat_ms);
    out.put(hello.root_version);
    put_point(out, hello.witness);
    out.put(static_cast<std::uint32_t>(hello.key_changes.size()));
    for (const Bytes& change : hello.key_changes) {
        out.put(static_cast<std::uint32_t>(change.size()));
        out.put(change);
    }
    out.put(as_bytes(device));
    out.put(std::uint8_t{0});  // which no device id has
    out.put(as_bytes(hello.software));
    return statement;
}

std::uint32_t data_bytes_for(std::size_t payload_bytes) {
    constexpr std::size_t kOfferBytesMore = limits::kSealBytesMax + 1 * limits::KiB;
    if (payload_bytes >= limits::kFrameBytesMax) return limits::kDataFrameBytes;
    return static_cast<std::uint32_t>((payload_bytes - std::min(payload_bytes, kOfferBytesMore)) /
                                      4);
}

// A row of the table and its bases; an entry with its table, offset and padding.
bool PageBudget::take(std::size_t bytes) {
    const std::size_t all = bytes_ + bytes;
    if (all > limits::kOfferBytesMax || (bytes_ != 0 && all > bytes_max_)) return false;
    bytes_ = all;
    return true;
}

bool PageBudget::add(const OfferedObject& object) {
    if (objects_ == limits::kOfferObjectsMax ||
        !take(sizeof(wire::ObjectRow) + kDigestBytes * object.bases.size()))
        return false;
    ++objects_;
    return true;
}

bool PageBudget::add_entry(std::size_t plain_bytes) {
    if (entries_ == limits::kOfferEntriesMax || !take(plain_bytes + 32)) return false;
    ++entries_;
    return true;
}

}  // namespace tributary::sync
