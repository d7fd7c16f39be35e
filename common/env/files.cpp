// What can be done over any implementation of the port.
#include "common/env/files.h"

namespace tributary {

Status File::read_exactly(std::uint64_t offset, ByteSpan out) {
    TRIBUTARY_ASSIGN(const std::size_t got, read_at(offset, out));
    if (got == out.size()) return {};
    return fail(Errc::corrupt, "the file ends at byte " + std::to_string(offset + got) +
                                   ", where " + std::to_string(out.size() - got) +
                                   " bytes more were expected");
}

Result<Bytes> read_file(Files& files, const std::string& path, std::uint64_t bytes_max) {
    TRIBUTARY_ASSIGN(const auto file, files.open_read(path));
    TRIBUTARY_ASSIGN(const std::uint64_t size, file->size());
    const auto too_large = [&] {
        return fail(Errc::invalid, "cannot read " + path + ": it is larger than " +
                                       std::to_string(bytes_max) + " bytes; is it the right file?");
    };
    if (size > bytes_max) return too_large();
    // One byte more than expected: the end must be seen, for a file may grow while it is read and
    // those under /proc say size 0.
    Bytes content(static_cast<std::size_t>(size) + 1);
    std::size_t length = 0;
    while (true) {
        TRIBUTARY_ASSIGN(const std::size_t got,
                         file->read_at(length, ByteSpan(content).subspan(length)));
        length += got;
        if (length > bytes_max) return too_large();
        if (length < content.size()) break;
        content.resize(content.size() + 4096);
    }
    content.resize(length);
    return content;
}

Status replace_file(Files& files, const std::string& path, ByteView bytes, Readers readers) {
    const std::string temporary = path + ".tmp";
    const auto write_temporary = [&]() -> Status {
        auto file = files.create(temporary, false, readers);
        if (!file && file.error().code == Errc::conflict) {  // a crash left it
            TRIBUTARY_TRY(files.remove(temporary));
            file = files.create(temporary, false, readers);
        }
        if (!file) return tl::unexpected(file.error());
        TRIBUTARY_TRY((*file)->append(bytes));
        return (*file)->sync();
    };
    Status done = write_temporary();
    if (done) done = files.rename(temporary, path);
    if (!done) {
        // The error above is what matters; a temporary that stays is replaced the next time.
        static_cast<void>(files.remove(temporary));
        return done;
    }
    return files.sync_directory(std::string(parent_path(path)));
}

std::string join_path(std::string_view directory, std::string_view name) {
    std::string path(directory);
    if (!path.empty() && path.back() != '/') path += '/';
    return path += name;
}

std::string_view parent_path(std::string_view path) {
    while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
    const auto slash = path.rfind('/');
    if (slash == path.npos) return ".";
    path = path.substr(0, slash);
    while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
    return path.empty() ? "/" : path;
}

std::string_view file_name(std::string_view path) {
    while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
    const auto slash = path.rfind('/');
    return slash == path.npos || path.size() == 1 ? path : path.substr(slash + 1);
}

}  // namespace tributary
