#include "common/store/counting_vfs.h"

#include <cstddef>
#include <new>

namespace tributary {
namespace {

// What SQLite allocates for each open file: this, then the system's own.
struct CountedFile {
    sqlite3_file base;
    std::uint64_t* written;
};
constexpr std::size_t kAlign = alignof(std::max_align_t);
constexpr std::size_t kCountedBytes = (sizeof(CountedFile) + kAlign - 1) / kAlign * kAlign;

sqlite3_file* inner(sqlite3_file* file) {
    void* const behind = reinterpret_cast<std::byte*>(file) + kCountedBytes;  // aligned for both
    return static_cast<sqlite3_file*>(behind);
}

// Forwards one method of sqlite3_io_methods to the system's file.
template <auto Method>
struct Forward;
template <class... Args, int (*sqlite3_io_methods::*Method)(sqlite3_file*, Args...)>
struct Forward<Method> {
    static int call(sqlite3_file* file, Args... args) {
        return (inner(file)->pMethods->*Method)(inner(file), args...);
    }
};

int write_counted(sqlite3_file* file, const void* data, int bytes, sqlite3_int64 offset) {
    *reinterpret_cast<CountedFile*>(file)->written += static_cast<std::uint64_t>(bytes);
    return inner(file)->pMethods->xWrite(inner(file), data, bytes, offset);
}

constexpr sqlite3_io_methods make_methods() {
    using M = sqlite3_io_methods;
    M methods{};
    methods.iVersion = 1;  // without shared memory and mapped reads
    methods.xClose = Forward<&M::xClose>::call;
    methods.xRead = Forward<&M::xRead>::call;
    methods.xWrite = write_counted;
    methods.xTruncate = Forward<&M::xTruncate>::call;
    methods.xSync = Forward<&M::xSync>::call;
    methods.xFileSize = Forward<&M::xFileSize>::call;
    methods.xLock = Forward<&M::xLock>::call;
    methods.xUnlock = Forward<&M::xUnlock>::call;
    methods.xCheckReservedLock = Forward<&M::xCheckReservedLock>::call;
    methods.xFileControl = Forward<&M::xFileControl>::call;
    methods.xSectorSize = Forward<&M::xSectorSize>::call;
    methods.xDeviceCharacteristics = Forward<&M::xDeviceCharacteristics>::call;
    return methods;
}
constexpr sqlite3_io_methods kMethods = make_methods();

}  // namespace

CountingVfs::CountingVfs(std::uint64_t& written)
    : name_("tributary-" + std::to_string(reinterpret_cast<std::uintptr_t>(this))) {
    sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
    static_cast<sqlite3_vfs&>(vfs_) = *system;
    vfs_.system = system;
    vfs_.written = &written;
    vfs_.zName = name_.c_str();
    vfs_.pNext = nullptr;
    vfs_.szOsFile = static_cast<int>(kCountedBytes) + system->szOsFile;
    vfs_.xOpen = open;
    sqlite3_vfs_register(&vfs_, 0);
}

CountingVfs::~CountingVfs() { sqlite3_vfs_unregister(&vfs_); }

int CountingVfs::open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags,
                      int* out_flags) {
    auto* const self = static_cast<Vfs*>(vfs);
    auto* const counted = new (file) CountedFile{{nullptr}, self->written};
    const int result = self->system->xOpen(self->system, path, inner(file), flags, out_flags);
    if (inner(file)->pMethods) counted->base.pMethods = &kMethods;
    return result;
}

}  // namespace tributary
