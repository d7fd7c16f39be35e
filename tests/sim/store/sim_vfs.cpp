#include "tests/sim/store/sim_vfs.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace tributary::test {
namespace {

// SQLite allocates the bytes of it.
struct OpenFile {
    sqlite3_file base{nullptr};
    SimFiles* files = nullptr;
    std::unique_ptr<OverwritableFile> file;
    std::string new_name;  // to be made durable with the first sync, as SQLite does on a real disk
};

OpenFile& of(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }

int code_of(const Status& done, int failed) {
    if (done) return SQLITE_OK;
    return done.error().code == Errc::exhausted ? SQLITE_FULL : failed;
}

int close(sqlite3_file* file) {
    of(file).~OpenFile();
    return SQLITE_OK;
}

int read(sqlite3_file* file, void* out, int bytes, sqlite3_int64 offset) {
    const ByteSpan span(static_cast<std::uint8_t*>(out), static_cast<std::size_t>(bytes));
    const auto got = of(file).file->read_at(static_cast<std::uint64_t>(offset), span);
    if (!got) return SQLITE_IOERR_READ;
    if (*got == span.size()) return SQLITE_OK;
    std::ranges::fill(span.subspan(*got), std::uint8_t{0});
    return SQLITE_IOERR_SHORT_READ;
}

int write(sqlite3_file* file, const void* data, int bytes, sqlite3_int64 offset) {
    const ByteView view(static_cast<const std::uint8_t*>(data), static_cast<std::size_t>(bytes));
    return code_of(of(file).file->write_at(static_cast<std::uint64_t>(offset), view),
                   SQLITE_IOERR_WRITE);
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
    return code_of(of(file).file->truncate(static_cast<std::uint64_t>(size)),
                   SQLITE_IOERR_TRUNCATE);
}

int sync(sqlite3_file* file, int /*flags*/) {
    OpenFile& open = of(file);
    Status done = open.file->sync();
    if (done && !open.new_name.empty())
        done = open.files->sync_directory(std::string(parent_path(open.new_name)));
    if (done) open.new_name.clear();
    return code_of(done, SQLITE_IOERR_FSYNC);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
    const auto now = of(file).file->size();
    if (!now) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(*now);
    return SQLITE_OK;
}

int no_lock(sqlite3_file*, int) { return SQLITE_OK; }
int no_reserved_lock(sqlite3_file*, int* answer) {
    *answer = 0;
    return SQLITE_OK;
}
int no_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int sector_size(sqlite3_file*) { return 4096; }
// As SQLite takes a real disk to be: a write spoils nothing beside what it writes.
int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

constexpr sqlite3_io_methods make_methods() {
    sqlite3_io_methods methods{};
    methods.iVersion = 1;
    methods.xClose = close;
    methods.xRead = read;
    methods.xWrite = write;
    methods.xTruncate = truncate;
    methods.xSync = sync;
    methods.xFileSize = file_size;
    methods.xLock = no_lock;
    methods.xUnlock = no_lock;
    methods.xCheckReservedLock = no_reserved_lock;
    methods.xFileControl = no_control;
    methods.xSectorSize = sector_size;
    methods.xDeviceCharacteristics = characteristics;
    return methods;
}
constexpr sqlite3_io_methods kMethods = make_methods();

// Also of a copy of our VFS, such as the store's, which counts what is written.
SimFiles& files_of(sqlite3_vfs* vfs) { return *static_cast<SimFiles*>(vfs->pAppData); }

}  // namespace

SimVfs::SimVfs(SimFiles& files) : system_(sqlite3_vfs_find(nullptr)), vfs_(*system_) {
    vfs_.pAppData = &files;
    vfs_.zName = "simulated";
    vfs_.pNext = nullptr;
    vfs_.szOsFile = static_cast<int>(sizeof(OpenFile));
    vfs_.xOpen = open;
    vfs_.xDelete = remove;
    vfs_.xAccess = look_at;
    vfs_.xFullPathname = full_path;
    sqlite3_vfs_register(&vfs_, 1);
}

SimVfs::~SimVfs() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(system_, 1);
}

int SimVfs::open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* given) {
    file->pMethods = nullptr;           // not open
    if (!path) return SQLITE_CANTOPEN;  // a temporary file: our index needs none
    SimFiles& files = files_of(vfs);
    auto opened = files.open_overwritable(path);
    const bool missing = !opened && opened.error().code == Errc::not_found;
    const bool make = missing && (flags & SQLITE_OPEN_CREATE) != 0;
    if (make) {
        if (const auto made = files.create(path); !made) return SQLITE_CANTOPEN;
        opened = files.open_overwritable(path);
    }
    if (!opened) return SQLITE_CANTOPEN;
    auto* const open = new (file) OpenFile;
    open->base.pMethods = &kMethods;
    open->files = &files;
    open->file = *std::move(opened);
    if (make && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0) open->new_name = path;
    if (given) *given = flags;
    return SQLITE_OK;
}

int SimVfs::remove(sqlite3_vfs* vfs, const char* path, int sync_directory) {
    SimFiles& files = files_of(vfs);
    const Status removed = files.remove(path);
    if (!removed)
        return removed.error().code == Errc::not_found ? SQLITE_IOERR_DELETE_NOENT
                                                       : SQLITE_IOERR_DELETE;
    if (sync_directory == 0) return SQLITE_OK;
    return code_of(files.sync_directory(std::string(parent_path(path))), SQLITE_IOERR_DIR_FSYNC);
}

int SimVfs::look_at(sqlite3_vfs* vfs, const char* path, int /*what*/, int* answer) {
    const auto there = files_of(vfs).stat(path);
    *answer = there && there->size > 0 ? 1 : 0;
    return SQLITE_OK;
}

int SimVfs::full_path(sqlite3_vfs*, const char* path, int size, char* out) {
    if (std::strlen(path) >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
    std::strcpy(out, path);
    return SQLITE_OK;
}

}  // namespace tributary::test
