// Reading the index.
#include <algorithm>
#include <array>

#include "common/hash/hash.h"
#include "common/store/sqlite_index.h"

namespace tributary {
namespace {

// A version with the time of its entry, as several queries select it; and which come first.
#define VERSION_COLUMNS "id, repo, branch, incarnation, sequence, wall_ms, logical, quality"
#define NEWEST "ORDER BY wall_ms DESC, logical DESC, sequence DESC, id LIMIT ?2"

bool comes_before(const VersionRow& a, const VersionRow& b) {
    const auto age = [](const VersionRow& row) {
        return std::tuple(row.time.wall_ms, row.time.logical, row.sequence);
    };
    return age(a) != age(b) ? age(a) > age(b) : a.id < b.id;
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

}  // namespace

Result<std::optional<JournalHead>> SqliteIndex::head(const Incarnation& incarnation) {
    return first(rows<JournalHead>(
        "SELECT * FROM all_journal WHERE incarnation = ? ORDER BY sequence DESC LIMIT 1",
        [&](Statement& s) { s.bind(1, incarnation.bytes); }, head_at));
}

Result<std::vector<JournalHead>> SqliteIndex::heads() {
    return rows<JournalHead>(
        "SELECT incarnation, max(sequence), hash, wall_ms, logical, quality FROM all_journal "
        "GROUP BY incarnation ORDER BY incarnation",
        [](Statement&) {}, head_at);
}

Result<std::vector<Index::EntryPlace>> SqliteIndex::entries(const Incarnation& incarnation,
                                                            std::uint64_t from, std::size_t limit) {
    return rows<EntryPlace>(
        "SELECT sequence, hash, segment, offset, length FROM all_entry "
        "WHERE incarnation = ? AND sequence >= ? ORDER BY sequence LIMIT ?",
        [&](Statement& s) {
            s.bind(1, incarnation.bytes);
            s.bind(2, stored_number(from));
            s.bind(3, static_cast<std::int64_t>(limit));
        },
        [](Statement& s) {
            return EntryPlace{
                static_cast<std::uint64_t>(s.integer(0)),
                EntryHash{digest_at(s, 1)},
                {static_cast<std::uint32_t>(s.integer(2)), static_cast<std::uint32_t>(s.integer(3)),
                 static_cast<std::uint32_t>(s.integer(4)), 0}};
        });
}

Result<std::optional<VersionRow>> SqliteIndex::branch_head(const std::string& repo,
                                                           const std::string& branch,
                                                           const Incarnation& incarnation) {
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

Result<std::vector<VersionRow>> SqliteIndex::branches(const std::string& repo) {
    return rows<VersionRow>(
        "SELECT id, repo, branch, incarnation, max(sequence), wall_ms, logical, quality "
        "FROM all_branch WHERE repo = ? GROUP BY branch, incarnation "
        "ORDER BY branch, incarnation",
        [&](Statement& s) { s.bind(1, repo); }, version_at);
}

Result<std::vector<std::string>> SqliteIndex::repositories() {
    return rows<std::string>(
        "SELECT DISTINCT repo FROM all_branch ORDER BY repo", [](Statement&) {},
        [](Statement& s) { return s.text(0); });
}

Result<std::vector<VersionRow>> SqliteIndex::versions_by_prefix(std::string_view hex,
                                                                std::size_t limit) {
    std::string low(hex), high(hex);
    low.resize(2 * kDigestBytes, '0');
    high.resize(2 * kDigestBytes, 'f');
    Digest from, to;
    if (hex.size() > 2 * kDigestBytes || !from_hex(low, from.bytes) || !from_hex(high, to.bytes))
        return fail(Errc::invalid, "a version's id has up to 64 digits of 0-9 and a-f");
    // One row for each id: of the entry that named it first.
    return rows<VersionRow>(
        "SELECT " VERSION_COLUMNS
        ", min(printf('%020d%010d', wall_ms, logical)) FROM ("
        "SELECT v.* FROM "
        "(SELECT number FROM main.segment UNION SELECT segment FROM main.kept) AS s "
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

Result<std::vector<VersionRow>> SqliteIndex::versions(const std::optional<std::string>& repo,
                                                      std::size_t limit) {
    if (repo) return newest_of(*repo, limit);
    TRIBUTARY_ASSIGN(const auto repos, repositories());
    std::vector<VersionRow> newest;
    for (const std::string& each : repos) {
        TRIBUTARY_ASSIGN(const auto rows, newest_of(each, limit));
        newest.insert(newest.end(), rows.begin(), rows.end());
        std::ranges::sort(newest, comes_before);
        newest.resize(std::min(newest.size(), limit));
    }
    return newest;
}

// Each part is ordered by itself, so that it is read by its index from the end, and no further
// than to `limit`.
Result<std::vector<VersionRow>> SqliteIndex::newest_of(const std::string& repo, std::size_t limit) {
    return rows<VersionRow>(
        "SELECT * FROM (SELECT " VERSION_COLUMNS " FROM main.version WHERE repo = ?1 " NEWEST
        ") UNION ALL SELECT * FROM (SELECT " VERSION_COLUMNS
        " FROM open.version AS o WHERE repo = ?1 AND NOT EXISTS ("
        "SELECT 1 FROM main.version AS m "
        "WHERE m.incarnation = o.incarnation AND m.sequence = o.sequence) " NEWEST ") " NEWEST,
        [&](Statement& s) {
            s.bind(1, repo);
            s.bind(2, static_cast<std::int64_t>(std::min<std::size_t>(limit, INT32_MAX)));
        },
        version_at);
}

Result<bool> SqliteIndex::evicted(const VersionId& version) {
    return is_there("SELECT 1 FROM all_evicted WHERE id = ?", version.digest);
}

Result<bool> SqliteIndex::thinned(const VersionId& version) {
    return is_there("SELECT 1 FROM all_thinned WHERE id = ?", version.digest);
}

Result<std::uint64_t> SqliteIndex::count_versions_after(const Incarnation& incarnation,
                                                        std::uint64_t sequence) {
    return first(rows<std::uint64_t>(
                     "SELECT count(*) FROM all_version WHERE incarnation = ? AND sequence > ?",
                     [&](Statement& s) {
                         s.bind(1, incarnation.bytes);
                         s.bind(2, stored_number(sequence));
                     },
                     [](Statement& s) { return static_cast<std::uint64_t>(s.integer(0)); }))
        .map([](const auto& count) { return count.value_or(0); });
}

Result<std::optional<Digest>> SqliteIndex::receipt(const Incarnation& journal) {
    return first(rows<Digest>(
        "SELECT name FROM all_receipt WHERE incarnation = ?",
        [&](Statement& s) { s.bind(1, journal.bytes); },
        [](Statement& s) { return digest_at(s, 0); }));
}

Result<bool> SqliteIndex::is_receipt(const Digest& name) {
    return is_there("SELECT 1 FROM all_receipt WHERE name = ?", name);
}

// Every table, and the index of the versions, which has pages of its own that may be damaged. The
// long ones in the order of their keys, so that SQLite merges what it would else sort in RAM.
Status SqliteIndex::dump(const std::function<void(std::string_view)>& visit) {
    for (const char* sql :
         {"SELECT incarnation, sequence, hash, segment, offset, length FROM all_entry ORDER BY 1, "
          "2",
          "SELECT hex(incarnation), max(sequence), hex(hash), wall_ms, logical, quality "
          "FROM all_journal GROUP BY incarnation ORDER BY 1",
          "SELECT incarnation, sequence, id, repo, branch, wall_ms, logical, quality "
          "FROM all_version ORDER BY 1, 2",
          "SELECT repo, wall_ms, logical, incarnation, sequence "
          "FROM main.version INDEXED BY version_by_time "
          "UNION SELECT repo, wall_ms, logical, incarnation, sequence "
          "FROM open.version INDEXED BY version_by_time ORDER BY 1, 2, 3, 4, 5",
          "SELECT segment, id, incarnation, sequence FROM main.version_id "
          "UNION SELECT segment, id, incarnation, sequence FROM open.version_id "
          "ORDER BY 1, 2, 3, 4",
          "SELECT repo, branch, hex(incarnation), max(sequence), hex(id), wall_ms, logical, "
          "quality FROM all_branch GROUP BY repo, branch, incarnation ORDER BY 1, 2, 3",
          "SELECT incarnation, name, segment, offset FROM all_receipt ORDER BY 1",
          "SELECT id FROM main.evicted UNION SELECT id FROM open.evicted ORDER BY 1",
          "SELECT id FROM main.thinned UNION SELECT id FROM open.thinned ORDER BY 1"}) {
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

}  // namespace tributary
