// The index's tables in SQLite, and how they are used (index.cpp alone).
#pragma once

namespace tributary::index_schema {

// Raise with every change of kTables: an index of another number is deleted and built anew.
inline constexpr int kSchemaNumber = 5;

// In the file alone; one row each.
inline constexpr const char* kPlaces = R"sql(
    CREATE TABLE main.begun(          -- the greatest segment with an acknowledged batch
        one INTEGER PRIMARY KEY CHECK(one = 1),
        segment INTEGER NOT NULL,
        crc INTEGER NOT NULL);        -- CRC-32C of it: SQLite would not notice a turned bit
    CREATE TABLE main.kept(           -- of the open segment the rows of what stands below `bytes`
        one INTEGER PRIMARY KEY CHECK(one = 1),
        segment INTEGER NOT NULL,
        salt INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        crc INTEGER NOT NULL);        -- likewise
)sql";

// Made twice: in the file (`main`) and in RAM (`open`). %s is the database.
inline constexpr const char* kTables = R"sql(
    CREATE TABLE %s.segment(
        number INTEGER PRIMARY KEY,
        salt INTEGER NOT NULL);
    CREATE TABLE %s.journal(          -- the head of each
        incarnation BLOB PRIMARY KEY,
        sequence INTEGER NOT NULL,
        hash BLOB NOT NULL,
        wall_ms INTEGER NOT NULL, logical INTEGER NOT NULL, quality INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE %s.entry(
        incarnation BLOB NOT NULL,
        sequence INTEGER NOT NULL,
        hash BLOB NOT NULL,
        segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
        PRIMARY KEY(incarnation, sequence)
    ) WITHOUT ROWID;
    CREATE TABLE %s.version(          -- one row for each commit entry
        incarnation BLOB NOT NULL,
        sequence INTEGER NOT NULL,
        id BLOB NOT NULL,
        repo TEXT NOT NULL, branch TEXT NOT NULL,
        wall_ms INTEGER NOT NULL, logical INTEGER NOT NULL, quality INTEGER NOT NULL,
        PRIMARY KEY(incarnation, sequence)
    ) WITHOUT ROWID;
    CREATE TABLE %s.version_id(       -- of the versions whose entries stand in a segment; by segment,
        segment INTEGER NOT NULL,     -- because ids are random: each sealing then adds at the end
        id BLOB NOT NULL,             -- and does not touch every page there is
        incarnation BLOB NOT NULL,
        sequence INTEGER NOT NULL,
        PRIMARY KEY(segment, id, incarnation, sequence)
    ) WITHOUT ROWID;
    CREATE INDEX %s.version_by_time ON version(repo, wall_ms, logical);
    CREATE TABLE %s.branch(           -- the newest commit entry of each branch and journal
        repo TEXT NOT NULL, branch TEXT NOT NULL, incarnation BLOB NOT NULL,
        sequence INTEGER NOT NULL,
        id BLOB NOT NULL,
        wall_ms INTEGER NOT NULL, logical INTEGER NOT NULL, quality INTEGER NOT NULL,
        PRIMARY KEY(repo, branch, incarnation)
    ) WITHOUT ROWID;
    CREATE TABLE %s.receipt(          -- the last about each journal
        incarnation BLOB PRIMARY KEY,
        name BLOB NOT NULL,
        segment INTEGER NOT NULL, offset INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE %s.evicted(          -- versions whose content was given up
        id BLOB PRIMARY KEY
    ) WITHOUT ROWID;
    CREATE TABLE %s.thinned(          -- those that entries name as dropped
        id BLOB PRIMARY KEY
    ) WITHOUT ROWID;
)sql";

inline constexpr const char* kViews = R"sql(
    CREATE TEMP VIEW all_journal AS
        SELECT * FROM main.journal UNION ALL SELECT * FROM open.journal;
    CREATE TEMP VIEW all_entry AS         -- one that was copied forward counts once
        SELECT * FROM main.entry AS m WHERE NOT EXISTS (
            SELECT 1 FROM open.entry AS o
            WHERE o.incarnation = m.incarnation AND o.sequence = m.sequence)
        UNION ALL SELECT * FROM open.entry;
    CREATE TEMP VIEW all_version AS
        SELECT * FROM main.version
        UNION ALL SELECT * FROM open.version AS o WHERE NOT EXISTS (
            SELECT 1 FROM main.version AS m
            WHERE m.incarnation = o.incarnation AND m.sequence = o.sequence);
    CREATE TEMP VIEW all_branch AS SELECT * FROM main.branch UNION ALL SELECT * FROM open.branch;
    CREATE TEMP VIEW all_receipt AS
        SELECT * FROM main.receipt AS m WHERE NOT EXISTS (
            SELECT 1 FROM open.receipt AS o WHERE o.incarnation = m.incarnation)
        UNION ALL SELECT * FROM open.receipt;
    CREATE TEMP VIEW all_evicted AS SELECT * FROM main.evicted UNION ALL SELECT * FROM open.evicted;
    CREATE TEMP VIEW all_thinned AS SELECT * FROM main.thinned UNION ALL SELECT * FROM open.thinned;
)sql";

// A record may stand in the log again: recorded anew after damage, or copied forward. The last
// place counts; the head of a journal or branch is its entry of the greatest number.
inline constexpr const char* kMoveRows = R"sql(
    INSERT OR REPLACE INTO main.segment SELECT * FROM open.segment;
    INSERT OR REPLACE INTO main.journal SELECT * FROM open.journal AS o WHERE NOT EXISTS (
        SELECT 1 FROM main.journal AS m
        WHERE m.incarnation = o.incarnation AND m.sequence > o.sequence);
    INSERT OR REPLACE INTO main.entry SELECT * FROM open.entry;
    INSERT OR REPLACE INTO main.version SELECT * FROM open.version;
    INSERT OR REPLACE INTO main.version_id SELECT * FROM open.version_id;
    INSERT OR REPLACE INTO main.branch SELECT * FROM open.branch AS o WHERE NOT EXISTS (
        SELECT 1 FROM main.branch AS m
        WHERE m.repo = o.repo AND m.branch = o.branch AND m.incarnation = o.incarnation
          AND m.sequence > o.sequence);
    INSERT OR REPLACE INTO main.receipt SELECT * FROM open.receipt;
    INSERT OR IGNORE INTO main.evicted SELECT * FROM open.evicted;
    INSERT OR IGNORE INTO main.thinned SELECT * FROM open.thinned;
    DELETE FROM open.segment;
    DELETE FROM open.journal;
    DELETE FROM open.entry;
    DELETE FROM open.version;
    DELETE FROM open.version_id;
    DELETE FROM open.branch;
    DELETE FROM open.receipt;
    DELETE FROM open.evicted;
    DELETE FROM open.thinned;
)sql";

// The file is a cache of the log: synced only where SQLite must to keep itself whole. One owner, so
// no shared memory; a small cache, because the board has little RAM.
inline constexpr const char* kSettings = R"sql(
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -256;
    PRAGMA mmap_size = 0;
    PRAGMA cell_size_check = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA secure_delete = OFF;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = 256;
    PRAGMA journal_size_limit = 1048576;
)sql";

}  // namespace tributary::index_schema
