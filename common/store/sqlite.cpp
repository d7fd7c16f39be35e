#include "common/store/sqlite.h"

#include <utility>

#include "common/store/counting_vfs.h"

namespace tributary {
namespace {

// All our statements fit our tables: one that does not has met a damaged schema or damaged rows.
bool is_damage(int primary) {
    switch (primary) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_FORMAT:
        case SQLITE_ERROR:
        case SQLITE_SCHEMA:
        case SQLITE_CONSTRAINT:
        case SQLITE_MISMATCH:
        case SQLITE_TOOBIG: return true;
        default: return false;
    }
}

// SQLite's result codes as what the caller should do.
tl::unexpected<Error> failed(int code, const char* what) {
    const int primary = code & 0xFF;
    const Errc errc =
        is_damage(primary)       ? Errc::corrupt
        : primary == SQLITE_FULL ? Errc::exhausted
        : primary == SQLITE_READONLY || primary == SQLITE_PERM || primary == SQLITE_AUTH
            ? Errc::denied
            : Errc::unavailable;
    return fail(errc, std::string("the index: ") + what, code);
}

tl::unexpected<Error> failed(sqlite3* handle) {
    return failed(sqlite3_extended_errcode(handle), sqlite3_errmsg(handle));
}

}  // namespace

// ---- Statement ----

Result<bool> Statement::step() {
    switch (sqlite3_step(statement_)) {
        case SQLITE_ROW: return true;
        case SQLITE_DONE: return false;
        default: return failed(sqlite3_db_handle(statement_));
    }
}

void Statement::reset() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
}

ByteView Statement::blob(int column) {
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string Statement::text(int column) {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (!data) return {};
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

// ---- Database ----

Database::Database(std::string path, std::uint64_t& written)
    : path_(std::move(path)), vfs_(std::make_unique<CountingVfs>(written)) {}

Database::~Database() {
    statements_.clear();
    sqlite3_close(handle_);
}

Status Database::open() {
    const int result = sqlite3_open_v2(
        path_.c_str(), &handle_,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
        vfs_->name());
    if (result != SQLITE_OK) return handle_ ? failed(handle_) : failed(result, "out of memory");
    sqlite3_extended_result_codes(handle_, 1);
    return {};
}

Status Database::run(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        return failed(handle_);
    return {};
}

Result<std::int64_t> Database::integer(const char* sql) {
    TRIBUTARY_ASSIGN(Statement* const s, statement(sql));
    const auto row = s->step();
    const std::int64_t value = row && *row ? s->integer(0) : 0;
    s->reset();
    if (!row) return tl::unexpected(row.error());
    return value;
}

Result<Statement*> Database::statement(const char* sql) {
    auto& cached = statements_[sql];
    if (!cached) {
        sqlite3_stmt* made = nullptr;
        if (sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr) !=
            SQLITE_OK)
            return failed(handle_);
        cached = std::make_unique<Statement>(made);
    }
    return cached.get();
}

Status Database::remove(const std::string& path) {
    sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
    for (const char* suffix : {"", "-wal", "-journal", "-shm"}) {
        const int result = system->xDelete(system, (path + suffix).c_str(), 0);
        if (result != SQLITE_OK && result != SQLITE_IOERR_DELETE_NOENT)
            return failed(result, "cannot delete it");
    }
    return {};
}

}  // namespace tributary
