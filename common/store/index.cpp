#include "common/store/index.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>
#include <utility>

#include "common/hash/hash.h"
#include "common/store/index_schema.h"
#include "common/store/sqlite.h"

namespace tributary {
namespace {

using namespace index_schema;

// A version with the time of its entry, as several queries select it.
#define VERSION_COLUMNS "id, repo, branch, incarnation, sequence, wall_ms, logical, quality"

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

std::int64_t stored_time(std::uint64_t wall_ms) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(wall_ms, INT64_MAX));
}

void bind_time(Statement& s, int first, const HybridTime& time) {
    s.bind(first, stored_time(time.wall_ms));
    s.bind(first + 1, std::int64_t{time.logical});
    s.bind(first + 2, static_cast<std::int64_t>(time.quality));
}

HybridTime time_at(Statement& s, int first) {
    return {static_cast<std::uint64_t>(s.integer(first)),
            static_cast<std::uint32_t>(s.integer(first + 1)),
            static_cast<ClockQuality>(s.integer(first + 2))};
}

template <std::size_t N>
std::array<std::uint8_t, N> blob_at(Statement& s, int column) {
    std::array<std::uint8_t, N> out{};
    const ByteView bytes = s.blob(column);
    std::copy_n(bytes.begin(), std::min(bytes.size(), N), out.begin());
    return out;
}
Digest digest_at(Statement& s, int column) { return {blob_at<kDigestBytes>(s, column)}; }

VersionRow version_at(Statement& s) {
    return {VersionId{digest_at(s, 0)},
            s.text(1),
            s.text(2),
            Incarnation{blob_at<16>(s, 3)},
            static_cast<std::uint64_t>(s.integer(4)),
            time_at(s, 5)};
}
JournalHead head_at(Statement& s) {
    return {Incarnation{blob_at<16>(s, 0)}, static_cast<std::uint64_t>(s.integer(1)),
            EntryHash{digest_at(s, 2)}, time_at(s, 3)};
}

std::int64_t crc_of(std::uint32_t number) {
    std::array<std::uint8_t, 4> bytes{};
    store_le(bytes.data(), number);
    return crc32c(bytes);
}

class SqliteIndex final : public Index {
public:
    SqliteIndex(const std::string& path, std::uint64_t& written) : database_(path, written) {}

    // corrupt: the file is of another schema, or not a database, or broken.
    Status prepare() {
        TRIBUTARY_TRY(database_.open());
        TRIBUTARY_TRY(database_.run(kSettings));
        TRIBUTARY_ASSIGN(const std::int64_t number, database_.integer("PRAGMA user_version"));
        TRIBUTARY_ASSIGN(const std::int64_t tables,
                         database_.integer("SELECT count(*) FROM sqlite_schema"));
        if (number != kSchemaNumber) {
            if (number != 0 || tables != 0)
                return fail(Errc::corrupt, "the index has another schema number");
            TRIBUTARY_TRY(database_.run("BEGIN;" + tables_of("main") + kBegun +
                                        "PRAGMA user_version = " + std::to_string(kSchemaNumber) +
                                        "; COMMIT;"));
        }
        TRIBUTARY_TRY(database_.run("ATTACH ':memory:' AS open;" + tables_of("open") + kViews));
        return segments().map([](const auto&) {});
    }

    Result<std::vector<Segment>> segments() override {
        return rows<Segment>(
            "SELECT number, salt FROM main.segment ORDER BY number", [](Statement&) {},
            [](Statement& s) {
                return Segment{static_cast<std::uint32_t>(s.integer(0)),
                               static_cast<std::uint64_t>(s.integer(1))};
            });
    }

    Result<std::uint32_t> begun() override {
        return first(rows<std::uint32_t>(
                         "SELECT segment, crc FROM main.begun", [](Statement&) {},
                         [](Statement& s) {
                             const auto segment = static_cast<std::uint32_t>(s.integer(0));
                             return s.integer(1) == crc_of(segment) ? segment : 0;
                         }))
            .map([](const auto& segment) { return segment.value_or(0); });
    }

    Status set_begun(std::uint32_t segment) override {
        return write("INSERT OR REPLACE INTO main.begun VALUES(1, ?, ?)", [&](Statement& s) {
            s.bind(1, std::int64_t{segment});
            s.bind(2, crc_of(segment));
        });
    }

    Status begin_rows() override { return database_.run("BEGIN"); }
    Status end_rows() override {
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

    Status add(const IndexEntry& entry) override {
        const JournalHead& at = entry.at;
        TRIBUTARY_TRY(
            write("INSERT OR REPLACE INTO open.entry VALUES(?,?,?,?,?,?)", [&](Statement& s) {
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

    Status add_receipt(const Incarnation& journal, const Digest& name,
                       const Place& place) override {
        return write("INSERT OR REPLACE INTO open.receipt VALUES(?,?,?,?)", [&](Statement& s) {
            s.bind(1, journal.bytes);
            s.bind(2, name.bytes);
            s.bind(3, std::int64_t{place.segment});
            s.bind(4, std::int64_t{place.offset});
        });
    }

    Status add_evicted(const VersionId& version) override {
        return write("INSERT OR IGNORE INTO open.evicted VALUES(?)",
                     [&](Statement& s) { s.bind(1, version.digest.bytes); });
    }

    Status forget(std::uint32_t segment) override {
        TRIBUTARY_TRY(write("DELETE FROM main.version_id WHERE segment = ?",
                            [&](Statement& s) { s.bind(1, std::int64_t{segment}); }));
        return write("DELETE FROM main.segment WHERE number = ?",
                     [&](Statement& s) { s.bind(1, std::int64_t{segment}); });
    }

    Status seal(const Segment& segment) override {
        TRIBUTARY_TRY(write("INSERT OR REPLACE INTO open.segment VALUES(?,?)", [&](Statement& s) {
            s.bind(1, std::int64_t{segment.number});
            s.bind(2, static_cast<std::int64_t>(segment.salt));
        }));
        TRIBUTARY_TRY(database_.run("BEGIN IMMEDIATE"));
        auto moved = database_.run(kMoveRows);
        if (moved) moved = database_.run("COMMIT");
        // A rollback of a transaction that SQLite ended by itself fails, and may.
        if (!moved) (void)database_.run("ROLLBACK");
        return moved;
    }

    Result<std::optional<JournalHead>> head(const Incarnation& incarnation) override {
        return first(rows<JournalHead>(
            "SELECT * FROM all_journal WHERE incarnation = ? ORDER BY sequence DESC LIMIT 1",
            [&](Statement& s) { s.bind(1, incarnation.bytes); }, head_at));
    }

    Result<std::vector<JournalHead>> heads() override {
        return rows<JournalHead>(
            "SELECT incarnation, max(sequence), hash, wall_ms, logical, quality FROM all_journal "
            "GROUP BY incarnation ORDER BY incarnation",
            [](Statement&) {}, head_at);
    }

    Result<std::vector<EntryPlace>> entries(const Incarnation& incarnation, std::uint64_t from,
                                            std::size_t limit) override {
        return rows<EntryPlace>(
            "SELECT sequence, hash, segment, offset, length FROM all_entry "
            "WHERE incarnation = ? AND sequence >= ? ORDER BY sequence LIMIT ?",
            [&](Statement& s) {
                s.bind(1, incarnation.bytes);
                s.bind(2, stored_time(from));
                s.bind(3, static_cast<std::int64_t>(limit));
            },
            [](Statement& s) {
                return EntryPlace{static_cast<std::uint64_t>(s.integer(0)),
                                  EntryHash{digest_at(s, 1)},
                                  {static_cast<std::uint32_t>(s.integer(2)),
                                   static_cast<std::uint32_t>(s.integer(3)),
                                   static_cast<std::uint32_t>(s.integer(4)), 0}};
            });
    }

    Result<std::optional<VersionRow>> branch_head(const std::string& repo,
                                                  const std::string& branch,
                                                  const Incarnation& incarnation) override {
        return first(rows<VersionRow>(
            "SELECT " VERSION_COLUMNS
            " FROM all_branch "
            "WHERE repo = ? AND branch = ? AND incarnation = ? ORDER BY sequence DESC LIMIT 1",
            [&](Statement& s) {
                s.bind(1, repo);
                s.bind(2, branch);
                s.bind(3, incarnation.bytes);
            },
            version_at));
    }

    Result<std::vector<VersionRow>> branches(const std::string& repo) override {
        return rows<VersionRow>(
            "SELECT id, repo, branch, incarnation, max(sequence), wall_ms, logical, quality "
            "FROM all_branch WHERE repo = ? GROUP BY branch, incarnation "
            "ORDER BY branch, incarnation",
            [&](Statement& s) { s.bind(1, repo); }, version_at);
    }

    Result<std::vector<std::string>> repositories() override {
        return rows<std::string>(
            "SELECT DISTINCT repo FROM all_branch ORDER BY repo", [](Statement&) {},
            [](Statement& s) { return s.text(0); });
    }

    Result<std::vector<VersionRow>> versions_by_prefix(std::string_view hex,
                                                       std::size_t limit) override {
        std::string low(hex), high(hex);
        low.resize(2 * kDigestBytes, '0');
        high.resize(2 * kDigestBytes, 'f');
        Digest from, to;
        if (hex.size() > 2 * kDigestBytes || !from_hex(low, from.bytes) ||
            !from_hex(high, to.bytes))
            return fail(Errc::invalid, "a version's id has up to 64 digits of 0-9 and a-f");
        // One row for each id: of the entry that named it first.
        return rows<VersionRow>(
            "SELECT " VERSION_COLUMNS
            ", min(printf('%020d%010d', wall_ms, logical)) FROM ("
            "SELECT v.* FROM main.segment AS s "
            "CROSS JOIN main.version_id AS i ON i.segment = s.number AND i.id BETWEEN ?1 AND ?2 "
            "CROSS JOIN main.version AS v USING(incarnation, sequence) UNION ALL "
            "SELECT v.* FROM open.version_id AS i CROSS JOIN open.version AS v "
            "USING(incarnation, sequence) WHERE i.id BETWEEN ?1 AND ?2) "
            "GROUP BY id ORDER BY id LIMIT ?3",
            [&](Statement& s) {
                s.bind(1, from.bytes);
                s.bind(2, to.bytes);
                s.bind(3, static_cast<std::int64_t>(limit));
            },
            version_at);
    }

    Result<std::vector<VersionRow>> versions(const std::optional<std::string>& repo,
                                             std::size_t limit) override {
        const char* const sql =
            repo ? "SELECT " VERSION_COLUMNS
                   " FROM all_version WHERE repo = ?1 "
                   "ORDER BY wall_ms DESC, logical DESC, sequence DESC, id LIMIT ?2"
                 : "SELECT " VERSION_COLUMNS
                   " FROM all_version "
                   "ORDER BY wall_ms DESC, logical DESC, sequence DESC, id LIMIT ?2";
        return rows<VersionRow>(
            sql,
            [&](Statement& s) {
                if (repo) s.bind(1, *repo);
                s.bind(2, static_cast<std::int64_t>(std::min<std::size_t>(limit, INT32_MAX)));
            },
            version_at);
    }

    Result<bool> evicted(const VersionId& version) override {
        return is_there("SELECT 1 FROM all_evicted WHERE id = ?", version.digest);
    }

    Result<bool> thinned(const VersionId& version) override {
        return is_there("SELECT 1 FROM all_thinned WHERE id = ?", version.digest);
    }

    Result<std::uint64_t> count_versions_after(const Incarnation& incarnation,
                                               std::uint64_t sequence) override {
        return first(rows<std::uint64_t>(
                         "SELECT count(*) FROM all_version WHERE incarnation = ? AND sequence > ?",
                         [&](Statement& s) {
                             s.bind(1, incarnation.bytes);
                             s.bind(2, stored_time(sequence));
                         },
                         [](Statement& s) { return static_cast<std::uint64_t>(s.integer(0)); }))
            .map([](const auto& count) { return count.value_or(0); });
    }

    Result<std::optional<Digest>> receipt(const Incarnation& journal) override {
        return first(rows<Digest>(
            "SELECT name FROM all_receipt WHERE incarnation = ?",
            [&](Statement& s) { s.bind(1, journal.bytes); },
            [](Statement& s) { return digest_at(s, 0); }));
    }

    Result<bool> is_receipt(const Digest& name) override {
        return is_there("SELECT 1 FROM all_receipt WHERE name = ?", name);
    }

    Status dump(const std::function<void(std::string_view)>& visit) override {
        for (const char* sql :
             {"SELECT hex(incarnation), sequence, hex(hash), segment, offset, length "
              "FROM all_entry ORDER BY 1, 2",
              "SELECT hex(incarnation), max(sequence), hex(hash), wall_ms, logical, quality "
              "FROM all_journal GROUP BY incarnation ORDER BY 1",
              "SELECT hex(incarnation), sequence, hex(id), repo, branch, wall_ms, logical, quality "
              "FROM all_version ORDER BY 1, 2",
              "SELECT repo, branch, hex(incarnation), max(sequence), hex(id), wall_ms, logical, "
              "quality FROM all_branch GROUP BY repo, branch, incarnation ORDER BY 1, 2, 3",
              "SELECT hex(incarnation), hex(name), segment, offset FROM all_receipt ORDER BY 1",
              "SELECT DISTINCT hex(id) FROM all_evicted ORDER BY 1",
              "SELECT DISTINCT hex(id) FROM all_thinned ORDER BY 1"}) {
            TRIBUTARY_TRY(rows<int>(
                sql, [](Statement&) {},
                [&](Statement& s) {
                    std::string row;
                    for (int i = 0; i < s.columns(); ++i) row += s.text(i) + "|";
                    visit(row);
                    return 0;
                }));
        }
        return {};
    }

private:
    // Rows come in any order: a compaction copies old entries to the end of the log.
    template <class Row>
    static void raise(Row& held, const Row& row) {
        if (row.sequence >= held.sequence) held = row;
    }

    Status write_head(const JournalHead& head) {
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

    Status write_branch(const VersionRow& row) {
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

    template <class Bind>
    Status write(const char* sql, Bind bind) {
        TRIBUTARY_ASSIGN(Statement* const statement, database_.statement(sql));
        Statement& s = *statement;
        bind(s);
        const auto stepped = s.step();
        s.reset();
        return stepped.map([](bool) {});
    }

    template <class Row, class Bind, class Read>
    Result<std::vector<Row>> rows(const char* sql, Bind bind, Read read) {
        TRIBUTARY_ASSIGN(Statement* const statement, database_.statement(sql));
        Statement& s = *statement;
        bind(s);
        std::vector<Row> all;
        for (;;) {
            const auto row = s.step();
            if (!row || !*row) {
                s.reset();
                if (!row) return tl::unexpected(row.error());
                return all;
            }
            all.push_back(read(s));
        }
    }

    Result<bool> is_there(const char* sql, const Digest& name) {
        return rows<int>(
                   sql, [&](Statement& s) { s.bind(1, name.bytes); }, [](Statement&) { return 1; })
            .map([](const auto& found) { return !found.empty(); });
    }

    template <class Row>
    static Result<std::optional<Row>> first(Result<std::vector<Row>> rows) {
        if (!rows) return tl::unexpected(std::move(rows).error());
        if (rows->empty()) return std::optional<Row>();
        return std::optional<Row>(std::move(rows->front()));
    }

    Database database_;
    // Of the rows added since begin_rows(), only the last of each.
    std::map<Incarnation, JournalHead> heads_;
    std::map<std::tuple<std::string, std::string, Incarnation>, VersionRow> branches_;
};

}  // namespace

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
