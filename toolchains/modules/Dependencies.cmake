# Every library we use, as imported targets. Debian 12 packages only; tools/deps.sh installs them.
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Mosquitto REQUIRED)
find_package(FlatBuffers REQUIRED CONFIG)
find_package(SQLite3 REQUIRED)
find_package(zstd REQUIRED CONFIG)
find_package(MbedTLS REQUIRED)
find_package(ISAL REQUIRED)
# Only the headers of Boost, toml++, fmt and spdlog: as libraries of their own they would take more memory and more disk on a board
# than what our programs use of them (docs/footprint.md).
find_package(Boost 1.81 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED CONFIG)
find_package(fmt REQUIRED CONFIG)
find_package(spdlog REQUIRED CONFIG)
find_program(FLATC flatc REQUIRED)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
