#include "agent/space/lost_objects.h"

#include <algorithm>

#include "agent/space/retention.h"
#include "common/record/recipe.h"
#include "common/store/closure.h"

namespace tributary::agent {
namespace {

// Checked against its name, and a recipe against its pieces, by whoever takes in frames.
Status stage_checked(Store& store, const RecordKey& key, ByteView plain) {
    RecordHeader header;
    header.kind = key.kind;
    header.name = key.name;
    header.stored_length = header.plain_length = static_cast<std::uint32_t>(plain.size());
    Bytes frame;
    append_record(frame, header, plain);
    TRIBUTARY_TRY(store.stage_record(frame));
    if (!store.has(key))
        return fail(Errc::corrupt, std::string(name_of(key.kind)) + " " + key.name.text() +
                                       " is not what its name says");
    return {};
}

}  // namespace

Result<std::optional<RecordKey>> LostObjects::next() {
    if (versions_.empty()) TRIBUTARY_TRY(read_some());
    while (!versions_.empty()) {
        auto key = lacks(versions_.back());
        // Damage that was found just now is known when it is asked again.
        if (!key && is_damage(key.error())) key = lacks(versions_.back());
        if (!key && !is_damage(key.error())) return key;
        if (key && *key) return key;
        if (key)
            versions_.pop_back();
        else
            pass_over();
    }
    return std::nullopt;
}

Status LostObjects::read_some() {
    if (!begun_) {
        TRIBUTARY_ASSIGN(journals_, own_journals(store_));
        begun_ = true;
    }
    if (at_journal_ == journals_.size()) return {};
    const JournalHead& journal = journals_[at_journal_];
    const std::uint64_t end = std::min(next_entry_ + kEntriesInStep, journal.sequence + 1);
    const Status read = store_.read_entries(journal.incarnation, next_entry_, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        if (!entry || entry->header.sequence >= end) return false;
        next_entry_ = entry->header.sequence + 1;
        const auto body = parse_body(entry->header.kind, entry->body);
        if (const auto* commit = body ? std::get_if<CommitBody>(&*body) : nullptr)
            versions_.push_back(commit->version);
        else if (const auto* install = body ? std::get_if<InstallBody>(&*body) : nullptr)
            versions_.push_back(install->running);
        return next_entry_ < end;
    });
    if (!read && !is_damage(read.error())) return read;
    if (next_entry_ < end) ++next_entry_;  // a damaged entry
    if (next_entry_ <= journal.sequence) return {};
    ++at_journal_;
    next_entry_ = 1;
    return {};
}

Result<std::optional<RecordKey>> LostObjects::lacks(const VersionId& version) {
    if (version.is_none()) return std::nullopt;
    TRIBUTARY_ASSIGN(const bool evicted, store_.evicted(version));
    if (evicted) return std::nullopt;
    if (recipe_) {
        TRIBUTARY_ASSIGN(const Recipe recipe, parse_recipe(recipe_->second));
        for (const RecipePiece& piece : recipe.pieces)
            if (const RecordKey key{RecordKind::piece, piece.id.digest}; !store_.has(key))
                return key;
        const auto [key, plain] = *std::exchange(recipe_, std::nullopt);
        TRIBUTARY_TRY(stage_checked(store_, key, plain));
        TRIBUTARY_TRY(store_.commit());
    }
    return first_missing(store_, version, {});
}

Status LostObjects::bring(const RecordKey& key, ByteView plain) {
    if (key.kind == RecordKind::recipe) {
        TRIBUTARY_TRY(parse_recipe(plain).map([](const Recipe&) {}));
        recipe_ = {key, Bytes(plain.begin(), plain.end())};
    } else {
        TRIBUTARY_TRY(stage_checked(store_, key, plain));
        TRIBUTARY_TRY(store_.commit());
    }
    ++brought_;
    return {};
}

void LostObjects::pass_over() {
    recipe_.reset();
    if (versions_.empty()) return;
    passed_over_.push_back(versions_.back());
    versions_.pop_back();
}

}  // namespace tributary::agent
