#include "common/lineage/conflict.h"

#include <algorithm>
#include <tuple>

#include "common/base/limits.h"
#include "common/hash/hash.h"

namespace tributary::lineage {
namespace {

constexpr std::uint8_t kForm = 1;
constexpr std::size_t kObjectBytes = 64 * limits::KiB;
constexpr std::size_t kPathBytesMax = limits::kTreeDepthMax * (limits::kNameBytesMax + 1);

void put_side(ByteWriter& out, const ConflictSide& side) {
    out.put(side.item ? static_cast<std::uint8_t>(side.item->type) : std::uint8_t{0});
    (side.item ? side.item->target : Digest{}).put(out);
    out.put(side.item ? side.item->size : std::uint64_t{0});
    side.version.digest.put(out);
}

std::optional<ConflictSide> take_side(ByteReader& in, std::string_view name) {
    const auto type = in.take<std::uint8_t>();
    const auto target = Digest::take(in);
    const auto size = in.take<std::uint64_t>();
    const auto version = Digest::take(in);
    if (!in.ok() || !target || !version || type > 3) return std::nullopt;
    ConflictSide side{std::nullopt, VersionId{*version}};
    if (type != 0)
        side.item = TreeItem{static_cast<TreeItem::Type>(type), std::string(name), *target, size};
    else if (!target->is_none() || size != 0)
        return std::nullopt;
    return side;
}

auto order_of(const ConflictSide& side) {
    return std::tuple(side.item ? static_cast<std::uint8_t>(side.item->type) : std::uint8_t{0},
                      side.item ? side.item->target : Digest{},
                      side.item ? side.item->size : std::uint64_t{0});
}
bool before(const ConflictSide& a, const ConflictSide& b) { return order_of(a) < order_of(b); }

std::string_view last_component(std::string_view path) {
    return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

std::optional<Conflict> take_conflict(ByteReader& in) {
    Conflict conflict;
    conflict.path = in.take_short_text();
    const std::string_view name = last_component(conflict.path);
    auto base = take_side(in, name);
    const auto count = in.take<std::uint16_t>();
    if (!base || !base->version.is_none() || count < 2 || conflict.path.size() > kPathBytesMax ||
        !valid_tree_name(name))
        return std::nullopt;
    conflict.base = std::move(*base);
    for (std::size_t i = 0; i < count; ++i) {
        auto side = take_side(in, name);
        if (!side || side->version.is_none() || (i > 0 && !before(conflict.sides.back(), *side)))
            return std::nullopt;
        conflict.sides.push_back(std::move(*side));
    }
    return conflict;
}

}  // namespace

std::vector<EncodedConflicts> encode_conflicts(std::span<const Conflict> conflicts) {
    std::vector<EncodedConflicts> objects;
    Bytes body;
    std::uint32_t count = 0;
    const auto close = [&] {
        if (count == 0) return;
        Bytes bytes;
        ByteWriter out(bytes);
        out.put(kForm);
        out.put(count);
        out.put(ByteView(body));
        const Digest name = sha256_of("tributary/1/conflict", bytes);
        objects.push_back({name, std::move(bytes)});
        body.clear();
        count = 0;
    };
    for (const Conflict& conflict : conflicts) {
        std::vector<ConflictSide> sides = conflict.sides;
        std::sort(sides.begin(), sides.end(), before);
        ByteWriter out(body);
        out.put_short_text(conflict.path);
        put_side(out, conflict.base);
        out.put(static_cast<std::uint16_t>(sides.size()));
        for (const ConflictSide& side : sides) put_side(out, side);
        ++count;
        if (body.size() > kObjectBytes) close();
    }
    close();
    return objects;
}

Result<std::vector<Conflict>> parse_conflicts(ByteView bytes) {
    const auto corrupt = [] { return fail(Errc::corrupt, "a conflict object is not canonical"); };
    ByteReader in(bytes);
    if (in.take<std::uint8_t>() != kForm) return corrupt();
    const auto count = in.take<std::uint32_t>();
    std::vector<Conflict> conflicts;
    for (std::uint32_t i = 0; i < count; ++i) {
        auto conflict = take_conflict(in);
        if (!conflict) return corrupt();
        if (i > 0 && conflict->path <= conflicts.back().path) return corrupt();
        conflicts.push_back(std::move(*conflict));
    }
    if (!in.done() || conflicts.empty()) return corrupt();
    return conflicts;
}

std::vector<Digest> open_conflicts(const Version& version) {
    std::vector<Digest> open;
    if (!version.incarnation.is_none() || !version.author.empty()) return open;
    for (const Input& input : version.inputs)
        if (input.role == kConflictRole) open.push_back(input.id);
    return open;
}

}  // namespace tributary::lineage
