#include "tests/sim/model.h"

#include <algorithm>

#include "common/hash/hash.h"
#include "common/record/entry.h"

namespace tributary::sim {
namespace {

constexpr std::uint8_t kRaw = 1;
constexpr std::uint8_t kXor = 2;  // with each of its bases

Bytes xored(Bytes bytes, ByteView with) {
    for (std::size_t i = 0; i < bytes.size() && !with.empty(); ++i)
        bytes[i] = static_cast<std::uint8_t>(bytes[i] ^ with[i % with.size()]);
    return bytes;
}

Digest take_digest(ByteReader& in) {
    Digest digest;
    const ByteView raw = in.take(kDigestBytes);
    if (in.ok()) std::ranges::copy(raw, digest.bytes.begin());
    return digest;
}

Incarnation take_incarnation(ByteReader& in) {
    Incarnation incarnation;
    const ByteView raw = in.take(incarnation.bytes.size());
    if (in.ok()) std::ranges::copy(raw, incarnation.bytes.begin());
    return incarnation;
}

}  // namespace

Bytes ModelVersion::encode() const {
    Bytes out;
    ByteWriter writer(out);
    writer.put(salt);
    for (const Digest& piece : pieces) writer.put(ByteView(piece.bytes));
    return out;
}

ModelVersion ModelVersion::parse(ByteView plain) {
    ByteReader in(plain);
    ModelVersion version{in.take<std::uint64_t>(), {}};
    while (in.ok() && in.remaining() > 0) version.pieces.push_back(take_digest(in));
    return version;
}

Bytes ModelEntry::encode() const {
    Bytes out;
    ByteWriter writer(out);
    writer.put(ByteView(incarnation.bytes));
    writer.put(sequence);
    writer.put(ByteView(previous.bytes));
    writer.put(ByteView(version.bytes));
    out.resize(EntryHeader::kBytes);
    return out;
}

std::optional<ModelEntry> ModelEntry::parse(ByteView plain) {
    if (plain.size() != EntryHeader::kBytes) return {};
    ByteReader in(plain);
    ModelEntry entry;
    entry.incarnation = take_incarnation(in);
    entry.sequence = in.take<std::uint64_t>();
    entry.previous = take_digest(in);
    entry.version = take_digest(in);
    return entry;
}

EntryHash hash_of_entry(ByteView plain) { return {name_of_plain(RecordKind::entry, plain)}; }

Bytes Statement::encode() const {
    Bytes out;
    ByteWriter writer(out);
    writer.put(ByteView(at.incarnation.bytes));
    writer.put(at.sequence);
    writer.put(ByteView(at.hash.digest.bytes));
    writer.put(epoch);
    writer.put(ByteView(sha256_of("sim/statement", out).bytes));
    return out;
}

std::optional<Statement> Statement::parse(ByteView bytes) {
    ByteReader in(bytes);
    Statement statement;
    statement.at.incarnation = take_incarnation(in);
    statement.at.sequence = in.take<std::uint64_t>();
    statement.at.hash = {take_digest(in)};
    statement.epoch = in.take<std::uint64_t>();
    const Bytes own = statement.encode();
    if (!std::ranges::equal(own, bytes)) return {};
    return statement;
}

RecordKey version_key(const Digest& version) { return {RecordKind::version, version}; }

const ModelRecord* ModelStore::find(const RecordKey& key) const {
    for (const auto* records : {&durable_, &staged_})
        if (const auto found = records->find(key); found != records->end()) return &found->second;
    return nullptr;
}

bool ModelStore::holds_whole(const Digest& version) const {
    const ModelRecord* record = find(version_key(version));
    return record != nullptr &&
           std::ranges::all_of(ModelVersion::parse(record->plain).pieces, [&](const Digest& piece) {
               return holds({RecordKind::piece, piece});
           });
}

void ModelStore::commit() {
    durable_.merge(staged_);
    staged_.clear();
}

std::vector<const ModelRecord*> ModelStore::bases_of(const RecordKey& key,
                                                     std::size_t bases_max) const {
    const ModelRecord* record = find(key);
    TRIBUTARY_CHECK(record != nullptr);
    std::vector<const ModelRecord*> bases;
    if (record->bases.size() > bases_max) return bases;
    for (const Digest& base : record->bases) bases.push_back(find({key.kind, base}));
    if (std::ranges::find(bases, nullptr) != bases.end()) bases.clear();
    return bases;
}

Bytes ModelStore::read_frame(const RecordKey& key, std::size_t bases_max) const {
    const auto bases = bases_of(key, bases_max);
    const ModelRecord& record = *find(key);
    RecordHeader header;
    header.kind = key.kind;
    header.name = key.name;
    header.encoding = bases.empty() ? kRaw : kXor;
    header.stored_length = header.plain_length = static_cast<std::uint32_t>(record.plain.size());
    header.base_count = static_cast<std::uint8_t>(bases.size());
    Bytes payload = record.plain;
    for (std::size_t i = 0; i < bases.size(); ++i) {
        header.base[i] = record.bases[i];
        payload = xored(std::move(payload), bases[i]->plain);
    }
    Bytes frame;
    append_record(frame, header, payload);
    return frame;
}

Status ModelStore::stage_frame(ByteView frame) {
    TRIBUTARY_ASSIGN(const RecordView view, parse_record(frame));
    ModelRecord record{Bytes(view.payload.begin(), view.payload.end()), {}};
    for (const Digest& name : view.header.bases()) {
        const ModelRecord* base = find({view.header.kind, name});
        if (base == nullptr) return fail(Errc::not_found, "the base is not here");
        record.plain = xored(std::move(record.plain), base->plain);
        record.bases.push_back(name);
    }
    if (name_of_plain(view.header.kind, record.plain) != view.header.name)
        return fail(Errc::corrupt, "the bytes are not what their name says");
    stage(view.header.key(), std::move(record));
    return {};
}

sync::JournalPoint ModelStore::head_of(const Incarnation& incarnation) const {
    const auto journal = journals.find(incarnation);
    if (journal == journals.end() || journal->second.empty()) return {incarnation, 0, {}};
    return {incarnation, journal->second.size(), hash_of_entry(journal->second.back())};
}

std::vector<sync::OfferedObject> closure_of(const ModelStore& store,
                                            const std::vector<Digest>& versions,
                                            std::size_t bases_max) {
    std::vector<sync::OfferedObject> objects;
    std::set<RecordKey> seen;
    const auto add = [&](const RecordKey& key) {
        if (!seen.insert(key).second) return;
        const ModelRecord* record = store.find(key);
        TRIBUTARY_CHECK(record != nullptr);
        const auto length = static_cast<std::uint32_t>(record->plain.size());
        sync::OfferedObject object{key, length, length, {}};
        if (!store.bases_of(key, bases_max).empty()) object.bases = record->bases;
        objects.push_back(std::move(object));
    };
    for (const Digest& version : versions) {
        const ModelRecord* record = store.find(version_key(version));
        TRIBUTARY_CHECK(record != nullptr);
        for (const Digest& piece : ModelVersion::parse(record->plain).pieces)
            add({RecordKind::piece, piece});
        add(version_key(version));
    }
    return objects;
}

std::vector<sync::Page> pages_of(const std::vector<sync::OfferedObject>& objects,
                                 std::size_t objects_max) {
    std::vector<sync::Page> pages(1);
    sync::PageBudget budget;
    for (const sync::OfferedObject& object : objects) {
        if (pages.back().objects.size() == objects_max || !budget.add(object)) {
            pages.emplace_back();
            budget = sync::PageBudget();
            TRIBUTARY_CHECK(budget.add(object));
        }
        pages.back().objects.push_back(object);
    }
    pages.back().last = true;
    return pages;
}

}  // namespace tributary::sim
