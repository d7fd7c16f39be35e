# Warnings, optimisation and sanitizers for our own targets, through the interface target tributary_flags.
option(TRIBUTARY_WERROR "Warnings are errors" OFF)
option(TRIBUTARY_FUZZ "Build libFuzzer targets (needs Clang)" OFF)
set(TRIBUTARY_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")

# Dev: quick to build, quick enough to run seeded suites. Release: -Os; parts that ask for speed add -O3.
# FORCE: project() has already put empty ones into the cache.
set(CMAKE_CXX_FLAGS_DEV "-O1 -g1" CACHE STRING "" FORCE)
set(CMAKE_C_FLAGS_DEV "-O1 -g1" CACHE STRING "" FORCE)
set(CMAKE_CXX_FLAGS_RELEASE "-Os -DNDEBUG" CACHE STRING "" FORCE)
set(CMAKE_C_FLAGS_RELEASE "-Os -DNDEBUG" CACHE STRING "" FORCE)

add_library(tributary_flags INTERFACE)
target_include_directories(tributary_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(tributary_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor
    -Woverloaded-virtual -Wcast-align -Wunused -Wimplicit-fallthrough
    # GCC 12 sees overlaps and overruns inside std::string that are not there (GCC bugs 105329, 105651)
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict$<SEMICOLON>-Wno-array-bounds>
    # on 32-bit ARM GCC remarks on calls that GCC 6 made otherwise
    $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},armv7>:-Wno-psabi>
    $<$<BOOL:${TRIBUTARY_WERROR}>:-Werror>
    # the same bytes out wherever the tree was unpacked
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
target_compile_definitions(tributary_flags INTERFACE TRIBUTARY_VERSION="${PROJECT_VERSION}")
if(CMAKE_SIZEOF_VOID_P EQUAL 4)
    # 64-bit file offsets, inode numbers and times. For every source, so that no two see different types; no library's function
    # that we call takes or returns one of these.
    target_compile_definitions(tributary_flags INTERFACE _FILE_OFFSET_BITS=64 _TIME_BITS=64)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(tributary_flags INTERFACE -ffunction-sections -fdata-sections)
    target_link_options(tributary_flags INTERFACE -Wl,--gc-sections -Wl,--as-needed)
endif()
if(TRIBUTARY_SANITIZE)
    target_compile_options(tributary_flags INTERFACE -fsanitize=${TRIBUTARY_SANITIZE} -fno-omit-frame-pointer
        -fno-sanitize-recover=all)
    target_link_options(tributary_flags INTERFACE -fsanitize=${TRIBUTARY_SANITIZE})
    if(TRIBUTARY_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        target_compile_options(tributary_flags INTERFACE -Wno-tsan) # Asio's fences, which it cannot follow
    endif()
endif()
if(TRIBUTARY_FUZZ)
    target_compile_options(tributary_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
