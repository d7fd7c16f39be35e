#include "hub/intake/push_plan.h"

#include <algorithm>

#include "common/codec/codec.h"
#include "common/lineage/diff.h"
#include "common/store/closure.h"
#include "common/text/log.h"

namespace tributary::hub {
namespace {

// The first assignment after number `delivered` that the device has not answered.
const InstallState* open_assignment(const Catalog& catalog, const std::string& device,
                                    std::uint64_t delivered) {
    const Device* known = catalog.device(device);
    if (!known) return nullptr;
    const InstallState* open = nullptr;
    for (const auto& [model, state] : known->models)
        if (state.state == "assigned" && state.number > delivered &&
            (!open || state.number < open->number))
            open = &state;
    return open;
}

}  // namespace

Result<bool> PushPlan::prepare(const std::string& device, std::size_t page_bytes) {
    const InstallState* open = open_assignment(ledger_.catalog(), device, delivered_);
    if (!open) return false;
    if (open->number == number_ && !pages_.empty()) return true;

    Store& store = ledger_.store();
    number_ = open->number;
    version_ = open->wanted;
    pages_.clear();
    base_of_.clear();
    shape_of_.clear();
    if (!open->running.is_none()) line_up_with(open->running, version_);

    std::vector<VersionId> running;
    if (!open->running.is_none()) running.push_back(open->running);
    sync::PageBudget budget(page_bytes);
    pages_.emplace_back();
    TRIBUTARY_TRY(closure_of(store, version_, running, [&](const RecordKey& key) -> Status {
        TRIBUTARY_ASSIGN(const RecordHeader header, store.read_header(key));
        sync::OfferedObject object{key, header.plain_length, header.stored_length, {}};
        if (const auto base = base_of_.find(key.name);
            key.kind == RecordKind::piece && base != base_of_.end())
            object.bases = {base->second};
        else if (key.kind != RecordKind::piece)
            object.bases.assign(header.bases().begin(), header.bases().end());
        if (!budget.add(object)) {
            budget = sync::PageBudget(page_bytes);
            TRIBUTARY_CHECK(budget.add(object));
            pages_.emplace_back();
        }
        pages_.back().objects.push_back(std::move(object));
        return {};
    }));
    pages_.back().last = true;
    pages_.back().version = version_;
    return true;
}

// Pairs the pieces of each file with those at the same place of the same file in what runs there.
// A comparison that ends early costs bytes, nothing else: the rest is sent without bases, and what
// is wrong with the wanted version shows when its closure is read.
void PushPlan::line_up_with(const VersionId& running, const VersionId& wanted) {
    Store& store = ledger_.store();
    const auto before = read_version(store, running);
    const auto after = read_version(store, wanted);
    if (!before || !after) return;
    const Status compared = lineage::diff_trees(
        before->tree, after->tree, tree_loader(store),
        [&](const lineage::Change& change) -> Status {
            if (change.kind != lineage::Change::Kind::changed || change.after->size == 0) return {};
            return line_up_file(*change.before, *change.after);
        });
    if (!compared)
        log_failure(LogLevel::warn, "a push is sent larger than it could be", compared.error());
}

Status PushPlan::line_up_file(const TreeItem& before, const TreeItem& after) {
    Store& store = ledger_.store();
    TRIBUTARY_ASSIGN(const Recipe recipe, read_recipe(store, {after.target}, after.size));
    const auto old_recipe = read_recipe(store, {before.target}, before.size);
    if (!old_recipe) return {};
    const std::size_t pairs = std::min(recipe.pieces.size(), old_recipe->pieces.size());
    for (std::size_t i = 0; i < pairs; ++i) {
        const RecipePiece& piece = recipe.pieces[i];
        shape_of_.emplace(piece.id.digest, piece);
        if (piece.id != old_recipe->pieces[i].id)
            base_of_.emplace(piece.id.digest, old_recipe->pieces[i].id.digest);
    }
    return {};
}

void PushPlan::delivered() {
    delivered_ = number_;
    pages_ = {};
    base_of_ = {};
    shape_of_ = {};
}

Result<sync::Page> PushPlan::page(std::uint32_t number) const {
    if (number >= pages_.size())
        return fail(Errc::invalid, "the device asks for a page that its assignment has not");
    return pages_[number];
}

Result<Bytes> PushPlan::frame(const RecordKey& key, bool may_use_base) {
    Store& store = ledger_.store();
    TRIBUTARY_ASSIGN(RecordHeader header, store.read_header(key));
    std::optional<Digest> base;
    if (may_use_base && key.kind == RecordKind::piece) {
        if (const auto paired = base_of_.find(key.name); paired != base_of_.end())
            base = paired->second;
    } else if (may_use_base && header.base_count == 1) {
        base = header.base[0];
    }
    const bool as_stored =
        base ? header.base_count == 1 && header.base[0] == *base : header.base_count == 0;
    if (as_stored) return store.read_record(key);

    TRIBUTARY_ASSIGN(const Bytes plain, store.read_plain(key));
    Bytes base_plain;
    if (base) {
        TRIBUTARY_ASSIGN(base_plain, store.read_plain({key.kind, *base}));
    }
    codec::Piece piece{plain};
    if (const auto shape = shape_of_.find(key.name); shape != shape_of_.end()) {
        piece.type = static_cast<codec::ElementType>(shape->second.element_type);
        piece.phase = shape->second.phase;
    }
    codec::Coder coder;  // holds megabytes: not one for each device
    const codec::Encoded coded = coder.encode(piece, base_plain, codec::Level::standard);
    header.encoding = static_cast<std::uint8_t>(coded.encoding);
    header.stored_length = static_cast<std::uint32_t>(coded.payload.size());
    header.base_count = coded.uses_base ? 1 : 0;
    if (coded.uses_base) header.base[0] = *base;
    Bytes frame;
    append_record(frame, header, coded.payload);
    return frame;
}

}  // namespace tributary::hub
