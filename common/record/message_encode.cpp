// Sync messages, from values to what goes over the wire.
#include "common/hash/hash.h"
#include "common/record/message_wire.h"
#include "sync_generated.h"

namespace tributary::sync {
namespace {

namespace fb = flatbuffers;

template <class T>
std::uint32_t size32(const T& list) {
    return static_cast<std::uint32_t>(list.size());
}

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
    std::vector<fb::Offset<wire::EntryBytes>> changes;
    for (const Bytes& change : hello.key_changes)
        changes.push_back(wire::CreateEntryBytes(out, put_bytes(out, change)));
    fb::Offset<fb::Vector<fb::Offset<wire::EntryBytes>>> key_changes = 0;
    if (!changes.empty()) key_changes = out.CreateVector(changes);
    const wire::JournalPoint head = to_wire(hello.head);
    const wire::JournalPoint witness = to_wire(hello.witness);
    return wire::CreateHello(out, static_cast<std::uint8_t>(hello.role), hello.protocol_min,
                             hello.protocol_max, hello.boot, &head, journals, hello.epoch,
                             hello.receipt_sequence, hello.limits.frame_bytes,
                             hello.limits.frames_in_flight, hello.features, software, proof,
                             hello.rest_ms, hello.heartbeat_ms, hello.time_ms, hello.root_version,
                             hello.witness == JournalPoint{} ? nullptr : &witness, hello.answers,
                             hello.number, key_changes)
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
    return wire::CreateNext(out, next.plan, next.page, next.number, next.whole).Union();
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

}  // namespace

Result<Bytes> encode_message(const Envelope& envelope) {
    if (!within_limits(envelope.body))
        return fail(Errc::invalid,
                    "a sync message (" + std::string(name_of(envelope.body)) + ") passes a limit");
    Builder out(1024);
    const Union body =
        std::visit([&](const auto& value) { return put(out, value); }, envelope.body);
    out.Finish(wire::CreateEnvelope(out, envelope.protocol, envelope.session,
                                    static_cast<std::uint8_t>(envelope.channel),
                                    type_of(envelope.body), body),
               wire::EnvelopeIdentifier());
    if (out.GetSize() + kMessageCrcBytes > limits::kFrameBytesMax)
        return fail(Errc::invalid, "a sync message (" + std::string(name_of(envelope.body)) +
                                       ") does not fit one frame");
    Bytes payload;
    payload.reserve(out.GetSize() + kMessageCrcBytes);
    payload.assign(out.GetBufferPointer(), out.GetBufferPointer() + out.GetSize());
    ByteWriter(payload).put(crc32c(payload));
    return payload;
}

}  // namespace tributary::sync
