# shellcheck shell=bash disable=SC2034
# The Debian 12 packages that this tree needs, in one place: sourced by tools/deps.sh and cross/build.sh.

# Programs that run while building; always of the machine that builds.
build_packages=(cmake ninja-build ccache pkg-config flatbuffers-compiler)

# Libraries to compile and link with; of the machine that the programs are for.
library_packages=(
    libboost1.81-dev
    libmosquitto-dev libssl-dev libmbedtls-dev
    libflatbuffers-dev libsqlite3-dev libzstd-dev libisal-dev
    libtomlplusplus-dev libcli11-dev libspdlog-dev libfmt-dev libexpected-dev
    libgtest-dev libgmock-dev
)

# Programs that tests and the demo run.
test_packages=(mosquitto openssl python3 git)
