// Sync messages, from what came over the wire to values.
#include <algorithm>

#include "common/hash/hash.h"
#include "common/record/message_wire.h"
#include "sync_generated.h"

namespace tributary::sync {
namespace {

namespace fb = flatbuffers;

// What the verifier passed may still miss fields or hold odd counts.

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
    to.answers = from.answers();
    to.number = from.number();
    if (const auto* changes = from.key_changes()) {
        if (changes->size() > kHelloKeyChangesMax) return false;
        for (const wire::EntryBytes* change : *changes)
            to.key_changes.push_back(take_bytes(change->plain()));
    }
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
    to = {from.plan(), from.page(), from.number(), from.whole()};
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
    const bool taken = table != nullptr && take(*table, value);
    Body body(std::move(value));
    if (!taken || !within_limits(body))
        return fail(Errc::corrupt, "a sync message passes a limit or misses a field");
    return body;
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

Result<Envelope> parse_message(ByteView payload) {
    constexpr std::size_t kBytesMin =
        12 + kMessageCrcBytes;  // offset, identifier and a table's offset
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
    const ByteView buffer = payload.first(payload.size() - kMessageCrcBytes);
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

}  // namespace tributary::sync
