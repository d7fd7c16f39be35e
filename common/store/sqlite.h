// A thin fence around SQLite: one database, cached statements, every byte it writes counted by a
// small VFS of our own that passes all else to the system's.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace tributary {

class Statement {
public:
    explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
    ~Statement() { sqlite3_finalize(statement_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    // What is bound must live until reset(). Parameters count from 1, columns from 0.
    void bind(int at, std::int64_t value) { sqlite3_bind_int64(statement_, at, value); }
    void bind(int at, ByteView bytes) {
        sqlite3_bind_blob(statement_, at, bytes.data(), static_cast<int>(bytes.size()), nullptr);
    }
    void bind(int at, const std::string& text) {
        sqlite3_bind_text(statement_, at, text.data(), static_cast<int>(text.size()), nullptr);
    }

    Result<bool> step();  // true: a row is there
    void reset();

    int columns() const { return sqlite3_column_count(statement_); }
    std::int64_t integer(int column) { return sqlite3_column_int64(statement_, column); }
    ByteView blob(int column);  // until the next step
    std::string text(int column);

private:
    sqlite3_stmt* statement_;
};

class CountingVfs;

class Database {
public:
    Database(std::string path, std::uint64_t& written);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    Status open();
    Status run(const std::string& sql);  // all statements in it
    Result<std::int64_t> integer(const char* sql);
    // Prepared once; `sql` is a literal. Reset after each use.
    Result<Statement*> statement(const char* sql);

    // The database file and its companions.
    static Status remove(const std::string& path);

private:
    const std::string path_;
    std::unique_ptr<CountingVfs> vfs_;
    sqlite3* handle_ = nullptr;
    std::map<const char*, std::unique_ptr<Statement>> statements_;
};

}  // namespace tributary
