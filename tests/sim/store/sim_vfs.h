// SQLite on a simulated disk: while one of these lives, SQLite's files are that disk's, and lose
// what was not synced with all the others. One at a time; it outlives every database.
#pragma once

#include <sqlite3.h>

#include "tests/support/sim_files.h"

namespace tributary::test {

class SimVfs {
public:
    explicit SimVfs(SimFiles& files);  // which outlives it
    ~SimVfs();
    SimVfs(const SimVfs&) = delete;
    SimVfs& operator=(const SimVfs&) = delete;

private:
    static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* given);
    static int remove(sqlite3_vfs* vfs, const char* path, int sync_directory);
    static int look_at(sqlite3_vfs* vfs, const char* path, int what, int* answer);
    static int full_path(sqlite3_vfs* vfs, const char* path, int size, char* out);

    sqlite3_vfs* const system_;
    sqlite3_vfs vfs_;
};

}  // namespace tributary::test
