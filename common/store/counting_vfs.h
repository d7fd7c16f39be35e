// SQLite's way to files: the system's in all but two things. Every byte written is counted, and
// there is no shared memory (the database is opened for exclusive use, which needs none).
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>

namespace tributary {

class CountingVfs {
public:
    // Adds to `written`, which lives longer than every database opened through this.
    explicit CountingVfs(std::uint64_t& written);
    ~CountingVfs();
    CountingVfs(const CountingVfs&) = delete;
    CountingVfs& operator=(const CountingVfs&) = delete;

    const char* name() const { return name_.c_str(); }  // for sqlite3_open_v2()

private:
    struct Vfs : sqlite3_vfs {
        sqlite3_vfs* system = nullptr;
        std::uint64_t* written = nullptr;
    };
    static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags,
                    int* out_flags);

    Vfs vfs_{};
    std::string name_;
};

}  // namespace tributary
