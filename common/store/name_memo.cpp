#include "common/store/name_memo.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/hash/hash.h"
#include "common/store/sqlite.h"

namespace tributary {
namespace {

constexpr const char* kBegin = R"sql(
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = TRUNCATE;   -- a process that is killed leaves it sound,
    PRAGMA synchronous = OFF;         -- and a machine that loses power may not
    PRAGMA cache_size = -1024;
    CREATE TABLE IF NOT EXISTS name(
        owner TEXT NOT NULL,
        name BLOB NOT NULL,
        PRIMARY KEY(owner, name)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS unfinished(owner TEXT PRIMARY KEY, bytes BLOB NOT NULL);
)sql";

// All but the last that were kept, up to so many bytes.
constexpr const char* kDropOldUnfinished = R"sql(
    DELETE FROM unfinished WHERE rowid IN (
        SELECT rowid FROM (
            SELECT rowid, SUM(length(bytes)) OVER (ORDER BY rowid DESC) AS so_far FROM unfinished)
        WHERE so_far > CAST(? AS INTEGER))
)sql";

// As it stands in a row, which has no checksum: whatever bits of it are flipped, its owner's too,
// it is no name that somebody has.
std::array<std::uint8_t, 16> bytes_of(const std::string& owner, const ShortName& name) {
    const Digest mixed_with = sha256(as_bytes(owner));
    std::array<std::uint8_t, 16> bytes{};
    store_le(bytes.data(), name.a);
    store_le(bytes.data() + 8, name.b);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] ^= mixed_with.bytes[i];
    return bytes;
}

}  // namespace

NameMemo::NameMemo(std::string path, Trouble trouble)
    : path_(std::move(path)), trouble_(std::move(trouble)) {
    const Status begun = begin();
    if (begun) return;
    on_failure(begun.error());
    if (begun.error().code != Errc::corrupt) database_.reset();
}

NameMemo::~NameMemo() = default;

Status NameMemo::begin() {
    database_ = std::make_unique<Database>(path_, written_);
    TRIBUTARY_TRY(database_->open());
    return database_->run(kBegin);
}

void NameMemo::begin_anew() {
    database_.reset();
    if (!Database::remove(path_) || !begin()) database_.reset();
}

// Damage costs all of it. Else the disk is full, or the like, and later writes may succeed.
void NameMemo::on_failure(const Error& error) {
    if (error.code == Errc::corrupt) return begin_anew();
    (void)database_->run("ROLLBACK");  // fails where SQLite has done it
    if (const auto trouble = std::exchange(trouble_, {})) trouble(error);
}

void NameMemo::add(const std::string& owner, std::span<const ShortName> names) {
    const auto added = [&]() -> Status {
        TRIBUTARY_ASSIGN(Statement* const insert,
                         database_->statement("INSERT OR IGNORE INTO name VALUES(?, ?)"));
        TRIBUTARY_TRY(database_->run("BEGIN"));
        for (const ShortName& name : names) {
            const auto bytes = bytes_of(owner, name);
            insert->bind(1, owner);
            insert->bind(2, ByteView(bytes));
            const auto stepped = insert->step();
            insert->reset();
            if (!stepped) return tl::make_unexpected(stepped.error());
        }
        return database_->run("COMMIT");
    };
    if (!database_) return;
    if (const Status kept = added(); !kept) on_failure(kept.error());
}

Result<bool> NameMemo::find(const char* sql, const std::string& owner, ByteView name) {
    TRIBUTARY_ASSIGN(Statement* const select, database_->statement(sql));
    select->bind(1, owner);
    if (!name.empty()) select->bind(2, name);
    auto found = select->step();
    select->reset();
    return found;
}

bool NameMemo::contains(const std::string& owner, const ShortName& name) {
    if (!database_) return false;
    const auto bytes = bytes_of(owner, name);
    const auto found = find("SELECT 1 FROM name WHERE owner = ? AND name = ?", owner, bytes);
    if (!found) on_failure(found.error());
    return found && *found;
}

bool NameMemo::knows(const std::string& owner) {
    if (!database_) return false;
    const auto found = find("SELECT 1 FROM name WHERE owner = ? LIMIT 1", owner, {});
    if (!found) on_failure(found.error());
    return found && *found;
}

void NameMemo::forget(const std::string& owner) {
    if (!database_) return;
    const auto gone = find("DELETE FROM name WHERE owner = ?", owner, {});
    if (!gone) on_failure(gone.error());
}

void NameMemo::keep_unfinished(const std::string& owner, ByteView bytes) {
    if (!database_) return;
    auto kept = find("INSERT OR REPLACE INTO unfinished VALUES(?, ?)", owner, bytes);
    if (kept) kept = find(kDropOldUnfinished, std::to_string(kUnfinishedBytesMax), {});
    if (!kept) on_failure(kept.error());
}

Bytes NameMemo::take_unfinished(const std::string& owner) {
    const auto taken = [&]() -> Result<Bytes> {
        TRIBUTARY_ASSIGN(Statement* const select,
                         database_->statement("SELECT bytes FROM unfinished WHERE owner = ?"));
        select->bind(1, owner);
        const auto found = select->step();
        const ByteView bytes = found && *found ? select->blob(0) : ByteView();
        Bytes copy(bytes.begin(), bytes.end());
        select->reset();
        if (!found) return tl::make_unexpected(found.error());
        if (copy.empty()) return copy;
        // One that stays is only taken once more.
        const auto gone = find("DELETE FROM unfinished WHERE owner = ?", owner, {});
        if (!gone) on_failure(gone.error());
        return copy;
    };
    if (!database_) return {};
    auto bytes = taken();
    if (!bytes) on_failure(bytes.error());
    return std::move(bytes).value_or(Bytes());
}

}  // namespace tributary
