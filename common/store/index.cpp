#include "common/store/index.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "common/hash/hash.h"
#include "common/store/index_schema.h"
#include "common/store/sqlite_index.h"

namespace tributary {

using namespace index_schema;

namespace {

std::string tables_of(const char* database) {
    std::string sql;
    for (std::string_view rest = kTables; !rest.empty();) {
        const std::size_t at = rest.find("%s");
        sql += rest.substr(0, at);
        if (at == std::string_view::npos) break;
        sql += database;
        rest.remove_prefix(at + 2);
    }
    return sql;
}

void bind_time(Statement& s, int first, const HybridTime& time) {
    s.bind(first, stored_number(time.wall_ms));
    s.bind(first + 1, std::int64_t{time.logical});
    s.bind(first + 2, static_cast<std::int64_t>(time.quality));
}

std::int64_t crc_of(std::uint32_t number) {
    std::array<std::uint8_t, 4> bytes{};
    store_le(bytes.data(), number);
    return crc32c(bytes);
}

std::int64_t crc_of(const Index::Kept& kept) {
    std::array<std::uint8_t, 20> bytes{};
    store_le(bytes.data(), kept.segment.number);
    store_le(bytes.data() + 4, kept.segment.salt);
    store_le(bytes.data() + 12, kept.bytes);
    return crc32c(bytes);
}

// Rows come in any order: a compaction copies old entries to the end of the log.
template <class Row>
void raise(Row& held, const Row& row) {
    if (row.sequence >= held.sequence) held = row;
}

}  // namespace

std::int64_t stored_number(std::uint64_t number) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(number, INT64_MAX));
}

// ---- opening ----

Status SqliteIndex::prepare() {
    TRIBUTARY_TRY(database_.open());
    TRIBUTARY_TRY(database_.run(kSettings));
    TRIBUTARY_ASSIGN(const std::int64_t number, database_.integer("PRAGMA user_version"));
    TRIBUTARY_ASSIGN(const std::int64_t tables,
                     database_.integer("SELECT count(*) FROM sqlite_schema"));
    if (number != kSchemaNumber) {
        if (number != 0 || tables != 0)
            return fail(Errc::corrupt, "the index has another schema number");
        TRIBUTARY_TRY(database_.run("BEGIN;" + tables_of("main") + kPlaces +
                                    "PRAGMA user_version = " + std::to_string(kSchemaNumber) +
                                    "; COMMIT;"));
    }
    TRIBUTARY_TRY(database_.run("ATTACH ':memory:' AS open;" + tables_of("open") + kViews));
    return segments().map([](const auto&) {});
}

Result<std::vector<Index::Segment>> SqliteIndex::segments() {
    return rows<Segment>(
        "SELECT number, salt FROM main.segment ORDER BY number", [](Statement&) {},
        [](Statement& s) {
            return Segment{static_cast<std::uint32_t>(s.integer(0)),
                           static_cast<std::uint64_t>(s.integer(1))};
        });
}

Result<std::uint32_t> SqliteIndex::begun() {
    return first(rows<std::uint32_t>(
                     "SELECT segment, crc FROM main.begun", [](Statement&) {},
                     [](Statement& s) {
                         const auto segment = static_cast<std::uint32_t>(s.integer(0));
                         return s.integer(1) == crc_of(segment) ? segment : 0;
                     }))
        .map([](const auto& segment) { return segment.value_or(0); });
}

Status SqliteIndex::set_begun(std::uint32_t segment) {
    return write("INSERT OR REPLACE INTO main.begun VALUES(1, ?, ?)", [&](Statement& s) {
        s.bind(1, std::int64_t{segment});
        s.bind(2, crc_of(segment));
    });
}

// A turned bit in it, or in its checksum, reads as corrupt: rows would be missed.
Result<std::optional<Index::Kept>> SqliteIndex::kept() {
    bool sound = true;
    auto found = first(rows<Kept>(
        "SELECT segment, salt, bytes, crc FROM main.kept", [](Statement&) {},
        [&](Statement& s) {
            const Kept kept{{static_cast<std::uint32_t>(s.integer(0)),
                             static_cast<std::uint64_t>(s.integer(1))},
                            static_cast<std::uint64_t>(s.integer(2))};
            sound = s.integer(3) == crc_of(kept);
            return kept;
        }));
    if (!sound) return fail(Errc::corrupt, "the index does not know what it holds");
    return found;
}

// ---- writing ----

Status SqliteIndex::begin_rows() { return database_.run("BEGIN"); }
Status SqliteIndex::end_rows() {
    Status written;
    for (const auto& [incarnation, head] : heads_)
        if (written) written = write_head(head);
    for (const auto& [name, row] : branches_)
        if (written) written = write_branch(row);
    heads_.clear();
    branches_.clear();
    const auto ended = database_.run("COMMIT");
    return written ? ended : written;
}

Status SqliteIndex::add(const IndexEntry& entry) {
    ++in_ram_;
    const JournalHead& at = entry.at;
    TRIBUTARY_TRY(write("INSERT OR REPLACE INTO open.entry VALUES(?,?,?,?,?,?)", [&](Statement& s) {
        s.bind(1, at.incarnation.bytes);
        s.bind(2, static_cast<std::int64_t>(at.sequence));
        s.bind(3, at.hash.digest.bytes);
        s.bind(4, std::int64_t{entry.place.segment});
        s.bind(5, std::int64_t{entry.place.offset});
        s.bind(6, std::int64_t{entry.place.length});
    }));
    raise(heads_[at.incarnation], at);
    if (entry.thinned)
        TRIBUTARY_TRY(write("INSERT OR IGNORE INTO open.thinned VALUES(?)",
                            [&](Statement& s) { s.bind(1, entry.thinned->digest.bytes); }));
    if (!entry.commit) return {};
    TRIBUTARY_TRY(
        write("INSERT OR REPLACE INTO open.version VALUES(?,?,?,?,?,?,?,?)", [&](Statement& s) {
            s.bind(1, at.incarnation.bytes);
            s.bind(2, static_cast<std::int64_t>(at.sequence));
            s.bind(3, entry.commit->version.digest.bytes);
            s.bind(4, entry.commit->repo);
            s.bind(5, entry.commit->branch);
            bind_time(s, 6, at.time);
        }));
    TRIBUTARY_TRY(
        write("INSERT OR REPLACE INTO open.version_id VALUES(?,?,?,?)", [&](Statement& s) {
            s.bind(1, std::int64_t{entry.place.segment});
            s.bind(2, entry.commit->version.digest.bytes);
            s.bind(3, at.incarnation.bytes);
            s.bind(4, static_cast<std::int64_t>(at.sequence));
        }));
    const CommitBody& commit = *entry.commit;
    raise(branches_[{commit.repo, commit.branch, at.incarnation}],
          VersionRow{commit.version, commit.repo, commit.branch, at.incarnation, at.sequence,
                     at.time});
    return {};
}

Status SqliteIndex::add_receipt(const Incarnation& journal, const Digest& name,
                                const Place& place) {
    return write("INSERT OR REPLACE INTO open.receipt VALUES(?,?,?,?)", [&](Statement& s) {
        s.bind(1, journal.bytes);
        s.bind(2, name.bytes);
        s.bind(3, std::int64_t{place.segment});
        s.bind(4, std::int64_t{place.offset});
    });
}

Status SqliteIndex::add_evicted(const VersionId& version) {
    return write("INSERT OR IGNORE INTO open.evicted VALUES(?)",
                 [&](Statement& s) { s.bind(1, version.digest.bytes); });
}

Status SqliteIndex::forget(std::uint32_t segment) {
    TRIBUTARY_TRY(write("DELETE FROM main.version_id WHERE segment = ?",
                        [&](Statement& s) { s.bind(1, std::int64_t{segment}); }));
    return write("DELETE FROM main.segment WHERE number = ?",
                 [&](Statement& s) { s.bind(1, std::int64_t{segment}); });
}

Status SqliteIndex::seal(const Segment& segment) {
    TRIBUTARY_TRY(write("INSERT OR REPLACE INTO open.segment VALUES(?,?)", [&](Statement& s) {
        s.bind(1, std::int64_t{segment.number});
        s.bind(2, static_cast<std::int64_t>(segment.salt));
    }));
    return move_rows([&] { return database_.run("DELETE FROM main.kept"); });
}

Status SqliteIndex::keep(const Kept& kept) {
    return move_rows([&] { return write_kept(kept); });
}

std::size_t SqliteIndex::entries_in_ram() const { return in_ram_; }

Status SqliteIndex::cut_back(std::uint32_t begun, std::uint32_t next_segment,
                             const std::optional<Kept>& open) {
    TRIBUTARY_ASSIGN(const auto held, segments());
    TRIBUTARY_ASSIGN(const auto known, kept());
    TRIBUTARY_ASSIGN(const std::uint32_t begun_now, this->begun());
    // Sealed, the segment that is open again has all its rows in the file.
    const bool sealed = open && std::ranges::find(held, open->segment) != held.end();
    const std::uint32_t goes_from = open ? open->segment.number : next_segment;
    std::optional<Kept> keeps = known;
    if (known && known->segment.number >= next_segment) keeps.reset();
    if (sealed || (open && keeps && keeps->segment == open->segment && keeps->bytes > open->bytes))
        keeps = open;
    if (keeps == known && begun == begun_now && (held.empty() || held.back().number < goes_from))
        return {};

    TRIBUTARY_TRY(database_.run("BEGIN IMMEDIATE"));
    const auto cut = [&]() -> Status {
        for (const char* sql : {"DELETE FROM main.segment WHERE number >= ?",
                                "DELETE FROM open.segment WHERE number >= ?"})
            TRIBUTARY_TRY(write(sql, [&](Statement& s) { s.bind(1, std::int64_t{goes_from}); }));
        TRIBUTARY_TRY(database_.run("DELETE FROM main.kept"));
        if (keeps) TRIBUTARY_TRY(write_kept(*keeps));
        TRIBUTARY_TRY(set_begun(begun));
        return database_.run("COMMIT");
    }();
    if (!cut) {
        (void)database_.run("ROLLBACK");
        return cut;
    }
    TRIBUTARY_ASSIGN(const std::int64_t busy, database_.integer("PRAGMA wal_checkpoint(TRUNCATE)"));
    return busy == 0 ? Status() : fail(Errc::unavailable, "the index is busy");
}

Status SqliteIndex::write_kept(const Kept& kept) {
    return write("INSERT OR REPLACE INTO main.kept VALUES(1, ?, ?, ?, ?)", [&](Statement& s) {
        s.bind(1, std::int64_t{kept.segment.number});
        s.bind(2, static_cast<std::int64_t>(kept.segment.salt));
        s.bind(3, stored_number(kept.bytes));
        s.bind(4, crc_of(kept));
    });
}

Status SqliteIndex::move_rows(const std::function<Status()>& say) {
    TRIBUTARY_TRY(database_.run("BEGIN IMMEDIATE"));
    auto moved = database_.run(kMoveRows);
    if (moved) moved = say();
    if (moved) moved = database_.run("COMMIT");
    // A rollback of a transaction that SQLite ended by itself fails, and may.
    if (!moved) (void)database_.run("ROLLBACK");
    if (moved) in_ram_ = 0;
    return moved;
}

Status SqliteIndex::write_head(const JournalHead& head) {
    return write(
        "INSERT OR REPLACE INTO open.journal SELECT ?,?,?,?,?,? WHERE NOT EXISTS ("
        "SELECT 1 FROM open.journal WHERE incarnation = ?1 AND sequence > ?2)",
        [&](Statement& s) {
            s.bind(1, head.incarnation.bytes);
            s.bind(2, static_cast<std::int64_t>(head.sequence));
            s.bind(3, head.hash.digest.bytes);
            bind_time(s, 4, head.time);
        });
}

Status SqliteIndex::write_branch(const VersionRow& row) {
    return write(
        "INSERT OR REPLACE INTO open.branch SELECT ?,?,?,?,?,?,?,? WHERE NOT EXISTS ("
        "SELECT 1 FROM open.branch "
        "WHERE repo = ?1 AND branch = ?2 AND incarnation = ?3 AND sequence > ?4)",
        [&](Statement& s) {
            s.bind(1, row.repo);
            s.bind(2, row.branch);
            s.bind(3, row.incarnation.bytes);
            s.bind(4, static_cast<std::int64_t>(row.sequence));
            s.bind(5, row.id.digest.bytes);
            bind_time(s, 6, row.time);
        });
}

Result<std::unique_ptr<Index>> Index::open(const std::string& path, std::uint64_t& written) {
    auto index = std::make_unique<SqliteIndex>(path, written);
    auto ready = index->prepare();
    if (!ready && ready.error().code == Errc::corrupt) {
        index.reset();
        TRIBUTARY_TRY(remove(path));
        index = std::make_unique<SqliteIndex>(path, written);
        ready = index->prepare();
    }
    if (!ready) return with_context("open the index " + path, std::move(ready).error());
    return index;
}

Status Index::remove(const std::string& path) { return Database::remove(path); }

}  // namespace tributary
