#include "hub/intake/coded_closure.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/text/log.h"

namespace tributary::hub {

CodedClosure::CodedClosure(Ledger& ledger, const VersionId& running, const VersionId& wanted,
                           bool whole)
    : ledger_(ledger) {
    std::vector<VersionId> covered;
    if (!running.is_none()) covered.push_back(running);
    auto& beside_running = whole ? pairs_ : walk_;
    beside_running.emplace(ledger.store(), wanted, std::move(covered));
    beside_running->on_pair(
        [this](const Recipe& own, const Recipe& beside) { line_up(own, beside); });
    if (whole) walk_.emplace(ledger.store(), wanted, std::vector<VersionId>{});
}

Result<bool> CodedClosure::look_through(std::size_t records) {
    if (!walk_) return true;
    if (pairs_) {
        TRIBUTARY_ASSIGN(const bool all,
                         pairs_->step(records, [](const RecordKey&) { return Status(); }));
        if (!all) return false;
        pairs_.reset();
    }
    TRIBUTARY_ASSIGN(const bool all,
                     walk_->step(records, [this](const RecordKey& key) { return add(key); }));
    if (all) {
        walk_.reset();
        std::erase_if(pieces_, [](const auto& piece) { return !piece.second.is_sent; });
    }
    return all;
}

Status CodedClosure::add(const RecordKey& key) {
    const bool is_piece = key.kind == RecordKind::piece;
    // In each file that has it, but sent once, as it is first.
    Piece* piece = is_piece ? &pieces_[key.name] : nullptr;
    if (piece && std::exchange(piece->is_sent, true)) return {};
    TRIBUTARY_ASSIGN(const RecordHeader header, ledger_.store().read_header(key));
    sync::OfferedObject object{key, header.plain_length, header.stored_length, {}};
    if (!piece)
        object.bases.assign(header.bases().begin(), header.bases().end());
    else if (!piece->base.is_none())
        object.bases = {piece->base};
    objects_.push_back(std::move(object));
    return {};
}

// Pairs the pieces of a file with those at the same place of the same file in what runs there.
void CodedClosure::line_up(const Recipe& own, const Recipe& beside) {
    const std::size_t pairs = std::min(own.pieces.size(), beside.pieces.size());
    for (std::size_t i = 0; i < pairs; ++i) {
        const RecipePiece& piece = own.pieces[i];
        if (piece.id == beside.pieces[i].id) continue;  // it is there
        pieces_.try_emplace(piece.id.digest,
                            Piece{beside.pieces[i].id.digest, {piece.element_type, piece.phase}});
    }
}

Result<OutgoingFrame> CodedClosure::read(const RecordKey& key, bool may_use_base) const {
    Store& store = ledger_.store();
    TRIBUTARY_ASSIGN(const RecordHeader header, store.read_header(key));
    const auto known = pieces_.find(key.name);
    const Piece piece = known == pieces_.end() ? Piece() : known->second;
    std::optional<OutgoingFrame::Base> base;
    if (may_use_base && key.kind == RecordKind::piece) {
        if (!piece.base.is_none()) base = {piece.base, {}};
    } else if (may_use_base && header.base_count == 1) {
        base = {header.base[0], {}};
    }
    // A board of an older release takes no piece of a later encoding.
    const bool for_all = sync::feature_for(header.encoding) == 0;
    const bool as_stored = base ? header.base_count == 1 && header.base[0] == base->name && for_all
                                : header.base_count == 0;
    if (as_stored) {
        TRIBUTARY_ASSIGN(Bytes frame, store.read_record(key));
        return OutgoingFrame(std::move(frame));
    }
    if (base) {
        auto plain = store.read_plain({key.kind, base->name});
        if (!plain) return read_without_base(key, plain.error());
        base->plain = *std::move(plain);
    }
    TRIBUTARY_ASSIGN(Bytes plain, store.read_plain(key));
    return OutgoingFrame(header, std::move(plain), std::move(base), piece.shape);
}

Result<OutgoingFrame> CodedClosure::read_without_base(const RecordKey& key,
                                                      const Error& why) const {
    if (why.code == Errc::exhausted) return tl::make_unexpected(why);  // it passes
    if (!std::exchange(told_, true))
        log_failure(LogLevel::warn, "a record is sent without its base, which cannot be read", why);
    return read(key, false);
}

Result<Bytes> CodedClosure::frame(const RecordKey& key, bool may_use_base) const {
    TRIBUTARY_ASSIGN(OutgoingFrame outgoing, read(key, may_use_base));
    outgoing.code();
    return outgoing.take();
}

}  // namespace tributary::hub
