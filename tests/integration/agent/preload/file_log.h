// The log that file_shim.cpp writes of a program's file calls, so that a test can replay them.
//
//   record = u8 call, u32 + path, u32 + other (a second path, or the bytes), u64 number (an offset
//            or a length), little-endian as this machine is
#pragma once

#include <cstdint>

namespace tributary::test {

enum class FileCall : std::uint8_t {
    create,    // path
    write,     // path, bytes, offset
    truncate,  // path, length
    sync,      // path, of a file
    sync_directory,
    rename,  // from, to
    remove,
    make_directory,
    print,  // bytes that the program gives to its standard output
};

}  // namespace tributary::test
