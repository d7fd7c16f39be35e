#include "common/record/message.h"

#include <algorithm>

#include "common/hash/hash.h"
#include "sync_generated.h"

namespace tributary::sync {
namespace {

namespace fb = flatbuffers;

constexpr std::size_t kCrcBytes = 4;
constexpr std::size_t kProofBytesMax = 255;

template <class T>
std::uint32_t size32(const T& list) {
    return static_cast<std::uint32_t>(list.size());
}

// ---- values to wire ----

wire::Hash to_wire(const Digest& digest) {
    return wire::Hash(fb::span<const std::uint8_t, kDigestBytes>(digest.bytes));
}

wire::JournalPoint to_wire(const JournalPoint& point) {
    const wire::Name name(fb::span<const std::uint8_t, 16>(point.incarnation.bytes));
    return wire::JournalPoint(point.sequence, to_wire(point.hash.digest), name);
}

using Builder = fb::FlatBufferBuilder;
using Union = fb::Offset<void>;

fb::Offset<fb::Vector<std::uint8_t>> put_bytes(Builder& out, ByteView bytes) {
    return bytes.empty() ? 0 : out.CreateVector(bytes.data(), bytes.size());
}

fb::Offset<fb::String> put_text(Builder& out, const std::string& text) {
    return text.empty() ? 0 : out.CreateString(text);
}

fb::Offset<fb::Vector<std::uint8_t>> put_bits(Builder& out, const std::vector<bool>& bits) {
    Bytes bytes((bits.size() + 7) / 8, 0);
    for (std::size_t i = 0; i < bits.size(); ++i)
        if (bits[i]) bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | 1u << (i % 8));
    return put_bytes(out, bytes);
}

Union put(Builder& out, const Hello& hello) {
    std::vector<wire::JournalPoint> points;
    for (const JournalPoint& point : hello.journals) points.push_back(to_wire(point));
    const auto journals = out.CreateVectorOfStructs(points);
    const auto software = put_text(out, hello.software);
    const auto proof = put_bytes(out, hello.proof);
    const wire::JournalPoint head = to_wire(hello.head);
    const wire::JournalPoint witness = to_wire(hello.witness);
    return wire::CreateHello(out, static_cast<std::uint8_t>(hello.role), hello.protocol_min,
                             hello.protocol_max, hello.boot, &head, journals, hello.epoch,
                             hello.receipt_sequence, hello.limits.frame_bytes,
                             hello.limits.frames_in_flight, hello.features, software, proof,
                             hello.rest_ms, hello.heartbeat_ms, hello.time_ms, hello.root_version,
                             hello.witness == JournalPoint{} ? nullptr : &witness)
        .Union();
}

Union put(Builder& out, const Offer& offer) {
    std::vector<wire::ObjectRow> rows;
    std::vector<wire::Hash> hashes;
    rows.reserve(offer.objects.size());
    for (const OfferedObject& object : offer.objects) {
        rows.emplace_back(to_wire(object.key.name), object.plain_length, object.stored_length,
                          static_cast<std::uint8_t>(object.key.kind),
                          static_cast<std::uint8_t>(object.bases.size()));
        for (const Digest& base : object.bases) hashes.push_back(to_wire(base));
    }
    std::vector<fb::Offset<wire::EntryBytes>> plain;
    for (const Bytes& entry : offer.entries)
        plain.push_back(wire::CreateEntryBytes(out, put_bytes(out, entry)));
    const auto objects = out.CreateVectorOfStructs(rows);
    const auto bases = out.CreateVectorOfStructs(hashes);
    const auto entries = out.CreateVector(plain);
    const auto seal = put_bytes(out, offer.seal);
    const wire::Hash version = to_wire(offer.version.digest);
    return wire::CreateOffer(out, offer.plan, offer.page, offer.attempt, offer.last, objects, bases,
                             entries, seal, offer.version.is_none() ? nullptr : &version)
        .Union();
}

Union put(Builder& out, const Next& next) {
    return wire::CreateNext(out, next.plan, next.page, next.number).Union();
}

Union put(Builder& out, const Want& want) {
    const auto missing = put_bits(out, want.missing);
    const auto base_held = put_bits(out, want.base_held);
    return wire::CreateWant(out, want.plan, want.page, want.number, missing, base_held,
                            want.resume_offset, want.credit_bytes, size32(want.missing))
        .Union();
}

Union put(Builder& out, const Data& data) {
    const auto bytes = put_bytes(out, data.bytes);
    return wire::CreateData(out, data.plan, data.number, data.offset, bytes).Union();
}

Union put(Builder& out, const Credit& credit) {
    return wire::CreateCredit(out, credit.plan, credit.number, credit.through).Union();
}

Union put(Builder& out, const Done& done) {
    std::vector<fb::Offset<wire::RefusedItem>> items;
    for (const RefusedItem& item : done.refused) {
        const wire::Hash name = to_wire(item.name);
        const auto reason = put_text(out, item.reason);
        items.push_back(wire::CreateRefusedItem(out, &name, reason));
    }
    const auto refused = out.CreateVector(items);
    const auto receipt = put_bytes(out, done.receipt);
    return wire::CreateDone(out, done.plan, receipt, refused).Union();
}

Union put(Builder& out, const Refuse& refuse) {
    const auto text = put_text(out, refuse.text);
    return wire::CreateRefuse(out, static_cast<std::uint8_t>(refuse.reason), refuse.plan, text,
                              refuse.retry_after_ms)
        .Union();
}

fb::Offset<wire::CastInvitation> put_invitation(Builder& out,
                                                const std::optional<CastInvitation>& invitation) {
    if (!invitation) return 0;
    const auto key = put_bytes(out, invitation->key);
    const wire::Hash version = to_wire(invitation->version.digest);
    const wire::Hash base = to_wire(invitation->base.digest);
    return wire::CreateCastInvitation(out, invitation->cast, key, &version,
                                      invitation->base.is_none() ? nullptr : &base);
}

Union put(Builder& out, const Assign& assign) {
    const auto assignment = put_bytes(out, assign.assignment);
    const auto approval = put_bytes(out, assign.approval);
    const auto cast = put_invitation(out, assign.cast);
    return wire::CreateAssign(out, assignment, approval, cast).Union();
}

Union put(Builder& out, const Fragment& fragment) {
    const auto sealed = put_bytes(out, fragment.sealed);
    return wire::CreateFragment(out, fragment.cast, fragment.generation, fragment.generation_bytes,
                                fragment.last, static_cast<std::uint8_t>(fragment.index),
                                fragment.serial, fragment.left, sealed)
        .Union();
}

Union put(Builder& out, const CastReport& report) {
    std::vector<wire::GenerationLack> rows;
    for (const CastReport::Lack& lack : report.lacks)
        rows.emplace_back(lack.generation, lack.fragments);
    const auto held = put_bits(out, report.held);
    const auto lacks = out.CreateVectorOfStructs(rows);
    return wire::CreateCastReport(out, report.cast, report.number,
                                  static_cast<std::uint8_t>(report.state), report.seen,
                                  size32(report.held), held, lacks)
        .Union();
}

wire::Body type_of(const Body& body) {
    static constexpr wire::Body kTypes[] = {
        wire::Body::Hello,  wire::Body::Offer,    wire::Body::Next,      wire::Body::Want,
        wire::Body::Data,   wire::Body::Credit,   wire::Body::Done,      wire::Body::Refuse,
        wire::Body::Assign, wire::Body::Fragment, wire::Body::CastReport};
    static_assert(std::size(kTypes) == std::variant_size_v<Body>);
    return kTypes[body.index()];
}

// ---- limits, the same for both directions ----

bool within(const Hello& m) {
    return m.role <= Role::hub && m.journals.size() <= limits::kHelloJournalsMax &&
           m.software.size() <= limits::kTextBytesMax && m.proof.size() <= kProofBytesMax;
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

// ---- wire to values; what the verifier passed may still miss fields or hold odd counts ----

Bytes take_bytes(const fb::Vector<std::uint8_t>* from) {
    return from ? Bytes(from->data(), from->data() + from->size()) : Bytes();
}

std::string take_text(const fb::String* from) { return from ? from->str() : std::string(); }

Digest from_wire(const wire::Hash* from) {
    Digest digest;
    if (from) std::copy_n(from->bytes()->data(), kDigestBytes, digest.bytes.begin());
    return digest;
}

JournalPoint from_wire(const wire::JournalPoint* from) {
    JournalPoint point;
    if (!from) return point;
    std::copy_n(from->incarnation().bytes()->data(), point.incarnation.bytes.size(),
                point.incarnation.bytes.begin());
    point.sequence = from->sequence();
    point.hash = {from_wire(&from->hash())};
    return point;
}

bool take_bits(const fb::Vector<std::uint8_t>* from, std::size_t count, std::vector<bool>& to) {
    if ((from ? from->size() : 0) != (count + 7) / 8) return false;
    to.resize(count);
    for (std::size_t i = 0; i < count; ++i)
        to[i] = (unsigned{from->Get(static_cast<fb::uoffset_t>(i / 8))} >> (i % 8) & 1u) != 0;
    return true;
}

bool take(const wire::Hello& from, Hello& to) {
    to.role = static_cast<Role>(from.role());
    to.protocol_min = from.protocol_min();
    to.protocol_max = from.protocol_max();
    to.boot = from.boot();
    to.head = from_wire(from.head());
    if (const auto* journals = from.journals()) {
        if (journals->size() > limits::kHelloJournalsMax) return false;
        // The verifier looks at the alignment of a vector's length, not at that of its structs.
        if (reinterpret_cast<std::uintptr_t>(journals->Data()) % alignof(wire::JournalPoint) != 0)
            return false;
        for (fb::uoffset_t i = 0; i < journals->size(); ++i)
            to.journals.push_back(from_wire(journals->Get(i)));
    }
    to.epoch = from.epoch();
    to.receipt_sequence = from.receipt_sequence();
    to.limits = {from.frame_bytes(), from.frames_in_flight()};
    to.features = from.features();
    to.software = take_text(from.software());
    to.proof = take_bytes(from.proof());
    to.rest_ms = from.rest_ms();
    to.heartbeat_ms = from.heartbeat_ms();
    to.time_ms = from.time_ms();
    to.root_version = from.root_version();
    to.witness = from_wire(from.witness());
    return true;
}

bool take(const wire::Offer& from, Offer& to) {
    to.plan = from.plan();
    to.page = from.page();
    to.attempt = from.attempt();
    to.last = from.last();
    const auto* bases = from.bases();
    const std::size_t bases_size = bases ? bases->size() : 0;
    std::size_t bases_taken = 0;
    if (const auto* objects = from.objects()) {
        if (objects->size() > limits::kOfferObjectsMax) return false;
        to.objects.reserve(objects->size());
        for (fb::uoffset_t i = 0; i < objects->size(); ++i) {
            const wire::ObjectRow* row = objects->Get(i);
            OfferedObject object{{static_cast<RecordKind>(row->kind()), from_wire(&row->name())},
                                 row->plain_length(),
                                 row->stored_length(),
                                 {}};
            if (row->base_count() > std::min(bases_size - bases_taken, limits::kBasesMax))
                return false;
            for (std::uint8_t n = 0; n < row->base_count(); ++n)
                object.bases.push_back(
                    from_wire(bases->Get(static_cast<fb::uoffset_t>(bases_taken++))));
            to.objects.push_back(std::move(object));
        }
    }
    if (from.entries())
        for (const wire::EntryBytes* entry : *from.entries())
            to.entries.push_back(take_bytes(entry->plain()));
    to.seal = take_bytes(from.seal());
    to.version = {from_wire(from.version())};
    return bases_taken == bases_size;
}

bool take(const wire::Next& from, Next& to) {
    to = {from.plan(), from.page(), from.number()};
    return true;
}

bool take(const wire::Want& from, Want& to) {
    to.plan = from.plan();
    to.page = from.page();
    to.number = from.number();
    to.resume_offset = from.resume_offset();
    to.credit_bytes = from.credit_bytes();
    return from.objects() <= limits::kOfferObjectsMax &&
           take_bits(from.missing(), from.objects(), to.missing) &&
           take_bits(from.base_held(), from.objects(), to.base_held);
}

bool take(const wire::Data& from, Data& to) {
    to = {from.plan(), from.number(), from.offset(), take_bytes(from.bytes())};
    return true;
}

bool take(const wire::Credit& from, Credit& to) {
    to = {from.plan(), from.number(), from.through()};
    return true;
}

bool take(const wire::Done& from, Done& to) {
    to.plan = from.plan();
    to.receipt = take_bytes(from.receipt());
    if (from.refused())
        for (const wire::RefusedItem* item : *from.refused())
            to.refused.push_back({from_wire(item->name()), take_text(item->reason())});
    return true;
}

bool take(const wire::Refuse& from, Refuse& to) {
    to = {static_cast<RefuseReason>(from.reason()), from.plan(), take_text(from.text()),
          from.retry_after_ms()};
    return true;
}

bool take(const wire::Assign& from, Assign& to) {
    to = {take_bytes(from.assignment()), take_bytes(from.approval()), {}};
    if (const wire::CastInvitation* cast = from.cast())
        to.cast = {cast->cast(),
                   take_bytes(cast->key()),
                   {from_wire(cast->version())},
                   {from_wire(cast->base())}};
    return true;
}

bool take(const wire::Fragment& from, Fragment& to) {
    to = {from.cast(),   from.generation(), from.generation_bytes(),  from.last(), from.index(),
          from.serial(), from.left(),       take_bytes(from.sealed())};
    return true;
}

bool take(const wire::CastReport& from, CastReport& to) {
    to.cast = from.cast();
    to.number = from.number();
    to.state = static_cast<CastState>(from.state());
    to.seen = from.seen();
    if (const auto* lacks = from.lacks()) {
        if (lacks->size() > kOpenGenerationsMax) return false;
        for (const wire::GenerationLack* lack : *lacks)
            to.lacks.push_back({lack->generation(), lack->fragments()});
    }
    return from.generations() <= kGenerationsMax &&
           take_bits(from.held(), from.generations(), to.held);
}

template <class Value, class Table>
Result<Body> take_body(const Table* table) {
    Value value;
    if (table == nullptr || !take(*table, value) || !within(value))
        return fail(Errc::corrupt, "a sync message passes a limit or misses a field");
    return Body(std::move(value));
}

Result<Body> take_body(const wire::Envelope& envelope) {
    switch (envelope.body_type()) {
        case wire::Body::Hello: return take_body<Hello>(envelope.body_as_Hello());
        case wire::Body::Offer: return take_body<Offer>(envelope.body_as_Offer());
        case wire::Body::Next: return take_body<Next>(envelope.body_as_Next());
        case wire::Body::Want: return take_body<Want>(envelope.body_as_Want());
        case wire::Body::Data: return take_body<Data>(envelope.body_as_Data());
        case wire::Body::Credit: return take_body<Credit>(envelope.body_as_Credit());
        case wire::Body::Done: return take_body<Done>(envelope.body_as_Done());
        case wire::Body::Refuse: return take_body<Refuse>(envelope.body_as_Refuse());
        case wire::Body::Assign: return take_body<Assign>(envelope.body_as_Assign());
        case wire::Body::Fragment: return take_body<Fragment>(envelope.body_as_Fragment());
        case wire::Body::CastReport: return take_body<CastReport>(envelope.body_as_CastReport());
        case wire::Body::NONE: break;
    }
    return fail(Errc::unsupported, "a sync message of an unknown kind");
}

}  // namespace

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

Bytes hello_statement(std::uint64_t nonce, std::string_view device, const Hello& hello) {
    Bytes statement;
    ByteWriter out(statement);
    out.put(nonce);
    out.put(hello.boot);
    out.put(hello.epoch);
    out.put(size32(hello.journals));
    for (const JournalPoint& point : hello.journals) {
        out.put(point.incarnation.bytes);
        out.put(point.sequence);
        out.put(point.hash.digest.bytes);
    }
    out.put(as_bytes(device));
    if (hello.time_ms != 0 || hello.root_version != 0) {
        out.put(std::uint8_t{0});  // which no device id has
        out.put(hello.time_ms);
        out.put(hello.root_version);
    }
    return statement;
}

Result<Bytes> encode_message(const Envelope& envelope) {
    if (!std::visit([](const auto& body) { return within(body); }, envelope.body))
        return fail(Errc::invalid,
                    "a sync message (" + std::string(name_of(envelope.body)) + ") passes a limit");
    Builder out(1024);
    const Union body =
        std::visit([&](const auto& value) { return put(out, value); }, envelope.body);
    out.Finish(wire::CreateEnvelope(out, envelope.protocol, envelope.session,
                                    static_cast<std::uint8_t>(envelope.channel),
                                    type_of(envelope.body), body),
               wire::EnvelopeIdentifier());
    if (out.GetSize() + kCrcBytes > limits::kFrameBytesMax)
        return fail(Errc::invalid, "a sync message (" + std::string(name_of(envelope.body)) +
                                       ") does not fit one frame");
    Bytes payload;
    payload.reserve(out.GetSize() + kCrcBytes);
    payload.assign(out.GetBufferPointer(), out.GetBufferPointer() + out.GetSize());
    ByteWriter(payload).put(crc32c(payload));
    return payload;
}

Result<Envelope> parse_message(ByteView payload) {
    constexpr std::size_t kBytesMin = 12 + kCrcBytes;  // offset, identifier and a table's offset
    constexpr fb::uoffset_t kDepthMax = 8;
    constexpr fb::uoffset_t kTablesMax = limits::kOfferEntriesMax + limits::kRefusedItemsMax + 8;
    const auto corrupt = [](const char* what) { return fail(Errc::corrupt, what); };
    if (payload.size() > limits::kFrameBytesMax)
        return corrupt("a sync message is longer than a frame may be");
    if (payload.size() < kBytesMin) return corrupt("a sync message is too short");
    // FlatBuffers reads its fields in place and needs them aligned.
    if (reinterpret_cast<std::uintptr_t>(payload.data()) % alignof(std::uint64_t) != 0) {
        const Bytes aligned(payload.begin(), payload.end());
        return parse_message(aligned);
    }
    const ByteView buffer = payload.first(payload.size() - kCrcBytes);
    if (load_le<std::uint32_t>(buffer.data() + buffer.size()) != crc32c(buffer))
        return corrupt("the checksum of a sync message is wrong");
    fb::Verifier verifier(buffer.data(), buffer.size(), kDepthMax, kTablesMax);
    if (!wire::VerifyEnvelopeBuffer(verifier)) return corrupt("a sync message does not verify");
    const wire::Envelope& from = *wire::GetEnvelope(payload.data());
    if (from.channel() > static_cast<std::uint8_t>(Channel::push))
        return corrupt("a sync message of no known channel");
    TRIBUTARY_ASSIGN(Body body, take_body(from));
    return Envelope{from.session(), static_cast<Channel>(from.channel()), std::move(body),
                    from.protocol()};
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
